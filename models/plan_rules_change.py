"""Rules across what a plan says of a change: margins that can be told, days enough to tell them, partners beside."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from models.base import format_duration
from models.metric import CATALOGUE, Direction, MetricName, MetricSpec, Scale
from models.plan_change import ChangeRule, Margin
from models.plan_metric import OnBreach
from models.plan_rule import Broken, BrokenRule, Rule

if TYPE_CHECKING:
    from models.plan import RolloutPlan

WEEK = timedelta(days=7)
LEAST_BASELINE = 4 * WEEK
"""What is compared must hold each day of the week as often as any other, and often enough to have a variation."""

LEAST_MATURED = WEEK + timedelta(days=1)
"""A whole week of matured days; the day of enrolment is only partly one."""

GROWING_SHARES = frozenset(
    name for name, spec in CATALOGUE.items() if spec.grows_with_window and spec.scale is not Scale.AMOUNT
)
"""Shares that grow with the window: over a few days they are not what they are over a baseline, for no change at all.
Of amounts the part they changed is judged, from which the length of the window falls out."""


def _margins_can_be_told(plan: RolloutPlan) -> Broken:
    """A margin in points of a metric that is an amount, and one of a share that the share can never lose."""
    for field, metric, change in _changes(plan):
        spec, margin = CATALOGUE[metric], change.margin
        if spec.scale is Scale.AMOUNT and not margin.relative:
            told = f"{metric.value} is an amount ({spec.unit}), so {margin} means nothing"
            yield BrokenRule(field=f"{field}.margin", message=f"{told}; write a part of the baseline, such as 10%")
        elif margin.number >= 100 and _bounded(spec, margin):
            told = f"{metric.value} can never get worse by {margin}; write less than 100"
            yield BrokenRule(field=f"{field}.margin", message=told)


def _changes_can_be_told(plan: RolloutPlan) -> Broken:
    """A change of a metric that is counted over the whole window."""
    for field, metric, _ in _changes(plan):
        if metric in GROWING_SHARES:
            told = f"{metric.value} is counted over its whole window, a few weeks are no change of it"
            yield BrokenRule(field=field, message=f"{told}; agree on thresholds instead")


def _baselines_are_whole_weeks(plan: RolloutPlan) -> Broken:
    """A baseline of less than four weeks, or not of whole weeks, where a change is judged.

    Partners work by the week: a baseline with five Mondays and four Fridays differs from any week by itself.
    """
    window = plan.phases.baseline_window
    if any(_changes(plan)) and (window < LEAST_BASELINE or window % WEEK):
        nearest = max(LEAST_BASELINE, window - window % WEEK)
        told = f"{format_duration(window)} is not whole weeks, or less than four of them, and a change is judged"
        more = f"write {format_duration(nearest)} or {format_duration(nearest + WEEK)}"
        yield BrokenRule(field="phases.baseline_window", message=f"{told}; {more}")


def _time_is_long_enough(plan: RolloutPlan) -> Broken:
    """A pilot, a wave, or under option A the validate phase, that ends before a week of its days has matured.

    Before a week has matured nothing can be said, so its gate would only hold.
    """
    for field, metric, change in _changes(plan):
        least = change.maturity + LEAST_MATURED
        for path, given in _watched_for(plan):
            if given < least:
                days = format_duration(given)
                told = f"{days} is too short for the change of {metric.value} ({field}): its facts take"
                more = f"{format_duration(change.maturity)} to mature, and a week of them is needed"
                yield BrokenRule(field=path, message=f"{told} {more}; at least {format_duration(least)}")


def _somebody_is_compared(plan: RolloutPlan) -> Broken:
    """A change that decides, without a control cohort: once everybody is enrolled there is nobody to compare with."""
    if plan.cohorts.control is not None:
        return
    for index, one in enumerate(plan.metrics):
        if one.change is not None and one.on_breach is not OnBreach.WARN:
            told = f"the change of {one.metric.value} can never be met once everybody is enrolled"
            more = "name a control cohort of comparable partners, or let it only warn"
            yield BrokenRule(field=f"metrics.{index}.change", message=f"{told}; {more}")


def _tolerances_count_breaches(plan: RolloutPlan) -> Broken:
    """Breaches tolerated of a metric without thresholds: a change is judged over all looks at once, so there is nothing
    to tolerate."""
    for index, one in enumerate(plan.metrics):
        if not one.thresholds and (one.tolerance.in_a_row, one.tolerance.in_all) != (0, None):
            told = f"{one.metric.value} has no thresholds to be beyond of; a change is judged over all looks together"
            yield BrokenRule(field=f"metrics.{index}.tolerance", message=told)


CHANGE_RULES: tuple[Rule, ...] = (
    _margins_can_be_told,
    _changes_can_be_told,
    _baselines_are_whole_weeks,
    _time_is_long_enough,
    _somebody_is_compared,
    _tolerances_count_breaches,
)
"""What a plan may say of a metric's change, and what it is refused for."""


def _changes(plan: RolloutPlan) -> Iterator[tuple[str, MetricName, ChangeRule]]:
    for index, one in enumerate(plan.metrics):
        if one.change is not None:
            yield f"metrics.{index}.change", one.metric, one.change


def _bounded(spec: MetricSpec, margin: Margin) -> bool:
    """Whether a hundred is all that the metric can lose: points of a share, percent of what cannot be negative."""
    if spec.scale is Scale.PERCENT:
        return False
    return spec.direction is Direction.HIGHER if margin.relative else spec.scale is Scale.SHARE


def _watched_for(plan: RolloutPlan) -> Iterator[tuple[str, timedelta]]:
    """Where the plan says how long a cohort is watched before its gate."""
    if plan.chosen.value == "A":
        yield "phases.validate", plan.phases.validate_for
        return
    if plan.chosen.value == "C":
        yield "phases.pilot", max((plan.phases.pilot, *(wave.bake for wave in plan.cohorts.waves)))
        return
    yield "phases.pilot", plan.phases.pilot
    for index, wave in enumerate(plan.cohorts.waves):
        yield f"cohorts.waves.{index}.bake", wave.bake
