"""Rules across what a plan says of many looks: limits that can be used up, and runs that its phases have time for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from models.base import format_duration
from models.metric import MetricUse
from models.plan_metric import MetricPlan, OnBreach
from models.plan_rule import Broken, BrokenRule, Rule
from models.plan_rules_change import LEAST_MATURED

if TYPE_CHECKING:
    from models.plan import RolloutPlan


def _only_guardrails_go_blind(plan: RolloutPlan) -> Broken:
    """An outcome with a limit of looks that are *cannot tell* or *no evidence*.

    It holds at its gate for as long as nothing can be said, so what is written here would never happen.
    """
    for field, metric in _tolerances(plan):
        if metric.tolerance.watches_for_blindness and metric.purpose is MetricUse.OUTCOME:
            named = next(name for name, limit in _limits(metric) if limit is not None)
            told = f"{metric.metric.value} is an outcome, which holds for as long as nothing can be said"
            yield BrokenRule(field=f"{field}.{named}", message=f"{told}; only a guardrail goes blind")


def _limits_of_looks_can_be_used_up(plan: RolloutPlan) -> Broken:
    """A limit of looks that are *cannot tell* or *no evidence*, which no phase has enough looks to go beyond."""
    name, longest = max(_phases(plan), key=lambda phase: phase[1])
    looks = _looks(plan, longest)
    for field, metric in _tolerances(plan):
        for limit, tolerates in _limits(metric):
            if tolerates is not None and tolerates >= looks > 0:
                told = f"tolerates {tolerates} looks, but {name} ({format_duration(longest)}), the longest, has {looks}"
                yield BrokenRule(field=f"{field}.{limit}", message=f"{told}; nothing would ever be blind")


def _blindness_leaves_time_to_mature(plan: RolloutPlan) -> Broken:
    """A limit of *no evidence* looks that passes before there can be any of a change that is judged.

    A change is first judged on a whole week of days whose facts are complete: until then there is none.
    """
    for field, metric in _tolerances(plan):
        limit = metric.tolerance.no_evidence_in_a_row
        if metric.change is None or limit is None:
            continue
        first = metric.change.maturity + LEAST_MATURED
        looks = _looks(plan, first)
        if limit < looks:
            told = f"tolerates {limit} looks, but its change is first judged after {format_duration(first)}"
            more = f"that is after {looks} looks: every rollout would pause as blind"
            yield BrokenRule(field=f"{field}.no_evidence_in_a_row", message=f"{told}; {more}")


def _runs_have_time(plan: RolloutPlan) -> Broken:
    """A run of *met* looks that the shortest phase has no time for, after the breaches that it tolerates."""
    name, shortest = min(_phases(plan), key=lambda phase: phase[1])
    looks = _looks(plan, shortest)
    for field, metric in _tolerances(plan):
        run, breaches = metric.tolerance.met_in_a_row, metric.tolerance.in_all or 0
        if run > 1 and run + breaches > looks:
            asked = f"asks for {run} looks in a row" + (f" and tolerates {breaches} breaches" if breaches else "")
            told = f"{asked}, but {name} ({format_duration(shortest)}), the shortest, has {looks}"
            yield BrokenRule(field=f"{field}.met_in_a_row", message=f"{told} at the plan's cadence")


def _runs_are_waited_for(plan: RolloutPlan) -> Broken:
    """A run of *met* looks of a metric that only warns: no gate asks for it."""
    for field, metric in _tolerances(plan):
        if metric.tolerance.met_in_a_row > 1 and metric.on_breach is OnBreach.WARN:
            told = f"{metric.metric.value} only warns, so no gate waits until it is met"
            yield BrokenRule(field=f"{field}.met_in_a_row", message=told)


TOLERANCE_RULES: tuple[Rule, ...] = (
    _only_guardrails_go_blind,
    _limits_of_looks_can_be_used_up,
    _blindness_leaves_time_to_mature,
    _runs_have_time,
    _runs_are_waited_for,
)


def _tolerances(plan: RolloutPlan) -> Iterator[tuple[str, MetricPlan]]:
    return ((f"metrics.{index}.tolerance", one) for index, one in enumerate(plan.metrics))


def _limits(metric: MetricPlan) -> tuple[tuple[str, int | None], ...]:
    tolerance = metric.tolerance
    return ("cannot_tell", tolerance.cannot_tell), ("no_evidence_in_a_row", tolerance.no_evidence_in_a_row)


def _phases(plan: RolloutPlan) -> list[tuple[str, timedelta]]:
    """The phases and waves that are looked at, each of which counts its own looks."""
    waves = [(f"wave {one.name}", one.bake) for one in plan.cohorts.waves]
    if plan.chosen.value == "A":
        return [("validate", plan.phases.validate_for)]
    if plan.chosen.value == "C":
        return [max([("the pilot", plan.phases.pilot), *waves], key=lambda phase: phase[1])]
    return [("the pilot", plan.phases.pilot), ("validate", plan.phases.validate_for), *waves]


def _looks(plan: RolloutPlan, length: timedelta) -> int:
    """Looks in so much time: one each cadence. None where the cadence is no time at all, which is refused anyhow."""
    return length // plan.phases.cadence if plan.phases.cadence > timedelta(0) else 0
