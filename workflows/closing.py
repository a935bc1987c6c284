"""What a rollout does before it ends, completed or stopped: it reviews itself, and its record and history are kept."""

from __future__ import annotations

from typing import Any

from models.kept import KeepResult
from models.log import EntryKind
from models.rollout import Closing, HoldKind, RolloutState
from models.work import ExportResult, ReviewResult
from workflows.journal import Now, held_by, write
from workflows.step import LEAVES_BEHIND, Step, StepKind, over

ENOUGH = {StepKind.REVIEW: 10, StepKind.KEEP: 10, StepKind.EXPORT: 30}
"""Failures after which the end waits for it no longer: after an hour and after a day, about. A review and a record can
be made of the log at any time, and the sweep exports a history for as long as Temporal keeps it."""

_FIELD = {StepKind.REVIEW: "reviewed", StepKind.KEEP: "kept", StepKind.EXPORT: "exported"}
_ENTRY = {StepKind.REVIEW: EntryKind.REVIEW, StepKind.KEEP: EntryKind.RECORD, StepKind.EXPORT: EntryKind.EXPORT}
_GIVEN_UP = {
    StepKind.REVIEW: "It ends without a closing review",
    StepKind.KEEP: "It ends without a kept decision record",
    StepKind.EXPORT: "It ends without a last export of its history",
}


def begin(state: RolloutState, now: Now) -> RolloutState:
    """Nothing else is to be done: close. What failed at a gate does not count."""
    state = over(state, LEAVES_BEHIND & set(state.failures), now)
    return state.model_copy(update={"closing": Closing(since=now.programme), "export_due": None})


def near_its_end(state: RolloutState) -> bool:
    """Whether only what a rollout leaves behind is still to be done: a few dozen events, and fewer bytes than it takes
    to carry its state on into another run."""
    return state.closing is not None or state.terminal is not None


def closing_step(state: RolloutState) -> Step | None:
    """What is to be kept next: first the log, then what it comes to, then the record that tells of that, and the
    history last, which tells of all of it."""
    closing = state.closing
    if closing is None or state.terminal or state.unrecorded:
        return None
    if not closing.reviewed:
        return Step(kind=StepKind.REVIEW, about="before the end")
    if not _record_kept(state, closing):
        return Step(kind=StepKind.KEEP, about="before the end")
    return None if closing.exported else Step(kind=StepKind.EXPORT, about="before the end")


def gate_step(state: RolloutState) -> Step | None:
    """The export that a gate asks for."""
    return Step(kind=StepKind.EXPORT, about=f"after {state.export_due}") if state.export_due else None


def closed(state: RolloutState, now: Now) -> tuple[RolloutState, bool]:
    """The state without what is given up, and whether everything is kept that can be."""
    for kind, enough in ENOUGH.items():
        if state.failures.get(kind.value, 0) >= enough:
            standing = held_by(state, HoldKind.CLOSING)
            state = over(_settled(state, kind), {kind.value}, now)
            told = standing.detail if standing else "no more tries"
            state = write(state, now, _ENTRY[kind], f"{_GIVEN_UP[kind]}: {told}")
    closing = state.closing
    return state, closing is not None and closing.reviewed and _record_kept(state, closing) and closing.exported


def reviewed(state: RolloutState, result: ReviewResult, now: Now) -> RolloutState:
    """The review is kept; the log says what it comes to, and under which digest it is found."""
    told = f"Closing review: {result.summary}"
    return write(_settled(state, StepKind.REVIEW), now, EntryKind.REVIEW, told, evidence_digest=result.digest)


def record_kept(state: RolloutState, result: KeepResult, now: Now) -> RolloutState:
    """The record and the draft of the next cycle are kept; the log says under which digests, and up to which entry it
    goes itself."""
    draft = f"; no draft of a next cycle: {result.no_draft}" if result.no_draft else " and the draft of the next cycle"
    return _left(state, StepKind.KEEP, f"Decision record kept, as of entry {result.entries}{draft}", result, now)


def exported(state: RolloutState, about: str, result: ExportResult, now: Now) -> RolloutState:
    """The history is kept; the log says under which digest."""
    runs = "1 run" if result.runs == 1 else f"{result.runs} runs"
    lost = f"; run {result.missing_run} before them was deleted unexported" if result.missing_run else ""
    told = f"History exported ({about}): {runs}, {result.events} events of this one{lost}"
    return _left(state, StepKind.EXPORT, told, result, now)


def _left(state: RolloutState, kind: StepKind, told: str, result: KeepResult | ExportResult, now: Now) -> RolloutState:
    """What is left behind, with all that the activity says of it."""
    detail = result.model_dump(mode="json", exclude_none=True)
    return write(_settled(state, kind), now, _ENTRY[kind], told, detail=detail)


def _settled(state: RolloutState, kind: StepKind) -> RolloutState:
    """Done, or given up."""
    update: dict[str, Any] = {"export_due": None} if kind is StepKind.EXPORT else {}
    if state.closing is not None:
        update["closing"] = state.closing.model_copy(update={_FIELD[kind]: True})
    return state.model_copy(update=update)


def _record_kept(state: RolloutState, closing: Closing) -> bool:
    """Whether the record is kept or given up; a run that began before there was this step has none to keep."""
    return closing.kept or not state.keeps
