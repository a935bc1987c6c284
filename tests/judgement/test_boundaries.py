"""Boundaries against published tables, against independent integration, and against simulated paths."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm, t

from judgement.boundaries import for_few, open_ended, planned, single_look, spending

POWER = 2.0


def test_obrien_fleming_spending_gives_the_published_boundary() -> None:
    """Lan and DeMets 1983, one-sided 0.025 and five looks: 4.877, 3.357, 2.680, 2.290, 2.031."""
    spent = [2 * norm.sf(norm.ppf(1 - 0.0125) / math.sqrt(look / 5)) for look in range(1, 6)]
    assert spending(spent) == pytest.approx((4.877, 3.357, 2.680, 2.290, 2.031), abs=0.002)


def test_pocock_spending_gives_the_published_boundary() -> None:
    """Lan and DeMets 1983, one-sided 0.025 and five looks: 2.438, 2.427, 2.410, 2.397, 2.386."""
    spent = [0.025 * math.log(1 + (math.e - 1) * look / 5) for look in range(1, 6)]
    assert spending(spent) == pytest.approx((2.438, 2.427, 2.410, 2.397, 2.386), abs=0.002)


def test_one_look_is_the_usual_quantile() -> None:
    assert planned(0.05, 1, POWER) == pytest.approx((norm.ppf(0.95),), abs=1e-4)


@pytest.mark.parametrize("risk", [0.01, 0.05, 0.2])
def test_what_three_looks_spend_is_what_a_multivariate_normal_says(risk: float) -> None:
    """Scores at looks 1, 2, 3 have correlations sqrt(i/j)."""
    bounds = planned(risk, 3, POWER)
    correlation = [[math.sqrt(min(i, j) / max(i, j)) for j in (1, 2, 3)] for i in (1, 2, 3)]
    stays = multivariate_normal(mean=np.zeros(3), cov=correlation, seed=1).cdf(bounds)
    assert 1 - stays == pytest.approx(risk, rel=0.01)


def test_paths_without_a_change_cross_as_often_as_was_planned() -> None:
    """40,000 Brownian paths: the standard error of a share of 5 % is 0.11 points."""
    looks = 85
    steps = np.random.default_rng(7).normal(0, 1, (40_000, looks))
    scores = np.cumsum(steps, axis=1) / np.sqrt(np.arange(1, looks + 1))
    crossed = (scores > np.array(planned(0.05, looks, POWER))).any(axis=1)
    assert 100 * crossed.mean() == pytest.approx(5, abs=0.4)


def test_a_boundary_falls_from_look_to_look() -> None:
    bounds = planned(0.05, 85, POWER)
    assert all(later < earlier for earlier, later in pairwise(bounds))


@pytest.mark.parametrize(("risk", "looks"), [(0.0, 5), (0.5, 5), (-0.1, 5), (math.nan, 5), (0.05, 0)])
def test_an_impossible_risk_or_no_look_is_refused(risk: float, looks: int) -> None:
    with pytest.raises(ValueError, match="a risk lies between 0 and"):
        planned(risk, looks, POWER)


def test_a_boundary_for_few_partners_is_as_unlikely_as_that_for_many() -> None:
    """Three standard errors of a normal are 4.53 of a t with seven degrees of freedom."""
    assert t.sf(float(for_few(3.0, 7.0)), 7) == pytest.approx(norm.sf(3.0), rel=1e-6)
    assert float(for_few(3.0, 7.0)) == pytest.approx(4.5298, abs=1e-3)


def test_a_boundary_that_cannot_be_crossed_stays_so_for_few() -> None:
    assert float(for_few(math.inf, 7.0)) == math.inf
    assert float(for_few(60.0, 7.0)) == math.inf


def test_a_single_look_is_a_quantile_of_t() -> None:
    assert float(single_look(0.05, 9.0)) == pytest.approx(t.ppf(0.95, 9), rel=1e-6)


def test_the_open_ended_boundary_by_hand() -> None:
    """margin 5, error 5, risk 0.05: k = 4, sqrt(2 * 5/4 * log(1 + sqrt(5)/0.1)) = sqrt(2.5 * log(23.3607)) = 2.8067."""
    assert float(open_ended(0.05, 5.0, 5.0)) == pytest.approx(2.8067, abs=1e-4)


def test_paths_never_cross_the_open_ended_boundary_more_often_than_agreed() -> None:
    """Errors shrink from 20 to 1 over 400 looks; 20,000 paths, standard error 0.15 points."""
    looks = np.arange(1, 401)
    steps = np.random.default_rng(11).normal(0, 1, (20_000, looks.size))
    scores = np.cumsum(steps, axis=1) / np.sqrt(looks)
    crossed = (scores > open_ended(0.05, 20 / np.sqrt(looks), 5.0)).any(axis=1)
    assert 100 * crossed.mean() <= 5.4
