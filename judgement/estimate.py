"""Estimates how much more one group of partners changed than another, with its error, from per-partner sums."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]


class Form:
    """A value that is a smooth function of sums over partners."""

    sums: int

    def value(self, total: Floats) -> Floats:
        """Of totals of shape (..., sums); NaN where it has none."""
        raise NotImplementedError


class Ratio(Form):
    """`factor * sum of numerators / sum of denominators`: proportions, rates, weighted scores, means (of ones)."""

    sums = 2

    def __init__(self, factor: float = 100.0) -> None:
        self._factor = factor

    def value(self, total: Floats) -> Floats:
        numerator, denominator = total[..., 0], total[..., 1]
        with np.errstate(all="ignore"):
            return np.where(denominator > 0, self._factor * numerator / denominator, np.nan)


class LogVelocity(Form):
    """`log(value won * deals won / days of cycle)`: a difference of it is a relative change."""

    sums = 3

    def value(self, total: Floats) -> Floats:
        with np.errstate(all="ignore"):
            product = total[..., 0] * total[..., 1] / total[..., 2]
            return np.where((product > 0) & np.isfinite(product), np.log(product), np.nan)


class Arm(NamedTuple):
    """The same partners before and after: each of shape (..., partners, sums)."""

    before: Floats
    after: Floats


class Estimate(NamedTuple):
    """`change` is how much more the pilot's value rose than the control's, `error` its standard error, `freedom` the
    degrees of freedom of that; NaN where they cannot be given. `before` and `after` are the pilot's values."""

    change: Floats
    error: Floats
    freedom: Floats
    before: Floats
    after: Floats


def estimate(form: Form, pilot: Arm, control: Arm | None) -> Estimate:
    """Difference in differences of a smooth function of partner sums, by the delete-one-partner jackknife.

    With F the form over an arm's sums: theta = (F(T after) - F(T before)) - (F(C after) - F(C before)); without a
    control the second bracket is nothing. Per arm the variance is `(G-1)/G * sum((d_i - mean d)^2)` over the changes
    d_i that remain without partner i (a partner is a cluster: what is alike within it needs no model of its own).
    Freedom by Welch and Satterthwaite. Source: Efron and Stein 1981 (jackknife), Welch 1947.

    Args:
        pilot, control: leading dimensions are free and alike, to judge many at once.
    """
    value, variance, freedom = _arm(form, pilot)
    change, total = value, variance
    df = freedom
    if control is not None:
        beside, other, theirs = _arm(form, control)
        change, total = value - beside, variance + other
        with np.errstate(all="ignore"):
            df = total**2 / (variance**2 / freedom + other**2 / theirs)
    before, after = form.value(pilot.before.sum(axis=-2)), form.value(pilot.after.sum(axis=-2))
    return Estimate(change, np.sqrt(total), df, before, after)


def _arm(form: Form, arm: Arm) -> tuple[Floats, Floats, Floats]:
    """Change of an arm, its variance, and the degrees of freedom of that."""
    partners = arm.before.shape[-2]
    change = form.value(arm.after.sum(axis=-2)) - form.value(arm.before.sum(axis=-2))
    if partners < 2:
        nothing = np.full_like(change, np.nan)
        return change, nothing, nothing
    without = form.value(_without_each(arm.after)) - form.value(_without_each(arm.before))
    spread = ((without - without.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1)
    return change, spread * (partners - 1) / partners, np.full_like(change, partners - 1.0)


def _without_each(sums: Floats) -> Floats:
    """Totals with each partner left out in turn: shape (..., partners, sums)."""
    return sums.sum(axis=-2, keepdims=True) - sums
