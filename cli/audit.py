"""Reads a rollout's audit trail out of Temporal's own events: what was asked, by whom, why, and what came of it."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from pydantic import ValidationError
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.converter import DataConverter

from console.gateway import Gateway
from models.base import Frozen, Instant
from models.command import Verb
from models.log import LogEntry, Outcome

PREVIEW = 300
"""Bytes shown of a payload that cannot be read."""

LONGEST_VERB = 100
"""Characters of a signal's name that its entry in the log keeps."""


class Kind(StrEnum):
    """What a line of the trail is."""

    RUN = "run"
    """A run began or ended."""
    REQUEST = "request"
    """Somebody asked for something, whatever came of it."""
    ENTRY = "entry"
    """The rollout did something by itself, and wrote it down."""
    WORD = "word"
    """The watch's daily word that nothing has changed."""
    OTHER = "other"
    """A step of Temporal's own."""


class Line(Frozen):
    """One thing that stands in the history.

    `who` is claimed in the request; `identity` is what the sending client called itself: nobody checks either.
    `entries` are the sequence numbers of the log entries that record it, `message` is what the last of them says.
    """

    at: Instant
    run_id: str
    event_id: int
    kind: Kind
    what: str
    verb: str = ""
    who: str = ""
    identity: str = ""
    why: str = ""
    evidence: str = ""
    outcome: str = ""
    message: str = ""
    entries: tuple[int, ...] = ()
    programme_at: Instant | None = None
    request_id: str | None = None
    arguments: tuple[Any, ...] = ()


class Trail(Frozen):
    """The lines of all runs that Temporal still has, the oldest first.

    `missing_run` is the run before them, if it is past retention. `taken_up` is when a worker took up the task that it
    has not answered yet: what was sent since then, Temporal keeps aside, and puts into the history after that answer.
    """

    rollout: str
    runs: int
    missing_run: str | None
    taken_up: Instant | None = None
    lines: tuple[Line, ...]


async def read_trail(gateway: Gateway, name: str) -> Trail:
    """The audit trail of a rollout across its chain of runs.

    Raises:
        GatewayError: Temporal has no history of it.
    """
    runs = [one async for one in gateway.runs(name)]
    runs.reverse()
    lines: list[Line] = []
    entries: dict[int, Line] = {}
    for run_id, events in runs:
        for event in events:
            for line in await _lines(gateway.client.data_converter, run_id, event):
                # An attempt at recording that was repeated holds the same entries once more.
                if line.kind is not Kind.ENTRY:
                    lines.append(line)
                elif line.entries[0] not in entries:
                    entries[line.entries[0]] = line
                    lines.append(line)
    before = runs[0][1][0].workflow_execution_started_event_attributes.continued_execution_run_id
    return Trail(
        rollout=name,
        runs=len(runs),
        missing_run=before or None,
        taken_up=_taken_up(runs[-1][1][-1]),
        lines=tuple(settle(lines)),
    )


def _taken_up(newest: HistoryEvent) -> datetime | None:
    if newest.event_type != EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED:
        return None
    return newest.event_time.ToDatetime(tzinfo=UTC)


def settle(lines: Sequence[Line]) -> list[Line]:
    """Put what came of each request beside it; entries that answer no request keep a line of their own."""
    waiting = [line for line in lines if line.kind is Kind.ENTRY]
    settled: dict[int, Line] = {}
    used: set[int] = set()
    for at, line in enumerate(lines):
        if line.kind is not Kind.REQUEST:
            continue
        found = _answers(line, [one for one in waiting if id(one) not in used])
        used |= {id(one) for one in found}
        settled[at] = _with(line, found)
    return [settled.get(at, line) for at, line in enumerate(lines) if id(line) not in used]


def _answers(request: Line, entries: Sequence[Line]) -> list[Line]:
    """The entries that record what came of a request: its own, or the next that says why one could not be read."""
    own = [one for one in entries if request.request_id and one.request_id == request.request_id]
    first = [one for one in own if not _repetition(one)]
    if first:
        return first
    if own:
        return own[:1]
    return [one for one in entries if not one.request_id and _refusal_of(one, request)][:1]


def _refusal_of(entry: Line, request: Line) -> bool:
    return entry.outcome == Outcome.REFUSED and entry.verb == request.verb[:LONGEST_VERB]


def _repetition(entry: Line) -> bool:
    return entry.outcome == Outcome.REFUSED and "duplicate" in entry.message


def _with(request: Line, entries: Sequence[Line]) -> Line:
    if not entries:
        return request if request.kind is Kind.WORD else request.model_copy(update={"outcome": "not recorded"})
    last = entries[-1]
    return request.model_copy(
        update={
            "outcome": last.outcome or Outcome.APPLIED.value,
            "message": last.message,
            "entries": tuple(number for one in entries for number in one.entries),
            "programme_at": entries[0].programme_at,
            "evidence": request.evidence or last.evidence,
        }
    )


async def _lines(converter: DataConverter, run_id: str, event: HistoryEvent) -> list[Line]:
    kind = EventType.Name(event.event_type).removeprefix("EVENT_TYPE_")
    place: dict[str, Any] = {
        "at": event.event_time.ToDatetime(tzinfo=UTC),
        "run_id": run_id,
        "event_id": event.event_id,
    }
    match kind:
        case "WORKFLOW_EXECUTION_SIGNALED":
            signal = event.workflow_execution_signaled_event_attributes
            return [await _request(converter, place, signal.signal_name, signal.identity, signal.input.payloads)]
        case "WORKFLOW_EXECUTION_UPDATE_ACCEPTED":
            asked = event.workflow_execution_update_accepted_event_attributes.accepted_request
            return [await _request(converter, place, asked.input.name, asked.meta.identity, asked.input.args.payloads)]
        case "ACTIVITY_TASK_SCHEDULED":
            activity = event.activity_task_scheduled_event_attributes
            if activity.activity_type.name == "record_decisions":
                arguments = await _read(converter, activity.input.payloads)
                return [_entry(place, one) for one in _entries(arguments)]
            step = Line(**place, kind=Kind.OTHER, what=f"activity {activity.activity_type.name}")
            if activity.activity_type.name != "enrol_partners":
                return [step]
            # It may take along what has to stand in the log before anybody is enrolled.
            arguments = await _read(converter, activity.input.payloads)
            along = [one.get("record") for one in arguments if isinstance(one, dict)]
            return [*(_entry(place, one) for one in _entries(along)), step]
        case "WORKFLOW_EXECUTION_STARTED":
            started = event.workflow_execution_started_event_attributes
            before = started.continued_execution_run_id
            what = f"continued from run {before}" if before else "started"
            return [Line(**place, kind=Kind.RUN, what=what, identity=started.identity)]
        case "WORKFLOW_EXECUTION_CONTINUED_AS_NEW":
            following = event.workflow_execution_continued_as_new_event_attributes.new_execution_run_id
            return [Line(**place, kind=Kind.RUN, what=f"continued as new in run {following}")]
        case "WORKFLOW_EXECUTION_TERMINATED":
            ended = event.workflow_execution_terminated_event_attributes
            details = await _read(converter, ended.details.payloads)
            what = "terminated, outside the plan"
            return [
                Line(**place, kind=Kind.RUN, what=what, identity=ended.identity, why=ended.reason, arguments=details)
            ]
        case "WORKFLOW_EXECUTION_CANCEL_REQUESTED":
            cancel = event.workflow_execution_cancel_requested_event_attributes
            return [Line(**place, kind=Kind.RUN, what="cancel requested, outside the plan", identity=cancel.identity)]
        case "WORKFLOW_EXECUTION_COMPLETED":
            return [Line(**place, kind=Kind.RUN, what="completed")]
        case "WORKFLOW_EXECUTION_FAILED" | "WORKFLOW_EXECUTION_TIMED_OUT" | "WORKFLOW_EXECUTION_CANCELED":
            what = f"{kind.removeprefix('WORKFLOW_EXECUTION_').replace('_', ' ').lower()}, outside the plan"
            return [Line(**place, kind=Kind.RUN, what=what)]
        case "WORKFLOW_TASK_FAILED":
            failed = event.workflow_task_failed_event_attributes
            what = "workflow task failed, and is tried again"
            return [Line(**place, kind=Kind.RUN, what=what, identity=failed.identity, why=failed.failure.message)]
        case _:
            return [Line(**place, kind=Kind.OTHER, what=kind.replace("_", " ").lower())]


async def _request(
    converter: DataConverter, place: dict[str, Any], name: str, identity: str, payloads: Iterable[Payload]
) -> Line:
    arguments = await _read(converter, payloads)
    body = arguments[0] if len(arguments) == 1 and isinstance(arguments[0], dict) else {}
    about = " ".join(str(body[key]) for key in ("choice", "gate", "metric", "role", "until") if body.get(key))
    word = name == Verb.REPORT_EVIDENCE and body.get("changed") is False
    return Line(
        **place,
        kind=Kind.WORD if word else Kind.REQUEST,
        what=f"{name} {about}".rstrip(),
        verb=name,
        who=str(body.get("actor") or ""),
        identity=identity,
        why=str(body["reason"]) if "reason" in body else _unread(arguments),
        evidence=str(body.get("evidence_digest") or ""),
        request_id=str(body["request_id"]) if body.get("request_id") else None,
        arguments=arguments,
    )


def _unread(arguments: Sequence[Any]) -> str:
    """What was sent instead of a request, on one bounded line."""
    told = "; ".join(repr(one) for one in arguments)
    return f"{len(arguments)} arguments: {told}"[:PREVIEW] if arguments else "no arguments"


async def _read(converter: DataConverter, payloads: Iterable[Payload]) -> tuple[Any, ...]:
    """Arguments as plain data. What cannot be read is shown as what it is, never left out."""
    return tuple([await _read_one(converter, one) for one in payloads])


async def _read_one(converter: DataConverter, payload: Payload) -> Any:
    try:
        found = (await converter.decode([payload]))[0]
    except Exception as problem:
        return _raw(payload, str(problem)[:PREVIEW])
    return _raw(payload, "bytes, not JSON") if isinstance(found, bytes) else found


def _raw(payload: Payload, why: str) -> dict[str, Any]:
    return {
        "unreadable": why,
        "encoding": payload.metadata.get("encoding", b"").decode(errors="replace"),
        "bytes": len(payload.data),
        "base64": base64.b64encode(payload.data[:PREVIEW]).decode(),
    }


def _entries(arguments: Sequence[Any]) -> list[Any]:
    body = arguments[0] if arguments and isinstance(arguments[0], dict) else {}
    found = body.get("entries")
    return found if isinstance(found, list) else []


def _entry(place: dict[str, Any], body: Any) -> Line:
    try:
        entry = LogEntry.model_validate(body, strict=False)
    except ValidationError:
        # From a later release: shown as it stands rather than left out.
        number = body.get("sequence") if isinstance(body, dict) else None
        known = (number,) if isinstance(number, int) else (-place["event_id"],)
        what = "an entry that this release cannot read"
        return Line(**place, kind=Kind.ENTRY, what=what, entries=known, message=repr(body)[:PREVIEW], arguments=(body,))
    return Line(
        **place,
        kind=Kind.ENTRY,
        what=entry.kind.value,
        verb=entry.verb or "",
        who=entry.actor or "",
        why=entry.rationale or "",
        evidence=entry.evidence_digest or "",
        outcome=entry.outcome.value if entry.outcome else "",
        message=entry.refusal or entry.message,
        entries=(entry.sequence,),
        programme_at=entry.programme_at,
        request_id=entry.request_id,
    )
