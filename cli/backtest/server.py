"""The time-skipping server: months in seconds, and how to tell that it has lost a run (temporalio/sdk-java#3088).

It refuses what a worker answers to a task when the answer cancels a timer that fired meanwhile, and then neither gives
the task to anybody again nor lets it time out. Nobody can go on with such a run: it is begun anew, on another server.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHandle
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter
from temporalio.testing import WorkflowEnvironment

from deploy.embedded.binaries import test_server_path
from worker.namespace import register_search_attributes
from worker.plugin import rollouts_plugin

_TASK = (
    EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED,
    EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
    EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED,
    EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT,
)


_ERRORS = TelemetryFilter(core_level="ERROR", other_level="ERROR")
"""The SDK's core warns of this server's age whenever a worker begins; what it writes goes to the standard output."""


class Stranded(Exception):
    """The server has lost a run.

    Args:
        failed: what kept the run from beginning its log, if it was lost before that.
    """

    def __init__(self, message: str, failed: str | None = None) -> None:
        super().__init__(message)
        self.failed = failed


@asynccontextmanager
async def skipped_time() -> AsyncIterator[tuple[WorkflowEnvironment, Client]]:
    """A server whose clock jumps to the next timer, and a client of ours. It has one clock: one rollout each.

    Raises:
        NotInstalledError: the `embedded` extra is not installed.
    """
    runtime = Runtime(telemetry=TelemetryConfig(logging=LoggingConfig(filter=_ERRORS)))
    environment = await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(test_server_path()), data_converter=pydantic_data_converter, runtime=runtime
    )
    async with environment:
        # One that is not registered makes the server retry the workflow's task for ever.
        await register_search_attributes(environment.client)
        address = environment.client.service_client.config.target_host
        yield environment, await Client.connect(address, plugins=[rollouts_plugin()], runtime=runtime)


async def stranded(*handles: WorkflowHandle[Any, Any]) -> bool:
    """Whether a worker's task of one of them has been open for longer than the server lets any: ask after a minute in
    which nothing went on."""
    return any([await open_task(handle) is not None for handle in handles])


async def open_task(handle: WorkflowHandle[Any, Any]) -> int | None:
    """The event that says that a worker has taken a task which it has not answered yet; None without one."""
    history = await handle.fetch_history()
    tasks = [event for event in history.events if event.event_type in _TASK]
    begun = bool(tasks) and tasks[-1].event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED
    return tasks[-1].event_id if begun else None
