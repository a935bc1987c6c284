"""A rollout's timeline: its history out of Temporal beside the log in the store, read by `audit/`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory

from audit.history import entry_of
from audit.letters import with_letters
from audit.timeline import Row, merged
from audit.trail import Kind, Line, lines_of, once, settle
from console.errors import GatewayError
from console.errors import Kind as Trouble
from console.gateway import Gateway
from models.base import Frozen, Instant
from models.letter import OutboxLetter, place_of
from models.log import LogEntry
from models.names import rollout_workflow_id
from models.work import RolloutKey
from store.exhibit import entries_of, letters_of, newest_chain
from store.pool import Connection

_OVER = (
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED,
)

LOOKS, BETWEEN = 20, 0.1
"""Looks for entries that are on their way into the log, and seconds between two of them."""


class Trail(Frozen):
    """The lines of all runs that Temporal still has, the oldest first, and the entries that they tell of.

    `missing_run` is the run before them, if it is past retention. `taken_up` is when a worker took up the task that it
    has not answered yet: what was sent since then, Temporal keeps aside, and puts into the history after that answer.
    `closed` tells whether the last run is over.
    """

    rollout: str
    runs: int
    missing_run: str | None
    taken_up: Instant | None = None
    closed: bool = False
    chain: str | None = None
    lines: tuple[Line, ...]
    recorded: tuple[LogEntry, ...] = ()


class Timeline(Frozen):
    """Both sources as one. `entries` is how many the log has; None where it was not asked."""

    rollout: str
    runs: int
    missing_run: str | None
    taken_up: Instant | None
    entries: int | None
    rows: tuple[Row, ...]

    @property
    def disagreements(self) -> tuple[Row, ...]:
        """Rows on which the two sources do not agree."""
        return tuple(row for row in self.rows if row.disagrees)


async def read_timeline(gateway: Gateway, conn: Connection | None, name: str) -> Timeline:
    """The timeline of a rollout.

    Args:
        conn: the store; None: the history alone.

    Raises:
        GatewayError: neither source knows the rollout, or Temporal does not answer.
    """
    try:
        trail = await read_trail(gateway, name)
    except GatewayError as problem:
        if problem.kind is not Trouble.UNKNOWN or conn is None:
            raise
        trail = Trail(rollout=name, runs=0, missing_run=None, lines=())
        entries = await entries_of(conn, name)
        if not entries:
            raise
    else:
        entries = await _at_least(conn, name, trail)
    rows = merged(
        trail.lines,
        {entry.sequence: entry for entry in trail.recorded},
        entries,
        complete=bool(trail.runs) and trail.missing_run is None,
        closed=trail.closed,
    )
    if conn is not None:
        rows = await _with_letters(conn, name, trail.chain, entries, rows)
    else:
        rows = tuple(row.model_copy(update={"disagrees": None}) for row in rows)
    return Timeline(
        rollout=name,
        runs=trail.runs,
        missing_run=trail.missing_run,
        taken_up=trail.taken_up,
        entries=len(entries) if conn is not None else None,
        rows=rows,
    )


async def _with_letters(
    conn: Connection, name: str, chain: str | None, entries: Mapping[int, tuple[str, LogEntry]], rows: tuple[Row, ...]
) -> tuple[Row, ...]:
    """The rows with what has become of the letters. They were read after the log, so that those it names are there."""
    newest = await newest_chain(conn, name)
    plan = newest[1] if newest and chain in (None, newest[0].chain_id) else None
    place = (name, chain or (newest[0].chain_id if newest else ""))
    key = RolloutKey(rollout_id=place[0], chain_id=place[1])
    letters = [one for one in await letters_of(conn, key) if _is_known(one, place, len(entries))]
    log = [entry for _, (_, entry) in sorted(entries.items())]
    try:
        return with_letters(rows, plan, place, log, letters)
    except ValueError as problem:
        told = f"the letters cannot be held against the log: {str(problem)[:300]}"
        return (*rows[:-1], rows[-1].model_copy(update={"disagrees": told})) if rows else rows


def _is_known(letter: OutboxLetter, place: tuple[str, str], entries: int) -> bool:
    """Whether a letter is about an entry that was read: the log may have grown since."""
    try:
        found = place_of(letter.notice, *place)
    except ValueError:
        return True
    return found is None or found[0] <= entries


async def _at_least(conn: Connection | None, name: str, trail: Trail) -> dict[int, tuple[str, LogEntry]]:
    """The log; where the history tells of entries that it does not have, they may be on their way."""
    if conn is None:
        return {}
    last = max((entry.sequence for entry in trail.recorded), default=0)
    found = await entries_of(conn, name, trail.chain)
    for _ in range(LOOKS):
        if last in found or not last:
            break
        await asyncio.sleep(BETWEEN)
        found = await entries_of(conn, name, trail.chain)
    return found


async def read_trail(gateway: Gateway, name: str) -> Trail:
    """The audit trail of a rollout across its chain of runs.

    Raises:
        GatewayError: Temporal has no history of it.
    """
    runs = [one async for one in gateway.runs(name)]
    runs.reverse()
    lines = once(line for run_id, events in runs for line in lines_of(run_id, as_json(name, events)["events"]))
    started = runs[0][1][0].workflow_execution_started_event_attributes
    recorded = (entry_of(line) for line in lines if line.kind is Kind.ENTRY)
    return Trail(
        rollout=name,
        runs=len(runs),
        missing_run=started.continued_execution_run_id or None,
        taken_up=_taken_up(runs[-1][1][-1]),
        closed=runs[-1][1][-1].event_type in _OVER,
        chain=started.first_execution_run_id or None,
        lines=tuple(settle(lines)),
        recorded=tuple(entry for entry in recorded if entry is not None),
    )


def as_json(name: str, events: tuple[HistoryEvent, ...]) -> dict[str, list[dict[str, object]]]:
    """A run's history in Temporal's own JSON, as exports have it."""
    return WorkflowHistory(rollout_workflow_id(name), list(events)).to_json_dict()


def _taken_up(newest: HistoryEvent) -> datetime | None:
    if newest.event_type != EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED:
        return None
    return newest.event_time.ToDatetime(tzinfo=UTC)
