"""Verdicts by agreed thresholds: what a reading means, and why. Absence of data is never a pass."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from models.base import digest_json
from models.evidence import (
    Assessment,
    Baseline,
    Breaches,
    CohortReading,
    MetricAssessment,
    Snapshot,
    StopTrigger,
    Verdict,
)
from models.metric import CATALOGUE, MetricName, MetricUse
from models.plan import RolloutPlan
from models.plan_metric import Basis, MetricPlan, Threshold, Tolerance

BREACHES_WITHOUT_VALUE = frozenset({"unbudgeted_spend"})
"""Reasons for having no value that are themselves a breach: spend nobody allocated money for."""

Past = Mapping[tuple[str, MetricName], Sequence[tuple[datetime, bool]]]
"""Earlier readings since the count began, oldest first: when, and whether it lay beyond its threshold."""


def assess(plan: RolloutPlan, snapshot: Snapshot, baselines: Sequence[Baseline], past: Past) -> Assessment:
    """Judge every reading of a snapshot for which the plan says something."""
    frozen = {(one.cohort, one.metric): one.value for one in baselines}
    items = []
    for reading in snapshot.readings:
        metric = plan.metric(reading.metric)
        if metric is not None:
            key = (reading.cohort, reading.metric)
            earlier = spaced(past.get(key, ()), snapshot.as_of, plan.phases.cadence / 2)
            items.append(judge(reading, metric, frozen.get(key), earlier, snapshot.as_of))
    stop = stop_triggers(plan, items, baselines)
    body = {
        "snapshot": snapshot.digest,
        "as_of": snapshot.as_of.isoformat(),
        "items": [item.model_dump(mode="json") for item in items],
        "stop": [one.model_dump(mode="json") for one in stop],
    }
    found = digest_json(body)
    return Assessment(
        evidence_id=f"assessment-{found.removeprefix('sha256:')[:16]}",
        digest=found,
        snapshot_digest=snapshot.digest,
        as_of=snapshot.as_of,
        items=tuple(items),
        stop=stop,
    )


def judge(
    reading: CohortReading, plan: MetricPlan, baseline: float | None, past: Sequence[bool], as_of: datetime
) -> MetricAssessment:
    """One reading against what the plan says of its metric.

    The order of the questions: is there a value, are the data current, is it within the thresholds, is a breach
    tolerated, is the sample large enough. A guardrail beyond its threshold is *not met* whatever its sample:
    protecting is never advisory. Every reason is given, not only the first.
    """
    value = _usable(reading.group.value)
    age = as_of - reading.data_through if reading.data_through else None
    current = age is not None and age <= plan.freshness
    sample = reading.group.n_partners >= plan.minimum_sample.partners and (
        reading.group.n_facts >= plan.minimum_sample.facts
    )
    beyond, untold, reasons = _against_thresholds(reading, plan, value, baseline)
    breaches = count_breaches([*past, beyond])
    verdict = _verdict(plan, value, current=current, sample=sample, beyond=beyond, untold=untold, breaches=breaches)
    reasons += _circumstances(reading, plan, value, age, current=current, sample=sample)
    if beyond and verdict is not Verdict.NOT_MET:
        reasons += (f"tolerated: {breaches.in_a_row} in a row, {breaches.in_all} in all",)
    return MetricAssessment(
        cohort=reading.cohort,
        metric=reading.metric,
        use=plan.purpose,
        on_breach=plan.on_breach,
        verdict=verdict,
        reasons=reasons,
        value=value,
        thresholds=tuple(str(limit) for limit in plan.thresholds),
        baseline=baseline,
        n_partners=reading.group.n_partners,
        n_facts=reading.group.n_facts,
        minimum_sample_reached=sample,
        data_current=current,
        data_through=reading.data_through,
        data_age=age,
        beyond_threshold=beyond,
        warning=value is not None and any(limit.satisfied(value, baseline) is False for limit in plan.warning),
        breaches=breaches,
        must=plan.must,
        weight=plan.weight,
        partners=tuple(one.partner_id for one in reading.top_partners) if beyond else (),
        leads=tuple(lead.lead_id for lead in reading.leads) if beyond else (),
    )


def spaced(past: Sequence[tuple[datetime, bool]], as_of: datetime, gap: timedelta) -> tuple[bool, ...]:
    """The readings that count beside one at `as_of`: looks closer together than `gap` are one look.

    The watch and the rollout read the same breach within minutes; a tolerance of one must not be used up by
    that. Of looks that are one, the newest speaks, and `as_of` itself takes the place of those just before it.
    """
    counted: list[tuple[datetime, bool]] = []
    for at, beyond in past:
        if at > as_of - gap:
            break
        if counted and at - counted[-1][0] < gap:
            counted[-1] = (counted[-1][0], beyond)
        else:
            counted.append((at, beyond))
    return tuple(beyond for _, beyond in counted)


def count_breaches(readings: Sequence[bool]) -> Breaches:
    """How many of the readings lay beyond, in all and in an unbroken run up to the newest."""
    in_a_row = 0
    for beyond in reversed(readings):
        if not beyond:
            break
        in_a_row += 1
    return Breaches(in_a_row=in_a_row, in_all=sum(readings))


def tolerated(breaches: Breaches, tolerance: Tolerance) -> bool:
    """Whether so many breaches are still within what was agreed: a breach is strictly more."""
    if breaches.in_a_row > tolerance.in_a_row:
        return False
    return tolerance.in_all is None or breaches.in_all <= tolerance.in_all


def stop_triggers(
    plan: RolloutPlan, items: Sequence[MetricAssessment], baselines: Sequence[Baseline]
) -> tuple[StopTrigger, ...]:
    """The plan's stop conditions that current evidence on a sufficient sample fulfils."""
    frozen = {(one.cohort, one.metric): one.value for one in baselines}
    return tuple(
        StopTrigger(condition=one.condition, metric=item.metric, cohort=item.cohort, value=item.value)
        for one in plan.stop_conditions
        for item in items
        if one.unless is not None
        and item.metric is one.metric
        and item.value is not None
        and item.data_current
        and item.minimum_sample_reached
        and one.unless.satisfied(item.value, frozen.get((item.cohort, item.metric))) is False
    )


def _usable(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _against_thresholds(
    reading: CohortReading, plan: MetricPlan, value: float | None, baseline: float | None
) -> tuple[bool, bool, tuple[str, ...]]:
    """Whether the reading lies beyond, whether a threshold cannot be applied, and the reasons."""
    if value is None:
        breach = reading.group.reason in BREACHES_WITHOUT_VALUE
        return breach, False, (f"no value: {reading.group.reason or 'not a number'}",)
    unit = CATALOGUE[reading.metric].unit
    beyond, untold, reasons = False, False, []
    for limit in plan.thresholds:
        holds = limit.satisfied(value, baseline)
        beyond = beyond or holds is False
        untold = untold or holds is None
        reasons.append(_sentence(limit, value, baseline, holds, unit))
    critical = reading.group.parts.get("critical_failed", 0.0)
    if critical > 0:
        beyond = True
        reasons.append(f"{critical:g} critical checks failed")
    return beyond, untold, tuple(reasons)


def _sentence(limit: Threshold, value: float, baseline: float | None, holds: bool | None, unit: str) -> str:
    told = f"{value:.2f} {unit}"
    if limit.basis is Basis.ABSOLUTE:
        return f"{told}, agreed {limit}" + ("" if holds else ": beyond")
    if holds is None:
        return f"{told}, agreed {limit} against a baseline, and there is {'none' if baseline is None else 'zero'}"
    return f"{told}, baseline {baseline:.2f}, agreed {limit}" + ("" if holds else ": beyond")


def _circumstances(
    reading: CohortReading,
    plan: MetricPlan,
    value: float | None,
    age: timedelta | None,
    *,
    current: bool,
    sample: bool,
) -> tuple[str, ...]:
    found = []
    if age is None:
        found.append("no data known")
    elif not current:
        found.append(f"data are {age.days} days old, {plan.freshness.days} are allowed")
    if not sample and value is not None:
        least = plan.minimum_sample
        found.append(
            f"{reading.group.n_partners} partners and {reading.group.n_facts} facts, "
            f"at least {least.partners} and {least.facts} are agreed"
        )
    return tuple(found)


def _verdict(
    plan: MetricPlan,
    value: float | None,
    *,
    current: bool,
    sample: bool,
    beyond: bool,
    untold: bool,
    breaches: Breaches,
) -> Verdict:
    guards = plan.purpose is MetricUse.GUARDRAIL
    if not current or (value is None and not beyond):
        return Verdict.NO_EVIDENCE
    if beyond and tolerated(breaches, plan.tolerance):
        return Verdict.CANNOT_TELL
    if beyond and (guards or sample):
        return Verdict.NOT_MET
    if beyond or untold or not sample:
        return Verdict.CANNOT_TELL
    return Verdict.MET
