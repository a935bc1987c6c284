"""The worker process: what it is told, what it says, how it starts and how it ends."""
