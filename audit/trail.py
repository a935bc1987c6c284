"""Reads what was asked of a rollout, and what it wrote down, out of its history as Temporal's own JSON has it."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from pydantic import ValidationError

from models.base import Frozen, Instant
from models.claims import DecisionKeys, PublicKey
from models.command import NOTHING_CHANGED, WATCH_ACTOR, DailyWord, Verb, word_id
from models.log import LogEntry, Outcome
from models.terse import entries_in_full

PREVIEW = 300
"""Bytes shown of a payload that cannot be read."""

LONGEST_VERB = 100
"""Characters of a signal's name that its entry in the log keeps."""

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
"""What an event without a readable time is dated."""

Event = dict[str, Any]
"""An event as `WorkflowHistory.to_json` writes it."""


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
    LETTER = "letter"
    """A letter that lies in the outbox, and that no entry names."""
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


def lines_of(run_id: str, events: Iterable[Event]) -> list[Line]:
    """What stands in a run, event by event; each entry of the log by itself, as often as it was sent."""
    return [line for event in events for line in _lines(run_id, event)]


def once(lines: Iterable[Line]) -> list[Line]:
    """The lines without repeated attempts at recording, which hold the same entries once more."""
    known: set[int] = set()
    found = []
    for line in lines:
        if line.kind is Kind.ENTRY:
            if line.entries[0] in known:
                continue
            known.add(line.entries[0])
        found.append(line)
    return found


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


def kind_of(event: Event) -> str:
    """The type of an event without its prefix, `""` where it has none."""
    return str(event.get("eventType", "")).removeprefix("EVENT_TYPE_")


def attributes(event: Event) -> dict[str, Any]:
    """What an event says beside its number, time and type."""
    found = (value for name, value in event.items() if name.endswith("EventAttributes"))
    first = next(found, None)
    return first if isinstance(first, dict) else {}


def _lines(run_id: str, event: Event) -> list[Line]:
    kind, said = kind_of(event), attributes(event)
    place: dict[str, Any] = {"at": moment_of(event), "run_id": run_id, "event_id": number_of(event)}
    match kind:
        case "WORKFLOW_EXECUTION_SIGNALED":
            return [_request(place, str(said.get("signalName", "")), _text(said, "identity"), payloads(said, "input"))]
        case "WORKFLOW_EXECUTION_UPDATE_ACCEPTED":
            asked = _part(said, "acceptedRequest")
            name = str(_part(asked, "input").get("name", ""))
            return [
                _request(place, name, _text(_part(asked, "meta"), "identity"), payloads(_part(asked, "input"), "args"))
            ]
        case "ACTIVITY_TASK_SCHEDULED":
            return _activity(place, said)
        case _:
            return [_of_the_run(place, kind, said)]


def _activity(place: dict[str, Any], said: dict[str, Any]) -> list[Line]:
    name = str(_part(said, "activityType").get("name", ""))
    if name == "record_decisions":
        return [_entry(place, one) for one in _entries(read(payloads(said, "input")))]
    step = Line(**place, kind=Kind.OTHER, what=f"activity {name}")
    if name != "enrol_partners":
        return [step]
    # It may take along what has to stand in the log before anybody is enrolled.
    along = [one.get("record") for one in read(payloads(said, "input")) if isinstance(one, dict)]
    return [*(_entry(place, one) for one in _entries(along)), step]


def _of_the_run(place: dict[str, Any], kind: str, said: dict[str, Any]) -> Line:
    match kind:
        case "WORKFLOW_EXECUTION_STARTED":
            before = _text(said, "continuedExecutionRunId")
            what = f"continued from run {before}" if before else "started"
            return Line(**place, kind=Kind.RUN, what=what, identity=_text(said, "identity"))
        case "WORKFLOW_EXECUTION_CONTINUED_AS_NEW":
            return Line(**place, kind=Kind.RUN, what=f"continued as new in run {_text(said, 'newExecutionRunId')}")
        case "WORKFLOW_EXECUTION_TERMINATED":
            return Line(
                **place,
                kind=Kind.RUN,
                what="terminated, outside the plan",
                identity=_text(said, "identity"),
                why=_text(said, "reason"),
                arguments=read(payloads(said, "details")),
            )
        case "WORKFLOW_EXECUTION_CANCEL_REQUESTED":
            what = "cancel requested, outside the plan"
            return Line(**place, kind=Kind.RUN, what=what, identity=_text(said, "identity"))
        case "WORKFLOW_EXECUTION_COMPLETED":
            return Line(**place, kind=Kind.RUN, what="completed")
        case "WORKFLOW_EXECUTION_FAILED" | "WORKFLOW_EXECUTION_TIMED_OUT" | "WORKFLOW_EXECUTION_CANCELED":
            what = f"{kind.removeprefix('WORKFLOW_EXECUTION_').replace('_', ' ').lower()}, outside the plan"
            return Line(**place, kind=Kind.RUN, what=what)
        case "WORKFLOW_TASK_FAILED":
            what, why = "workflow task failed, and is tried again", _text(_part(said, "failure"), "message")
            return Line(**place, kind=Kind.RUN, what=what, identity=_text(said, "identity"), why=why)
        case _:
            return Line(**place, kind=Kind.OTHER, what=kind.replace("_", " ").lower() or "an event without a type")


def moment_of(event: Event) -> datetime:
    """When an event happened; `LONG_AGO` where it does not say so."""
    try:
        # Nine digits of a second are more than Python reads.
        head, _, rest = str(event["eventTime"]).removesuffix("Z").partition(".")
        return datetime.fromisoformat(f"{head}.{(rest + '000000')[:6]}+00:00")
    except (KeyError, ValueError):
        return LONG_AGO


def number_of(event: Event) -> int:
    """The number of an event in its run, 0 where it has none."""
    try:
        return int(event.get("eventId", 0))
    except (TypeError, ValueError):
        return 0


def _part(said: dict[str, Any], name: str) -> dict[str, Any]:
    found = said.get(name)
    return found if isinstance(found, dict) else {}


def _text(said: dict[str, Any], name: str) -> str:
    found = said.get(name)
    return found if isinstance(found, str) else ""


def payloads(said: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The payloads of a part of an event."""
    found = _part(said, name).get("payloads")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def decision_keys(events: Iterable[Event]) -> tuple[PublicKey, ...]:
    """The keys of decisions that a rollout was ever given, in that order."""
    asked: set[str] = set()
    found: dict[str, PublicKey] = {}
    for event in events:
        said = attributes(event)
        if kind_of(event) == "ACTIVITY_TASK_SCHEDULED" and _part(said, "activityType").get("name") == "decision_keys":
            asked.add(str(event.get("eventId")))
        elif kind_of(event) == "ACTIVITY_TASK_COMPLETED" and str(said.get("scheduledEventId")) in asked:
            for answer in read(payloads(said, "result")):
                for key in _keys(answer):
                    found.setdefault(f"{key.kid} {key.x}", key)
    return tuple(found.values())


def _keys(answer: Any) -> tuple[PublicKey, ...]:
    try:
        return DecisionKeys.model_validate(answer, strict=False).keys
    except ValidationError:
        return ()


def _request(place: dict[str, Any], name: str, identity: str, sent: Iterable[dict[str, Any]]) -> Line:
    arguments = read(sent)
    body = arguments[0] if len(arguments) == 1 and isinstance(arguments[0], dict) else {}
    about = " ".join(str(body[key]) for key in ("choice", "gate", "metric", "role", "until") if body.get(key))
    short = DailyWord.has(body.keys())
    if name == Verb.REPORT_EVIDENCE and short:
        told = {"request_id": word_id(str(body["evidence_digest"])), "actor": WATCH_ACTOR, "reason": NOTHING_CHANGED}
        body = {**body, **told, "changed": False}
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


def read(sent: Iterable[dict[str, Any]]) -> tuple[Any, ...]:
    """Payloads as plain data. What cannot be read is shown as what it is, never left out."""
    return tuple(_read_one(one) for one in sent)


def _read_one(payload: dict[str, Any]) -> Any:
    encoding = _bytes(_part(payload, "metadata").get("encoding")).decode(errors="replace")
    data = _bytes(payload.get("data"))
    try:
        if encoding == "binary/null":
            return None
        if encoding.startswith("json/"):
            return json.loads(data)
    except (ValueError, RecursionError) as problem:
        return _raw(encoding, data, str(problem)[:PREVIEW])
    return _raw(encoding, data, f"{encoding or 'no encoding'}, not JSON")


def _bytes(text: Any) -> bytes:
    try:
        return base64.b64decode(text) if isinstance(text, str) else b""
    except (binascii.Error, ValueError):
        return b""


def _raw(encoding: str, data: bytes, why: str) -> dict[str, Any]:
    shown = base64.b64encode(data[:PREVIEW]).decode()
    return {"unreadable": why, "encoding": encoding, "bytes": len(data), "base64": shown}


def _entries(arguments: Sequence[Any]) -> list[Any]:
    body = arguments[0] if arguments and isinstance(arguments[0], dict) else {}
    found = body.get("entries")
    return entries_in_full(found) if isinstance(found, list) else []


def _entry(place: dict[str, Any], body: Any) -> Line:
    try:
        entry = LogEntry.model_validate(body, strict=False)
    except ValidationError:
        # From a later release: shown as it stands rather than left out.
        number = body.get("sequence") if isinstance(body, dict) else None
        known = (number,) if isinstance(number, int) else (-place["event_id"],)
        what = "an entry that this release cannot read"
        return Line(**place, kind=Kind.ENTRY, what=what, entries=known, message=repr(body)[:PREVIEW], arguments=(body,))
    return Line(**place, kind=Kind.ENTRY, what=entry.kind.value, **said_by(entry), arguments=(body,))


def said_by(entry: LogEntry) -> dict[str, Any]:
    """What a line says of an entry, by whichever way that came here."""
    return {
        "verb": entry.verb or "",
        "who": entry.actor or "",
        "why": entry.rationale or "",
        "evidence": entry.evidence_digest or "",
        "outcome": entry.outcome.value if entry.outcome else "",
        "message": entry.refusal or entry.message,
        "entries": (entry.sequence,),
        "programme_at": entry.programme_at,
        "request_id": entry.request_id,
    }
