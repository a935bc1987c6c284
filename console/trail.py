"""A rollout's audit trail out of Temporal: the runs that it still has, read by `audit/trail.py`."""

from __future__ import annotations

from datetime import UTC, datetime

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory

from audit.trail import Line, lines_of, once, settle
from console.gateway import Gateway
from models.base import Frozen, Instant
from models.names import rollout_workflow_id


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
    lines = [line for run_id, events in runs for line in lines_of(run_id, as_json(name, events)["events"])]
    before = runs[0][1][0].workflow_execution_started_event_attributes.continued_execution_run_id
    return Trail(
        rollout=name,
        runs=len(runs),
        missing_run=before or None,
        taken_up=_taken_up(runs[-1][1][-1]),
        lines=tuple(settle(once(lines))),
    )


def as_json(name: str, events: tuple[HistoryEvent, ...]) -> dict[str, list[dict[str, object]]]:
    """A run's history in Temporal's own JSON, as exports have it."""
    return WorkflowHistory(rollout_workflow_id(name), list(events)).to_json_dict()


def _taken_up(newest: HistoryEvent) -> datetime | None:
    if newest.event_type != EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED:
        return None
    return newest.event_time.ToDatetime(tzinfo=UTC)
