"""When the looks at a cohort are planned to end, where its stretches begin, and how much risk each metric may spend."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from models.metric import MetricUse
from models.plan import OptionKey, RolloutPlan
from models.plan_metric import MetricPlan

APART = timedelta(days=1)
"""Enrolments closer together than this are one enlargement: days are what is judged."""


def planned_end(plan: RolloutPlan, cohort: str, since: datetime) -> datetime:
    """When the looks at a cohort end that began at a moment, if nothing holds the rollout.

    The pilot is looked at to the end of the last wave, a wave from its own bake on; under option C everybody for the
    longest of all, under A the would-be pilot for the time of `validate`. A pause shifts nothing: the risk is spread
    over the time that was planned, and what comes after it is judged as open-ended.
    """
    waves = plan.cohorts.waves
    own = next((at for at, one in enumerate(waves) if one.name == cohort), None)
    if plan.chosen is not OptionKey.STAGED or own is None:
        return since + plan.planned_length
    return since + sum((one.bake for one in waves[own:]), timedelta(0))


def pause_share(plan: RolloutPlan, metric: MetricPlan, cohort: str) -> float:
    """Which share of its pause risk a metric may spend on a cohort.

    A rollout pauses when any guardrail of any cohort is found worse, so they share: the guardrails that are judged by
    their change equally, the pilot one half and the waves the other (Bonferroni). An outcome pauses nothing, and has
    its cohort's share to itself.
    """
    guards = sum(one.change is not None and one.purpose is MetricUse.GUARDRAIL for one in plan.metrics)
    of_metrics = 1 / guards if guards and metric.purpose is MetricUse.GUARDRAIL else 1.0
    waves = 0 if plan.chosen is OptionKey.MAINTAIN else len(plan.cohorts.waves)
    if not waves:
        return of_metrics
    return of_metrics * (0.5 if cohort == plan.cohorts.pilot.name else 0.5 / waves)


def enlargements(plan: RolloutPlan, cohort: str) -> int:
    """How many cohorts the plan enrols after this one; none where everybody is enrolled at once, or nobody."""
    if plan.chosen is not OptionKey.STAGED:
        return 0
    names = [plan.cohorts.pilot.name, *(one.name for one in plan.cohorts.waves)]
    return len(names) - 1 - names.index(cohort) if cohort in names else 0


def beginnings(plan: RolloutPlan, cohort: str, enrolled: Mapping[str | None, datetime]) -> tuple[datetime, ...]:
    """Where the stretches of a cohort begin: when it was enrolled, and at each later enlargement of the rollout.

    Under option A nobody is enrolled: there it is when the baselines were measured.

    Args:
        enrolled: when each cohort was enrolled; None names when the baselines were measured.

    Returns:
        Nothing where the cohort is not enrolled.
    """
    own = enrolled.get(None if plan.chosen is OptionKey.MAINTAIN else cohort)
    if own is None:
        return ()
    found = [own]
    for at in sorted(at for name, at in enrolled.items() if name is not None and at > own):
        if at - found[-1] >= APART:
            found.append(at)
    return tuple(found)


def matured_through(as_of: datetime, maturity: timedelta) -> datetime:
    """The end of the last UTC day of which all facts can be taken to be known."""
    return (as_of - maturity).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
