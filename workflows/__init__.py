"""The durable steps of a rollout: waits, activity calls and transitions, no I/O."""
