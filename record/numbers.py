"""The numbers of a record: what each metric did in each cohort, how near it came to its limits, and its drawings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from drawing.charts import WIDE, Chart, Mark, draw
from learning.record import DecisionRecord, Series
from models.learning import Happened, LimitReview, Reached
from models.metric import MetricUse
from record import terms
from record.course import DASH, phase_name
from record.document import Block, Figure, Heading, Para, Table
from record.limits import levels, limit_words
from record.words import Words


def numbers(words: Words, record: DecisionRecord) -> Iterator[Block]:
    """What was expected of each metric and what it did, limit by limit."""
    review = record.review
    yield Heading(2, words("The numbers"))
    rows = [
        (
            terms.metric(words, one.metric),
            words("outcome") if one.use is MetricUse.OUTCOME else words("guardrail"),
            "; ".join(limit_words(words, limit) for limit in one.agreed),
        )
        for one in review.expected
    ]
    yield Table(words("What was expected"), (words("Metric"), words("Use"), words("Agreed")), rows)
    if not review.happened:
        yield Para(words("Nothing was judged: there is no number to tell of."))
        return
    heads = (
        *(words("Metric"), words("Cohort"), words("Baseline"), words("Last")),
        *(words("Lowest"), words("Highest"), words("Looks"), words("Last verdict")),
    )
    yield Table(words("What happened"), heads, [_happened(words, one) for one in review.happened])
    if review.limits:
        heads = (
            *(words("Metric"), words("Cohort"), words("Limit"), words("Nearest")),
            *(words("Of the limit"), words("When"), words("Beyond"), words("Looks")),
        )
        caption = words("How near each limit was: smallest distance, negative beyond it")
        yield Table(caption, heads, [_limit(words, one) for one in review.limits])
    yield from charts(words, record)


def _happened(words: Words, one: Happened) -> tuple[str, ...]:
    looks = ", ".join(f"{terms.term(words, terms.VERDICT, name)} {count}" for name, count in one.looks.items())
    return (
        terms.metric(words, one.metric),
        one.cohort,
        words.number(one.baseline),
        _reached(words, one.last),
        _reached(words, one.lowest),
        _reached(words, one.highest),
        looks or DASH,
        terms.term(words, terms.VERDICT, one.ended),
    )


def _reached(words: Words, one: Reached | None) -> str:
    return f"{words.number(one.value)} ({words.day(one.at)})" if one else DASH


def _limit(words: Words, one: LimitReview) -> tuple[str, ...]:
    distance = DASH if one.distance is None else f"{words.number(one.distance, 2, sign=True)} {one.unit}"
    return (
        terms.metric(words, one.metric),
        one.cohort,
        limit_words(words, one.limit),
        distance,
        DASH if one.share is None else f"{words.number(100 * one.share, 0, sign=True)} %",
        words.day(one.nearest.at) if one.nearest else DASH,
        words.count(one.beyond),
        words.count(one.looks),
    )


def charts(words: Words, record: DecisionRecord) -> Iterator[Figure]:
    """A drawing of each metric of each cohort that has values."""
    for one in record.series:
        chart = _chart(words, record, one)
        svg = draw(chart, WIDE) if chart else ""
        if chart and svg:
            yield Figure(svg, f"{chart.title}. {chart.told}", f"charts/{one.metric.value}-{one.cohort}.svg")


def _chart(words: Words, record: DecisionRecord, series: Series) -> Chart | None:
    known = [(look.as_of, look.value) for look in series.looks]
    values = [(at, value) for at, value in known if value is not None]
    metric = record.plan.metric(series.metric)
    if not values or metric is None:
        return None
    happened = next(one for one in record.review.happened if (one.cohort, one.metric) == (series.cohort, series.metric))
    limits = levels(words, metric.thresholds, happened.baseline)
    baseline = None
    if happened.baseline is not None:
        baseline = (happened.baseline, words("Baseline %(value)s", value=words.number(happened.baseline)))
    told = words.many(
        "%(num)s reading from %(first)s to %(last)s; the newest is %(value)s.",
        "%(num)s readings from %(first)s to %(last)s; the newest is %(value)s.",
        len(known),
        first=words.day(known[0][0]),
        last=words.day(known[-1][0]),
        value=words.number(values[-1][1]),
    )
    return Chart(
        name=f"{series.metric.value}-{series.cohort}",
        title=words("%(metric)s of %(cohort)s", metric=terms.metric(words, series.metric), cohort=series.cohort),
        told=" ".join((told, *(one.label for one in limits), *((baseline[1],) if baseline else ()))),
        points=known,
        number=words.number,
        day=words.short_day,
        baseline=baseline,
        limits=limits,
        marks=_marks(words, record, known[0][0], known[-1][0]),
    )


def _marks(words: Words, record: DecisionRecord, first: datetime, last: datetime) -> Sequence[Mark]:
    return [Mark(one.entered, phase_name(words, one.phase)) for one in record.phases if first <= one.entered <= last]
