"""What is written of a rollout, without any servers."""
