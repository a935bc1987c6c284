"""The log inside the state: every change of a rollout is written down in the same step that makes it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from models.base import Frozen, Instant
from models.letter import NAMED, WRITTEN, named, notice_id, recipients
from models.log import EntryKind, LogEntry, Outcome
from models.rollout import LOGGED_LETTER, Hold, HoldKind, Notice, RolloutState

RECENT = 100
"""Entries kept in the state for queries; the whole log is in the store."""

SEEN = 1000
"""Request ids remembered to recognise repetitions."""


BACKLOG = 500_000
"""Bytes of text in entries that wait to be recorded. While the store is down they are carried in the state, and the
server takes no payload over two megabytes: past this, refusals share an entry and only what protects is taken."""


class Now(Frozen):
    """One moment on both clocks."""

    real: Instant
    programme: Instant


def now_of(state: RolloutState, real: datetime) -> Now:
    """Both clocks at a real moment."""
    return Now(real=real, programme=state.clock.programme(real))


def write(state: RolloutState, now: Now, kind: EntryKind, message: str, **fields: Any) -> RolloutState:
    """The state with one more entry, to be recorded in the store by the next step."""
    entry = LogEntry(
        sequence=state.sequence + 1,
        at=now.real,
        programme_at=now.programme,
        kind=kind,
        phase=state.phase if state.wave is None else f"{state.phase} wave {state.wave}",
        message=message,
        **fields,
    )
    return state.model_copy(
        update={
            "sequence": entry.sequence,
            "unrecorded": (*state.unrecorded, entry),
            "recent": (*state.recent, entry)[-RECENT:],
            "refused": state.refused + (entry.outcome is Outcome.REFUSED),
        }
    )


def backlog_full(state: RolloutState) -> bool:
    """Whether entries that wait to be recorded have become too many to carry more of them."""
    texts = ((one.message, one.rationale or "", one.refusal or "") for one in state.unrecorded)
    return sum(len(text.encode()) + 100 for entry in texts for text in entry) > BACKLOG


REFUSALS, WORDS = "refusals", "words"
"""What an entry counts that stands for many requests: those that were refused, and words of the watch that were not."""


def refuse_in_bulk(state: RolloutState, message: str, now: Now) -> RolloutState:
    """One more refusal on the entry that counts refusals, or on a new one that does."""
    counted = _one_more(state, REFUSALS)
    if counted is not None:
        return counted.model_copy(update={"refused": state.refused + 1})
    return write(
        state,
        now,
        EntryKind.REFUSAL,
        f"Refused while the log is behind, the first of them: {message[:200]}",
        outcome=Outcome.REFUSED,
        refusal="the log is behind; each request stands in Temporal's history",
        detail={REFUSALS: 1},
    )


def heard_in_bulk(before: RolloutState, after: RolloutState, now: Now) -> RolloutState:
    """The state after a word of the watch, with one more on the entry that counts such words, or on a new one that
    does, in place of what the word wrote itself."""
    if after.sequence == before.sequence:
        return after
    kept = {name: getattr(before, name) for name in ("sequence", "unrecorded", "recent")}
    state = after.model_copy(update=kept)
    counted = _one_more(state, WORDS)
    if counted is not None:
        return counted
    message = f"Heard while the log is behind, the first of them: {after.recent[-1].message[:200]}"
    return write(state, now, EntryKind.ASSESSMENT, message, outcome=Outcome.APPLIED, detail={WORDS: 1})


def _one_more(state: RolloutState, what: str) -> RolloutState | None:
    """The state with one more on the entry that counts these; None where there is none among the newest that count, or
    it is on its way to the store."""
    for entry in reversed(state.unrecorded):
        if entry.sequence <= state.recording or not {REFUSALS, WORDS} & entry.detail.keys():
            return None
        if what in entry.detail:
            counted = entry.model_copy(update={"detail": {what: entry.detail[what] + 1}})
            return state.model_copy(
                update={
                    "unrecorded": tuple(counted if one is entry else one for one in state.unrecorded),
                    "recent": tuple(counted if one is entry else one for one in state.recent),
                }
            )
    return None


def notify(
    state: RolloutState, kind: str, roles: tuple[str, ...], subject: str, body: str, **facts: Any
) -> RolloutState:
    """The state with one more notice to send. It belongs to the newest entry, and its id is that, so a repeat is
    recognised. The log names it, in a rollout that began since logs do.

    Args:
        facts: `cause`, `must_act` and `due` of the notice, where there are any.
    """
    entry = state.recent[-1]
    notice = Notice(
        notice_id=notice_id(state.plan.id, state.chain_id, state.sequence, kind),
        kind=kind,
        roles=roles,
        subject=subject,
        body=body,
        programme_at=entry.programme_at,
        gate=entry.gate,
        evidence_digest=entry.evidence_digest,
        **facts,
    )
    if state.letters >= LOGGED_LETTER:
        given = tuple(one for one in state.delegations if entry.programme_at < one.until)
        notice = notice.model_copy(update={"to": recipients(state.plan, notice, given)})
        state = _name(state, entry, notice)
    return state.model_copy(update={"notices": (*state.notices, notice)})


def _name(state: RolloutState, entry: LogEntry, notice: Notice) -> RolloutState:
    """Name a letter in the log: in the notice it belongs to, where that still waits to be recorded and is one, or else
    in an entry of its own. It is written in the same step and recorded by the same request as its reason."""
    letter = named(state.plan, notice, entry.sequence, notice.to).model_dump(mode="json")
    waits = entry.sequence > state.recording and state.unrecorded[-1:] == (entry,)
    if entry.kind is EntryKind.NOTICE and waits:
        told = entry.model_copy(update={"detail": {**entry.detail, NAMED: [*entry.detail.get(NAMED, ()), letter]}})
        return state.model_copy(
            update={"unrecorded": (*state.unrecorded[:-1], told), "recent": (*state.recent[:-1], told)}
        )
    now = Now(real=entry.at, programme=entry.programme_at)
    everybody = {owner.role for owner in state.plan.owners} <= set(notice.roles)
    whom = "every owner" if everybody else ", ".join(notice.roles) or "the plan's audiences"
    message = f"{WRITTEN}{notice.kind}) to {whom}"
    return write(state, now, EntryKind.NOTICE, message, gate=entry.gate, detail={NAMED: [letter]})


def held_by(state: RolloutState, kind: HoldKind) -> Hold | None:
    """The hold of that kind, if it stands."""
    return next((hold for hold in state.holds if hold.kind is kind), None)


def hold(state: RolloutState, now: Now, kind: HoldKind, detail: str) -> RolloutState:
    """Hold for a reason. The same reason twice is one hold; a changed detail is written down."""
    standing = held_by(state, kind)
    if standing is not None and standing.detail == detail:
        return state
    since = standing.since if standing else now.programme
    others = tuple(one for one in state.holds if one.kind is not kind)
    state = state.model_copy(update={"holds": (*others, Hold(kind=kind, since=since, detail=detail))})
    return write(state, now, EntryKind.HOLD, f"Holding ({kind.value}): {detail}")


BLINDING = (HoldKind.WATCH_SILENT, HoldKind.REVIEW_MISSED, HoldKind.STORE)
"""Holds during which the numbers may have moved on: only evidence newer than their end opens a gate."""


def release(state: RolloutState, now: Now, *kinds: HoldKind) -> RolloutState:
    """Let go of holds whose cause is gone."""
    for kind in kinds:
        standing = held_by(state, kind)
        if standing is not None:
            rest = tuple(one for one in state.holds if one.kind is not kind)
            floor = now.programme if kind in BLINDING else state.evidence_floor
            state = state.model_copy(update={"holds": rest, "evidence_floor": floor})
            state = write(state, now, EntryKind.RELEASE, f"Hold released ({kind.value}): {standing.detail}")
    return state
