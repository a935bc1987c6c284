"""What the worker makes sure of in its Temporal namespace: search attributes, and that the watch runs."""

from __future__ import annotations

from datetime import timedelta

import structlog
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode

from models.names import WATCH, WATCH_ID
from models.work import WatchInput
from workflows.attributes import SEARCH_ATTRIBUTES

log = structlog.get_logger(__name__)


async def register_search_attributes(client: Client) -> None:
    """Register ours; the server keeps those it has. Without the right to, an administrator must have done it."""
    wanted = {key.name: IndexedValueType.ValueType(key.indexed_value_type) for key in SEARCH_ATTRIBUTES}
    request = AddSearchAttributesRequest(namespace=client.namespace, search_attributes=wanted)
    try:
        await client.operator_service.add_search_attributes(request)
    except RPCError as problem:
        if problem.status is RPCStatusCode.ALREADY_EXISTS:
            return
        if problem.status not in (RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNIMPLEMENTED):
            raise
        log.warning("search attributes not registered", problem=problem.message)


async def ensure_watch(client: Client, task_queue: str, slowest: timedelta) -> None:
    """The watch runs at this pace, or is started; one that runs at another is replaced, it has nothing to lose."""
    running = await _given(client)
    policy = WorkflowIDConflictPolicy.USE_EXISTING
    if running is not None and running.slowest != slowest:
        log.info("watch replaced", before=running.slowest.total_seconds(), slowest=slowest.total_seconds())
        policy = WorkflowIDConflictPolicy.TERMINATE_EXISTING
    await client.start_workflow(
        WATCH,
        WatchInput(slowest=slowest, ticks=running.ticks if running else 0),
        id=WATCH_ID,
        task_queue=task_queue,
        id_conflict_policy=policy,
        static_summary="looks at all open rollouts",
    )


async def _given(client: Client) -> WatchInput | None:
    """What the running watch was started with, None if there is none."""
    handle = client.get_workflow_handle(WATCH_ID)
    try:
        async for event in handle.fetch_history_events(page_size=1):
            payloads = event.workflow_execution_started_event_attributes.input.payloads
            given: list[WatchInput] = await client.data_converter.decode(payloads, [WatchInput])
            return given[0]
    except (ValueError, RuntimeError):
        # Another release started it, with an input that we cannot read: leave it alone.
        return None
    except RPCError as problem:
        if problem.status is not RPCStatusCode.NOT_FOUND:
            raise
    return None
