"""export_history: reads the runs of a rollout's chain from Temporal, page by page, and keeps them in the store."""

from __future__ import annotations

import asyncio
import hashlib
import zlib
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

import asyncpg
import structlog
from temporalio import activity
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHistory
from temporalio.service import RPCError, RPCStatusCode

from activities.alarming import raise_alarm, was_reset
from activities.errors import borrowed, named_errors
from models.canonical import canonical
from models.names import rollout_workflow_id
from models.trouble import Trouble
from models.work import ExportRequest, ExportResult, RolloutKey
from store import histories
from store.alarms import Found
from store.histories import GZIP, TAIL, Kept, RunHistory

log = structlog.get_logger(__name__)

PAGE = 200
"""Events read together, and at most written together."""

ROOM = 4_000_000
"""Bytes of events that are written together, but for the last one's: a payload may be as large as two megabytes."""

ANSWER = timedelta(seconds=10)
"""Longest wait for one page."""

HEAD = b'{"events":['
BETWEEN = b","

CLOSING = frozenset(
    {
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW,
    }
)
"""After one of these a run has no further event."""

UNDER_WAY = frozenset({EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED, EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED})
"""What the server shows at the end of a run while a worker has a task in hand, though something else may come to stand
there in the end."""


class RunGone(Exception):
    """Temporal has no such run: it is past retention, or somebody deleted it."""


class ExportActivities:
    """The export, as a step of a rollout."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], client: Client) -> None:
        self._pool = pool
        self._client = client

    @activity.defn
    async def export_history(self, request: ExportRequest) -> ExportResult:
        """Keep the history of the run that asks and of all before it in the chain. Key: rollout, chain and run.

        What is kept to its end already is not read again. A run before that Temporal has deleted, and that was never
        exported, is told of in the result.
        """
        with named_errors():
            return await export_chain(self._pool, self._client, request.key, request.run_id or request.key.chain_id)


async def export_chain(
    pool: asyncpg.Pool[asyncpg.Record], client: Client, key: RolloutKey, run_id: str
) -> ExportResult:
    """The same for whoever calls it.

    Raises:
        RunGone: there is no such run.
        ApplicationError: the store cannot be reached, or does not know the rollout.
    """
    async with borrowed(pool) as conn:
        known = {one.run_id: one for one in await histories.list_histories(conn, key) if one.closed}
    wanted, missing = await _chain(client, key, run_id, {one: row.continued_from for one, row in known.items()})
    newest: RunHistory | None = None
    for position, one in enumerate(wanted, 2 if missing else 1):
        if one in known:
            continue
        newest = await read_run(client, rollout_workflow_id(key.rollout_id), one)
        async with borrowed(pool) as conn, conn.transaction():
            kept = await histories.keep(conn, key, newest, position)
            if newest.reset_from is not None:  # it may have gone on in a new run before the sweep looked
                await raise_alarm(conn, key, was_reset(one, newest.reset_from))
            if kept is Kept.OTHER:
                told = f"the history of run {one} does not begin as the one that was exported earlier"
                await raise_alarm(conn, key, Found(Trouble.REWRITTEN, f"{one} {newest.sha256[:16]}", told))
    asked = known.get(run_id) or newest
    if asked is None:
        raise RuntimeError(f"run {run_id} is not among those of its own chain")
    return ExportResult(
        runs=len(wanted), run_id=run_id, events=asked.last_event, sha256=asked.sha256, missing_run=missing
    )


async def _chain(
    client: Client, key: RolloutKey, run_id: str, known: dict[str, str | None]
) -> tuple[tuple[str, ...], str | None]:
    """The runs from the chain's first to this one, and the one before them if it is gone without having been kept."""
    found: list[str] = []
    wanted: str | None = run_id
    while wanted:
        if wanted in known:
            before = known[wanted]
        else:
            try:
                before = (await began_as(client, rollout_workflow_id(key.rollout_id), wanted)).continued_from
            except RunGone:
                if not found:
                    raise
                return tuple(reversed(found)), wanted
        found.append(wanted)
        wanted = before
    return tuple(reversed(found)), None


class Beginning(NamedTuple):
    """How a run began: in which chain, after which run, and as a repetition of which."""

    chain_id: str
    continued_from: str | None
    reset_from: str | None


def _beginning(run_id: str, first: HistoryEvent) -> Beginning:
    began = first.workflow_execution_started_event_attributes
    original = began.original_execution_run_id
    return Beginning(
        chain_id=began.first_execution_run_id or run_id,
        continued_from=began.continued_execution_run_id or None,
        reset_from=original if original and original != run_id else None,
    )


async def began_as(client: Client, workflow_id: str, run_id: str) -> Beginning:
    """How a run began, from its first event.

    Raises:
        RunGone: Temporal has no such run.
        RPCError: it does not answer.
    """
    return _beginning(run_id, await _first_event(client, workflow_id, run_id))


async def given_to(client: Client, workflow_id: str, run_id: str) -> Sequence[Payload]:
    """What a run was begun with, as it stands in its first event; raises as `began_as` does."""
    first = await _first_event(client, workflow_id, run_id)
    return first.workflow_execution_started_event_attributes.input.payloads


async def _first_event(client: Client, workflow_id: str, run_id: str) -> HistoryEvent:
    handle = client.get_workflow_handle(workflow_id, run_id=run_id)
    try:
        async for event in handle.fetch_history_events(page_size=1, rpc_timeout=ANSWER):
            return event
    except RPCError as problem:
        if problem.status is not RPCStatusCode.NOT_FOUND:
            raise
    raise RunGone(f"Temporal has no run {run_id} of {workflow_id}")


async def read_run(client: Client, workflow_id: str, run_id: str) -> RunHistory:
    """A run's history as the SDK writes it, never more than a page of it at a time uncompressed. Payloads stay as they
    are: encrypted ones are not decrypted.

    Raises:
        RunGone: Temporal has no such run.
        RPCError: it does not answer.
    """
    writer, page, held, room = Writer(), list[HistoryEvent](), list[HistoryEvent](), 0
    handle = client.get_workflow_handle(workflow_id, run_id=run_id)
    try:
        async for event in handle.fetch_history_events(page_size=PAGE, rpc_timeout=ANSWER):
            held.append(event)
            room += event.ByteSize()
            if event.event_type in UNDER_WAY:
                continue
            page, held = [*page, *held], []
            if len(page) >= PAGE or room >= ROOM:
                await asyncio.to_thread(writer.add, page)
                page, room = [], 0
    except RPCError as problem:
        if problem.status is RPCStatusCode.NOT_FOUND:
            raise RunGone(f"Temporal has no run {run_id} of {workflow_id}") from problem
        raise
    if page:
        await asyncio.to_thread(writer.add, page)
    return writer.done(run_id)


class Writer:
    """Writes a history page by page, the text being the canonical form (RFC 8785) of `WorkflowHistory.to_json` for all
    of them: the SDK writes the names in a payload's metadata in another order in each process."""

    def __init__(self) -> None:
        self._packing = zlib.compressobj(9, zlib.DEFLATED, GZIP)
        self._digest = hashlib.sha256()
        self._packed = bytearray()
        self._size = 0
        self._first: HistoryEvent | None = None
        self._last: HistoryEvent | None = None

    def add(self, events: Sequence[HistoryEvent]) -> None:
        """Write further events."""
        written = WorkflowHistory("", events).to_json_dict()["events"]
        self._write(HEAD if self._first is None else BETWEEN)
        self._write(BETWEEN.join(map(canonical, written)))
        self._first, self._last = self._first or events[0], events[-1]

    def done(self, run_id: str) -> RunHistory:
        """Everything that was written."""
        if self._first is None or self._last is None:
            raise RuntimeError(f"the history of run {run_id} is empty")
        self._write(TAIL)
        began = _beginning(run_id, self._first)
        return RunHistory(
            run_id=run_id,
            continued_from=began.continued_from,
            reset_from=began.reset_from,
            last_event=self._last.event_id,
            closed=self._last.event_type in CLOSING,
            size=self._size,
            sha256=self._digest.hexdigest(),
            text=bytes(self._packed) + self._packing.flush(),
        )

    def _write(self, text: bytes) -> None:
        self._digest.update(text)
        self._size += len(text)
        self._packed += self._packing.compress(text)
