"""What a source usually tells in a period, and whether it told less: robust, or no answer where nothing is usual."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from statistics import median
from typing import NamedTuple

from judgement.gaps import LOOKED_BACK, Usual, usual_gaps
from models.quality import SourceVolume

KEPT = 8
"""Periods that say what is usual, the newest that were not short themselves."""

ENOUGH = 4
"""Fewer than so many say nothing."""

STEADY = 0.25
"""A source whose volume spreads more than this around its median has no usual one. Spread is 1.4826 times the median
absolute deviation, which is the standard deviation where the numbers are normal."""

MUCH_LESS, NEARLY_NOTHING = 0.5, 0.1
"""A period is short below the first share of what is usual; where the volume spreads, below less, down to the second. A
season may well bring a third less: a hole in the data brings more."""

SHORT_WINDOW = timedelta(days=14)
"""Windows below this are compared day by day, with the same days of the week; longer ones week by week."""


class Told(NamedTuple):
    """Facts of one period, and how many of them were known by its end."""

    facts: float
    fresh: float


_NOTHING = Told(0.0, 0.0)


def periods_of(window: timedelta) -> tuple[int, int, int]:
    """The days of a period, how many lie in a window, and how many to read in all."""
    days, season = (1, 7) if window < SHORT_WINDOW else (7, 1)
    inside = max(1, window.days // days)
    return days, inside, inside + LOOKED_BACK * season


def usual(history: Sequence[float]) -> Usual | None:
    """What is usual by these periods; None where they are too few, too small, or too unlike each other."""
    if len(history) < ENOUGH:
        return None
    middle = median(history)
    # Counts scatter by their root, also where these few happen to be alike.
    if middle <= 0 or math.sqrt(middle) / middle > STEADY:
        return None
    spread = max(1.4826 * median([abs(one - middle) for one in history]), math.sqrt(middle)) / middle
    if spread > STEADY:
        return None
    return Usual(middle, middle * max(NEARLY_NOTHING, min(MUCH_LESS, 1 - 4 * spread)))


def volume(source: str, told: Mapping[int, Told], through: date, window: timedelta) -> SourceVolume:
    """How much of what is usual a source told in a window.

    Args:
        told: by period, counted back from the newest, 0; one that is missing told nothing.
    """
    days, inside, read = periods_of(window)
    season = 7 if days == 1 else 1
    looked = _looked(told, season)
    usual_there = {
        place + week * season
        for place in {number % season for number, one in looked.items() if one.low and number < inside}
        for week in _gaps_of(looked, told, range(place, max(read, max(told, default=-1) + 1), season), inside)
    }
    judged = [one for number, one in looked.items() if number < inside and number not in usual_there]
    short = [one for one in judged if one.low]
    return SourceVolume(
        source=source,
        through=through,
        period_days=days,
        periods=inside,
        history=len(judged),
        expected=sum(one.usual.number for one in judged),
        missing=sum(one.usual.number - one.here for one in short),
        short=len(short),
    )


class _Looked(NamedTuple):
    """A period beside what was usual before it."""

    usual: Usual
    here: float
    low: bool


def _looked(told: Mapping[int, Told], season: int) -> dict[int, _Looked]:
    """The periods of which something is usual, by number."""
    found: dict[int, _Looked] = {}
    # The newest first, each with its number; of the same place in a season together.
    kept: list[deque[tuple[int, Told]]] = [deque(maxlen=KEPT) for _ in range(season)]
    # From the oldest on, so that a period that was short does not say what is usual for the next.
    for number in range(max(told, default=-1), -1, -1):
        this = told.get(number, _NOTHING)
        alike = kept[number % season]
        since = number + LOOKED_BACK * season
        before = [one for n, one in alike if n <= since]
        of_those = usual(_as_old(before, newest=number == 0))
        low = False
        if of_those is not None:
            here = _here(this, before, newest=number == 0)
            low = here < of_those.short_below
            found[number] = _Looked(of_those, here, low)
        if not low:
            alike.appendleft((number, this))
    return found


def _gaps_of(looked: Mapping[int, _Looked], told: Mapping[int, Told], numbers: Sequence[int], inside: int) -> set[int]:
    """Week by week those short ones that are usual, of periods that lie a week apart."""
    low = {week: looked[number].usual for week, number in enumerate(numbers) if number in looked and looked[number].low}
    facts = [told.get(number, _NOTHING).facts for number in numbers]
    return usual_gaps(low, facts, sum(number < inside for number in numbers))


def _as_old(before: Sequence[Told], *, newest: bool) -> list[float]:
    """Earlier periods as they were known when they were as old as the one they are compared with.

    The newest period is a day old at most, and late facts are still to come: it is compared with what was known of the
    others by their own ends. A history that was loaded in one go knew nothing by then; it is taken as it stands.
    """
    live = newest and sum(one.fresh > 0 for one in before) * 2 > len(before)
    return [one.fresh if live else one.facts for one in before]


def _here(this: Told, before: Sequence[Told], *, newest: bool) -> float:
    live = newest and sum(one.fresh > 0 for one in before) * 2 > len(before)
    return this.fresh if live else this.facts


def age(through: date, as_of: datetime) -> timedelta:
    """How old the newest fact of a source is; a day counts to its end."""
    end = datetime(through.year, through.month, through.day, tzinfo=as_of.tzinfo) + timedelta(days=1)
    return max(timedelta(0), as_of - end)
