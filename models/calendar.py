"""Business calendars: adds and measures time that runs only in opening hours, exactly, also where clocks are turned.

A calendar is open at a moment when the clock on the wall of its zone then shows a time within its hours. So an hour
that comes twice counts twice, one that never comes counts nothing, and an opening that falls into a gap is at its end.
Hours that span midnight belong to the day on which they open: that day being closed takes all of them away.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from itertools import accumulate, pairwise
from typing import Annotated, Final, NamedTuple, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, Field, model_validator

from models.base import Frozen

DAY_MINUTES: Final = 24 * 60
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_EPOCH_WEEKDAY: Final = 3  # a Thursday
_DAY: Final = 86_400
_CHUNK: Final = 28 * _DAY
_MICRO: Final = 1_000_000
_EMPTY_CHUNKS: Final = 53  # four years without an hour open
_HOURS: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-(?:([01][0-9]|2[0-3]):([0-5][0-9])|24:00)")


class NeverOpensError(ValueError):
    """A calendar is closed for so long that a clock by it never comes to its end."""


class Interval(NamedTuple):
    """Open from and until (exclusive), in minutes since midnight of the day it opens on; past 1440: the next day."""

    opens: int
    closes: int


def read_hours(texts: tuple[str, ...]) -> tuple[Interval, ...]:
    """The hours of one day, each written `09:00-17:30`; `22:00-06:00` closes the next day, `00:00-24:00` is all day.

    Raises:
        ValueError: not written like that, empty, or two of them overlap.
    """
    found = sorted(_interval(text) for text in texts)
    for earlier, later in pairwise(found):
        if later.opens < earlier.closes:
            raise ValueError(f"{write_hours(earlier)} and {write_hours(later)} overlap")
    return tuple(found)


def write_hours(interval: Interval) -> str:
    """As `read_hours` reads it."""
    opens, closes = interval
    until = closes if closes <= DAY_MINUTES else closes - DAY_MINUTES
    return f"{opens // 60:02}:{opens % 60:02}-{until // 60:02}:{until % 60:02}"


def _interval(text: str) -> Interval:
    found = _HOURS.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:40]!r} is no opening hour; write for example 09:00-17:30")
    opens = int(found[1]) * 60 + int(found[2])
    closes = int(found[3]) * 60 + int(found[4]) if found[3] else DAY_MINUTES
    if opens == closes:
        raise ValueError(f"{text!r} is empty; all day is 00:00-24:00")
    return Interval(opens, closes if closes > opens else closes + DAY_MINUTES)


@cache
def time_zones() -> frozenset[str]:
    """The names of all time zones, as they were when first asked for. Finding them reads the whole directory of zones,
    which takes as long as measuring a metric."""
    return frozenset(available_timezones())


def known_zone(name: str) -> str:
    """The name itself.

    Raises:
        ValueError: there is no such time zone.
    """
    if name not in time_zones():
        raise ValueError(f"{name[:60]!r} is not a time zone; write a name such as Europe/Berlin")
    return name


Week = Annotated[tuple[tuple[Interval, ...], ...], Field(min_length=7, max_length=7)]
_ALL_DAY: Final = (Interval(0, DAY_MINUTES),)


class BusinessCalendar(Frozen):
    """Hours per weekday, Monday first, in a zone, and the days on which it stays closed."""

    time_zone: Annotated[str, AfterValidator(known_zone)] = "UTC"
    week: Week = (_ALL_DAY,) * 7
    closed: frozenset[date] = frozenset()

    @model_validator(mode="after")
    def _opens_sometimes(self) -> Self:
        if not any(self.week):
            raise ValueError("the calendar has no opening hours on any weekday")
        for interval in (one for day in self.week for one in day):
            if not 0 <= interval.opens < DAY_MINUTES or not 0 < interval.closes - interval.opens <= DAY_MINUTES:
                raise ValueError(f"{interval} is not within a day from its opening")
        return self


class BusinessClock:
    """Adds and measures business time by one calendar. It remembers the hours of four weeks at a time."""

    def __init__(self, calendar: BusinessCalendar) -> None:
        self._calendar = calendar
        self._closed = frozenset(day.toordinal() - _EPOCH_DAY for day in calendar.closed)
        self._chunks: dict[int, _Chunk] = {}

    def add(self, start: datetime, amount: timedelta) -> datetime:
        """The first moment by which `amount` of business time has passed since `start`; nothing added is `start`.

        A clock that starts outside hours starts at the next opening; one that ends with the day ends at its closing.

        Raises:
            ValueError: a negative amount.
            NeverOpensError: the calendar stays closed, or time ends, before the amount has passed.
        """
        if amount < timedelta(0):
            raise ValueError(f"business time of {amount} cannot be added; it is negative")
        if not amount:
            return start.astimezone(UTC)
        moment, empty = _micros(start), 0
        place = moment // (_CHUNK * _MICRO)
        needed = amount // timedelta(microseconds=1) + self._chunk(place).until(moment)
        while empty < _EMPTY_CHUNKS:
            chunk = self._chunk(place)
            if needed <= chunk.total:
                return _EPOCH + timedelta(microseconds=chunk.reached(needed))
            needed -= chunk.total
            empty = 0 if chunk.total else empty + 1
            place += 1
        raise NeverOpensError(f"the calendar stays closed for years after {start:%Y-%m-%d}")

    def between(self, start: datetime, end: datetime) -> timedelta:
        """Business time from `start` to `end`.

        Raises:
            ValueError: `end` comes before `start`.
        """
        first, last = _micros(start), _micros(end)
        if last < first:
            raise ValueError(f"{end} comes before {start}")
        begin, stop = (moment // (_CHUNK * _MICRO) for moment in (first, last))
        whole = sum(self._chunk(place).total for place in range(begin, stop))
        return timedelta(microseconds=whole + self._chunk(stop).until(last) - self._chunk(begin).until(first))

    def _chunk(self, place: int) -> _Chunk:
        found = self._chunks.get(place)
        if found is None:
            found = self._chunks[place] = _Chunk(_joined(sorted(self._open(place))))
        return found

    def _open(self, place: int) -> Iterator[tuple[int, int]]:
        """When it is open in a chunk, in seconds since 1970 UTC."""
        for begin, end, offset in _offsets(self._calendar.time_zone, place):
            # One day more before: hours that opened then may span midnight.
            for day in range((begin + offset) // _DAY - 1, (end + offset - 1) // _DAY + 1):
                if day in self._closed:
                    continue
                for opens, closes in self._calendar.week[(day + _EPOCH_WEEKDAY) % 7]:
                    midnight = day * _DAY - offset
                    first, last = max(midnight + opens * 60, begin), min(midnight + closes * 60, end)
                    if first < last:
                        yield first, last


class _Chunk:
    """Stretches of opening hours in order, with the sums of their lengths, in microseconds."""

    def __init__(self, stretches: list[tuple[int, int]]) -> None:
        self._starts = [begin * _MICRO for begin, _ in stretches]
        self._sums = list(accumulate((end - begin) * _MICRO for begin, end in stretches))
        self._ends = [end * _MICRO for _, end in stretches]
        self.total = self._sums[-1] if self._sums else 0

    def until(self, moment: int) -> int:
        """How much of it has passed by a moment."""
        place = bisect_right(self._starts, moment) - 1
        if place < 0:
            return 0
        return self._sums[place] - max(self._ends[place] - moment, 0)

    def reached(self, amount: int) -> int:
        """The first moment by which that much of it has passed; more than nothing, and at most all."""
        place = bisect_left(self._sums, amount)
        return self._ends[place] - (self._sums[place] - amount)


def _joined(stretches: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Stretches that touch or overlap become one: an hour counts once, whatever opens it."""
    joined: list[tuple[int, int]] = []
    for begin, end in stretches:
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((begin, end))
    return joined


@lru_cache(maxsize=4096)
def _offsets(zone_name: str, place: int) -> tuple[tuple[int, int, int], ...]:
    """A chunk cut where the zone's clocks are turned: begin and end in UTC, and the offset between, in seconds.

    Clocks are looked at every hour: nowhere were they turned twice within one.
    """
    zone = ZoneInfo(zone_name)
    begin, end = place * _CHUNK, (place + 1) * _CHUNK
    cuts = [begin]
    offset = _offset(zone, begin)
    for hour in range(begin + 3600, end + 1, 3600):
        turned = _offset(zone, hour)
        if turned != offset:
            cuts.append(_turned(zone, hour - 3600, hour))
            offset = turned
    cuts = [cut for cut in cuts if cut < end]
    return tuple((cut, until, _offset(zone, cut)) for cut, until in zip(cuts, [*cuts[1:], end], strict=True))


def _turned(zone: ZoneInfo, before: int, after: int) -> int:
    """The first second of the new offset."""
    old = _offset(zone, before)
    while after - before > 1:
        middle = (before + after) // 2
        before, after = (middle, after) if _offset(zone, middle) == old else (before, middle)
    return after


def _offset(zone: ZoneInfo, second: int) -> int:
    try:
        shift = (_EPOCH + timedelta(seconds=second)).astimezone(zone).utcoffset()
    except OverflowError as error:
        raise NeverOpensError(
            "time ends before the clock does: no calendar reaches beyond the years 1 to 9999"
        ) from error
    return round(shift.total_seconds()) if shift is not None else 0


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
