"""Turns partners' rows into the sums that estimates are reckoned from, the same partners before and after."""

from __future__ import annotations

from collections.abc import Sequence
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
    then, now = ({row.partner_id: _sums(metric, row) for row in rows} for rows in (before, after))
    nothing = (0.0,) * (len(_WON) if is_relative(metric) else 2)
    partners = sorted({*then, *now})
    return Arm(*(_array([side.get(one, nothing) for one in partners], len(nothing)) for side in (then, now)))


def _array(rows: Sequence[tuple[float, ...]], width: int) -> Floats:
    return np.array(rows, dtype=np.float64).reshape(len(rows), width)


def _sums(metric: MetricName, row: PartnerReading) -> tuple[float, ...]:
    match CATALOGUE[metric].grouping:
        case Grouping.FROM_PARTS:
            return tuple(row.parts.get(name, 0.0) for name in _WON)
        case Grouping.MEAN_OF_SCORES:
            return (0.0, 0.0) if row.numerator is None else (row.numerator, 1.0)
        case _:
            return (row.numerator or 0.0, row.denominator or 0.0)
