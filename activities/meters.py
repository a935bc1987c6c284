"""What activities leave for an operator's alarms, through the SDK's meter; Prometheus appends `_total` to counters."""

from __future__ import annotations

import time

from temporalio import activity
from temporalio.common import MetricMeter

LAST_LOOK = "rollouts_watch_last_look_timestamp_seconds"
EVALUATED = "rollouts_watch_evaluated"
SIGNALLED = "rollouts_watch_signalled"
FAILED = "rollouts_watch_failed"
EFFECTS_REFUSED = "rollouts_effects_refused"

NOT_EVALUATED = "not evaluated"
WITHOUT_WORKFLOW = "without workflow"


def record_look(*, evaluated: int, signalled: int, failed: int, gone: int) -> None:
    """Count what one look did; a count of zero counts too, so that an alarm has a series to look at."""
    meter = activity.metric_meter() if activity.in_activity() else MetricMeter.noop
    told = meter.create_counter(EVALUATED, "rollouts measured and judged by the watch")
    told.add(evaluated)
    told = meter.create_counter(SIGNALLED, "rollouts that the watch told of a change, a breach or the day's evidence")
    told.add(signalled)
    told = meter.create_counter(FAILED, "open rollouts that the watch could not look at")
    told.add(failed - gone, {"reason": NOT_EVALUATED})
    told.add(gone, {"reason": WITHOUT_WORKFLOW})
    record_time(meter)


def record_refused_effect(name: str) -> None:
    """Count an enrolment or a withdrawal that nobody had signed for."""
    count_refused_effects(activity.metric_meter() if activity.in_activity() else MetricMeter.noop, name, 1)


def count_refused_effects(meter: MetricMeter, name: str, number: int) -> None:
    """At its start a worker counts none, so that an alarm sees the first one."""
    told = meter.create_counter(EFFECTS_REFUSED, "enrolments and withdrawals that no signatures which hold ask for")
    told.add(number, {"activity": name})


def record_time(meter: MetricMeter) -> None:
    """Now the watch has looked; or a worker has started, from which on an alarm may count its silence."""
    gauge = meter.create_gauge_float(LAST_LOOK, "when this worker last did the watch's look, or started")
    gauge.set(time.time())
