"""Months gone by: how far a metric moves by itself, its season, and the months that say nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import pytest

from judgement.seasons import Month, doubtful, months_of_year, quarters, told, weekdays
from models.evidence import PartnerReading
from tests.judgement.past import SCORE, SLA, VELOCITY, leads, steady


def _month(number: int, numerator: float, denominator: float = 100, facts: int = 100) -> Month:
    """The number-th month since January 2025, of two partners of whom one is everything."""
    rows = [
        PartnerReading(partner_id="a", numerator=numerator, denominator=denominator, facts=facts),
        PartnerReading(partner_id="b", numerator=0, denominator=0, facts=0),
    ]
    return Month(date(2025 + (number - 1) // 12, (number - 1) % 12 + 1, 1), rows)


def _months(values: Sequence[float]) -> list[Month]:
    return [_month(number, value) for number, value in enumerate(values, 1)]


def test_the_largest_move_is_between_quarters_that_are_added_up() -> None:
    # The first month is no part of a whole quarter: 91 + 90 + 92 is 91 %, then 94, then 93.
    found = quarters(SLA, _months([10, 91, 90, 92, 94, 93, 95, 93, 92, 94]), state=False)
    assert found is not None
    assert (found.most, found.stretches) == (pytest.approx(3), 3)
    assert (found.first, found.last) == (date(2025, 2, 1), date(2025, 10, 1))


def test_a_state_is_read_at_the_end_of_each_quarter() -> None:
    found = quarters(SLA, _months([10, 20, 80, 30, 40, 85]), state=True)
    assert found is not None
    assert found.most == pytest.approx(5)


def test_a_quarter_with_a_month_that_cannot_be_used_is_left_out() -> None:
    months = _months([90] * 3 + [10] * 3 + [92] * 3)
    months[4] = months[4]._replace(rows=())
    found = quarters(SLA, months, state=False)
    assert found is not None
    assert (found.most, found.stretches) == (pytest.approx(2), 2)
    assert quarters(SLA, months[:5], state=False) is None


def test_an_amount_moves_by_percent() -> None:
    rows = [
        [
            PartnerReading(
                partner_id="a",
                numerator=worth,
                denominator=10,
                facts=4,
                parts={"won": 4, "won_value": worth, "cycle_days": 40, "opportunities": 4},
            )
        ]
        for worth in (100, 100, 100, 80, 80, 80)
    ]
    months = [Month(date(2025, number, 1), one) for number, one in enumerate(rows, 1)]
    found = quarters(VELOCITY, months, state=False)
    assert found is not None
    assert found.most == pytest.approx(20)


def test_a_season_needs_a_whole_year_and_tells_how_many_it_was_seen_in() -> None:
    year = [90, 85, 90, 90, 90, 90, 96, 90, 90, 90, 90, 90]
    assert months_of_year(SLA, _months(year[:11])) is None
    found = months_of_year(SLA, _months([*year, 90, 87]))
    assert found is not None
    assert (found.low_at, found.low, found.high_at, found.high) == ("February", 86, "July", 96)
    assert (found.range, found.years) == (10, 1)


def test_weekdays_are_told_apart_in_the_order_of_the_calendar() -> None:
    panel = steady(SLA, [9, 9, 9, 9, 9, 5, 9] * 10, 10)
    found = weekdays(panel, first=2)
    assert found is not None
    assert (found.low_at, found.low, found.range) == ("Monday", 50, 40)
    assert weekdays(steady(SCORE, [90] * 10), first=0) is None
    nothing = leads(np.random.default_rng(1), 2, weeks=4, daily=0)
    assert weekdays(nothing, first=0) is None


def test_months_that_say_nothing_are_named_together_where_they_follow_each_other() -> None:
    months = _months([90] * 8)
    months[0] = _month(1, 0, 0, 0)
    months[2], months[3] = (_month(number, 0, 0, 20) for number in (3, 4))
    months[6] = _month(7, 9, 10, 30)
    doubts = doubtful(SLA, months, state=False)
    assert told(doubts) == (
        "2025-01: no facts",
        "2025-03 to 2025-04: no value, nothing_decided",
        "2025-07: less than 50 % of the usual number of facts",
    )
    # What a state rests on grows with time.
    assert date(2025, 7, 1) not in doubtful(SLA, months, state=True)
