"""What a rollout sends along with its requests: cohorts by name, baselines by the evidence they are taken from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from models.letter import notice_head, only_names
from models.log import EntryKind, LogEntry
from models.rollout import CohortMembers, FrozenCohort, Notice, RolloutState
from models.work import RecordRequest, RolloutKey, Standing, StandingBrief
from models.writable import writable
from workflows.course import members, watched
from workflows.delegation import standing
from workflows.journal import Now
from workflows.view import awaited, sentence, since, status_of, upcoming


def named(state: RolloutState, cohorts: Sequence[FrozenCohort | CohortMembers]) -> dict[str, Any]:
    """Cohorts for a request to measure them. A rollout of the first release sends the members it holds."""
    if state.cohorts_digest is None:
        return {"cohorts": tuple(cohorts)}
    return {"cohorts": tuple(one.name for one in cohorts), "cohorts_digest": state.cohorts_digest}


def named_one(state: RolloutState, name: str) -> dict[str, Any]:
    """The same for a request about one cohort."""
    if state.cohorts_digest is None:
        return {"cohort": members(state, name)}
    return {"cohort": name, "cohorts_digest": state.cohorts_digest}


def baselines_from(state: RolloutState) -> str | None:
    """The evidence that the baselines are taken from: all of them are of one snapshot."""
    return state.baselines[0].evidence_digest if state.baselines else None


class Told:
    """Where the store believes that a rollout stands, so that it need not be told again. While a record is under way
    nobody knows: one that failed may have been written all the same."""

    def __init__(self) -> None:
        self._known: StandingBrief | Standing | None = None
        self._sent: StandingBrief | Standing | None = None

    def news(self, standing: StandingBrief | Standing) -> StandingBrief | Standing | None:
        """What a record has to say of a standing: nothing where the store has it."""
        known, self._known, self._sent = self._known, None, standing
        return None if standing == known else standing

    def taken(self) -> None:
        """The record has been written."""
        self._known = self._sent


def record_of(
    state: RolloutState, key: RolloutKey, run_id: str, now: Now, told: Told | None = None, *, counted: bool = False
) -> RecordRequest:
    """Everything that waits to be recorded, and the letters about it.

    Args:
        told: what the store knows, with which nothing is said twice. None for a run that began before there was this.
        counted: entries that follow one another bear no number. False as above.
    """
    standing = standing_of(state, now)
    return writable(
        RecordRequest(
            key=key,
            run_id=run_id if run_id != key.chain_id else None,
            entries=state.unrecorded,
            standing=standing if told is None else told.news(standing),
            notices=state.notices,
            once=told is not None,
            counted=counted,
        )
    )


def notices_of(state: RolloutState, key: RolloutKey, *, once: bool = True) -> tuple[str | Notice, ...]:
    """The letters to be delivered, by name. One that was written before logs named letters is sent whole: the release
    that recorded it may not have put it into the outbox.

    Args:
        once: without the rollout and the chain. False as above.
    """
    head = notice_head(key.rollout_id, key.chain_id) if once else ""
    return tuple(one.notice_id.removeprefix(head) if one.to else one for one in state.notices)


def in_short(entries: Sequence[LogEntry], longest: int = 100) -> str:
    """What a record is about, for lists, in so many characters: the newest entry but for letters about it."""
    told = [entry for entry in entries if not only_names(entry)]
    return (told or entries)[-1].message[:longest]


def recorded(state: RolloutState, last: int) -> RolloutState:
    """The state without the entries up to the last one that was recorded."""
    rest = tuple(entry for entry in state.unrecorded if entry.sequence > last)
    return state.model_copy(update={"unrecorded": rest})


def without(state: RolloutState, notices: Sequence[Notice]) -> RolloutState:
    """The state without letters that are on their way."""
    sent = {one.notice_id for one in notices}
    return state.model_copy(update={"notices": tuple(one for one in state.notices if one.notice_id not in sent)})


def standing_of(state: RolloutState, now: Now) -> StandingBrief | Standing:
    """Where the rollout stands, for lists and for the watch."""
    about: dict[str, Any] = {
        "phase": state.phase.value,
        "wave": state.wave,
        "status": status_of(state, now).value,
        "sentence": sentence(state, now),
        "since": since(state, now),
        "open": state.terminal is None,
        "tolerance_since": state.tolerance_since,
        "awaited": awaited(state, now),
        "next": upcoming(state, now),
        "delegations": standing(state, now),
    }
    held = tuple(one for one in watched(state) if isinstance(one, CohortMembers))
    if held:
        return Standing(**about, watched=held, baselines=state.baselines)
    measured = any(one.kind is EntryKind.BASELINE for one in state.unrecorded)
    return StandingBrief(
        **about,
        watching=tuple(one.name for one in watched(state)),
        baselines_from=baselines_from(state) if measured else None,
    )
