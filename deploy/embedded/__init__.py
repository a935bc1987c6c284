"""Real PostgreSQL and Temporal servers as child processes, on loopback, with nothing to install."""
