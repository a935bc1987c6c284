"""What the worker makes sure of in its Temporal namespace: search attributes, and that the watch runs."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from typing import NamedTuple

import structlog
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode

from models.names import WATCH, watch_workflow_id
from models.work import WatchInput
from worker.settings import SettingsError
from workflows.attributes import SEARCH_ATTRIBUTES
from workflows.patience import TASK

log = structlog.get_logger(__name__)


_NOT_OURS_TO_DO = (RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNIMPLEMENTED)


async def register_search_attributes(client: Client) -> None:
    """Register those of ours that are missing. Without the right to, an administrator must have done it.

    Raises:
        SettingsError: the namespace has one of them with another type, with which no rollout could be advanced.
    """
    wanted = {key.name: IndexedValueType.ValueType(key.indexed_value_type) for key in SEARCH_ATTRIBUTES}
    try:
        found = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace)
        )
        have = dict(found.custom_attributes)
    except RPCError as problem:
        if problem.status not in _NOT_OURS_TO_DO:
            raise
        have = {}
    wrong = [name for name in wanted.keys() & have.keys() if wanted[name] != have[name]]
    if wrong:
        told = "; ".join(f"{name} is {_type(have[name])} and must be {_type(wanted[name])}" for name in sorted(wrong))
        raise SettingsError(f"TEMPORAL_NAMESPACE is {client.namespace!r}, whose search attributes are not ours: {told}")
    missing = {name: kind for name, kind in wanted.items() if name not in have}
    if missing:
        await _add(client, missing)


async def _add(client: Client, attributes: dict[str, IndexedValueType.ValueType]) -> None:
    request = AddSearchAttributesRequest(namespace=client.namespace, search_attributes=attributes)
    try:
        await client.operator_service.add_search_attributes(request)
    except RPCError as problem:
        # Another worker that starts at the same moment may have been faster.
        if problem.status is RPCStatusCode.ALREADY_EXISTS:
            return
        if problem.status not in _NOT_OURS_TO_DO:
            raise
        log.warning("search attributes not registered", missing=sorted(attributes), problem=problem.message)


def _type(kind: int) -> str:
    name = IndexedValueType.Name(IndexedValueType.ValueType(kind))
    return name.removeprefix("INDEXED_VALUE_TYPE_").replace("_", "").title()


async def warn_of_retention(client: Client, least: timedelta) -> None:
    """Say so where the namespace deletes closed histories sooner than it should; whoever starts rollouts refuses to."""
    try:
        told = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
    except RPCError as problem:
        log.warning("how long closed histories are kept is not known", problem=problem.message)
        return
    kept = told.config.workflow_execution_retention_ttl.ToTimedelta()
    if kept < least:
        log.warning(
            "closed histories are not kept long enough: no rollout is started",
            namespace=client.namespace,
            found_days=round(kept / timedelta(days=1), 2),
            allowed_days=least.days,
        )


class Watch(NamedTuple):
    """How the watch is to run: the longest time between two looks, and how many shards share the rollouts."""

    slowest: timedelta
    shards: int = 1

    def inputs(self, ticks: int = 0) -> tuple[WatchInput, ...]:
        """What each shard starts with. It stays awake as long as it may sleep: a stay ends with an entry in its
        history, which tells how many rollouts were looked at and what of."""
        return tuple(
            WatchInput(slowest=self.slowest, stay=self.slowest, shard=shard, shards=self.shards, ticks=ticks)
            for shard in range(self.shards)
        )


async def ensure_watch(client: Client, task_queue: str, watch: Watch) -> None:
    """The watch runs like this, or is started; a shard that runs otherwise is replaced, and one too many is ended:
    neither has anything to lose."""
    for given in watch.inputs():
        known = await _known(client, given.shard)
        ticks = known.given.ticks if known and known.given else 0
        policy = WorkflowIDConflictPolicy.USE_EXISTING
        if known and known.running and known.given and known.given.model_copy(update={"ticks": 0}) != given:
            log.info("watch replaced", before=known.given.model_dump(mode="json"), now=given.model_dump(mode="json"))
            policy = WorkflowIDConflictPolicy.TERMINATE_EXISTING
        await _start(client, task_queue, given.model_copy(update={"ticks": ticks}), policy)
    shard = watch.shards
    while (known := await _known(client, shard)) and known.running:
        log.info("shard of the watch ended", shard=shard, shards=watch.shards)
        await client.get_workflow_handle(watch_workflow_id(shard)).terminate("the watch has fewer shards now")
        shard += 1


async def keep_watch(client: Client, task_queue: str, watch: Watch, stop: asyncio.Event) -> None:
    """Until told to stop, start the watch again should somebody have ended it: while it is silent rollouts hold.

    One that runs is left as it is, whatever its pace: two workers with different settings must not fight over it.
    """
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), watch.slowest.total_seconds())
            return
        try:
            for given in watch.inputs():
                await _start(client, task_queue, given, WorkflowIDConflictPolicy.USE_EXISTING)
        except RPCError as problem:
            log.warning("whether the watch runs is not known", problem=problem.message)


async def _start(client: Client, task_queue: str, given: WatchInput, policy: WorkflowIDConflictPolicy) -> None:
    await client.start_workflow(
        WATCH,
        given,
        id=watch_workflow_id(given.shard),
        task_queue=task_queue,
        id_conflict_policy=policy,
        task_timeout=TASK,
        static_summary="looks at all open rollouts",
    )


class _Known(NamedTuple):
    """A shard's latest run: whether it is under way, and what it was started with; None where that is another
    release's, which we cannot read and leave alone."""

    running: bool
    given: WatchInput | None


async def _known(client: Client, shard: int) -> _Known | None:
    """What is known of a shard, None if it never ran."""
    handle = client.get_workflow_handle(watch_workflow_id(shard))
    try:
        running = (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
        async for event in handle.fetch_history_events(page_size=1):
            payloads = event.workflow_execution_started_event_attributes.input.payloads
            given: list[WatchInput] = await client.data_converter.decode(payloads, [WatchInput])
            return _Known(running, given[0])
    except (ValueError, RuntimeError):
        return _Known(True, None)
    except RPCError as problem:
        if problem.status is not RPCStatusCode.NOT_FOUND:
            raise
    return None
