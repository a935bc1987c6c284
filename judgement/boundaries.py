"""How far an estimate must lie from nothing, in standard errors, so that many looks are not many chances."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

from judgement.estimate import Floats

_REACH = 6.0
"""Standard deviations beyond which nothing is looked for."""

_FINE = 0.5
"""Distance of two points of the grid, in standard deviations of a step."""


@lru_cache(maxsize=256)
def planned(risk: float, looks: int, power: float) -> tuple[float, ...]:
    """One-sided group-sequential boundary for equally spaced looks, in standard errors, one number a look.

    Spends `risk * (look / looks) ** power` (Kim and DeMets 1987, rho) over information that grows evenly.

    Raises:
        ValueError: a risk outside 0 to 1/2, or no look.
    """
    if not 0 < risk < 0.5 or looks < 1:
        raise ValueError(
            f"a risk of {risk} over {looks} looks: a risk lies between 0 and 0.5, and one look is the least"
        )
    return spending([risk * (look / looks) ** power for look in range(1, looks + 1)])


def spending(spent: Sequence[float]) -> tuple[float, ...]:
    """The boundary that spends so much of a risk by each of equally spaced looks, in standard errors.

    The usual recursive integration of the density of scores that have not crossed (Armitage, McPherson and Rowe 1969;
    Jennison and Turnbull 2000, chapter 19), by Simpson's rule.

    Returns:
        One number a look; infinite where too little may be spent to ever cross.
    """
    looks, before = len(spent), 0.0
    bounds: list[float] = []
    grid, density = np.zeros(1), np.ones(1)
    for look, so_far in enumerate(spent, start=1):
        fraction, step = look / looks, 1.0 / looks
        bound = _solve(grid, density, step, so_far - before)
        before = so_far
        bounds.append(bound / math.sqrt(fraction))
        grid, density = _onward(grid, density, step, bound, fraction)
    return tuple(bounds)


def _solve(grid: Floats, density: Floats, step: float, ask: float) -> float:
    """The score that is passed with chance `ask` at this look, by bisection; scores are Brownian in the fraction."""
    low, high = -_REACH, _REACH * 2
    scale = math.sqrt(step)

    def passed(bound: float) -> float:
        return float((density * ndtr((grid - bound) / scale)).sum())

    if passed(high) > ask:
        return math.inf
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if passed(middle) > ask else (low, middle)
    return (low + high) / 2


def _onward(grid: Floats, density: Floats, step: float, bound: float, fraction: float) -> tuple[Floats, Floats]:
    """The scores that have not crossed, as weighted points, after one more step."""
    scale, spread = math.sqrt(step), _REACH * math.sqrt(fraction)
    bottom, top = -spread, min(bound, spread)
    intervals = 2 * math.ceil((top - bottom) / (2 * _FINE * scale))
    points = np.linspace(bottom, top, intervals + 1)
    weights = np.full(intervals + 1, 2.0)
    weights[1::2], weights[0], weights[-1] = 4.0, 1.0, 1.0
    kernel = np.exp(-(((points[:, None] - grid[None, :]) / scale) ** 2) / 2) / (scale * math.sqrt(2 * math.pi))
    return points, (kernel @ density) * weights * (top - bottom) / intervals / 3


def open_ended(risk: float, error: Floats | float, margin: float) -> Floats:
    """One-sided normal-mixture boundary, in standard errors, valid at every look for ever.

    With k = (2 margin / error)^2 it is `sqrt(2 (k+1)/k * log(1 + sqrt(k+1) / (2 risk)))`. Source: Robbins 1970;
    Howard, Ramdas, McAuliffe and Sekhon 2021, one-sided form. Tuned to changes of the size of the margin.
    """
    with np.errstate(all="ignore"):
        k = (2 * margin / np.asarray(error, dtype=np.float64)) ** 2
        found: Floats = np.sqrt(2 * (k + 1) / k * np.log1p(np.sqrt(k + 1) / (2 * risk)))
    return found


def for_few(normal: Floats | float, freedom: Floats | float) -> Floats:
    """The boundary in a t distribution's quantiles: as unlikely by chance as `normal` is of a normal one.

    `T^-1(Phi(z))` with `freedom` degrees (the significance-level approach, Jennison and Turnbull 2000, ch. 11).
    """
    tail = ndtr(-np.asarray(normal, dtype=np.float64))
    with np.errstate(all="ignore"):
        found: Floats = np.where(tail > 0, -stdtrit(freedom, tail), np.inf)
    return found


def single_look(risk: float, freedom: Floats | float) -> Floats:
    """The boundary of one look by itself: the quantile of a t distribution."""
    return for_few(-ndtri(risk), freedom)
