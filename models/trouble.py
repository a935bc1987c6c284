"""What can be wrong with the workflow of a rollout that the store has open."""

from __future__ import annotations

from enum import StrEnum

from models.base import Frozen, Instant
from models.work import RolloutKey


class Trouble(StrEnum):
    """Why nobody can count on the rollout any more, though it has not ended."""

    TERMINATED = "terminated"
    ENDED = "ended"
    DELETED = "deleted"
    RESET = "reset"
    PAUSED = "paused"
    REPLACED = "replaced"
    REWRITTEN = "rewritten"


class Alarm(Frozen):
    """A trouble that was found. `about` is the run it is about; `over_at` is when it was over, None while it stands."""

    key: RolloutKey
    trouble: Trouble
    about: str
    detail: str
    raised_at: Instant
    over_at: Instant | None = None
