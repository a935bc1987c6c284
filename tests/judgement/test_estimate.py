"""Estimates against hand-worked numbers, Welch's test, and analysis of covariance by least squares."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.stats import ttest_ind

from judgement.estimate import Arm, Floats, LogVelocity, Ratio, estimate

MEANS = Ratio(1.0)


def arm(before: list[float], after: list[float]) -> Arm:
    """Partners that count one each."""
    return Arm(*(np.column_stack([side, np.ones(len(side))]) for side in (before, after)))


def test_without_a_past_it_is_welchs_test() -> None:
    """Nobody differs before: nothing is expected, and what is left is two means and their spread."""
    ours, theirs = [3.0, 5.0, 4.0, 9.0, 2.5], [6.0, 7.5, 5.0, 8.0]
    found = estimate(MEANS, arm([1.0] * 5, ours), arm([1.0] * 4, theirs))
    welch = ttest_ind(ours, theirs, equal_var=False)
    assert float(found.change) == pytest.approx(np.mean(ours) - np.mean(theirs))
    assert float(found.change / found.error) == pytest.approx(welch.statistic)
    assert float(found.freedom) == pytest.approx(welch.df)


def test_the_change_is_that_those_of_least_squares() -> None:
    """One past for each partner, all of one size: analysis of covariance with the arm as a dummy."""
    chance = np.random.default_rng(3)
    before = chance.normal(10, 2, 60)
    after = 0.6 * before + chance.normal(0, 1, 60)
    after[:20] -= 1.5
    before[:20] += 1.0
    found = estimate(MEANS, arm(list(before[:20]), list(after[:20])), arm(list(before[20:]), list(after[20:])))
    design = np.column_stack([np.ones(60), np.arange(60) < 20, before])
    fitted = sm.OLS(after, design).fit()
    assert float(found.change) == pytest.approx(fitted.params[1], rel=1e-6)
    assert float(found.error) == pytest.approx(fitted.bse[1], rel=0.15)


@pytest.mark.parametrize(("slope", "taken"), [(-2.0, 0.0), (0.6, 0.6), (3.0, 1.5)])
def test_a_past_counts_from_not_at_all_to_half_again(slope: float, taken: float) -> None:
    past = np.random.default_rng(6).normal(10, 1, 30)
    now = 50 + slope * past
    found = estimate(MEANS, arm(list(past[:12]), list(now[:12])), arm(list(past[12:]), list(now[12:])))
    apart = past[:12].mean() - past[12:].mean()
    assert float(found.change) == pytest.approx((slope - taken) * apart)


@pytest.mark.parametrize("shift", [0.0, 3.0])
@pytest.mark.parametrize("uneven", [0.0, 1.0])
def test_arms_of_unlike_pasts_are_less_sure_by_what_the_slope_is_unsure_of(shift: float, uneven: float) -> None:
    """By least squares with the error that is right also where some partners scatter more than others (HC3)."""
    chance = np.random.default_rng(5)
    pilot = np.repeat([1.0, 0.0], [60, 90])
    past = chance.normal(10, 1, 150) + shift * pilot
    now = 0.6 * past + chance.normal(0, 0.5, 150) * np.exp(uneven * (past - past.mean()))
    found = estimate(MEANS, arm(list(past[:60]), list(now[:60])), arm(list(past[60:]), list(now[60:])))
    fitted = sm.OLS(now, np.stack([np.ones(150), pilot, past], axis=1)).fit(cov_type="HC3")
    assert float(found.error) == pytest.approx(fitted.bse[1], rel=0.05)


def test_a_past_of_mere_luck_does_not_count_on_average() -> None:
    """What deals were worth lasts in nobody, and the pilot is of those whose deals happened to be worth most. A slope
    that could not be below nothing would on average be above it, and take their fall for harm."""
    chance = np.random.default_rng(21)
    changes = []
    for _ in range(150):
        deals = chance.poisson(12, (2, 90)) + 1.0
        worth = deals * np.exp(chance.normal(0, 0.8 / np.sqrt(deals)))
        cycle = deals * 40 * np.exp(chance.normal(0, 0.4 / np.sqrt(deals)))
        order = np.argsort(-worth[0] / deals[0])
        sums = np.stack([worth, deals, cycle], axis=-1)[:, order]
        found = estimate(LogVelocity(), Arm(sums[0, :30], sums[1, :30]), Arm(sums[0, 30:], sums[1, 30:]))
        changes.append(float(found.change / found.error))
    assert abs(np.mean(changes)) < 3 / np.sqrt(150)
    assert np.std(changes) == pytest.approx(1, abs=0.2)


def test_a_ratio_by_hand() -> None:
    """Nobody differs before, so that nothing is expected.

    Now: pilot 8/10 and 6/10 and 10/20: 24/40 = 60 %. Without each: 16/30 = 53.333, 18/30 = 60, 14/20 = 70. Lost:
    6.667, 0, -10; their mean -1.111; squares 60.494 + 1.235 + 79.012 = 140.741; times 2/3 = 93.827.
    Control 9/10, 18/20: 27/30 = 90 %; without each 90, 90: no spread. Error sqrt(93.827) = 9.686.
    """
    same = np.array([[5.0, 10.0], [5.0, 10.0], [10.0, 20.0]])
    pilot = Arm(same, np.array([[8.0, 10.0], [6.0, 10.0], [10.0, 20.0]]))
    control = Arm(same[1:], np.array([[9.0, 10.0], [18.0, 20.0]]))
    found = estimate(Ratio(), pilot, control)
    assert float(found.change) == pytest.approx(-30.0)
    assert float(found.error) == pytest.approx(9.686, abs=1e-3)


def test_effective_partners_are_fewer_where_one_is_most_of_it() -> None:
    """Weights 10, 10, 80: (100)^2 / (100 + 100 + 6400) = 1.515 partners count alike; the least freedom is one."""
    after = np.array([[5.0, 10.0], [6.0, 10.0], [40.0, 80.0]])
    found = estimate(Ratio(), Arm(after.copy(), after), None)
    assert float(found.freedom) == 1


def test_a_pilot_picked_for_its_luck_falls_back_and_that_is_taken_out() -> None:
    """Nothing changes, and every month is a partner's own level and luck alike. Differences in differences see the
    luck of the chosen go and call it a fall; what their past lets expect takes most of it out."""
    chance = np.random.default_rng(5)
    falls, plain = [], []
    for _ in range(200):
        own = chance.normal(50, 2, 60)
        before, after = own + chance.normal(0, 2, 60), own + chance.normal(0, 2, 60)
        order = np.argsort(-before)
        pilot, rest = order[:20], order[20:]
        found = estimate(
            MEANS, arm(list(before[pilot]), list(after[pilot])), arm(list(before[rest]), list(after[rest]))
        )
        falls.append(float(found.change))
        plain.append(after[pilot].mean() - before[pilot].mean() - after[rest].mean() + before[rest].mean())
    assert np.mean(plain) < -1.5
    assert abs(np.mean(falls)) < 0.25


def test_velocity_is_a_relative_change() -> None:
    """Every partner's value won grows by a fifth in the pilot and not beside it: log 1.2, exactly."""
    before = np.array([[100.0, 2.0, 40.0], [300.0, 5.0, 90.0], [80.0, 1.0, 30.0]])
    grown = before * np.array([1.2, 1.0, 1.0])
    found = estimate(LogVelocity(), Arm(before, grown), Arm(before, before))
    assert float(found.change) == pytest.approx(math.log(1.2))


def test_alone_it_is_the_change_of_the_pilot() -> None:
    """80 % of 30 before, 60 % of 30 after."""
    before, after = np.array([[8.0, 10.0], [16.0, 20.0]]), np.array([[6.0, 10.0], [12.0, 20.0]])
    assert float(estimate(Ratio(), Arm(before, after), None).change) == pytest.approx(-20.0)


def test_many_at_once_are_each_by_itself() -> None:
    chance = np.random.default_rng(9)
    sums: Floats = chance.poisson(20, (4, 2, 12, 2)).astype(np.float64)
    sums[..., 0] = np.minimum(sums[..., 0], sums[..., 1])
    batch = estimate(Ratio(), Arm(sums[:, 0, :5], sums[:, 1, :5]), Arm(sums[:, 0, 5:], sums[:, 1, 5:]))
    for number, one in enumerate(sums):
        single = estimate(Ratio(), Arm(one[0, :5], one[1, :5]), Arm(one[0, 5:], one[1, 5:]))
        for many, alone in zip(batch, single, strict=True):
            assert many[number] == pytest.approx(float(alone))


def test_twice_the_days_do_not_widen_the_error_on_average() -> None:
    chance = np.random.default_rng(13)
    short: list[float] = []
    long: list[float] = []
    for _ in range(100):
        rates = chance.beta(17, 3, 40)
        leads = chance.poisson(30, (3, 40))
        met = chance.binomial(leads, rates)
        first, second, third = (np.column_stack([n, d]).astype(np.float64) for n, d in zip(met, leads, strict=True))
        for after, kept in ((second, short), (second + third, long)):
            found = estimate(Ratio(), Arm(first[:10], after[:10]), Arm(first[10:], after[10:]))
            kept.append(float(found.error))
    assert np.mean(long) < np.mean(short)
