"""Judges a metric's change beside its thresholds: what is asked, how both verdicts become one, who fell behind."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from judgement.contributions import contributions
from judgement.gates import gates
from judgement.horizon import enlargements, pause_share, planned_end
from judgement.material import Asked, Sides, Stretch, judge_change
from judgement.values import group_value
from models.change import GateFinding, MaterialChange
from models.evidence import Baseline, CohortReading, Matured, MetricAssessment, PartnerReading, Verdict
from models.metric import CATALOGUE, Direction, Grouping, MetricName, Scale
from models.plan import RolloutPlan
from models.plan_metric import MetricPlan

NAMED = 5
"""Partners named as those who drive a change."""

TOLD = 3
"""Of them in a sentence."""

UNMEASURED = "its change has not been measured: the cohort has no day of enrolment"

Key = tuple[str, MetricName]
SinceKey = tuple[str, MetricName, datetime]


class Sums(NamedTuple):
    """What changes are judged from: partners' rows of the frozen baselines by cohort and metric, those of the matured
    days by cohort (or the name of whom it is compared with), metric and beginning, and who is compared."""

    before: Mapping[Key, Sequence[PartnerReading]] = {}
    since: Mapping[SinceKey, Sequence[PartnerReading]] = {}
    compared: Collection[str] = ()


def asked(
    plan: RolloutPlan, metric: MetricPlan, matured: Matured, sums: Sums, baseline: Baseline | None
) -> Asked | None:
    """What is to be judged of a metric of a cohort; None where the plan does not ask for it.

    The partners that it is compared with are the same ones then and now, whichever cohort they belong to.
    """
    if metric.change is None:
        return None
    first = matured.since[0]
    own = sums.before.get((matured.cohort, matured.metric), ())
    before = Sides(own, _before(matured.metric, sums) if matured.compared else ())
    stretches = [
        Stretch(since, Sides(*(_since(name, matured, since, sums) for name in (matured.cohort, matured.compared))))
        for since in matured.since
    ]
    days = (baseline.window.end - baseline.window.start).days if baseline else None
    return Asked(
        metric=matured.metric,
        rule=metric.change,
        before=before,
        stretches=stretches,
        matured_through=max(matured.through, first),
        ends=planned_end(plan, matured.cohort, first),
        share=pause_share(plan, metric, matured.cohort),
        gates=gates(
            matured.metric,
            before,
            stretches[0].rows,
            members=matured.members,
            matured_days=(matured.through - first).days,
            baseline_days=days,
        ),
        enlargements=enlargements(plan, matured.cohort),
        baseline_days=days,
    )


def with_change(
    item: MetricAssessment,
    plan: MetricPlan,
    reading: CohortReading,
    baseline: Baseline | None,
    question: Asked | None,
    doubts: Sequence[GateFinding],
) -> MetricAssessment:
    """The item as judged by its thresholds, with what its change says. What was not measured is *no evidence*.

    Args:
        doubts: what the checks of the data leave of a verdict.
    """
    by_thresholds = item.verdict if plan.thresholds else None
    if question is None:
        return item.model_copy(
            update={
                "verdict": together(item.verdict, Verdict.NO_EVIDENCE),
                "by_thresholds": by_thresholds,
                "by_change": Verdict.NO_EVIDENCE,
                "reasons": (UNMEASURED, *item.reasons),
            }
        )
    verdict, change = judge_change(question._replace(gates=(*question.gates, *doubts)))
    low, high = change.interval
    found = item.model_copy(
        update={
            "verdict": together(item.verdict, verdict),
            "by_thresholds": by_thresholds,
            "by_change": verdict,
            "change": change,
            "interval": None if low is None or high is None else (low, high),
            "reasons": (change.sentence, *item.reasons),
        }
    )
    return _with_drivers(found, reading, baseline, question) if verdict is Verdict.NOT_MET else found


def together(one: Verdict, other: Verdict) -> Verdict:
    """One verdict of two: *not met* if either is, *met* only if both are; no evidence comes before cannot tell."""
    both = {one, other}
    for verdict in (Verdict.NOT_MET, Verdict.NO_EVIDENCE, Verdict.CANNOT_TELL):
        if verdict in both:
            return verdict
    return Verdict.MET


def _unit_of_parts(metric: MetricName) -> str:
    """Not always that of the change, which is one in percent where the metric is an amount."""
    spec = CATALOGUE[metric]
    return f"value {spec.unit}" if spec.scale is Scale.AMOUNT else "points"


class _Behind(NamedTuple):
    """How far a partner pulls the cohort off what comparable partners did, in the metric's unit."""

    partner_id: str
    change: float


def _with_drivers(
    item: MetricAssessment, reading: CohortReading, baseline: Baseline | None, question: Asked
) -> MetricAssessment:
    """Whoever reads of a pause must know whom to call."""
    behind = _behind(item, baseline, question)
    names = [one.partner_id for one in behind][:NAMED]
    partners = tuple(dict.fromkeys((*names, *item.partners)))
    leads = (*item.leads, *(one.lead_id for one in reading.leads if one.partner_id in partners))
    told = ", ".join(f"{one.partner_id} {one.change:+.2f}" for one in behind[:TOLD])
    furthest = f"furthest from them: {told} (each one's part, in {_unit_of_parts(question.metric)})"
    reasons = (item.reasons[0], *((furthest,) if told else ()), *item.reasons[1:])
    return item.model_copy(
        update={
            "partners": partners,
            "leads": tuple(dict.fromkeys(leads)),
            "reasons": reasons,
            # What the checks found could only flatter, and it is worse all the same.
            "untrusted": False,
        }
    )


def _behind(item: MetricAssessment, baseline: Baseline | None, question: Asked) -> list[_Behind]:
    """The partners on the bad side of what comparable partners did, the furthest first.

    Each partner's part of the cohort's change (they add up to it), less its part of the change that the compared
    partners saw: that is spread over the cohort by the size that each has now.
    """
    metric, stretch = question.metric, _decided(item, question)
    scale = _scale(metric, baseline, stretch.since, question.matured_through)
    rows, before = stretch.rows, question.before
    found = contributions(metric, rows.cohort, before.cohort, scale)
    common = _common(metric, rows.compared, before, scale)
    sizes = _sizes(metric, rows.cohort)
    whole = sum(sizes.values())
    sign = _bad(metric, item)
    scored = [
        _Behind(one.partner_id, one.change - (common * sizes.get(one.partner_id, 0.0) / whole if whole > 0 else 0.0))
        for one in found
    ]
    worse = [one for one in scored if sign * one.change > 0]
    return sorted(worse, key=lambda one: (-sign * one.change, one.partner_id))


def _decided(item: MetricAssessment, question: Asked) -> Stretch:
    since = item.change.since if item.change else None
    return next((one for one in question.stretches if one.since == since), question.stretches[0])


def _common(metric: MetricName, now: Sequence[PartnerReading], before: Sides, scale: float) -> float:
    """What the cohort would have changed by had it gone the way of the compared partners."""
    after, then = group_value(metric, now).value, group_value(metric, before.compared).value
    if after is None or then is None:
        return 0.0
    if CATALOGUE[metric].grouping is not Grouping.FROM_PARTS:
        return after - scale * then
    own = group_value(metric, before.cohort).value
    return 0.0 if own is None or not then else scale * own * (after / (scale * then) - 1)


def _sizes(metric: MetricName, rows: Sequence[PartnerReading]) -> dict[str, float]:
    if CATALOGUE[metric].grouping is Grouping.FROM_PARTS:
        return {one.partner_id: one.parts.get("won_value", 0.0) for one in rows}
    return {one.partner_id: one.denominator or 0.0 for one in rows}


def _bad(metric: MetricName, item: MetricAssessment) -> float:
    """The sign of a change for the worse; where both sides are, that of the estimate."""
    direction = CATALOGUE[metric].direction
    if direction is Direction.TWO_SIDED:
        change: MaterialChange | None = item.change
        return -1.0 if change is not None and (change.estimate or 0.0) < 0 else 1.0
    return -1.0 if direction is Direction.HIGHER else 1.0


def _scale(metric: MetricName, baseline: Baseline | None, since: datetime, through: datetime) -> float:
    """What a baseline counts over the stretch."""
    if baseline is None or not CATALOGUE[metric].grows_with_window:
        return 1.0
    return (through - since) / (baseline.window.end - baseline.window.start)


def _before(metric: MetricName, sums: Sums) -> tuple[PartnerReading, ...]:
    partners = set(sums.compared)
    return tuple(
        row for (_, name), rows in sums.before.items() if name is metric for row in rows if row.partner_id in partners
    )


def _since(name: str | None, matured: Matured, since: datetime, sums: Sums) -> Sequence[PartnerReading]:
    return sums.since.get((name, matured.metric, since), ()) if name is not None else ()
