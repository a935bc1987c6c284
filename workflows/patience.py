"""How long a rollout waits for each kind of activity, and how often it is tried."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy

TASK = timedelta(seconds=8)
"""How long a worker has for a step of a workflow before another one is given it: what a killed worker had in its hands
waits so long. Kept longer than what a step may wait for, and than the coldest of them takes with those beside it."""

ACTIVITY: dict[str, Any] = {
    "start_to_close_timeout": timedelta(seconds=20),
    "schedule_to_close_timeout": timedelta(seconds=45),
    "heartbeat_timeout": timedelta(seconds=8),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(milliseconds=250),
        maximum_interval=timedelta(seconds=5),
        maximum_attempts=6,
    ),
    "cancellation_type": workflow.ActivityCancellationType.ABANDON,
}
"""Short on purpose: when it is used up the rollout holds and says so, instead of waiting in silence. When the
worker gives no sign of life any more, another one takes the activity over. Cancelling the workflow is refused, so it
cancels no activity either."""

MEASURING: dict[str, Any] = {
    **ACTIVITY,
    "start_to_close_timeout": timedelta(seconds=100),
    "schedule_to_close_timeout": timedelta(seconds=150),
}
"""Reading and judging: of twenty thousand partners six metrics take tens of seconds."""

LOOKING: dict[str, Any] = {
    **ACTIVITY,
    "start_to_close_timeout": timedelta(seconds=115),
    "schedule_to_close_timeout": timedelta(seconds=250),
}
"""Both, one after the other. Not above two minutes: from there on an activity gives its own signs of life."""

EXPORTING: dict[str, Any] = {
    **ACTIVITY,
    "start_to_close_timeout": timedelta(seconds=100),
    "schedule_to_close_timeout": timedelta(seconds=100),
    "retry_policy": RetryPolicy(initial_interval=timedelta(seconds=1), maximum_attempts=2),
}
"""Reading a whole history may take a while; it is tried again later anyhow."""

LISTENING: dict[str, Any] = {
    **ACTIVITY,
    "schedule_to_close_timeout": timedelta(seconds=20),
    "retry_policy": RetryPolicy(maximum_attempts=1),
}
"""Once, and not for long: whatever fails here, the rollout looks for itself."""

LISTENING_HERE: dict[str, Any] = {
    "start_to_close_timeout": timedelta(seconds=5),
    "schedule_to_close_timeout": timedelta(seconds=5),
    "retry_policy": RetryPolicy(maximum_attempts=1),
    "cancellation_type": workflow.ActivityCancellationType.ABANDON,
}
"""The same within a workflow task, whose time is `TASK`: whoever asks the rollout something meanwhile waits for it."""

ASKING: dict[str, Any] = {
    **ACTIVITY,
    "schedule_to_close_timeout": timedelta(seconds=20),
    "retry_policy": RetryPolicy(initial_interval=timedelta(milliseconds=250), maximum_attempts=3),
}
"""A file that is not there will not be there in a second: the rollout says so, and asks again later."""
