"""What a schedule of looks may spend, and what an estimate proves against it."""

from __future__ import annotations

import math

import pytest
from scipy import stats

from judgement.boundaries import for_few, open_ended, planned
from judgement.verdicts import MOST_LOOKS, Schedule, Shown, bound_at

RISK, ERROR, FREEDOM, MARGIN, POWER = 0.05, 2.0, 12.0, 5.0, 1.5


def critical(look: int, looks: int | None) -> float:
    return Schedule(look, looks, POWER).critical(RISK, ERROR, FREEDOM, MARGIN)


def test_planned_looks_spend_nine_tenths_and_those_after_them_the_rest() -> None:
    """So that all looks together, however long it takes, spend the risk and no more."""
    assert critical(30, 60) == pytest.approx(float(for_few(planned(0.9 * RISK, 60, POWER)[29], FREEDOM)))
    assert critical(60, 60) == pytest.approx(float(for_few(planned(0.9 * RISK, 60, POWER)[59], FREEDOM)))
    assert critical(61, 60) == pytest.approx(float(for_few(open_ended(0.1 * RISK, ERROR, MARGIN), FREEDOM)))
    assert critical(30, None) == pytest.approx(float(for_few(open_ended(RISK, ERROR, MARGIN), FREEDOM)))


def test_few_partners_are_held_to_quantiles_of_t() -> None:
    tail = stats.norm.sf(planned(0.9 * RISK, 60, POWER)[59])
    assert critical(60, 60) == pytest.approx(stats.t.isf(tail, FREEDOM))


def test_of_very_many_looks_each_has_a_boundary_that_an_earlier_one_would_have() -> None:
    """Never less than what it may be: what is not looked at is not spent."""
    looks = 2 * MOST_LOOKS
    bounds = [bound_at(RISK, looks, look, POWER) for look in range(1, looks + 1)]
    assert bounds == sorted(bounds, reverse=True)
    assert bounds[-1] == planned(RISK, MOST_LOOKS, POWER)[-1]
    assert bounds[2 * 90 - 1] == bounds[2 * 90] == planned(RISK, MOST_LOOKS, POWER)[89]


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", range(3))
def test_what_is_no_number_can_never_be_used(wrong: float, place: int) -> None:
    numbers = [0.0, 1.0, 10.0]
    assert Shown(*numbers).usable
    numbers[place] = wrong
    assert not Shown(*numbers).usable


def test_no_error_at_all_is_none_that_can_be_used() -> None:
    assert not Shown(0.0, 0.0, 10.0).usable
    assert not Shown(0.0, -1.0, 10.0).usable


@pytest.mark.parametrize(
    ("change", "worse", "strictly"), [(-10.0, True, True), (-8.0, True, False), (-4.0, False, False)]
)
def test_worse_is_proven_beyond_chance_and_by_the_margin(change: float, worse: bool, strictly: bool) -> None:
    """Two errors of 1.5 each: three about the estimate."""
    shown = Shown(change, 1.5, 20.0)
    assert shown.proven_worse(2.0, MARGIN, strict=False) is worse
    assert shown.proven_worse(2.0, MARGIN, strict=True) is (strictly and change + 3 < -MARGIN)
    assert not Shown(change, 8.0, 20.0).proven_worse(2.0, MARGIN, strict=False)


def test_not_worse_is_proven_once_the_margin_lies_outside() -> None:
    assert Shown(0.0, 1.5, 20.0).proven_not_worse(2.0, MARGIN)
    assert not Shown(-2.5, 1.5, 20.0).proven_not_worse(2.0, MARGIN)
    assert not Shown(math.nan, 1.5, 20.0).proven_not_worse(2.0, MARGIN)


def test_what_would_be_seen_in_four_of_five_cases_lies_further_than_the_boundary() -> None:
    assert Shown(0.0, 1.5, 20.0).detectable(2.0) == pytest.approx((2.0 + stats.t.ppf(0.8, 20)) * 1.5)
