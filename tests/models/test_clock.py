"""The programme clock: real time to programme time and back, and waits that never end too soon."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from models.clock import AFTER_THE_END, END, ProgrammeClock, clock_at

REAL = datetime(2026, 3, 2, 9, tzinfo=UTC)
LAST_YEAR = datetime(2025, 1, 6, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def test_by_default_programme_time_is_real_time() -> None:
    clock = clock_at(REAL)
    assert (clock.programme_start, clock.speed) == (REAL, 1.0)
    for moment in (REAL - DAY, REAL, REAL + 400 * DAY):
        assert clock.programme(moment) == clock.real(moment) == moment


def test_a_day_a_second_from_a_start_last_year() -> None:
    clock = clock_at(REAL, start=LAST_YEAR, speed=86400)
    assert clock.programme(REAL) == LAST_YEAR
    assert clock.programme(REAL + timedelta(seconds=90)) == LAST_YEAR + 90 * DAY
    assert clock.real(LAST_YEAR + 365 * DAY) == REAL + timedelta(seconds=365)


def test_a_slow_clock_is_a_clock() -> None:
    clock = clock_at(REAL, speed=0.5)
    assert clock.programme(REAL + 2 * HOUR) == REAL + HOUR
    assert clock.real_wait(REAL, REAL + HOUR) == 2 * HOUR


def test_clock_changes_of_a_country_are_nothing_to_it() -> None:
    """Berlin turned its clock forward on 29 March 2026: from noon to noon were 23 hours."""
    berlin = ZoneInfo("Europe/Berlin")
    before, after = datetime(2026, 3, 28, 12, tzinfo=berlin), datetime(2026, 3, 29, 12, tzinfo=berlin)
    clock = clock_at(before.astimezone(UTC), speed=2)
    assert clock.programme(after.astimezone(UTC)) == before.astimezone(UTC) + 46 * HOUR


@pytest.mark.parametrize(
    ("due", "wait"),
    [
        (LAST_YEAR + DAY, timedelta(seconds=1)),
        (LAST_YEAR + timedelta(seconds=86.4), timedelta(milliseconds=1)),
        (LAST_YEAR + timedelta(seconds=86.5), timedelta(milliseconds=2)),  # up, never down
        (LAST_YEAR + timedelta(microseconds=1), timedelta(milliseconds=1)),
        (LAST_YEAR, timedelta(milliseconds=1)),  # a timer of nothing at all is no timer
        (LAST_YEAR - DAY, timedelta(milliseconds=1)),
    ],
)
def test_a_wait_is_a_whole_number_of_milliseconds_and_at_least_one(due: datetime, wait: timedelta) -> None:
    assert clock_at(REAL, start=LAST_YEAR, speed=86400).real_wait(LAST_YEAR, due) == wait


clocks = st.builds(
    ProgrammeClock,
    real_start=st.just(REAL),
    programme_start=st.datetimes(datetime(2000, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    speed=st.floats(0.001, 1_000_000),
)
spans = st.timedeltas(timedelta(0), timedelta(days=2))


@given(clocks, spans)
def test_there_and_back_is_the_same_moment(clock: ProgrammeClock, real: timedelta) -> None:
    back = clock.real(clock.programme(REAL + real))
    assert abs(back - REAL - real) <= timedelta(microseconds=1 + 1 / clock.speed)


@given(clocks, spans, st.timedeltas(timedelta(milliseconds=1), timedelta(days=400)))
def test_when_a_wait_is_over_its_moment_has_come(clock: ProgrammeClock, passed: timedelta, ahead: timedelta) -> None:
    now = clock.programme(REAL + passed)
    woken = clock.programme(REAL + passed + clock.real_wait(now, now + ahead))
    # What is lost to microseconds by going there and back, at most.
    assert woken >= now + ahead - timedelta(microseconds=1 + clock.speed)


@given(clocks, spans, spans)
def test_time_never_runs_backwards(clock: ProgrammeClock, one: timedelta, other: timedelta) -> None:
    earlier, later = sorted((REAL + one, REAL + other))
    assert clock.programme(earlier) <= clock.programme(later)


@pytest.mark.parametrize("passed", [DAY, 30 * DAY, 100 * 365 * DAY])
def test_a_fast_clock_that_was_forgotten_stands_still_instead_of_failing(passed: timedelta) -> None:
    clock = clock_at(REAL, start=LAST_YEAR, speed=10_000_000)
    now = clock.programme(REAL + passed)
    assert now == END
    # What a plan adds to it still fits, and nobody wakes up again and again for what never comes.
    due = now + 100 * 365 * DAY
    assert clock.real(due) > REAL
    assert clock.real_wait(now, due) == AFTER_THE_END


def test_a_moment_at_the_end_of_the_calendar_is_one_on_a_clock_that_stands_before_real_time() -> None:
    clock = ProgrammeClock(
        real_start=datetime(2026, 1, 1, tzinfo=UTC), programme_start=datetime(2025, 1, 1, tzinfo=UTC)
    )
    assert clock.real(datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)) == END
    assert clock.real(datetime(2025, 1, 2, tzinfo=UTC)) == datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize("speed", [0, -1, 10_000_001, float("inf"), float("nan")])
def test_a_speed_that_is_none_is_refused(speed: float) -> None:
    with pytest.raises(ValidationError, match="speed"):
        clock_at(REAL, speed=speed)


def test_a_moment_without_its_zone_is_refused() -> None:
    with pytest.raises(ValidationError, match="timezone"):
        clock_at(REAL, start=datetime(2025, 1, 6))  # noqa: DTZ001
