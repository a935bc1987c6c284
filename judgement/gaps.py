"""Which gaps of a source are usual: those that were as long a month, or a quarter, before, and before that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

LOOKED_BACK = 26
"""Weeks, half a year: what lies further back says nothing of what is usual."""

RHYTHMS = (365.25 / 12 / 7, 365.25 / 4 / 7)
"""Weeks of a month and of a quarter: some close whatever they close at their ends, and in between next to nothing."""

SLACK = 1
"""Weeks by which a gap may lie elsewhere or be longer: months are no whole number of weeks, and weeks are counted back
from the day of the look."""

WITHOUT = 1
"""Of the half year's months so many may lack the gap: not every one ends alike."""

TWICE = 2
"""What came once may have been a hole."""


class Usual(NamedTuple):
    """The usual number of facts, and the one below which a period is short."""

    number: float
    short_below: float


class Gap(NamedTuple):
    """Weeks in a row, counted back from the newest, 0."""

    newest: int
    oldest: int

    @property
    def weeks(self) -> int:
        return self.oldest - self.newest + 1


def usual_gaps(short: Mapping[int, Usual], told: Sequence[float], inside: int) -> set[int]:
    """The weeks of those that are short which lie in a gap that is usual; all others are holes.

    Args:
        short: the weeks that are short, counted back from the newest, 0, each with what is usual for it.
        told: the facts of every week that was read, the newest first.
        inside: only gaps that reach into so many of the newest weeks are looked at.
    """
    found: set[int] = set()
    for gap in _gaps(sorted(short)):
        if gap.newest < inside:
            before = tuple(_gaps(_empty(told, gap, short[gap.newest])))
            if any(_recurs(gap, before, rhythm, len(told) - 1) for rhythm in RHYTHMS):
                found.update(range(gap.newest, gap.oldest + 1))
    return found


def _empty(told: Sequence[float], gap: Gap, usual: Usual) -> Iterator[int]:
    """The weeks before a gap that are as short. One of a single week may have been cut in two there, so that neither
    half is short, and both together lack a week; of longer ones that is what the slack is for."""
    for week in range(gap.oldest + 1, len(told)):
        beside = [told[one] for one in (week - 1, week + 1) if gap.oldest < one < len(told)]
        halved = gap.weeks == 1 and told[week] + min(beside, default=usual.number) < usual.number + usual.short_below
        if told[week] < usual.short_below or (halved and told[week] < usual.number):
            yield week


def _recurs(gap: Gap, before: Sequence[Gap], rhythm: float, last: int) -> bool:
    """Whether there was such a gap so many weeks before, and again before that, all through the half year."""
    back = [shift for shift in (round(times * rhythm) for times in range(1, LOOKED_BACK)) if shift <= LOOKED_BACK]
    again = sum(any(_as_long(one, gap, shift, back[-1], last) for one in before) for shift in back)
    return again >= max(TWICE, len(back) - WITHOUT)


def _as_long(one: Gap, gap: Gap, shift: int, furthest: int, last: int) -> bool:
    there = one.newest <= gap.oldest + shift + SLACK and one.oldest >= gap.newest + shift - SLACK
    if one.oldest == last:
        # How long it was nobody knows, nor whether the source told anything before: it may stand for the furthest.
        return there and shift == furthest
    return there and one.weeks >= max(1, gap.weeks - SLACK)


def _gaps(weeks: Iterable[int]) -> Iterator[Gap]:
    gap: Gap | None = None
    for week in weeks:
        if gap is not None and week == gap.oldest + 1:
            gap = Gap(gap.newest, week)
            continue
        if gap is not None:
            yield gap
        gap = Gap(week, week)
    if gap is not None:
        yield gap
