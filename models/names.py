"""Names on the wire: they outlive every refactoring, so they stand here and nowhere else."""

from __future__ import annotations

TASK_QUEUE = "partner-rollout"
ROLLOUT = "PartnerRollout"
WATCH = "PartnerWatch"
WATCH_ID = "partner-watch"
WAKE = "wake"


def rollout_workflow_id(plan_id: str) -> str:
    """The workflow id of a plan's rollout: the business key."""
    return f"rollout/{plan_id}"
