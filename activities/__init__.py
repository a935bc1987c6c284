"""Everything of a rollout that touches the world, as idempotent Temporal activities."""
