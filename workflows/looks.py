"""What is asked of a rollout's next look at the numbers, and which look answers it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from models.evidence import Assessment
from models.rollout import RolloutState
from workflows.journal import Now

NOTHING_ASKED: dict[str, Any] = {"assess_because": None, "reported": None, "asked_at": None}
MOMENT = timedelta(microseconds=1)


def ask_for_look(because: str, now: Now) -> dict[str, Any]:
    """What changes when somebody asks for a look."""
    return {"assess_because": because, "asked_at": now.programme}


def asked_since(state: RolloutState, measured: datetime) -> bool:
    """Whether somebody asked for a look after the numbers were measured that are being judged."""
    return state.asked_at is not None and state.asked_at > measured


def still_asked(state: RolloutState, assessment: Assessment) -> dict[str, Any]:
    """What changes with evidence that answers nobody: no gate opens on it."""
    newer = assessment.as_of + MOMENT
    return {"evidence_floor": max(state.evidence_floor or newer, newer)}
