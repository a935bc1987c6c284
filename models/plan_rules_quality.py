"""Rules across what a plan says of the checks of its data: bounds in order, said once, of checks it has."""

from __future__ import annotations

from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING

from models.metric import CATALOGUE, MetricName
from models.plan_rule import Broken, BrokenRule, Rule
from models.quality import AGREED_ANEW, DEFAULTS, SIGNED_WITHOUT, TWICE, WEEK_BY_WEEK, Check, QualityBound

if TYPE_CHECKING:
    from models.plan import RolloutPlan

ONLY_OF = MappingProxyType(
    {
        Check.COMPLETENESS: WEEK_BY_WEEK,
        Check.COSTS: frozenset({MetricName.CONTRIBUTION_MARGIN}),
        Check.COHORT: WEEK_BY_WEEK,
        Check.COMPARED: WEEK_BY_WEEK,
        Check.PLAUSIBILITY: frozenset({MetricName.CONTRIBUTION_MARGIN}),
        Check.BACKDATING: frozenset(
            name for name, spec in CATALOGUE.items() if any(part.name == "met_backdated" for part in spec.parts)
        ),
        Check.DUPLICATES: TWICE | {MetricName.MDF_SPEND},
    }
)
"""Checks that not every metric has."""


def agreed_anew(metric: MetricName, freshness: timedelta, *, by_change: bool) -> tuple[QualityBound, ...]:
    """What new plans say of the checks of a metric's data that older ones are silent on.

    Args:
        freshness: how old the metric's data may be.
        by_change: the metric is judged by its change, which rests on the partners that it is compared with.
    """
    usual = [
        QualityBound(check=check, amber=bounds.amber, red=bounds.red)
        for check, bounds in AGREED_ANEW.items()
        if metric in ONLY_OF[check] and (by_change or check is not Check.COMPARED)
    ]
    for check in SIGNED_WITHOUT.get(metric, ()):
        amber, red = DEFAULTS[check]
        red = freshness / timedelta(days=1) if check is Check.FRESHNESS else red
        usual.append(QualityBound(check=check, amber=amber, red=red))
    return tuple(usual)


def _bounds_are_in_order(plan: RolloutPlan) -> Broken:
    """A check with neither an amber nor a red bound, or with a red one below the amber."""
    for index, metric in enumerate(plan.metrics):
        for at, bound in enumerate(metric.data_quality):
            field = f"metrics.{index}.data_quality.{at}"
            if bound.amber is None and bound.red is None:
                told = f"{bound.check.value} has no bound; say from where on it is amber, or red"
                yield BrokenRule(field=field, message=told)
            elif bound.amber is not None and bound.red is not None and bound.red < bound.amber:
                told = f"{bound.check.value} is red from {bound.red:g} on, before it is amber from {bound.amber:g} on"
                yield BrokenRule(field=f"{field}.red", message=f"{told}; red is the graver one")


def _bounds_stand_once(plan: RolloutPlan) -> Broken:
    """A check that is given bounds twice for the same source."""
    for index, metric in enumerate(plan.metrics):
        seen: set[tuple[Check, str | None]] = set()
        for at, bound in enumerate(metric.data_quality):
            if (bound.check, bound.source) in seen:
                told = f"{bound.check.value} of {bound.source or 'every source'} stands here already; say it once"
                yield BrokenRule(field=f"metrics.{index}.data_quality.{at}.check", message=told)
            seen.add((bound.check, bound.source))


def _checks_are_the_metric_s(plan: RolloutPlan) -> Broken:
    """Bounds of a check that is not made of this metric, or of a source where the check knows none."""
    *some, last = by_source = (Check.FRESHNESS, Check.COMPLETENESS, Check.COSTS)
    for index, metric in enumerate(plan.metrics):
        for at, bound in enumerate(metric.data_quality):
            field = f"metrics.{index}.data_quality.{at}"
            having = ONLY_OF.get(bound.check)
            if having is not None and metric.metric not in having:
                names = ", ".join(sorted(name.value for name in having))
                told = f"{bound.check.value} is not checked of {metric.metric.value}; it is of {names}"
                yield BrokenRule(field=f"{field}.check", message=told)
            if bound.source is not None and bound.check not in by_source:
                told = f"{bound.check.value} is not checked source by source; {', '.join(some)} and {last} are"
                yield BrokenRule(field=f"{field}.source", message=told)


def _somebody_is_compared(plan: RolloutPlan) -> Broken:
    """Bounds of the compared partners' facts, of a metric whose change is not judged: nothing rests on them."""
    for index, metric in enumerate(plan.metrics):
        for at, bound in enumerate(metric.data_quality):
            if bound.check is Check.COMPARED and metric.change is None:
                told = f"{metric.metric.value} is not judged by its change, so nothing rests on the compared partners"
                yield BrokenRule(field=f"metrics.{index}.data_quality.{at}.check", message=told)


QUALITY_RULES: tuple[Rule, ...] = (
    _bounds_are_in_order,
    _bounds_stand_once,
    _checks_are_the_metric_s,
    _somebody_is_compared,
)
