"""What is usual for a cohort by its own earlier values: their median, how far they lie around it, and what is too far.

A value is that of a trailing window, so that from one look to the next only what is new in the window can move it. One
that lies far from all before it is more often a fault of the facts than a change of the partners: half of the costs did
not come, amounts came in cents, a month of returns came in a day. Whoever is measured must not be judged by it before
it has stood for a while.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import median

from models.evidence import CohortReading
from models.metric import CATALOGUE, Grouping, MetricName, Scale
from models.quality import Earlier

KEPT = 8
"""Earlier values that say what is usual, the newest that were not too far off themselves."""

ENOUGH = 4
"""Fewer than so many say nothing."""

LOOKED_BACK = timedelta(weeks=26)
"""What was longer ago says nothing of today."""

TOO_FAR = 10.0
"""Spreads from the usual at which a value does not say what is usual, whatever a plan calls red: the default of it."""

Value = tuple[datetime, float]
"""A look's moment, and the value that it found."""


def earlier_of(reading: CohortReading, before: Sequence[Value]) -> Earlier | None:
    """What the earlier values of a cohort say of this one; None where they are too few, or this one has no value.

    A value that lies too far from those before it does not say what is usual for the next; once values have lain there,
    on one side and without a break, for as long as the window is, every fact in it is a new one: from then on that is
    what is usual.

    Args:
        before: the oldest first, all before the reading's moment.
    """
    value = reading.group.value
    if value is None or not math.isfinite(value):
        return None
    as_of, length = reading.window.end, reading.window.end - reading.window.start
    values = [one for one in before if as_of - LOOKED_BACK <= one[0] < as_of]
    least = _by_chance(reading)
    if not _any_too_far(reading.metric, [value, *(one for _, one in values)]):
        return _usual(reading.metric, [one for _, one in values[-KEPT:]], least)
    return _folded(reading.metric, [*values, (as_of, value)], least, length)


def _folded(metric: MetricName, values: Sequence[Value], least: float, length: timedelta) -> Earlier | None:
    """What is usual for the last of some values, from the oldest on."""
    kept: list[float] = []
    run, on = list[Value](), 0
    found: Earlier | None = None
    for at, here in values:
        found = _usual(metric, kept[-KEPT:], least)
        side = _side(here, found)
        if side == 0:
            kept, run, on = [*kept, here], [], 0
            continue
        run, on = [*(run if side == on else ()), (at, here)], side
        if at - run[0][0] >= length:
            kept, run, on = [one for _, one in run], [], 0
            found = _usual(metric, kept[:-1][-KEPT:], least)
    return found.model_copy(update={"since": run[0][0]}) if found and run else found


def _any_too_far(metric: MetricName, values: Sequence[float]) -> bool:
    """Whether one of them can lie too far from the median of some of the others; where none can, as in nearly every
    past, all of them say what is usual, and nobody needs to go through them."""
    low, high = min(values), max(values)
    nearest = 0.0 if low <= 0 <= high else min(abs(low), abs(high))
    return not high - low < TOO_FAR * _natural(metric, nearest)


def _natural(metric: MetricName, around: float) -> float:
    """The least spread around a value."""
    spec = CATALOGUE[metric]
    return spec.defaults.least_spread * (abs(around) / 100 if spec.scale is Scale.AMOUNT else 1.0)


def _usual(metric: MetricName, values: Sequence[float], least: float) -> Earlier | None:
    """Spread is 1.4826 times the median absolute deviation, which is the standard deviation where values are normal."""
    if len(values) < ENOUGH:
        return None
    middle = median(values)
    spread = max(1.4826 * median(abs(one - middle) for one in values), _natural(metric, middle), least)
    # Of an amount that was zero so far nothing is near or far.
    return Earlier(looks=len(values), usual=middle, spread=spread) if 0 < spread < math.inf else None


def _side(value: float, usual: Earlier | None) -> int:
    """1 where it lies too far above, -1 below, otherwise 0."""
    if usual is None:
        return 0
    away = value - usual.usual
    return 0 if abs(away) < TOO_FAR * usual.spread else (1 if away > 0 else -1)


def _by_chance(reading: CohortReading) -> float:
    """How far chance alone moves a share of so few: a standard error in points, one added to both kinds so that three
    of three are not certain. 0 of what does not count things, whose own spread must say it."""
    spec, number = CATALOGUE[reading.metric], reading.group.denominator
    counted = spec.scale is Scale.SHARE and spec.grouping is Grouping.RATIO_OF_SUMS
    if not counted or number is None or not 0 < number < math.inf:
        return 0.0
    good = min(max(reading.group.numerator or 0.0, 0.0), number)
    share = (good + 1) / (number + 2)
    return 100 * math.sqrt(share * (1 - share) / number)
