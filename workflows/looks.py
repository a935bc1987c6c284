"""What is asked of a rollout's next look at the numbers, and which look answers it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from models.command import ReportBreach, ReportEvidence
from models.evidence import Assessment
from models.rollout import RolloutState
from models.vouching import good_until, proven
from workflows.journal import WORDS, Now, backlog_full

NOTHING_ASKED: dict[str, Any] = {"assess_because": None, "reported": None, "asked_at": None, "alarmed_at": None}
MOMENT = timedelta(microseconds=1)

ON_ITS_WAY = timedelta(minutes=1)
"""Real time that a word may take from the watch to a rollout; on a fast programme clock it is days."""


class Answered(NamedTuple):
    """What a look answers: everything that was asked, a resume that waits for it, and the gate.

    Whatever it does not answer stays asked, and the look halts the rollout all the same where it has to.
    """

    everything: bool = True
    resume: bool = True
    gate: bool = True


ALL = Answered()
NOBODY = Answered(everything=False, resume=False, gate=False)


def ask_for_look(because: str, now: Now, *, alarm: bool = False) -> dict[str, Any]:
    """What changes when somebody asks for a look.

    Args:
        alarm: they say that something is wrong: no gate opens before that has been looked at.
    """
    asked = {"assess_because": because, "asked_at": now.programme}
    return {**asked, "alarmed_at": now.programme} if alarm else asked


def asked_since(state: RolloutState, measured: datetime) -> bool:
    """Whether somebody asked for a look after the numbers were measured that are being judged."""
    return state.asked_at is not None and state.asked_at > measured


def answers(state: RolloutState, measured: datetime, *, each: bool = True) -> Answered:
    """Whom a look answers whose numbers were measured at a moment.

    A resume goes by numbers that were measured after it was asked for, whatever was asked since. A gate waits for a
    look that nobody overtakes; but where two in a row are overtaken it goes by the second: words may come more often
    than a look takes, and for as long as numbers change. While somebody says that something is wrong none opens anyhow.

    Args:
        each: False as before there was this: a look that somebody overtook answers nobody, and words in a row kept
            everybody waiting.
    """
    if not asked_since(state, measured):
        return ALL
    if not each:
        return NOBODY
    request = state.resume_request
    resume = request is not None and request.asked_at is not None and request.asked_at <= measured
    return Answered(everything=False, resume=resume, gate=_overtaken(state))


def _overtaken(state: RolloutState) -> bool:
    """Whether the newest evidence opens no gate because somebody asked while it was read."""
    return state.assessment is not None and state.evidence_floor == state.assessment.as_of + MOMENT


def still_asked(state: RolloutState, assessment: Assessment, answered: Answered) -> dict[str, Any]:
    """What changes with evidence that does not answer everything: no gate opens on it, unless it answers that."""
    newer = assessment.as_of + MOMENT
    alarmed = state.alarmed_at if state.alarmed_at and state.alarmed_at > assessment.as_of else None
    floor = state.evidence_floor if answered.gate else max(state.evidence_floor or newer, newer)
    return {"evidence_floor": floor, "alarmed_at": alarmed}


def waits_for_room(state: RolloutState) -> bool:
    """Whether the watch has spoken while the log was behind, and somebody has looked since: each look writes an entry,
    so what is asked beyond that waits until there is room for it."""
    words = next((one.sequence for one in state.unrecorded if WORDS in one.detail), None)
    if words is None or not backlog_full(state):
        return False
    return any(one.sequence > words and "verdicts" in one.detail for one in state.unrecorded)


def heard_from(state: RolloutState, word: ReportBreach | ReportEvidence, now: Now) -> dict[str, Any] | None:
    """What changes because the watch is known to be awake; None for a word that somebody may have said in its name.

    A proof that was overheard can be repeated, so no word counts for later than the end of its span, and of the time
    that it may have been on its way.
    """
    if state.watch_key is None:
        return {"last_evidence_at": now.programme}
    begun = state.clock.programme_start
    key = proven(state.watch_key, begun, word.as_of, word.proof)
    if key is None:
        return None
    clock = state.clock
    at = min(now.programme, clock.programme(clock.real(good_until(key, begun)) + ON_ITS_WAY))
    return {"watch_key": key, "last_evidence_at": max(at, state.last_evidence_at or at)}
