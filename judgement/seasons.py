"""Looks at months gone by: how far a metric moves by itself, whether it has a season, which months cannot be used."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from statistics import fmean, median
from typing import NamedTuple

import numpy as np

from judgement.panel import WEEK, Panel, values
from judgement.sums import is_relative
from judgement.values import group_value
from models.evidence import PartnerReading
from models.metric import Block, MetricName

FEW_FACTS = 0.5
"""Of a usual month's facts; a month with fewer is told."""

YEAR = 12
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class Month(NamedTuple):
    """A month with the rows of all partners of a group."""

    first: date
    rows: Sequence[PartnerReading]


class Moves(NamedTuple):
    """The largest move from one stretch to the next, in the metric's unit or in percent, and the months they span."""

    most: float
    stretches: int
    first: date
    last: date


class Season(NamedTuple):
    """Where a metric is lowest and highest, by the name of the month or weekday; `years` it was seen in."""

    low: float
    low_at: str
    high: float
    high_at: str
    years: int

    @property
    def range(self) -> float:
        return self.high - self.low


def quarters(metric: MetricName, months: Sequence[Month], *, state: bool) -> Moves | None:
    """How far the metric moved at most between quarters that follow each other; None with fewer than two.

    A quarter is three months added up, counted back from the last one; of a state it is the reading at its end. Left
    out is one with a month without rows.
    """
    own = list(months)[len(months) % 3 :]
    threes = [own[at : at + 3] for at in range(0, len(own), 3)]
    found = []
    for three in threes:
        if not all(month.rows for month in (three[-1:] if state else three)):
            continue
        rows = three[-1].rows if state else [row for month in three for row in month.rows]
        found.append((three[0].first, three[-1].first, group_value(metric, rows).value))
    known = [(first, last, value) for first, last, value in found if value is not None]
    if len(known) < 2:
        return None
    steps = [_step(metric, one[2], other[2]) for one, other in pairwise(known)]
    return Moves(max(steps), len(known), known[0][0], known[-1][1])


def _step(metric: MetricName, before: float, after: float) -> float:
    if not is_relative(metric):
        return abs(after - before)
    return 100 * abs(after - before) / abs(before) if before else 0.0


def months_of_year(metric: MetricName, months: Sequence[Month]) -> Season | None:
    """The months of the year at which it is lowest and highest, each the mean of its years; None without a whole year.

    Of what is judged by its relative change in percent of the mean month.
    """
    by_month: dict[int, list[float]] = {}
    for month in months:
        value = group_value(metric, month.rows).value
        if value is not None:
            by_month.setdefault(month.first.month, []).append(value)
    if len(by_month) < YEAR:
        return None
    means = {number: fmean(found) for number, found in by_month.items()}
    scale = 100 / fmean(means.values()) if is_relative(metric) and fmean(means.values()) else 1.0
    low, high = (pick(means, key=means.__getitem__) for pick in (min, max))
    years = min(len(found) for found in by_month.values())
    return Season(
        scale * means[low],
        date(2000, low, 1).strftime("%B"),
        scale * means[high],
        date(2000, high, 1).strftime("%B"),
        years,
    )


def weekdays(panel: Panel, first: int) -> Season | None:
    """The weekdays at which it is lowest and highest, over all weeks; None of a state, and where a weekday has nothing.

    Args:
        first: weekday of the first block, Monday 0.
    """
    if panel.block is not Block.FLOW or is_relative(panel.metric) or not panel.weeks:
        return None
    found = {}
    for at in range(WEEK):
        total, facts = panel.sums[at::WEEK].sum(axis=(0, 1)), panel.facts[at::WEEK].sum()
        found[WEEKDAYS[(first + at) % WEEK]] = float(values(panel, total, np.asarray(facts)))
    if not all(np.isfinite(one) for one in found.values()):
        return None
    low, high = (pick(found, key=found.__getitem__) for pick in (min, max))
    return Season(found[low], low, found[high], high, 1)


def doubtful(metric: MetricName, months: Sequence[Month], *, state: bool) -> dict[date, str]:
    """Months that say nothing of what is usual, each with the reason: no facts, no value, far fewer facts than usual.
    What a state rests on grows with time, and is no reason."""
    counts = [sum(row.facts for row in month.rows) for month in months]
    usual = median(counts) if counts else 0
    found = {}
    for month, count in zip(months, counts, strict=True):
        value = group_value(metric, month.rows)
        if count == 0:
            found[month.first] = "no facts"
        elif value.value is None:
            found[month.first] = f"no value, {value.reason}"
        elif not state and count < FEW_FACTS * usual:
            found[month.first] = f"less than {100 * FEW_FACTS:.0f} % of the usual number of facts"
    return found


def told(doubts: dict[date, str]) -> tuple[str, ...]:
    """The same in words; months one after the other of which the same is said are one."""
    runs: list[tuple[date, date, str]] = []
    for month, why in sorted(doubts.items()):
        if runs and runs[-1][2] == why and (month - runs[-1][1]).days <= 31:
            runs[-1] = (runs[-1][0], month, why)
        else:
            runs.append((month, month, why))
    return tuple(f"{_span(first, last)}: {why}" for first, last, why in runs)


def _span(first: date, last: date) -> str:
    return f"{first:%Y-%m}" if first == last else f"{first:%Y-%m} to {last:%Y-%m}"
