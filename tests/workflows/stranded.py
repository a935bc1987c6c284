"""Runs that the time-skipping server has lost (temporalio/sdk-java#3088), told from those that hang by our own fault.

It refuses what a worker answers to a task when the answer cancels a timer that fired meanwhile, and then neither gives
the task to anybody again nor lets it time out. Nobody can go on with such a run: the test is begun anew.
"""

from __future__ import annotations

from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle

_TASK = (
    EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED,
    EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
    EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED,
    EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT,
)


class Stranded(Exception):
    """The server has lost a run."""


async def stranded(*handles: WorkflowHandle[Any, Any]) -> bool:
    """Whether a worker's task of one of them has been open for longer than the server lets any: ask after a minute in
    which nothing went on."""
    return any([await _open_task(handle) for handle in handles])


async def _open_task(handle: WorkflowHandle[Any, Any]) -> bool:
    history = await handle.fetch_history()
    tasks = [event.event_type for event in history.events if event.event_type in _TASK]
    return bool(tasks) and tasks[-1] == EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED
