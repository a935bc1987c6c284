"""Ways to run Partner Rollouts."""
