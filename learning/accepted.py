"""Which evidence of a rollout was accepted: of phases that were passed, outside pauses and failed periods."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from learning.entries import enters, ordered, stops
from learning.limits import cohorts_of, looks_at
from learning.review import pause_reviews
from learning.spans import extent
from models.evidence import Verdict
from models.learning import ChangeReading, JudgedReading, Readings
from models.log import LogEntry
from models.metric import MetricName
from models.plan import RolloutPlan


class Stretch(NamedTuple):
    """`[since, until)` in programme time."""

    since: datetime
    until: datetime

    def meets(self, since: datetime, until: datetime) -> bool:
        """Whether any of it lies in `[since, until)`."""
        return self.since < until and since < self.until


class Accepted(NamedTuple):
    """What a next cycle may rest on of one metric: readings, the oldest first, and what of them is its baseline.

    `baseline` is their median; where there are none, the frozen baseline that the first gate accepted, and then
    `frozen` is true. None where there is neither.
    """

    metric: MetricName
    readings: tuple[JudgedReading, ...]
    baseline: float | None
    frozen: bool


class NothingAccepted(Exception):
    """Why there is no evidence that a next cycle could rest on."""


def passed(log: Sequence[LogEntry]) -> tuple[Stretch, ...]:
    """The phases and waves that were left for the next one. The one in which a rollout stopped was not.

    Args:
        log: by its sequence.
    """
    entered = [one for one in log if enters(one)]
    return tuple(Stretch(one.programme_at, following.programme_at) for one, following in pairwise(entered))


def halted(log: Sequence[LogEntry]) -> tuple[Stretch, ...]:
    """The times in which it was paused, or was being stopped.

    Args:
        log: by its sequence.
    """
    if not log:
        return ()
    end = max(extent(log)[1], log[-1].programme_at)
    found = [Stretch(one.since, one.until or end) for one in pause_reviews(log)]
    found += [Stretch(one.programme_at, end) for one in log if stops(one)]
    return tuple(found)


def failed(looks: Sequence[JudgedReading | ChangeReading]) -> tuple[Stretch, ...]:
    """From each look that was *not met* to the next that was *met*.

    Args:
        looks: at one metric of one cohort, or at its change, the oldest first.
    """
    found, since = [], None
    for one in looks:
        if one.verdict is Verdict.NOT_MET and since is None:
            since = one.as_of
        elif one.verdict is Verdict.MET and since is not None:
            found.append(Stretch(since, one.as_of))
            since = None
    if since is not None:
        found.append(Stretch(since, looks[-1].as_of + timedelta(microseconds=1)))
    return tuple(found)


def accepted(plan: RolloutPlan, log: Sequence[LogEntry], readings: Readings) -> tuple[Accepted, ...]:
    """The evidence of each metric that was accepted, in the plan's order.

    A reading counts if it was *met*, in a phase that was passed, and if no part of its window lies in a pause or in a
    failed period of its own: what went wrong is still in the sums until the window has left it behind.

    Raises:
        NothingAccepted: no gate was passed, or nothing has a value.
    """
    entries = ordered(log)
    if not any(map(enters, entries)):
        raise NothingAccepted(
            f"{plan.id} never left prepare: no gate was passed, so no evidence was accepted, not even its baselines"
        )
    good, bad = passed(entries), halted(entries)
    found = tuple(_accepted(plan, one.metric, one.window, readings, good, bad) for one in plan.metrics)
    if all(one.baseline is None for one in found):
        raise NothingAccepted(f"no metric of {plan.id} has an accepted reading or a baseline with a value")
    return found


def _accepted(
    plan: RolloutPlan,
    metric: MetricName,
    window: timedelta,
    readings: Readings,
    good: Sequence[Stretch],
    bad: Sequence[Stretch],
) -> Accepted:
    found = [
        one
        for cohort in cohorts_of(plan, readings)
        for one in _of_cohort(looks_at(readings, cohort, metric), window, good, bad)
    ]
    found.sort(key=lambda one: (one.as_of, one.cohort))
    values = [one.value for one in found if one.value is not None]
    frozen = _frozen(plan, readings, metric)
    return Accepted(metric, tuple(found), median(values) if values else frozen, not values)


def _of_cohort(
    looks: Sequence[JudgedReading], window: timedelta, good: Sequence[Stretch], bad: Sequence[Stretch]
) -> Sequence[JudgedReading]:
    own = (*bad, *failed(looks))
    return [
        one
        for one in looks
        if one.verdict is Verdict.MET
        and one.value is not None
        and any(phase.since <= one.as_of < phase.until for phase in good)
        and not any(stretch.meets(one.as_of - window, one.as_of) for stretch in own)
    ]


def _frozen(plan: RolloutPlan, readings: Readings, metric: MetricName) -> float | None:
    pilot = plan.cohorts.pilot.name
    found = (one.value for one in readings.baselines if (one.cohort, one.metric) == (pilot, metric))
    return next(found, None)


def clean_since(plan: RolloutPlan, log: Sequence[LogEntry], readings: Readings) -> datetime | None:
    """The end of the last pause or failed period of any metric: a window that begins there holds none of them. None
    where there was none."""
    entries = ordered(log)
    stretches = [*halted(entries)]
    for metric in plan.metrics:
        for cohort in cohorts_of(plan, readings):
            stretches += failed(looks_at(readings, cohort, metric.metric))
    return max((one.until for one in stretches), default=None)
