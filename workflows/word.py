"""The watch's word on a breach: when a rollout may take it, and what the evidence it names changes."""

from __future__ import annotations

from datetime import datetime

from models.evidence import Assessment
from models.rollout import RolloutState
from workflows.course import watched
from workflows.journal import Now
from workflows.phases import assessed

AFTERWARDS = "everything, after the watch's word was borne out"
"""Why a rollout looks for itself once it has acted on what the watch measured."""


def takes_words(state: RolloutState) -> bool:
    """Whether a breach would change anything: one that is paused already, is asked to resume, or is over looks for
    itself as ever."""
    over = state.terminal or state.stop_resolution
    return not (over or state.pause or state.resume_request) and bool(watched(state))


def not_before(state: RolloutState) -> datetime | None:
    """Evidence older than this says nothing new: the rollout has seen newer, has been resumed since, or has not begun
    to watch."""
    seen = state.assessment.as_of if state.assessment else None
    moments = [one for one in (seen, state.tolerance_since, state.evidence_floor) if one is not None]
    return max(moments, default=None)


def borne_out(state: RolloutState, assessment: Assessment, because: str, now: Now) -> RolloutState | None:
    """The rollout paused or stopping, where its own judgement of the watch's evidence asks for that; otherwise None.

    Evidence of one metric is no assessment of the rollout: it can only halt it, never let anything pass, and the look
    at everything follows.
    """
    names = {one.name for one in watched(state)}
    if not takes_words(state) or any(item.cohort not in names for item in assessment.items):
        return None
    after = assessed(state, assessment, because, now)
    if after.pause:
        return after.model_copy(update={"assess_because": AFTERWARDS})
    return after if after.stop_resolution else None
