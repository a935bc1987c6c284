"""Business time is what a walk minute by minute along the clock on the wall counts, wherever clocks are turned."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from models import calendar as calendars
from models.calendar import BusinessCalendar, BusinessClock, Interval, NeverOpensError, read_hours, write_hours

MINUTE = timedelta(minutes=1)
OFFICE = ((*read_hours(("09:00-17:00",)),),) * 5 + ((), ())

# Each zone with moments around which its clocks were turned; the last ones are plain days.
TURNS = {
    "Europe/Berlin": ["2025-03-30T01:00", "2025-10-26T01:00"],
    "America/New_York": ["2025-03-09T07:00", "2025-11-02T06:00"],
    "Australia/Lord_Howe": ["2025-04-05T15:00", "2025-10-04T15:30"],  # by half an hour
    "Asia/Kathmandu": ["1985-12-31T18:30", "2025-06-15T00:00"],  # by a quarter, once
    "Pacific/Apia": ["2011-12-30T10:00", "2011-09-24T14:00", "2011-04-02T14:00"],  # 30 December never came
    "Africa/Casablanca": ["2025-02-23T02:00", "2025-04-06T02:00"],  # for the month of Ramadan
    "UTC": ["2025-06-15T00:00"],
}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def is_open(calendar: BusinessCalendar, moment: datetime) -> bool:
    """What the clock on the wall says."""
    local = moment.astimezone(ZoneInfo(calendar.time_zone))
    minute = local.hour * 60 + local.minute
    today, before = local.date(), local.date() - timedelta(days=1)
    return any(
        day not in calendar.closed
        and any(one.opens <= minute + past < one.closes for one in calendar.week[day.weekday()])
        for day, past in ((today, 0), (before, 1440))
    )


def walked(calendar: BusinessCalendar, start: datetime, amount: int) -> datetime:
    """Minute by minute until that many of them were open."""
    moment = start
    while amount:
        amount -= is_open(calendar, moment)
        moment += MINUTE
    return moment


def counted(calendar: BusinessCalendar, start: datetime, end: datetime) -> int:
    minutes = int((end - start) / MINUTE)
    return sum(is_open(calendar, start + n * MINUTE) for n in range(minutes))


@st.composite
def hours(draw: st.DrawFn) -> tuple[Interval, ...]:
    """None to three intervals of a day that do not overlap; the last may span midnight."""
    cuts = sorted(draw(st.sets(st.integers(0, 1439), max_size=6)))
    pairs = [Interval(*pair) for pair in zip(cuts[::2], cuts[1::2], strict=False)]
    if len(cuts) % 2:
        pairs.append(Interval(cuts[-1], 1440 + draw(st.integers(0, max(cuts[-1] - 1, 0)))))
    return tuple(pairs)


@st.composite
def situations(draw: st.DrawFn, days_around: int = 4) -> tuple[BusinessCalendar, datetime]:
    """A calendar, and a moment close to where its zone's clocks are turned."""
    zone = draw(st.sampled_from(sorted(TURNS)))
    turn = at(draw(st.sampled_from(TURNS[zone])))
    start = turn + draw(st.integers(-days_around * 1440, 1440)) * MINUTE
    week = draw(st.tuples(*[hours()] * 7).filter(any))
    closed = draw(st.frozensets(st.integers(-days_around, days_around), max_size=4))
    calendar = BusinessCalendar(
        time_zone=zone, week=week, closed=frozenset(turn.date() + timedelta(days=one) for one in closed)
    )
    return calendar, start


@settings(deadline=None, max_examples=80)
@given(situations(), st.integers(0, 5 * 1440))
def test_time_measured_is_the_minutes_a_walk_counts(situation: tuple[BusinessCalendar, datetime], length: int) -> None:
    calendar, start = situation
    end = start + length * MINUTE
    assert BusinessClock(calendar).between(start, end) == counted(calendar, start, end) * MINUTE


@settings(deadline=None, max_examples=60)
@given(situations(), st.integers(1, 900))
def test_time_added_ends_where_a_walk_ends(situation: tuple[BusinessCalendar, datetime], amount: int) -> None:
    calendar, start = situation
    assert BusinessClock(calendar).add(start, amount * MINUTE) == walked(calendar, start, amount)


@settings(deadline=None, max_examples=4)
@given(situations(days_around=30), st.integers(3, 5))
def test_weeks_are_the_minutes_a_walk_counts(situation: tuple[BusinessCalendar, datetime], weeks: int) -> None:
    calendar, start = situation
    clock, end = BusinessClock(calendar), start + timedelta(weeks=weeks)
    total = counted(calendar, start, end)
    assert clock.between(start, end) == total * MINUTE
    if total:
        assert clock.add(start, total * MINUTE) == walked(calendar, start, total)


@pytest.mark.parametrize("zone", TURNS)
def test_around_every_turn_of_a_clock_the_walk_agrees(zone: str) -> None:
    """Open for 25 minutes in every 40, so that an hour moved by a quarter cannot go unnoticed."""
    stretches = tuple(Interval(opens, opens + 25) for opens in range(0, 1400, 40))
    calendar = BusinessCalendar(time_zone=zone, week=(stretches,) * 7)
    clock = BusinessClock(calendar)
    for turn in map(at, TURNS[zone]):
        ends = [turn + timedelta(minutes=minutes) for minutes in range(-300, 300, 7)]
        for start, end in pairwise(ends):
            assert clock.between(start, end) == counted(calendar, start, end) * MINUTE, start


moments = st.integers(0, 4 * 10**9 * 10**6).map(
    lambda micros: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(0, 0, micros)
)
lengths = st.integers(0, 60 * 86_400 * 10**6).map(lambda micros: timedelta(microseconds=micros))


@settings(deadline=None, max_examples=80)
@given(situations(), st.none() | moments, lengths, lengths)
def test_adding_and_then_measuring_gives_what_was_added_and_parts_add_up(
    situation: tuple[BusinessCalendar, datetime], moment: datetime | None, first: timedelta, second: timedelta
) -> None:
    calendar, start = situation[0], moment or situation[1]
    clock = BusinessClock(calendar)
    once, both = clock.add(start, first), clock.add(start, first + second)
    assert clock.between(start, once) == first
    assert clock.add(once, second) == both
    assert clock.between(start, once) + clock.between(once, both) == clock.between(start, both)


@settings(deadline=None, max_examples=80)
@given(situations(), lengths, lengths, st.integers(0, 10**12).map(lambda micros: timedelta(microseconds=micros)))
def test_later_is_never_due_earlier(
    situation: tuple[BusinessCalendar, datetime], shorter: timedelta, more: timedelta, later: timedelta
) -> None:
    calendar, start = situation
    clock = BusinessClock(calendar)
    assert clock.add(start, shorter) <= clock.add(start, shorter + more)
    assert clock.add(start, shorter) <= clock.add(start + later, shorter)
    assert timedelta(0) <= clock.between(start, start + later) <= later


@given(hours())
@example((Interval(0, 1440),))
@example((Interval(1320, 1440 + 360),))
def test_hours_are_written_as_they_are_read(day: tuple[Interval, ...]) -> None:
    assert read_hours(tuple(write_hours(one) for one in day)) == day


def test_a_working_day_across_the_change_of_clocks() -> None:
    clock = BusinessClock(BusinessCalendar(time_zone="Europe/Berlin", week=OFFICE))
    # Friday 16:00 in winter time and one more hour of Monday in summer time.
    assert clock.add(at("2025-03-28T15:00"), timedelta(hours=2)) == at("2025-03-31T08:00")
    night = BusinessClock(BusinessCalendar(time_zone="Europe/Berlin", week=(read_hours(("22:00-06:00",)),) * 7))
    # The night is an hour short in spring and an hour long in autumn.
    assert night.between(at("2025-03-29T12:00"), at("2025-03-30T12:00")) == timedelta(hours=7)
    assert night.between(at("2025-10-25T12:00"), at("2025-10-26T12:00")) == timedelta(hours=9)


def test_a_day_that_never_came_has_no_hours() -> None:
    clock = BusinessClock(BusinessCalendar(time_zone="Pacific/Apia", week=(read_hours(("09:00-17:00",)),) * 7))
    # From the evening of Thursday 29 December 2011 straight to Saturday the 31st, which has eight.
    assert clock.between(at("2011-12-30T05:00"), at("2011-12-31T09:00")) == timedelta(hours=8)


def test_a_closed_day_takes_the_night_that_begins_on_it_and_leaves_the_one_that_ends_on_it() -> None:
    week = (read_hours(("22:00-06:00",)),) * 7
    clock = BusinessClock(BusinessCalendar(week=week, closed=frozenset({date(2025, 5, 1)})))
    assert clock.between(at("2025-05-01T00:00"), at("2025-05-02T12:00")) == timedelta(hours=6)


def test_a_deadline_at_the_end_of_the_day_is_its_closing_not_the_next_opening() -> None:
    clock = BusinessClock(BusinessCalendar(week=OFFICE))
    assert clock.add(at("2025-05-02T09:00"), timedelta(hours=8)) == at("2025-05-02T17:00")
    assert clock.add(at("2025-05-02T17:00"), MINUTE) == at("2025-05-05T09:01")
    assert clock.add(at("2025-05-03T00:00"), timedelta(0)) == at("2025-05-03T00:00")


def test_round_the_clock_business_time_is_time() -> None:
    start, amount = at("2025-03-30T00:30"), timedelta(days=100, microseconds=7)
    for zone in TURNS:
        assert BusinessClock(BusinessCalendar(time_zone=zone)).add(start, amount) == start + amount


@pytest.mark.parametrize("year", [1, 9999])
def test_where_time_ends_nothing_is_made_up(year: int) -> None:
    with pytest.raises(NeverOpensError, match="time ends before the clock does"):
        BusinessClock(BusinessCalendar()).add(datetime(year, 1 if year == 1 else 12, 1, tzinfo=UTC), timedelta(days=60))


def test_a_calendar_that_closes_for_years_is_named() -> None:
    days = (date(2025, 1, 1) + timedelta(days=n) for n in range(6 * 366))
    clock = BusinessClock(BusinessCalendar(week=OFFICE, closed=frozenset(days)))
    with pytest.raises(NeverOpensError, match="stays closed for years after 2025-01-01"):
        clock.add(at("2025-01-01T00:00"), MINUTE)


def test_time_never_runs_backwards() -> None:
    clock = BusinessClock(BusinessCalendar())
    with pytest.raises(ValueError, match="is negative"):
        clock.add(at("2025-01-01T00:00"), -MINUTE)
    with pytest.raises(ValueError, match="comes before"):
        clock.between(at("2025-01-02T00:00"), at("2025-01-01T00:00"))


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        (("9-17",), "no opening hour"),
        (("09:00-24:01",), "no opening hour"),
        (("٠٩:00-17:00",), "no opening hour"),
        (("NaN",), "no opening hour"),
        (("09:00-09:00",), "is empty"),
        (("09:00-12:00", "11:59-13:00"), "overlap"),
        (("22:00-06:00", "23:00-24:00"), "overlap"),
    ],
)
def test_hours_that_cannot_be_are_refused(texts: tuple[str, ...], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_hours(texts)


def test_calendars_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="no opening hours on any weekday"):
        BusinessCalendar(week=((),) * 7)
    with pytest.raises(ValueError, match="'Berlin' is not a time zone"):
        BusinessCalendar(time_zone="Berlin")
    with pytest.raises(ValueError, match="not within a day"):
        BusinessCalendar(week=((Interval(600, 600),),) * 7)
    with pytest.raises(ValueError, match="at least 7 items"):
        BusinessCalendar(week=OFFICE[:6])


def test_the_directory_of_zones_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """To read it takes as long as to measure a metric, and every look makes some calendars."""
    asked: list[str] = []

    def available() -> set[str]:
        asked.append("zones")
        return {"Europe/Berlin"}

    monkeypatch.setattr(calendars, "available_timezones", available)
    calendars.time_zones.cache_clear()
    try:
        for _ in range(3):
            BusinessCalendar(time_zone="Europe/Berlin")
        with pytest.raises(ValueError, match="not a time zone"):
            BusinessCalendar(time_zone="Europe/Atlantis")
    finally:
        calendars.time_zones.cache_clear()
    assert asked == ["zones"]
