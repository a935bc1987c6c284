"""Rules across what a plan says of its metrics: measured or not, thresholds that can decide, stops that come last."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from models.base import format_duration
from models.metric import CATALOGUE, Direction, MetricName, MetricUse, Scale
from models.plan_metric import WARNED_AHEAD, Basis, OnBreach, Threshold
from models.plan_rule import Broken, BrokenRule, Rule

if TYPE_CHECKING:
    from models.plan import CohortSpec, RolloutPlan

RATES = frozenset(name for name, spec in CATALOGUE.items() if spec.scale is Scale.SHARE)
"""Metrics that lie between 0 and 100 whatever happens."""

OF_A_HUNDRED = RATES | {name for name, spec in CATALOGUE.items() if spec.scale is Scale.PERCENT}
"""Metrics that are percentages or points."""

LEAST_AHEAD, MOST_AHEAD = timedelta(hours=1), timedelta(hours=40)
"""Whether leads are due soon is looked at every hour: what is due sooner would be warned of too late. A working week
is the longest."""

_FACES = {Direction.HIGHER: True, Direction.LOWER: False}


def _metrics_stand_once(plan: RolloutPlan) -> Broken:
    """A metric that stands twice, in `metrics`, in `not_measured`, or in both."""
    seen: dict[MetricName, str] = {}
    places = [(f"metrics.{index}.metric", one.metric) for index, one in enumerate(plan.metrics)]
    places += [(f"not_measured.{index}.metric", one.metric) for index, one in enumerate(plan.not_measured)]
    for field, metric in places:
        if metric in seen:
            told = f"{metric.value} stands in {seen[metric]} already; each metric is either measured or not, once"
            yield BrokenRule(field=field, message=told)
        seen.setdefault(metric, field.split(".")[0])


def _no_metric_is_forgotten(plan: RolloutPlan) -> Broken:
    """A metric of the framework that is neither measured nor left out with a reason."""
    named = {one.metric for one in plan.metrics} | {one.metric for one in plan.not_measured}
    for metric, spec in CATALOGUE.items():
        if spec.framework and metric not in named:
            told = f"{metric.value} is missing; measure it here, or give the reason in not_measured"
            yield BrokenRule(field="metrics", message=told)


def _something_is_judged(plan: RolloutPlan) -> Broken:
    """A plan whose metrics all only warn: its gates would have nothing to judge.

    What only warns never holds a gate: with nothing else, every gate would open by itself.
    """
    if all(one.on_breach is OnBreach.WARN for one in plan.metrics):
        told = "every metric only warns; at least one must decide something"
        yield BrokenRule(field="metrics", message=told)


def _outcomes_do_not_stop(plan: RolloutPlan) -> Broken:
    """An outcome with `on_breach: stop`.

    An outcome that is not met holds at its gate, so what is written here would never happen.
    """
    for index, one in enumerate(plan.metrics):
        if one.purpose is MetricUse.OUTCOME and one.on_breach is OnBreach.STOP:
            told = f"{one.metric.value} is an outcome, which holds at its gate and never stops"
            more = "make it a guardrail, or write a stop condition"
            yield BrokenRule(field=f"metrics.{index}.on_breach", message=f"{told}; {more}")


def _guardrails_are_no_option(plan: RolloutPlan) -> Broken:
    """A guardrail with `must: false`."""
    for index, one in enumerate(plan.metrics):
        if one.purpose is MetricUse.GUARDRAIL and not one.must:
            told = f"{one.metric.value} is a guardrail, which always counts; only an outcome can count by weight"
            yield BrokenRule(field=f"metrics.{index}.must", message=told)


def _thresholds_agree(plan: RolloutPlan) -> Broken:
    """Thresholds that can never hold together."""
    for index, metric in enumerate(plan.metrics):
        for basis in Basis:
            low = _strictest(metric.thresholds, basis, at_least=True)
            high = _strictest(metric.thresholds, basis, at_least=False)
            if low and high and not _leave_room(low, high):
                told = f"{low} and {high} can never hold together"
                yield BrokenRule(field=f"metrics.{index}.thresholds", message=told)


def _thresholds_face_the_right_way(plan: RolloutPlan) -> Broken:
    """A metric with thresholds, and none of them on its bad side."""
    for index, metric in enumerate(plan.metrics):
        direction = CATALOGUE[metric.metric].direction
        wanted = _FACES.get(direction)
        if (
            wanted is not None
            and metric.thresholds
            and all(limit.at_least is not wanted for limit in metric.thresholds)
        ):
            told = f"no threshold with {'>=' if wanted else '<='}, but for {metric.metric.value} {direction.value}"
            yield BrokenRule(field=f"metrics.{index}.thresholds", message=told)


def _percentages_are_not_fractions(plan: RolloutPlan) -> Broken:
    """A limit of a percentage between 0 and 1, such as `>= 0.85` for `>= 85`.

    `>= 0.85` instead of `>= 85` would hold whatever happens. Where lower is better such a limit is merely strict.
    """
    for field, metric, limit in _absolute_limits(plan):
        lower = CATALOGUE[metric].direction is Direction.LOWER
        if metric in OF_A_HUNDRED and 0 < abs(limit.number) < 1 and not lower:
            told = f"{limit} is less than one of a hundred; {metric.value} is given in {CATALOGUE[metric].unit}"
            yield BrokenRule(field=field, message=f"{told}, write 85 and not 0.85")


def _limits_can_decide(plan: RolloutPlan) -> Broken:
    """A limit that holds always, or never.

    A limit that holds always or never decides nothing.
    """
    for field, metric, limit in _absolute_limits(plan):
        if metric in RATES:
            ends = {limit.satisfied(0, None), limit.satisfied(100, None)}
            if len(ends) == 1:
                told = f"{limit} {'holds whatever happens' if True in ends else 'never holds'}"
                yield BrokenRule(field=field, message=f"{told}; {metric.value} lies between 0 and 100")


def _warnings_come_first(plan: RolloutPlan) -> Broken:
    """A warning that is looser than the threshold."""
    for index, metric in enumerate(plan.metrics):
        for place, warning in enumerate(metric.warning):
            agreed = _strictest(metric.thresholds, warning.basis, at_least=warning.at_least)
            if agreed and _strictness(warning) < _strictness(agreed):
                told = f"{warning} is looser than the threshold {agreed}; a warning comes before the breach"
                yield BrokenRule(field=f"metrics.{index}.warning.{place}", message=told)


def _warned_ahead_in_time(plan: RolloutPlan) -> Broken:
    """A `warn_ahead` of less than `1h` or more than `40h`, or of a metric that nobody can be warned of beforehand.

    Of leads alone it is known when each one is decided, and only a guardrail's threshold can be tipped by it.
    """
    for index, metric in enumerate(plan.metrics):
        field, ahead = f"metrics.{index}.warn_ahead", metric.warn_ahead
        if ahead != WARNED_AHEAD and not metric.can_warn_ahead:
            told = f"{metric.metric.value} is not warned of beforehand; only a lead follow-up SLA and a lead acceptance"
            yield BrokenRule(field=field, message=f"{told} are, each as a guardrail with thresholds")
        elif not LEAST_AHEAD <= ahead <= MOST_AHEAD:
            yield BrokenRule(field=field, message=f"{format_duration(ahead)} of business time; write 1h to 40h")


def _sample_can_be_reached(plan: RolloutPlan) -> Broken:
    """A minimum sample of more partners than a cohort can have.

    Every enrolled cohort is judged by itself: one that is too small would hold the rollout for ever.
    """
    waves = () if plan.chosen.value == "A" else plan.cohorts.waves
    for index, metric in enumerate(plan.metrics):
        least = metric.minimum_sample.partners
        sizes = ((cohort.name, _most(cohort)) for cohort in (plan.cohorts.pilot, *waves))
        small = ", ".join(f"{name} has at most {size}" for name, size in sizes if size is not None and size < least)
        if small:
            told = f"asks for {least} partners, but {small}; it could never be told"
            yield BrokenRule(field=f"metrics.{index}.minimum_sample.partners", message=told)


def _stop_conditions_are_measured(plan: RolloutPlan) -> Broken:
    """A stop condition on a metric that is not measured."""
    for index, condition in enumerate(plan.stop_conditions):
        if condition.metric is not None and plan.metric(condition.metric) is None:
            measured = ", ".join(one.metric.value for one in plan.metrics)
            told = f"{condition.metric.value} is not measured in this rollout; measured are {measured}"
            yield BrokenRule(field=f"stop_conditions.{index}.metric", message=told)


def _stops_face_the_right_way(plan: RolloutPlan) -> Broken:
    """A stop condition that would stop on good numbers."""
    for field, metric, limit in _stop_limits(plan):
        direction = CATALOGUE[metric].direction
        if _FACES.get(direction, limit.at_least) is not limit.at_least:
            told = f"stops unless {metric.value} is {limit}, but {direction.value}: it would stop on good numbers"
            yield BrokenRule(field=field, message=told)


def _stops_come_last(plan: RolloutPlan) -> Broken:
    """A stop condition stricter than the threshold.

    A stop cannot be taken back: it lies beyond what a guardrail pauses for.
    """
    for field, metric, limit in _stop_limits(plan):
        agreed = plan.metric(metric)
        threshold = agreed and _strictest(agreed.thresholds, limit.basis, at_least=limit.at_least)
        if threshold and _strictness(limit) > _strictness(threshold):
            told = f"{limit} is stricter than the threshold {threshold}; it would stop a rollout whose metric is met"
            yield BrokenRule(field=field, message=told)


METRIC_RULES: tuple[Rule, ...] = (
    _metrics_stand_once,
    _no_metric_is_forgotten,
    _something_is_judged,
    _outcomes_do_not_stop,
    _guardrails_are_no_option,
    _thresholds_agree,
    _thresholds_face_the_right_way,
    _percentages_are_not_fractions,
    _limits_can_decide,
    _warnings_come_first,
    _warned_ahead_in_time,
    _sample_can_be_reached,
    _stop_conditions_are_measured,
    _stops_face_the_right_way,
    _stops_come_last,
)


def _stop_limits(plan: RolloutPlan) -> Iterator[tuple[str, MetricName, Threshold]]:
    for index, condition in enumerate(plan.stop_conditions):
        if condition.metric is not None and condition.unless is not None:
            yield f"stop_conditions.{index}.unless", condition.metric, condition.unless


def _absolute_limits(plan: RolloutPlan) -> Iterator[tuple[str, MetricName, Threshold]]:
    limits = list(_stop_limits(plan))
    for index, one in enumerate(plan.metrics):
        limits += [(f"metrics.{index}.thresholds.{at}", one.metric, limit) for at, limit in enumerate(one.thresholds)]
        limits += [(f"metrics.{index}.warning.{at}", one.metric, limit) for at, limit in enumerate(one.warning)]
    return (one for one in limits if one[2].basis is Basis.ABSOLUTE)


def _most(cohort: CohortSpec) -> int | None:
    """The most partners a cohort can have, where the plan says so."""
    return cohort.select.limit if cohort.select else len(cohort.partners)


def _strictness(limit: Threshold) -> tuple[float, bool]:
    """Larger is stricter, among limits of one basis and side."""
    return (limit.number if limit.at_least else -limit.number, not limit.inclusive)


def _strictest(limits: tuple[Threshold, ...], basis: Basis, *, at_least: bool) -> Threshold | None:
    alike = (limit for limit in limits if limit.basis is basis and limit.at_least is at_least)
    return max(alike, key=_strictness, default=None)


def _leave_room(low: Threshold, high: Threshold) -> bool:
    if low.number == high.number:
        return low.inclusive and high.inclusive
    return low.number < high.number
