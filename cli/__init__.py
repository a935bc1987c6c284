"""The rollouts command: what people do to a rollout from a terminal."""
