"""A card for each metric of the plan: its verdict and numbers cohort by cohort, and its values over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from console.pages import terms
from console.pages.asking import Look
from console.pages.words import Words
from drawing.charts import Band, Chart, Limit, Mark
from models.evidence import Assessment, Baseline, MetricAssessment, Verdict
from models.metric import MetricName
from models.plan_metric import MetricPlan
from models.rollout import PhaseRecord
from record.limits import levels
from store.views import ChangePoint, Point

_WORST = (Verdict.NOT_MET, Verdict.NO_EVIDENCE, Verdict.CANNOT_TELL, Verdict.MET)


class Row(NamedTuple):
    """A line of the data table beside a chart."""

    at: datetime
    value: str
    verdict: str | None


class Card(NamedTuple):
    """One metric. `item` is the cohort that decides: the worst, and of those alike the newest; None before anything is
    judged, where `baselines` are all there is."""

    plan: MetricPlan
    item: MetricAssessment | None
    items: tuple[MetricAssessment, ...]
    baselines: tuple[Baseline, ...]
    chart: Chart | None
    change: Chart | None
    rows: tuple[Row, ...]


Series = Mapping[tuple[str, MetricName], Sequence[Point]]
Changes = Mapping[tuple[str, MetricName], Sequence[ChangePoint]]


def cards(words: Words, look: Look, series: Series, changes: Changes) -> tuple[Card, ...]:
    """The cards in the order of the plan."""
    baselines = look.view.baselines if look.view else ()
    history = look.view.history if look.view else ()
    return tuple(
        _card(
            words, one, look.assessment, [it for it in baselines if it.metric is one.metric], series, changes, history
        )
        for one in look.plan.metrics
    )


def _card(
    words: Words,
    plan: MetricPlan,
    assessment: Assessment | None,
    baselines: Sequence[Baseline],
    series: Series,
    changes: Changes,
    history: Sequence[PhaseRecord],
) -> Card:
    items = tuple(one for one in (assessment.items if assessment else ()) if one.metric is plan.metric)
    item = deciding(items)
    chart: Chart | None = None
    change: Chart | None = None
    rows: tuple[Row, ...] = ()
    if item is not None:
        points = series.get((item.cohort, plan.metric), ())
        chart = _values(words, plan, item, points, history)
        change = _changed(words, plan, item, changes.get((item.cohort, plan.metric), ()))
        rows = tuple(Row(one.as_of, words.number(one.value), one.verdict) for one in reversed(points))
    return Card(plan, item, items, tuple(baselines), chart, change, rows)


def deciding(items: Sequence[MetricAssessment]) -> MetricAssessment | None:
    """The cohort that decides: the worst verdict, and of those alike the newest cohort."""
    return min(reversed(items), key=lambda one: _WORST.index(one.verdict), default=None)


def _values(
    words: Words, plan: MetricPlan, item: MetricAssessment, points: Sequence[Point], history: Sequence[PhaseRecord]
) -> Chart | None:
    known = [(one.as_of, one.value) for one in points]
    if not any(value is not None for _, value in known):
        return None
    title = words("%(metric)s of %(cohort)s", metric=terms.metric(words, plan.metric), cohort=item.cohort)
    limits = levels(words, plan.thresholds, item.baseline)
    told = [
        words.many(
            "%(num)s reading from %(first)s to %(last)s; the newest is %(value)s.",
            "%(num)s readings from %(first)s to %(last)s; the newest is %(value)s.",
            len(known),
            first=words.day(known[0][0]),
            last=words.day(known[-1][0]),
            value=words.number(known[-1][1]),
        ),
        *(one.label for one in limits),
    ]
    first = known[0][0]
    marks = [
        Mark(max(one.entered_at, first), terms.phase(words, one.phase.value, one.wave, 2 if one.wave else 0))
        for one in history
        if one.left_at is None or one.left_at > first
    ]
    baseline = None
    if item.baseline is not None:
        baseline = (item.baseline, words("Baseline %(value)s", value=words.number(item.baseline)))
        told.append(baseline[1])
    return Chart(
        name=f"chart-{plan.metric.value}",
        title=title,
        told=" ".join(told),
        points=known,
        number=words.number,
        day=words.short_day,
        baseline=baseline,
        limits=limits,
        marks=marks,
    )


def _changed(words: Words, plan: MetricPlan, item: MetricAssessment, points: Sequence[ChangePoint]) -> Chart | None:
    """The change against comparable partners with its interval; only where the plan judges it."""
    if item.change is None or not points:
        return None
    limits = []
    if item.change.margin is not None:
        limits = [Limit(-abs(item.change.margin), True, words("Margin"))]
    return Chart(
        name=f"change-{plan.metric.value}",
        title=words("Change of %(metric)s against comparable partners", metric=terms.metric(words, plan.metric)),
        told=item.change.sentence,
        points=[(one.as_of, one.estimate) for one in points],
        number=lambda value: words.number(value, sign=True),
        day=words.short_day,
        baseline=(0.0, words("No change")),
        limits=limits,
        band=[Band(one.as_of, one.low, one.high) for one in points],
    )
