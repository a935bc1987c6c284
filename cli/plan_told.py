"""Says in words what planning with numbers found, and what of it is a warning."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from models.base import Frozen, format_duration
from models.metric import CATALOGUE
from models.plan import RolloutPlan
from models.plan_metric import MetricPlan
from models.power import Alarm, ChangePower, LimitCost, MetricPower, Picked, PlanPower

TOO_OFTEN = 0.1

_DOES = {
    Alarm.PAUSE: "pause",
    Alarm.STOP: "stop",
    Alarm.WARN: "warn in",
    Alarm.HOLD: "hold at its gate",
}


class PlanWarning(Frozen):
    """What a plan may well be, and what it costs. `field` is a dotted path."""

    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


def cases(part: float) -> str:
    """A share as people say it, `about 7 of 10 cases`."""
    if part < 0.005:
        return "hardly any case"
    if part < TOO_OFTEN / 2:
        return f"about {max(1, round(100 * part))} of 100 cases"
    return f"about {max(1, round(10 * part))} of 10 cases"


def sentences(found: MetricPower) -> Iterator[str]:
    """All that is to be said of one metric."""
    yield from found.notes
    if found.nothing is not None:
        yield f"Nothing can be said: {found.nothing}."
        return
    if found.rules is not None:
        for limit in found.rules.limits:
            yield _limit_told(limit, found)
        if len(found.rules.limits) > 1:
            yield f"All limits together: {100 * found.rules.healthy:.1f} % ± {100 * found.rules.error:.1f}."
    if found.change is not None:
        yield from _change_told(found.change, found)
    if found.picked is not None and found.picked.stands_out:
        yield _picked_told(found.picked)


LONGEST_MONTH = timedelta(days=31)


def warnings_by_plan(plan: RolloutPlan) -> Iterator[PlanWarning]:
    """What can be told of a plan by itself: windows in which there need not be the closed month that they are for.

    Whenever it begins, a stretch of 62 days has a whole calendar month in it, since no two in a row are longer; and of
    a window so much is sure to have data as it is longer than data may be old.
    """
    for index, one in enumerate(plan.metrics):
        months = CATALOGUE[one.metric].defaults.closed_months
        needed = (months + 1) * LONGEST_MONTH
        if months and one.window - one.freshness < needed:
            window, freshness, least = map(format_duration, (one.window, one.freshness, needed + one.freshness))
            told = f"a window of {window} whose data may be {freshness} old need not hold a closed month"
            more = f"books are closed by the month, and {least} always hold one"
            yield PlanWarning(field=f"metrics.{index}.window", message=f"{told}; {more}")


def warnings_of(plan: RolloutPlan, found: PlanPower) -> Iterator[PlanWarning]:
    """What whoever signs should know."""
    from judgement.gates import ENOUGH_PARTNERS

    arms = [("pilot", found.cohort, found.partners)]
    if found.compared_with is not None:
        arms.append(
            ("control" if plan.cohorts.control else "pilot", f"{found.compared_with}, to compare with,", found.compared)
        )
    for field, name, partners in arms:
        if partners < ENOUGH_PARTNERS and any(one.change for one in plan.metrics):
            told = f"{name} has {partners} partners; below {ENOUGH_PARTNERS} a verdict on a change is advisory only"
            yield PlanWarning(field=f"cohorts.{field}", message=told)
    for index, (rule, one) in enumerate(zip(plan.metrics, found.metrics, strict=True)):
        yield from _of_metric(f"metrics.{index}", rule, one)


def _of_metric(field: str, rule: MetricPlan, one: MetricPower) -> Iterator[PlanWarning]:
    if one.nothing is not None:
        yield PlanWarning(field=field, message=f"nothing can be said of {rule.metric.value}: {one.nothing}")
        return
    for at, limit in enumerate(one.rules.limits if one.rules else ()):
        if limit.alone > TOO_OFTEN:
            yield PlanWarning(field=f"{field}.thresholds.{at}", message=_limit_told(limit, one).rstrip("."))
    if one.rules and one.rules.healthy > TOO_OFTEN and all(limit.alone <= TOO_OFTEN for limit in one.rules.limits):
        told = f"all limits together would {_DOES[one.rules.alarm]} a healthy rollout in {cases(one.rules.healthy)}"
        yield PlanWarning(field=f"{field}.thresholds", message=told)
    if one.change is not None and one.change.resolves is False:
        told = " ".join(line.rstrip(".") for line in _unresolved(one.change, one.compared))
        yield PlanWarning(field=f"{field}.change.margin", message=told)
    if one.picked is not None and one.picked.stands_out:
        yield PlanWarning(field="cohorts.pilot", message=f"{CATALOGUE[rule.metric].title}: {_picked_told(one.picked)}")


def _limit_told(limit: LimitCost, found: MetricPower) -> str:
    alarm = found.rules.alarm if found.rules else Alarm.PAUSE
    told = (
        f"With {found.partners} partners {limit.limit} would {_DOES[alarm]} a healthy rollout in {cases(limit.alone)}"
    )
    told += f" ({100 * limit.alone:.1f} % ± {100 * limit.error:.1f})"
    if limit.wider is not None:
        told += f"; {limit.wider} would in no more than 1"
    return f"{told}."


def _change_told(change: ChangePower, found: MetricPower) -> Iterator[str]:
    beside = "without anybody to compare with" if change.uncontrolled else f"beside {found.compared} others"
    if change.detectable is None:
        yield f"No change of any size could be shown by the planned end by {found.partners} partners {beside}."
    else:
        seen = f"{change.detectable:.3g} {change.unit}"
        yield f"The smallest change that {found.partners} partners {beside} show by the planned end is {seen}."
    if change.margin is None or change.found is None:
        return
    if change.resolves:
        yield f"Worse by the margin of {change.margin} is proven by day {change.days_to_margin} in 4 of 5 rollouts."
    else:
        yield from _unresolved(change, found.compared)
    yield (
        f"Not met by the planned end: healthy {_percent(change.false_pauses, 1)} ± {100 * (change.error or 0):.1f}, "
        f"worse by the margin {_percent(change.found)}, by twice that {_percent(change.found_twice)}. "
        f"Met at the gate: healthy {_percent(change.passed)}, worse by the margin {_percent(change.passed_worse)}."
    )


def _percent(part: float | None, digits: int = 0) -> str:
    return f"{100 * (part or 0):.{digits}f} %"


def _unresolved(change: ChangePower, compared: int) -> Iterator[str]:
    """That the margin is too fine for the cohort, and what would do."""
    smallest = "no change at all" if change.detectable is None else f"{change.detectable:.3g} {change.unit} or more"
    told = f"A margin of {change.margin} cannot be seen by the planned end, {smallest} can"
    ways = [
        _partners(change, compared) if change.partners_needed else "",
        f"{change.days_needed} days" if change.days_needed else "",
        f"a margin of {change.margin_needed}" if change.margin_needed else "",
    ]
    named = [way for way in ways if way]
    yield f"{told}; enough would be {' or '.join(named)}." if named else f"{told}; nothing within reach would do."


def _partners(change: ChangePower, compared: int) -> str:
    needed = change.partners_needed or 0
    more = " and as many to compare with" if not change.uncontrolled and needed > compared else ""
    return f"{needed} partners{more}"


def _picked_told(picked: Picked) -> str:
    """That the pilot's last weeks stand out, and why that matters."""
    better = "rose" if picked.moved > 0 else "fell"
    told = f"in the last 4 weeks the pilot {better} by {abs(picked.moved):.3g}"
    if abs(picked.moved) > picked.usual:
        told += f", usual is at most {picked.usual:.3g}"
    if picked.groups and not 0.05 <= picked.rank <= 0.95:
        part = 100 * (picked.rank if picked.moved > 0 else 1 - picked.rank)
        told += f", more than {part:.0f} % of random groups of its size"
    return f"{told}: what stood out by chance comes back by itself, and looks like an effect"


__all__ = ["TOO_OFTEN", "PlanWarning", "cases", "sentences", "warnings_of"]
