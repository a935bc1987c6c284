"""The charts that a letter carries: the same drawings as on the rollout's page, of what the letter is about."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from drawing.charts import WIDE, Chart, Mark, alone, draw, limits_of
from models.base import Frozen
from models.evidence import Assessment, MetricAssessment, Verdict
from models.metric import CATALOGUE, MetricName
from models.plan import RolloutPlan
from models.rollout import PauseCause
from models.work import RolloutKey
from store.evidence import read_assessment
from store.notices import TakenNotice
from store.pool import Connection
from store.rollouts import read_plan
from store.views.series import Point, read_phases, read_series

MOST: Final = 3
"""Charts of one letter at most; the page has them all."""

ROWS: Final = 8
"""Readings that stand under a chart in words, the newest ones."""

_GATES: Final = frozenset({"awaiting", "reminder", "escalation"})
_WORST: Final = (Verdict.NOT_MET, Verdict.NO_EVIDENCE, Verdict.CANNOT_TELL, Verdict.MET)


class Picture(Frozen):
    """A chart as a file, and the same in words: a sentence, and the newest readings, each a day, a value, a verdict."""

    name: str
    title: str
    told: str
    svg: str
    rows: tuple[tuple[str, str, str], ...]


async def pictures_of(conn: Connection, taken: TakenNotice) -> tuple[Picture, ...]:
    """What a letter about a gate or a guardrail's pause shows; nothing where no evidence stands behind it.

    It ends with the evidence that the letter is about, so that a later attempt shows what the first one did.
    """
    digest = taken.about.get("evidence_digest")
    key = RolloutKey(rollout_id=taken.rollout_id, chain_id=taken.chain_id)
    breach = taken.kind == "paused" and taken.about.get("cause") == PauseCause.GUARDRAIL
    if not digest or not (breach or taken.kind in _GATES):
        return ()
    plan, assessment = await read_plan(conn, key), await read_assessment(conn, key.rollout_id, digest)
    if plan is None or assessment is None:
        return ()
    series, phases = await read_series(conn, key), await read_phases(conn, key)
    found = []
    for item in _concerned(plan, assessment, breach=breach):
        points = [one for one in series.get((item.cohort, item.metric), ()) if one.as_of <= assessment.as_of]
        marks = [Mark(at, phase.capitalize()) for phase, at in phases if at <= assessment.as_of]
        if any(one.value is not None for one in points):
            found.append(_picture(plan, item, points, marks))
    return tuple(found)


def _concerned(plan: RolloutPlan, assessment: Assessment, *, breach: bool) -> Sequence[MetricAssessment]:
    """The guardrails that paused it; at a gate the metric that decides. Of each the cohort that stands worst."""
    order = {one.metric: number for number, one in enumerate(plan.metrics)}
    worst: dict[MetricName, MetricAssessment] = {}
    for item in sorted(reversed(assessment.items), key=lambda one: _WORST.index(one.verdict)):
        worst.setdefault(item.metric, item)
    ranked = sorted(worst.values(), key=lambda one: (_WORST.index(one.verdict), order.get(one.metric, len(order))))
    if breach:
        return [one for one in ranked if one.verdict is Verdict.NOT_MET][:MOST]
    return ranked[:1]


def _picture(plan: RolloutPlan, item: MetricAssessment, points: Sequence[Point], marks: Sequence[Mark]) -> Picture:
    spec, agreed = CATALOGUE[item.metric], plan.metric(item.metric)
    limits = limits_of(agreed.thresholds if agreed else (), item.baseline, lambda one: f"Threshold {one}")
    baseline = (item.baseline, f"Baseline {_number(item.baseline)}") if item.baseline is not None else None
    title = f"{spec.title} of {item.cohort}, {spec.unit}"
    newest = next((one for one in reversed(points) if one.value is not None), points[-1])
    told = [
        f"{len(points)} readings from {_day(points[0].as_of)} to {_day(points[-1].as_of)}; "
        f"the newest is {_number(newest.value)}.",
        *(f"{one.label}." for one in limits),
        *((f"{baseline[1]}.",) if baseline else ()),
    ]
    first = points[0].as_of
    chart = Chart(
        name=f"chart-{item.metric.value}",
        title=title,
        told=" ".join(told),
        points=[(one.as_of, one.value) for one in points],
        number=_number,
        day=lambda at: f"{at.day} {at:%b}",
        baseline=baseline,
        limits=limits,
        marks=[
            Mark(max(one.at, first), one.label)
            for number, one in enumerate(marks)
            if number + 1 == len(marks) or marks[number + 1].at > first
        ],
    )
    return Picture(
        name=f"{item.metric.value.replace('_', '-')}-{item.cohort}.svg",
        title=title,
        told=chart.told,
        svg=alone(draw(chart, WIDE)),
        rows=tuple((_day(one.as_of), _number(one.value), one.verdict.value) for one in list(reversed(points))[:ROWS]),
    )


def _number(value: float | None) -> str:
    return "no value" if value is None else f"{value:,.{0 if abs(value) >= 1000 else 1}f}"


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d}"
