"""Names on the wire: they outlive every refactoring, so they stand here and nowhere else."""

from __future__ import annotations

import zlib

TASK_QUEUE = "partner-rollout"
ROLLOUT = "PartnerRollout"
WATCH = "PartnerWatch"
WATCH_ID = "partner-watch"
WAKE = "wake"

DEPLOYMENT = "partner-rollouts"
"""Whom signatures are made for, unless an installation has a name of its own."""


EFFECTS = "-effects"


_ROLLOUTS = "rollout/"


def effects_queue(queue: str) -> str:
    """The queue of what enrols and withdraws partners, beside the queue of workflows and everything else."""
    return queue + EFFECTS


def watch_workflow_id(shard: int) -> str:
    """The workflow id of a shard of the watch; the first, which as a rule is the only one, has the plain name."""
    return f"{WATCH_ID}-{shard}" if shard else WATCH_ID


def shard_of(rollout_id: str, shards: int) -> int:
    """Which of so many shards of the watch looks after a rollout."""
    return zlib.crc32(rollout_id.encode()) % shards


def rollout_workflow_id(plan_id: str) -> str:
    """The workflow id of a plan's rollout: the business key."""
    return f"{_ROLLOUTS}{plan_id}"


def rollout_of(workflow_id: str) -> str | None:
    """Whose workflow id it is; None for one that is no rollout's."""
    return workflow_id.removeprefix(_ROLLOUTS) if workflow_id.startswith(_ROLLOUTS) else None
