"""What readings come to: what each metric did, how near it came to each agreed limit, and how often it was beyond."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from models.evidence import Verdict
from models.learning import ChangeReading, Happened, JudgedReading, LimitReview, Reached, Readings
from models.metric import CATALOGUE, Direction, MetricName
from models.plan import RolloutPlan
from models.plan_change import ChangeRule
from models.plan_metric import Basis, MetricPlan, Threshold

SAID = frozenset({Verdict.MET, Verdict.NOT_MET})
"""Verdicts that say something. What could not be told, or had no evidence, is no near miss and no pass."""


def cohorts_of(plan: RolloutPlan, readings: Readings, enrolled: Collection[str] = ()) -> tuple[str, ...]:
    """The cohorts that were judged, and those enrolled whether or not they were, in the plan's order."""
    names = {*enrolled, *(one.cohort for one in readings.judged)}
    cohorts = plan.cohorts
    return tuple(one.name for one in (cohorts.pilot, *cohorts.waves) if one.name in names)


def looks_at(readings: Readings, cohort: str, metric: MetricName) -> tuple[JudgedReading, ...]:
    """The readings of one metric of one cohort, the oldest first."""
    found = (one for one in readings.judged if (one.cohort, one.metric) == (cohort, metric))
    return tuple(sorted(found, key=lambda one: one.as_of))


def changes_of(readings: Readings, cohort: str, metric: MetricName) -> tuple[ChangeReading, ...]:
    """The looks at one metric of one cohort that is judged by its change, the oldest first."""
    found = (one for one in readings.changes if (one.cohort, one.metric) == (cohort, metric))
    return tuple(sorted(found, key=lambda one: one.as_of))


def baseline_of(readings: Readings, cohort: str, metric: MetricName) -> float | None:
    """The frozen baseline's value, None where there is none."""
    found = (one.value for one in readings.baselines if (one.cohort, one.metric) == (cohort, metric))
    return next(found, None)


def happened(plan: RolloutPlan, readings: Readings) -> tuple[Happened, ...]:
    """What every metric of the plan did in every cohort that was judged."""
    return tuple(
        _happened(readings, cohort, metric.metric) for metric in plan.metrics for cohort in cohorts_of(plan, readings)
    )


def _happened(readings: Readings, cohort: str, metric: MetricName) -> Happened:
    looks = looks_at(readings, cohort, metric)
    reached = [Reached(value=one.value, at=one.as_of) for one in looks if one.verdict in SAID and one.value is not None]
    counts = Counter(one.verdict for one in looks)
    return Happened(
        cohort=cohort,
        metric=metric,
        baseline=baseline_of(readings, cohort, metric),
        first=reached[0] if reached else None,
        last=reached[-1] if reached else None,
        lowest=min(reached, key=lambda one: one.value, default=None),
        highest=max(reached, key=lambda one: one.value, default=None),
        looks={verdict: counts[verdict] for verdict in Verdict if counts[verdict]},
        ended=looks[-1].verdict if looks else Verdict.NO_EVIDENCE,
    )


def limits(plan: RolloutPlan, readings: Readings) -> tuple[LimitReview, ...]:
    """Every agreed limit for every cohort that was judged, in the plan's order."""
    return tuple(
        review
        for metric in plan.metrics
        for cohort in cohorts_of(plan, readings)
        for review in _limits(metric, readings, cohort)
    )


def _limits(metric: MetricPlan, readings: Readings, cohort: str) -> Iterable[LimitReview]:
    said = [one for one in looks_at(readings, cohort, metric.metric) if one.verdict in SAID]
    baseline = baseline_of(readings, cohort, metric.metric)
    for limit in metric.thresholds:
        yield _against(limit, metric.metric, cohort, said, baseline)
    if metric.change is not None:
        yield _against_change(metric.change, metric.metric, cohort, changes_of(readings, cohort, metric.metric))


def beyond(plan: RolloutPlan, readings: Readings, name: MetricName) -> int:
    """Looks at a metric, of whatever cohort, that were beyond a limit: one look counts once, also beyond several."""
    metric = plan.metric(name)
    if metric is None:
        return 0
    found = set()
    for cohort in cohorts_of(plan, readings):
        baseline = baseline_of(readings, cohort, name)
        for one in looks_at(readings, cohort, name):
            if one.verdict in SAID and one.value is not None:
                said = (limit.satisfied(one.value, baseline) for limit in metric.thresholds)
                found |= {(cohort, one.as_of)} if False in said else set()
        if metric.change is not None:
            found |= {(cohort, one.as_of) for one in changes_of(readings, cohort, name) if _further(name, one)}
    return len(found)


def _further(metric: MetricName, look: ChangeReading) -> bool:
    change = look.change
    if change is None or change.estimate is None or change.margin is None:
        return False
    return worse(metric, change.estimate) > change.margin


def _against(
    limit: Threshold, metric: MetricName, cohort: str, said: Sequence[JudgedReading], baseline: float | None
) -> LimitReview:
    told = [
        (distance, Reached(value=one.value, at=one.as_of), limit.satisfied(one.value, baseline))
        for one in said
        if one.value is not None and (distance := limit.distance(one.value, baseline)) is not None
    ]
    nearest = min(told, key=lambda one: one[0], default=None)
    unit = {Basis.ABSOLUTE: CATALOGUE[metric].unit, Basis.RELATIVE: "%", Basis.DIFFERENCE: "pp"}[limit.basis]
    return LimitReview(
        cohort=cohort,
        metric=metric,
        limit=str(limit),
        unit=unit,
        distance=nearest[0] if nearest else None,
        share=nearest[0] / abs(limit.number) if nearest and limit.number else None,
        nearest=nearest[1] if nearest else None,
        looks=len(told),
        beyond=sum(satisfied is False for _, _, satisfied in told),
    )


def _against_change(rule: ChangeRule, metric: MetricName, cohort: str, looks: Sequence[ChangeReading]) -> LimitReview:
    """In what the change was judged in: a margin that is a part of the baseline stands there in points, too."""
    told = [
        (one.change.margin - worse(metric, one.change.estimate), one.change, one.as_of)
        for one in looks
        if one.change is not None and one.change.estimate is not None and one.change.margin is not None
    ]
    nearest = min(told, key=lambda one: one[0], default=None)
    relative = nearest[1].unit == "%" if nearest else rule.margin.relative
    return LimitReview(
        cohort=cohort,
        metric=metric,
        limit=rule.agreed,
        unit="%" if relative else "pp",
        distance=nearest[0] if nearest else None,
        share=nearest[0] / nearest[1].margin if nearest and nearest[1].margin else None,
        nearest=Reached(value=nearest[1].estimate, at=nearest[2])
        if nearest and nearest[1].estimate is not None
        else None,
        looks=len(told),
        beyond=sum(distance < 0 for distance, _, _ in told),
    )


def worse(metric: MetricName, change: float) -> float:
    """How much of a change is for the worse, negative where it is for the better."""
    match CATALOGUE[metric].direction:
        case Direction.HIGHER:
            return -change
        case Direction.LOWER:
            return change
        case Direction.TWO_SIDED:
            return abs(change)
