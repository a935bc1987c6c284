"""What a history costs: its events, its bytes, and the actions that Temporal Cloud's published rules count in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from models.base import Frozen

LONGEST = 51_200
"""Events at which a server terminates a workflow."""

_ACTIONS = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED: 1,
    EventType.EVENT_TYPE_TIMER_STARTED: 1,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED: 1,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED: 1,
    EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: 1,
    EventType.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED: 1,
    EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED: 2,
}


class Cost(Frozen):
    """Of a whole history, or of a part of one. Queries stand in no history, so their actions are not in here."""

    events: float
    bytes: float
    actions: float
    span: timedelta

    def over(self, span: timedelta) -> Cost:
        """The same at the same rate over another time."""
        rate = span / self.span
        return Cost(events=self.events * rate, bytes=self.bytes * rate, actions=self.actions * rate, span=span)


def cost(events: Sequence[HistoryEvent], span: timedelta | None = None) -> Cost:
    """What these events cost; `span` is the time they cover where it is not that from the first to the last."""
    covered = events[-1].event_time.ToDatetime() - events[0].event_time.ToDatetime()
    return Cost(
        events=len(events),
        bytes=sum(event.ByteSize() for event in events),
        actions=sum(map(_actions, events)),
        span=span or covered,
    )


def bytes_by_activity(events: Sequence[HistoryEvent]) -> Counter[str]:
    """How many bytes the requests and the results of each activity take, and all other events together."""
    names: dict[int, str] = {}
    found: Counter[str] = Counter()
    for event in events:
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            name = names[event.event_id] = event.activity_task_scheduled_event_attributes.activity_type.name
            found[f"{name}, request"] += event.ByteSize()
        elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
            name = names[event.activity_task_completed_event_attributes.scheduled_event_id]
            found[f"{name}, result"] += event.ByteSize()
        else:
            found["all other events"] += event.ByteSize()
    return found


def _actions(event: HistoryEvent) -> int:
    """An activity counts each of its attempts; attempts before the last one are not events."""
    if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
        return event.activity_task_started_event_attributes.attempt
    return _ACTIONS.get(event.event_type, 0)
