"""How much a source usually tells: by what it told before, and no answer where nothing is usual."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgement.volumes import KEPT, LOOKED_BACK, Told, age, periods_of, usual, volume
from models.quality import SourceVolume

WEEK = timedelta(weeks=1)
THROUGH = date(2026, 3, 1)


def weeks(*newest_first: float, before: float = 100.0, length: int = 20) -> dict[int, Told]:
    """Weeks counted back, all known at once; those that are not given told as much as ever."""
    facts = [*newest_first, *[before] * (length - len(newest_first))]
    return {number: Told(one, one) for number, one in enumerate(facts)}


def seen(told: dict[int, Told], window: timedelta = 4 * WEEK) -> SourceVolume:
    return volume("crm", told, THROUGH, window)


def test_a_steady_source_is_short_of_nothing() -> None:
    found = seen(weeks(98, 103, 100, 99))
    assert (found.periods, found.history, found.short, found.missing) == (4, 4, 0, 0.0)
    assert found.expected == 400


def test_a_hole_of_a_week_is_a_quarter_of_a_month() -> None:
    """The week before last told 4 of 100: of 400 facts that are usual, 96 are missing."""
    found = seen(weeks(100, 4, 100, 100))
    assert (found.short, found.missing, found.expected) == (1, 96, 400)


def test_a_third_less_is_a_season_and_no_hole() -> None:
    assert seen(weeks(66, 66, 66, 66)).short == 0


def test_what_was_short_does_not_say_what_is_usual() -> None:
    """Six empty weeks: the seventh is measured by the weeks before them all, not by nothing."""
    found = seen(weeks(0, 0, 0, 0, 0, 0))
    assert (found.short, found.missing) == (4, 400)


def test_a_week_that_nobody_told_of_is_an_empty_one() -> None:
    told = weeks()
    del told[1]
    assert seen(told).missing == 100


def test_what_has_been_less_for_half_a_year_is_usual_by_then() -> None:
    assert seen(weeks(*[30.0] * 40, length=60)).short == 0


@pytest.mark.parametrize(
    "told",
    [
        {0: Told(0, 0)},
        weeks(length=4),
        weeks(before=3.0),
        {number: Told(one, one) for number, one in enumerate([0, 400, 0, 0, 500] * 5)},
        {},
    ],
    ids=["one week", "a month", "a handful", "in bursts", "nothing"],
)
def test_without_a_regular_history_nothing_is_usual(told: dict[int, Told]) -> None:
    found = seen(told)
    assert found.short == 0
    assert found.history < 2


def test_the_newest_week_is_compared_with_what_was_known_of_others_when_they_were_as_new() -> None:
    """Two thirds of each week are told late. By its own end the newest has told as much as they had."""
    late = {number: Told(100.0, 33.0) for number in range(20)} | {0: Told(33.0, 33.0)}
    assert seen(late).short == 0
    # The same week against what is known of the others now would be short; an older one is.
    assert seen(late | {1: Told(40.0, 40.0)}).short == 1


def test_a_history_that_was_loaded_in_one_go_is_taken_as_it_stands() -> None:
    loaded = {number: Told(100.0, 0.0) for number in range(20)}
    assert seen(loaded | {0: Told(3.0, 3.0)}).missing == 97
    assert seen(loaded | {0: Told(99.0, 99.0)}).missing == 0


def test_short_windows_are_compared_with_the_same_days_of_the_week() -> None:
    """Weekends are empty, and always were."""
    days, inside, read = periods_of(WEEK)
    assert (days, inside, read) == (1, 7, 7 + 26 * 7)
    told = {number: Told(0.0 if number % 7 in (0, 1) else 50.0, 0.0) for number in range(100)}
    told = {number: Told(one.facts, one.facts) for number, one in told.items()}
    assert seen(told, WEEK).short == 0
    assert seen(told | {3: Told(2.0, 2.0)}, WEEK).missing == 48


def test_counts_scatter_by_their_root_also_where_a_few_are_alike() -> None:
    """Of 20 a week 10 may be chance, where the few weeks known happen to be the same."""
    found = usual([20.0] * 8)
    assert found is not None
    assert found.short_below == pytest.approx(20 * (1 - 4 / math.sqrt(20)))


def test_a_day_counts_to_its_end() -> None:
    noon = datetime(2026, 3, 3, 12, tzinfo=UTC)
    assert age(date(2026, 3, 1), noon) == timedelta(hours=36)
    assert age(date(2026, 3, 3), noon) == timedelta(0)


@given(
    st.dictionaries(st.integers(0, 80), st.tuples(st.floats(0, 1e9), st.floats(0, 1e9)), max_size=60),
    st.integers(1, 200),
)
def test_whatever_a_source_told_the_counts_are_numbers_and_no_more_is_missing_than_is_usual(
    told: dict[int, tuple[float, float]], days: int
) -> None:
    counted = {number: Told(max(pair), min(pair)) for number, pair in told.items()}
    found = volume("crm", counted, THROUGH, timedelta(days=days))
    turned = volume("crm", dict(reversed(counted.items())), THROUGH, timedelta(days=days))
    assert found == turned
    assert math.isfinite(found.missing)
    assert 0 <= found.missing <= found.expected
    assert 0 <= found.short <= found.history <= found.periods


def by_the_rule(told: dict[int, Told], window: timedelta) -> tuple[int, int, float, float]:
    """Period by period from all before it: how many were judged and how many short, what was expected and missing."""
    days, inside, _ = periods_of(window)
    season = 7 if days == 1 else 1
    whole: dict[int, float] = {}
    judged, short, expected, missing = 0, 0, 0.0, 0.0
    for number in range(max(told, default=-1), -1, -1):
        this = told[number].facts if number in told else 0.0
        earlier = [whole[n] for n in range(number + season, number + LOOKED_BACK * season + 1, season) if n in whole]
        found = usual(earlier[:KEPT])
        low = found is not None and this < found.short_below
        if not low:
            whole[number] = this
        if found is not None and number < inside:
            judged, expected = judged + 1, expected + found.number
            short, missing = short + low, missing + (found.number - this if low else 0.0)
    return judged, short, expected, missing


@given(
    st.dictionaries(st.integers(0, 70), st.sampled_from([0.0, 4.0, 60.0, 95.0, 100.0, 104.0]), max_size=71),
    st.sampled_from([timedelta(days=3), timedelta(days=10), 4 * WEEK, 13 * WEEK]),
)
def test_what_is_remembered_of_earlier_periods_is_what_the_rule_looks_back_at(
    facts: dict[int, float], window: timedelta
) -> None:
    told = {number: Told(one, 0.0) for number, one in facts.items()}
    found = seen(told, window)
    assert (found.history, found.short, found.expected, found.missing) == by_the_rule(told, window)
