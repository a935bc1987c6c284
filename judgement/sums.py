"""Turns partners' rows into the sums that estimates are reckoned from, the same partners before and after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from judgement.estimate import Arm, Floats, Form, LogVelocity, Ratio
from models.evidence import PartnerReading
from models.metric import CATALOGUE, Grouping, MetricName

_WON = ("won_value", "won", "cycle_days")


class Sides(NamedTuple):
    """Rows of the cohort, one for each partner with facts, and of the partners that it is compared with."""

    cohort: Sequence[PartnerReading]
    compared: Sequence[PartnerReading]


def form_of(metric: MetricName) -> Form:
    """How the metric follows from sums over partners."""
    match CATALOGUE[metric].grouping:
        case Grouping.FROM_PARTS:
            return LogVelocity()
        case Grouping.MEAN_OF_SCORES:
            return Ratio(1.0)
        case _:
            return Ratio(100.0)


def is_relative(metric: MetricName) -> bool:
    """Whether the metric is judged on the log scale, so that its change is one in percent."""
    return CATALOGUE[metric].grouping is Grouping.FROM_PARTS


def arm(metric: MetricName, before: Sequence[PartnerReading], after: Sequence[PartnerReading]) -> Arm:
    """Sums of every partner with a row on either side, in order of their ids; without a row they are nothing."""
    width, read = _reader(metric)
    then, now = ({row.partner_id: read(row) for row in rows} for rows in (before, after))
    nothing = (0.0,) * width
    partners = sorted({*then, *now})
    return Arm(*(_array([side.get(one, nothing) for one in partners], width) for side in (then, now)))


def _array(rows: Sequence[tuple[float, ...]], width: int) -> Floats:
    return np.array(rows, dtype=np.float64).reshape(len(rows), width)


def _reader(metric: MetricName) -> tuple[int, Callable[[PartnerReading], tuple[float, ...]]]:
    """How many sums the metric follows from, and what reads them from a row."""
    match CATALOGUE[metric].grouping:
        case Grouping.FROM_PARTS:
            return len(_WON), lambda row: tuple(row.parts.get(name, 0.0) for name in _WON)
        case Grouping.MEAN_OF_SCORES:
            return 2, lambda row: (0.0, 0.0) if row.numerator is None else (row.numerator, 1.0)
        case _:
            return 2, lambda row: (row.numerator or 0.0, row.denominator or 0.0)
