"""How much a source usually tells: by what it told before, and no answer where nothing is usual."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgement.gaps import LOOKED_BACK, Usual
from judgement.volumes import KEPT, Told, age, periods_of, usual, volume
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


QUARTER = (*[100.0] * 5, *[0.0] * 8)
"""All deals are closed in the last five weeks of a quarter, the newest first; so 8 of 13 weeks tell nothing."""

MONTH = (100.0, 100.0, 100.0, 0.0, 100.0, 100.0, 100.0, 0.0, 100.0, 100.0, 100.0, 100.0, 0.0)
"""Nothing in the first week of a month, whose second begins 4, 4 and 5 weeks after that of the one before."""


@pytest.mark.parametrize("rhythm", [QUARTER, MONTH], ids=["quarter", "month"])
@pytest.mark.parametrize("lately", range(13))
def test_a_gap_as_there_was_one_each_month_or_quarter_before_is_no_hole(rhythm: tuple[float, ...], lately: int) -> None:
    """Whichever week the look falls in. Of a quarter's end without its rhythm 8 of 13 weeks would be missing, of a
    month's beginning one of four; such weeks are not counted, so that nothing is expected of them."""
    facts = (rhythm * 4)[lately:]
    for window in (4 * WEEK, 13 * WEEK):
        found = seen(weeks(*facts, length=len(facts)), window)
        assert (found.short, found.missing) == (0, 0), window
        assert found.expected == 100 * found.history


def test_what_does_not_come_at_the_end_of_a_quarter_is_missing() -> None:
    """Empty for 8 weeks, as ever, and then for a ninth: a quarter is not cut into weeks alike. With the tenth nothing
    of it is usual: of four weeks 400 are missing, of 13 the ten that are empty."""
    for empty, short in ((8, 0), (9, 0), (10, 4), (13, 4)):
        told = weeks(*[0.0] * (empty - 8), *QUARTER[5:], *QUARTER * 3, length=50)
        found = seen(told)
        assert (found.short, found.missing) == (short, 100 * short), empty
    assert seen(weeks(0, 0, *QUARTER[5:], *QUARTER * 3, length=50), 13 * WEEK).missing == 1000


def test_what_does_not_come_in_a_month_is_missing() -> None:
    """A first week as ever, another, and a third: now all three are missing."""
    for empty, missing in ((1, 0), (2, 0), (3, 300)):
        told = weeks(*[0.0] * (empty - 1), *(MONTH * 4)[3:], length=48)
        assert seen(told).missing == missing, empty


@pytest.mark.parametrize("holes", [(), (13,), (10, 24), (5, 9, 13, 18)], ids=str)
def test_a_hole_is_one_whatever_holes_there_were_that_keep_no_rhythm(holes: tuple[int, ...]) -> None:
    """One a quarter before is none the half year before; at Christmas and Easter there are 14 weeks between; a bad
    third of a year is no half one."""
    told = weeks(length=40) | {number: Told(0, 0) for number in holes} | {0: Told(0, 0)}
    assert seen(told).missing >= 100


def test_what_began_lately_has_no_rhythm_yet() -> None:
    """Ten weeks old: that it told nothing before was no gap, however many months it was."""
    assert seen(weeks(0.0, length=10)).missing == 100


def test_a_first_week_that_is_cut_in_two_was_a_gap_as_well() -> None:
    """Eight days without anything of 40 a week, cut into 4 and 4: 17 and 17, while a week is short below 40 - 4 * root
    of 40 = 14.7. Together they lack a week; they lie 4, 9, 13, 17, 22 and 26 weeks back. Now it is cut 7 and 1."""
    told = weeks(0.0, before=40.0, length=40)
    for number in (4, 9, 13, 17, 22, 26):
        told |= {number: Told(17, 17), number + 1: Told(17, 17)}
    assert seen(told).missing == 0
    assert seen(weeks(0.0, before=40.0, length=40)).missing == 40


def test_a_source_that_tells_once_a_week_is_measured_by_that_day() -> None:
    """300 each Friday, which lie 2, 9, 16 ... days back. In seven days that is all there is; where it does not come
    it is missing. So is what does not come of a quarter's Fridays."""
    fridays = {number: Told(300, 300) for number in range(2, 250, 7)}
    found = seen(fridays, WEEK)
    assert (found.period_days, found.history, found.expected, found.short) == (1, 1, 300, 0)
    del fridays[2]
    assert seen(fridays, WEEK).missing == 300
    ends = {2 + 7 * week: Told(one, one) for week, one in enumerate((*QUARTER[5:], *QUARTER * 2)) if one}
    assert seen(ends, WEEK).short == 0


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
    days, inside, read = periods_of(window)
    season = 7 if days == 1 else 1
    whole: dict[int, float] = {}
    looked: dict[int, tuple[Usual, float]] = {}
    for number in range(max(told, default=-1), -1, -1):
        this = told[number].facts if number in told else 0.0
        earlier = [whole[n] for n in range(number + season, number + LOOKED_BACK * season + 1, season) if n in whole]
        found = usual(earlier[:KEPT])
        if found is not None:
            looked[number] = found, this
        if found is None or this >= found.short_below:
            whole[number] = this
    low = {number for number, (of_those, here) in looked.items() if here < of_those.short_below}
    there = max(read, *(one + 1 for one in told), 0)
    facts = [told[number].facts if number in told else 0.0 for number in range(there)]
    inner = {n for n in looked if n < inside and not is_usual_gap(n, looked, low, facts, season, inside)}
    missing = sum(looked[n][0].number - looked[n][1] for n in inner & low)
    return len(inner), len(inner & low), sum(looked[n][0].number for n in inner), missing


def is_usual_gap(
    number: int, looked: dict[int, tuple[Usual, float]], low: set[int], facts: list[float], season: int, inside: int
) -> bool:
    """Whether a period lies in a gap as long as at 5 of the 6 months before, or both quarters, a week more or less."""
    gap, last = {number} & low, len(range(number % season, len(facts), season)) - 1
    for step in (season, -season):
        while gap and (following := (max if step > 0 else min)(gap) + step) in low:
            gap.add(following)
    if not gap or min(gap) >= inside:
        return False
    of_those, place = looked[min(gap)][0], number % season
    first, until, week = min(gap) // season, max(gap) // season, facts[place::season]

    def empty(n: int) -> bool:
        if n <= until or n > last:
            return False
        beside = [week[one] for one in (n - 1, n + 1) if until < one <= last]
        half = len(gap) == 1 and week[n] < of_those.number and beside != []
        halved = half and week[n] + min(beside) < of_those.number + of_those.short_below
        return week[n] < of_those.short_below or halved

    def again(back: int, furthest: int) -> bool:
        for n in range(first + back - 1, until + back + 2):
            run = [n] if empty(n) else []
            while run and empty(run[-1] + 1):
                run.append(run[-1] + 1)
            while run and empty(run[0] - 1):
                run.insert(0, run[0] - 1)
            if run and (back == furthest if run[-1] == last else len(run) >= len(gap) - 1):
                return True
        return False

    months, quarters = (4, 9, 13, 17, 22, 26), (13, 26)
    return sum(again(one, 26) for one in months) >= 5 or all(again(one, 26) for one in quarters)


RARELY = st.integers(0, 37).flatmap(
    lambda first: st.sampled_from([4.35, 13.0]).map(
        lambda weeks: {round(first + weeks * n) + more: 0.0 for n in range(9) for more in range(round(weeks / 4))}
    )
)
"""Gaps that come each month or quarter."""


@given(
    st.dictionaries(st.integers(0, 70), st.sampled_from([0.0, 4.0, 60.0, 95.0, 100.0, 104.0]), max_size=71),
    st.one_of(st.none(), RARELY),
    st.sampled_from([timedelta(days=3), timedelta(days=10), 4 * WEEK, 13 * WEEK]),
)
def test_what_is_remembered_of_earlier_periods_is_what_the_rule_looks_back_at(
    facts: dict[int, float], gaps: dict[int, float] | None, window: timedelta
) -> None:
    if gaps is not None:
        facts = {number: 100.0 for number in range(70)} | gaps | {n: one for n, one in facts.items() if one < 100}
    told = {number: Told(one, 0.0) for number, one in facts.items()}
    found = seen(told, window)
    assert (found.history, found.short, found.expected, found.missing) == by_the_rule(told, window)
