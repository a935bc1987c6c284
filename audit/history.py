"""Whether a log and its workflow's history tell of the same: each request has its entry, each entry its request."""

from __future__ import annotations

import json
from typing import Any

from audit.bundle import BundleError, history_place, json_of
from audit.exhibit import Exhibit, read_plan
from audit.findings import Check, Finding, Gap
from audit.trail import Event, Kind, Line, attributes, kind_of, lines_of, number_of, once, payloads, read, settle
from models.base import digest_json
from models.command import COMMANDS, WATCH_ACTOR, WATCH_SAYS, Command, Decide, Pause, Verb
from models.log import EntryKind, LogEntry, Outcome
from models.writable import where_unwritable, written

_OVER = (
    "WORKFLOW_EXECUTION_COMPLETED",
    "WORKFLOW_EXECUTION_FAILED",
    "WORKFLOW_EXECUTION_TERMINATED",
    "WORKFLOW_EXECUTION_TIMED_OUT",
    "WORKFLOW_EXECUTION_CANCELED",
)
_ON = "WORKFLOW_EXECUTION_CONTINUED_AS_NEW"

_NOT_TAKEN = (
    "a wrong number of arguments was sent, one is expected",
    "who stands in for an owner could not pause",
)
"""What releases gone by said of a pause that was asked in an owner's place: they failed at it, and named nobody."""


def check_history(exhibit: Exhibit) -> None:
    """Read the histories, and hold requests and entries against the log in both directions."""
    runs = _runs(exhibit)
    if not exhibit.fine(Check.HISTORY):
        return
    if not runs:
        exhibit.unproven(Check.HISTORY, Gap.HISTORY, "the bundle has no history")
        return
    _check_chain(exhibit, runs)
    lines = once([line for run_id, events in runs for line in lines_of(run_id, events)])
    check_exported(exhibit, runs)
    _check_recorded(exhibit, lines)
    _check_requests(exhibit, settle(lines))


def _runs(exhibit: Exhibit) -> list[tuple[str, list[Event]]]:
    places = {path: place for path in exhibit.files if (place := history_place(path)) is not None}
    exhibit.counts["histories"] = len(places)
    found = []
    for path in sorted(places, key=lambda one: places[one]):
        try:
            whole = json_of(exhibit.files, path)
        except BundleError as problem:
            exhibit.wrong(Check.HISTORY, problem.problem, file=path)
            continue
        events = whole.get("events") if isinstance(whole, dict) else None
        if not isinstance(events, list) or not events or not all(isinstance(one, dict) for one in events):
            exhibit.wrong(Check.HISTORY, "it is no history: a history has events", file=path)
            continue
        numbers = [number_of(one) for one in events]
        if numbers != list(range(1, len(events) + 1)):
            at = next(at for at, number in enumerate(numbers, 1) if number != at)
            told = "an event is missing, moved or there twice"
            exhibit.wrong(Check.HISTORY, told, file=path, found=f"event {numbers[at - 1]}", expected=f"event {at}")
            continue
        if kind_of(events[0]) != "WORKFLOW_EXECUTION_STARTED":
            exhibit.wrong(Check.HISTORY, "it does not begin with the start of a run", file=path)
            continue
        found.append((places[path][1], events))
    return found


def _check_chain(exhibit: Exhibit, runs: list[tuple[str, list[Event]]]) -> None:
    """Every run follows one that is there, they are of this chain, and each was started with the plan."""
    known: set[str] = set()
    paths = {place[1]: path for path in exhibit.files if (place := history_place(path)) is not None}
    for number, (run_id, events) in enumerate(runs):
        path = paths[run_id]
        start = attributes(events[0])
        if start.get("firstExecutionRunId") != exhibit.manifest.chain:
            told = "the run belongs to another chain"
            found = str(start.get("firstExecutionRunId"))[:100]
            exhibit.wrong(Check.HISTORY, told, file=path, found=found, expected=exhibit.manifest.chain)
        before = str(start.get("continuedExecutionRunId") or "")
        if number == 0:
            exhibit.complete = not before
            if before:
                told = f"the history does not go back to the beginning: run {before[:100]} before it is not there"
                exhibit.unproven(Check.HISTORY, Gap.HISTORY, told, file=path)
        elif before not in known and before != str(attributes(runs[0][1][0]).get("continuedExecutionRunId") or ""):
            exhibit.wrong(Check.HISTORY, f"run {before[:100]} before it is missing", file=path)
        known.add(run_id)
        _check_started_with(exhibit, path, events)
    last = kind_of(runs[-1][1][-1])
    exhibit.closed = last in _OVER
    if last == _ON:
        told = "the run that it continued in is missing"
        found = str(attributes(runs[-1][1][-1]).get("newExecutionRunId"))[:100]
        exhibit.wrong(Check.HISTORY, told, file=paths[runs[-1][0]], found=found)


def _check_started_with(exhibit: Exhibit, path: str, events: list[Event]) -> None:
    given = read(payloads(attributes(events[0]), "input"))
    body = given[0] if given and isinstance(given[0], dict) else {}
    try:
        digest = read_plan(json.dumps(body.get("plan")).encode()).digest
    except ValueError:
        exhibit.wrong(Check.HISTORY, "the plan that the run was started with cannot be read", file=path)
        return
    if exhibit.plan is not None and digest != exhibit.plan.digest:
        told = "the run was started with another plan than the bundle's"
        exhibit.wrong(Check.HISTORY, told, file=path, found=digest, expected=exhibit.plan.digest)


def check_exported(exhibit: Exhibit, runs: list[tuple[str, list[Event]]]) -> None:
    """Where the log names the digest of a history as it was exported then, the history still begins with it.

    Another release of Temporal's SDK may write the same events with more fields, so that it differs says no more than
    that it is not proven.
    """
    known = dict(runs)
    for entry in exhibit.entries:
        told = entry.detail
        events, count = known.get(str(told.get("run_id"))), told.get("events")
        if not {"run_id", "events", "sha256"} <= told.keys() or events is None or not isinstance(count, int):
            continue
        found = digest_json({"events": events[:count]}).removeprefix("sha256:")
        if found != told["sha256"]:
            problem = f"the first {count} events of run {told['run_id']} are not as they were when the log named them"
            expected = str(told["sha256"])[:100]
            exhibit.findings.append(
                Finding(
                    check=Check.HISTORY,
                    what=problem,
                    entry=entry.sequence,
                    found=found,
                    expected=expected,
                    gap=Gap.HISTORY,
                )
            )


def _check_recorded(exhibit: Exhibit, lines: list[Line]) -> None:
    """What the history says was written down is what the log has."""
    for line in lines:
        if line.kind is Kind.ENTRY and line.arguments:
            entry = entry_of(line)
            if entry is not None:
                exhibit.recorded[entry.sequence] = entry
    if not exhibit.recorded:
        exhibit.wrong(Check.HISTORY, "the history tells of no entry that was written down")
        return
    for entry in exhibit.entries:
        other = exhibit.recorded.get(entry.sequence)
        if other is None:
            if exhibit.complete or entry.sequence > min(exhibit.recorded):
                told = "the log has an entry that the workflow never wrote, by its history"
                exhibit.wrong(Check.HISTORY, told, entry=entry.sequence, found=repr(entry.message[:100]))
        elif other != entry:
            field, found, expected = _first_difference(entry, other)
            told = f"the log and the history say different things in {field}"
            exhibit.wrong(Check.HISTORY, told, entry=entry.sequence, found=found, expected=expected)
    beyond = sorted(number for number in exhibit.recorded if number > len(exhibit.entries))
    if beyond and exhibit.fine(Check.LOG):
        told = "the history tells of entries that the log does not have"
        exhibit.wrong(Check.HISTORY, told, entry=beyond[0], found=f"a log of {len(exhibit.entries)} entries")


def entry_of(line: Line) -> LogEntry | None:
    """The entry that a line of the history shows, None where this release cannot read it."""
    try:
        return LogEntry.model_validate(line.arguments[0], strict=False)
    except (ValueError, IndexError):
        return None


def _first_difference(entry: LogEntry, other: LogEntry) -> tuple[str, str, str]:
    one, two = entry.model_dump(mode="json"), other.model_dump(mode="json")
    field = next((name for name in LogEntry.model_fields if one.get(name) != two.get(name)), "its content")
    return field, repr(one.get(field))[:100], repr(two.get(field))[:100]


def _check_requests(exhibit: Exhibit, lines: list[Line]) -> None:
    by_number = {entry.sequence: entry for entry in exhibit.entries}
    words = {line.request_id: line for line in lines if line.kind is Kind.WORD}
    refused = sum(_in_bulk(entry, EntryKind.REFUSAL, "refusals") for entry in exhibit.entries)
    heard = sum(_in_bulk(entry, EntryKind.ASSESSMENT, "words") for entry in exhibit.entries)
    for line in lines:
        if line.kind is not Kind.REQUEST:
            continue
        exhibit.counts["requests"] = exhibit.counts.get("requests", 0) + 1
        of_the_watch = line.who == WATCH_ACTOR and line.verb in WATCH_SAYS
        if not line.entries and of_the_watch and heard:
            heard -= 1  # heard together with others, while the log was behind
        elif not line.entries and refused:
            refused -= 1  # the same, refused
        elif not line.entries:
            _unanswered(exhibit, line)
        for number in line.entries:
            if number in by_number:
                entry, asked = by_number[number], by_number.get(line.entries[0])
                _hold_together(exhibit, entry, line, alone=asked is not None and _names_owner_alone(entry, asked))
    cancelled = sum(line.what.startswith("cancel requested") for line in lines)
    for entry in exhibit.entries:
        if entry.verb is None or entry.sequence in exhibit.asked:
            continue
        if entry.request_id in words and entry.outcome is Outcome.REFUSED:
            continue
        if entry.verb == "cancel" and cancelled:
            cancelled -= 1
            continue
        if exhibit.complete:
            told = f"a {entry.verb} was {entry.outcome}, and the history has no request for it"
            exhibit.wrong(Check.HISTORY, told, entry=entry.sequence, found=f"request {entry.request_id}")


def _in_bulk(entry: LogEntry, kind: EntryKind, what: str) -> int:
    """How many requests an entry says were answered together; no other entry answers more than one."""
    found = entry.detail.get(what)
    if entry.kind is not kind or entry.verb is not None or not isinstance(found, int):
        return 0
    return max(found, 0)


def _unanswered(exhibit: Exhibit, line: Line) -> None:
    where = f"event {line.event_id} of run {line.run_id}"
    if exhibit.closed:
        told = f"the history has a {line.verb[:60]} by {line.who[:60] or 'nobody'} of which the log tells nothing"
        exhibit.wrong(Check.HISTORY, told, found=where)
    else:
        told = f"nothing tells yet what came of a {line.verb[:60]} by {line.who[:60] or 'nobody'} ({where})"
        exhibit.unproven(Check.HISTORY, Gap.UNANSWERED, told)


def _names_owner_alone(entry: LogEntry, asked: LogEntry) -> bool:
    """Whether an entry says what came of a resume, and names the owner alone in whose place it was asked, as releases
    gone by did."""
    waited = asked.outcome is Outcome.PENDING and entry.sequence > asked.sequence and entry.verb == Verb.RESUME
    return waited and not entry.detail.get("on_behalf_of") and entry.actor == asked.detail.get("on_behalf_of")


def _hold_together(exhibit: Exhibit, entry: LogEntry, line: Line, *, alone: bool) -> None:
    """A request and the entry that tells what came of it say the same; but for who asked, where it names only the owner
    in whose place they did."""
    command = _read_as(entry, command_of(line))
    exhibit.asked[entry.sequence] = (line, command)
    if command is None:
        if entry.outcome is not Outcome.REFUSED:
            told = "the log applied a request that cannot even be read"
            exhibit.wrong(Check.HISTORY, told, entry=entry.sequence, found=f"event {line.event_id}")
        return
    pairs = [
        ("request_id", entry.request_id, command.request_id),
        ("verb", entry.verb, line.verb),
        ("rationale", entry.rationale, command.reason),
    ]
    if not alone:
        pairs.append(("actor", (entry.actor or "").casefold(), command.actor.casefold()))
    if isinstance(command, Decide):
        pairs += [("gate", entry.gate, command.gate), ("evidence", entry.evidence_digest, command.evidence_digest)]
    if entry.verb is None:
        return  # what follows from a request, in the rollout's own words
    for name, said, asked in pairs:
        if said != (written(asked) if asked else asked):
            told = f"the log and the request in the history differ in {name}"
            exhibit.wrong(Check.HISTORY, told, entry=entry.sequence, found=repr(said)[:100], expected=repr(asked)[:100])


def _read_as(entry: LogEntry, command: Command | None) -> Command | None:
    """A request that could be read, and was refused as one that could not: for a character that no store can hold, or
    as a pause that a release gone by could not take."""
    if command is None or entry.outcome is not Outcome.REFUSED or entry.request_id is not None:
        return command
    not_taken = isinstance(command, Pause) and entry.refusal in _NOT_TAKEN
    return None if not_taken or where_unwritable(command.model_dump(mode="json")) else command


def command_of(line: Line) -> Command | None:
    """The request as the workflow reads it, None where it cannot."""
    try:
        body: Any = line.arguments[0] if len(line.arguments) == 1 else None
        return COMMANDS[Verb(line.verb)].model_validate_json(json.dumps(body))
    except ValueError:
        return None
