"""Estimates do not depend on names, order or units, and nothing that can be written down makes them crash."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judgement.estimate import Arm, Estimate, Floats, Form, LogVelocity, Ratio, estimate

amounts = st.floats(0.01, 1e6)
wild = st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.sampled_from([0.0, 1e12, -1e12, 1e300]))


@st.composite
def arms(draw: st.DrawFn, sums: int = 2, of: st.SearchStrategy[float] = amounts, least: int = 3) -> Arm:
    count = draw(st.integers(least, 8))
    sides = [draw(st.lists(st.tuples(*(of,) * sums), min_size=count, max_size=count)) for _ in range(2)]
    return Arm(*(np.array(side, dtype=np.float64).reshape(count, sums) for side in sides))


def numbers(found: Estimate) -> tuple[float, float, float]:
    return float(found.change), float(found.error), float(found.freedom)


def alike(one: Estimate, other: Estimate, *, turned: float = 1.0) -> None:
    """Without an error nothing is judged: several ways to see the past may fit equally well then.

    Sums of squares may be as unlike as `NO_SPREAD` lets them, which costs as many digits: rounding shows in the sixth.
    """
    change, error, freedom = numbers(one)
    found = numbers(other)
    assert found[1] == pytest.approx(error, rel=1e-4, abs=1e-6, nan_ok=True)
    if error > 1e-6:
        assert found == pytest.approx((turned * change, error, freedom), rel=1e-4, abs=1e-6)


@given(arms(), arms(), st.floats(0.01, 1000))
def test_units_do_not_matter_to_a_ratio(pilot: Arm, control: Arm, unit: float) -> None:
    scaled = (Arm(arm.before * unit, arm.after * unit) for arm in (pilot, control))
    alike(estimate(Ratio(), pilot, control), estimate(Ratio(), *scaled))


@given(arms(3), arms(3), st.floats(0.01, 1000))
def test_a_currency_does_not_matter_to_velocity(pilot: Arm, control: Arm, rate: float) -> None:
    unit = np.array([rate, 1.0, 1.0])
    scaled = (Arm(arm.before * unit, arm.after * unit) for arm in (pilot, control))
    alike(estimate(LogVelocity(), pilot, control), estimate(LogVelocity(), *scaled))


@given(arms(), arms(), st.randoms(use_true_random=False))
def test_the_order_of_partners_does_not_matter(pilot: Arm, control: Arm, chance: object) -> None:
    order = np.random.default_rng(1).permutation(len(pilot.before))
    shuffled = Arm(pilot.before[order], pilot.after[order])
    alike(estimate(Ratio(), pilot, control), estimate(Ratio(), shuffled, control))


@given(arms(), arms())
def test_who_is_called_the_pilot_only_turns_the_sign(pilot: Arm, control: Arm) -> None:
    alike(estimate(Ratio(), pilot, control), estimate(Ratio(), control, pilot), turned=-1)


@settings(max_examples=300)
@given(arms(of=wild, least=2), st.one_of(st.none(), arms(of=wild, least=2)))
def test_nothing_makes_a_ratio_crash(pilot: Arm, control: Arm | None) -> None:
    found = estimate(Ratio(), pilot, control)
    assert math.isnan(found.error) or found.error >= 0


@settings(max_examples=300)
@given(arms(3, of=wild, least=2), st.one_of(st.none(), arms(3, of=wild, least=2)))
def test_nothing_makes_a_velocity_crash(pilot: Arm, control: Arm | None) -> None:
    found = estimate(LogVelocity(), pilot, control)
    assert math.isnan(found.error) or found.error >= 0


@pytest.mark.parametrize("form", [Ratio(), LogVelocity()])
def test_partners_who_are_all_alike_leave_no_error(form: Form) -> None:
    same: Floats = np.tile(np.array([5.0, 10.0, 40.0])[: 2 if isinstance(form, Ratio) else 3], (6, 1))
    found = estimate(form, Arm(same[:3], same[:3]), Arm(same[3:], same[3:]))
    assert float(found.error) == 0
    assert float(found.change) == 0
