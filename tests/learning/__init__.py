"""What a rollout leaves behind, without any servers."""
