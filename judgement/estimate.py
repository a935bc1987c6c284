"""Estimates how much more one group of partners changed than another, with its error, from per-partner sums."""

from __future__ import annotations

from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

FADES = (0.0, 0.1, 0.3, 1.0, 3.0)
"""How little a partner's own past is trusted: what it shows counts `d / (d + fade * mean d)`, where d is how much it
rests on. The fade that leaves the smallest residuals is taken."""

STEEPEST = 1.5
"""A past counts at most so much; more is chance."""

LEAST_FREEDOM = 1.0

NO_SPREAD = 1e-9
"""Of the values: an error below that is what rounding leaves of partners who are all alike."""


class Past(NamedTuple):
    """What each partner's past lets expect now: its amount, of shape (ways to fade it, ..., partners), and what it
    counts, of shape (..., partners)."""

    amount: Floats
    weight: Floats


class Form(Protocol):
    """A value that is a smooth function of sums over partners."""

    def value(self, mean: Floats) -> Floats:
        """Of means over partners, of shape (..., sums); NaN where there is no value."""

    def weight(self, sums: Floats) -> Floats:
        """What each partner counts in the value, of shape (..., partners)."""

    def past(self, arm: Arm, usual: Floats) -> Past:
        """What the past of each partner lets expect, off the value of the means `usual`."""


class Ratio:
    """`factor * sum of numerators / sum of denominators`: proportions, rates, weighted scores, means (of ones)."""

    def __init__(self, factor: float = 100.0) -> None:
        self._factor = factor

    def value(self, mean: Floats) -> Floats:
        numerator, denominator = mean[..., 0], mean[..., 1]
        with np.errstate(all="ignore"):
            return np.where(denominator > 0, self._factor * numerator / denominator, np.nan)

    def weight(self, sums: Floats) -> Floats:
        found: Floats = sums[..., 1]
        return found

    def past(self, arm: Arm, usual: Floats) -> Past:
        """A partner's own rate, faded towards everybody's, at the size that it has now."""
        rate, size = (usual[..., 0] / usual[..., 1])[..., None], usual[..., 1, None]
        own, rests_on, now = arm.before[..., 0], arm.before[..., 1], arm.after[..., 1]
        fades = np.array(FADES).reshape(-1, *(1,) * now.ndim)
        faded = self._factor * now * (own - rate * rests_on) / (rests_on + fades * size)
        return Past(np.where(np.isfinite(faded), faded, 0.0), now)


class LogVelocity:
    """`log(value won * deals won / days of cycle)`, per partner: a difference of it is a relative change."""

    def value(self, mean: Floats) -> Floats:
        with np.errstate(all="ignore"):
            product = mean[..., 0] * mean[..., 1] / mean[..., 2]
            return np.log(np.where((product > 0) & np.isfinite(product), product, np.nan))

    def weight(self, sums: Floats) -> Floats:
        found: Floats = sums[..., 1]
        return found

    def past(self, arm: Arm, usual: Floats) -> Past:
        """To first order. A partner's size is in the value itself, so nothing is weighed anew, and nothing faded."""
        shares = arm.before / usual[..., None, :]
        pull = shares[..., 0] + shares[..., 1] - shares[..., 2] - 1
        return Past(pull[None], np.ones_like(pull))


class Arm(NamedTuple):
    """The same partners before and after: each of shape (..., partners, sums)."""

    before: Floats
    after: Floats


class Estimate(NamedTuple):
    """`change` is how much more the pilot's value rose than the control's, `error` its standard error, `freedom` the
    degrees of freedom of that; NaN where they cannot be given. `slope` is how much of a partner's past counts."""

    change: Floats
    error: Floats
    freedom: Floats
    slope: Floats


def estimate(form: Form, pilot: Arm, control: Arm | None) -> Estimate:
    """How much more the pilot changed than the control, given what each partner's own past lets expect.

    With F the value of an arm's means: `theta = (F(T now) - F(C now)) - b * (m(T) - m(C))`, where m is what an arm's
    past lets expect, off everybody's. With b = 1 and nothing faded it is the difference in differences. Instead b is
    the slope of the present on the past within the arms (analysis of covariance): a pilot that was picked because it
    had just done well falls back by itself, and b takes that out, as far as its past shows it.

    Errors are those of the delete-one-partner jackknife: a partner is a cluster, and what is alike within it needs no
    model. `V = (G-1)/G * sum((u_i - mean u)^2)` of an arm, u_i what the value less b times its expectation loses with
    partner i; `error^2 = V(T) + V(C) + (m(T) - m(C))^2 * var(b)`. Freedom by Welch and Satterthwaite, each arm's being
    that of as many equally large partners as count alike, `(sum w)^2 / sum w^2 - 1`.

    Without a control it is the plain change of the pilot.

    Sources: Efron and Stein 1981 (jackknife); Welch 1947; Cochran 1957 (covariance); Carter, Schnepel and Steigerwald
    2017 (effective number of clusters).

    Args:
        pilot, control: leading dimensions are free and alike, to judge many at once.
    """
    with np.errstate(all="ignore"):
        return _alone(form, pilot) if control is None else _compared(form, pilot, control)


def _alone(form: Form, arm: Arm) -> Estimate:
    change = form.value(arm.after.mean(axis=-2)) - form.value(arm.before.mean(axis=-2))
    lost = _lost(form, arm.after) - _lost(form, arm.before)
    freedom = np.maximum(_effective(form.weight(arm.after)) - 1, LEAST_FREEDOM)
    error = _above_rounding(np.sqrt(_variance(lost)), form.value(arm.after.mean(axis=-2)), change)
    return Estimate(change, error, freedom, np.ones_like(change))


def _compared(form: Form, pilot: Arm, control: Arm) -> Estimate:
    partners = pilot.before.shape[-2], control.before.shape[-2]
    usual = (pilot.before.sum(axis=-2) + control.before.sum(axis=-2)) / sum(partners)
    arms = (pilot, control)
    value, other = (form.value(arm.after.mean(axis=-2)) for arm in arms)
    losses = [_lost(form, arm.after) for arm in arms]
    freedoms = [np.maximum(_effective(form.weight(arm.after)) - 1, LEAST_FREEDOM) for arm in arms]
    residual, *found = _fitted(losses, [form.past(arm, usual) for arm in arms], freedoms, value - other)
    # The first of those that fit equally well: rounding must not choose.
    comparable = np.where(np.isnan(residual), np.inf, residual)
    best = np.argmax(comparable <= comparable.min(axis=0) + NO_SPREAD * _spread(losses), axis=0)[None]
    change, error, freedom, slope = (np.take_along_axis(one, best, axis=0)[0] for one in found)
    return Estimate(change, _above_rounding(error, value, other), freedom, slope)


def _fitted(losses: list[Floats], pasts: list[Past], freedoms: list[Floats], apart: Floats) -> tuple[Floats, ...]:
    """For each way to fade the past the sum of squared residuals, and the estimate."""
    sizes = [loss.shape[-1] for loss in losses]
    means = [past.amount.sum(axis=-1) / past.weight.sum(axis=-1) for past in pasts]
    drops = [_dropped(past) for past in pasts]
    square = _together(sizes, [drop**2 for drop in drops])
    product = _together(sizes, [drop * loss for drop, loss in zip(drops, losses, strict=True)])
    slope = np.where(square > 0, np.clip(product / square, 0.0, STEEPEST), 0.0)
    left = [loss - slope[..., None] * drop for loss, drop in zip(losses, drops, strict=True)]
    residual = _together(sizes, [one**2 for one in left])
    variances = [_variance(one) for one in left]
    imbalance = means[0] - means[1]
    uncertain = np.where(square > 0, residual / max(sum(sizes) - 3, 1) / square, 0.0)
    total = variances[0] + variances[1]
    freedom = total**2 / (variances[0] ** 2 / freedoms[0] + variances[1] ** 2 / freedoms[1])
    change = apart - slope * imbalance
    return residual, change, np.sqrt(total + imbalance**2 * uncertain), np.maximum(freedom, LEAST_FREEDOM), slope


def _above_rounding(error: Floats, *values: Floats) -> Floats:
    return np.where(error <= NO_SPREAD * sum(map(abs, values)), 0.0, error)


def _spread(losses: list[Floats]) -> Floats:
    """The sum of squares before anything is explained."""
    return _together([loss.shape[-1] for loss in losses], [loss**2 for loss in losses])


def _together(sizes: list[int], terms: list[Floats]) -> Floats:
    """Sums over both arms, in the scale of single partners: what is lost without one shrinks with their number."""
    found: Floats = terms[0].sum(axis=-1) * (sizes[0] - 1) ** 2 + terms[1].sum(axis=-1) * (sizes[1] - 1) ** 2
    return found


def _lost(form: Form, sums: Floats) -> Floats:
    """What the value loses without each partner."""
    partners = sums.shape[-2]
    without = (sums.sum(axis=-2, keepdims=True) - sums) / (partners - 1)
    found: Floats = form.value(sums.mean(axis=-2))[..., None] - form.value(without)
    return found


def _dropped(past: Past) -> Floats:
    """What an arm's expectation loses without each partner."""
    amount, weight = (side.sum(axis=-1, keepdims=True) for side in past)
    found: Floats = amount / weight - (amount - past.amount) / (weight - past.weight)
    return found


def _variance(lost: Floats) -> Floats:
    partners = lost.shape[-1]
    found: Floats = (partners - 1) / partners * ((lost - lost.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1)
    return found


def _effective(weight: Floats) -> Floats:
    """As many equally large partners as count alike."""
    found: Floats = weight.sum(axis=-1) ** 2 / (weight**2).sum(axis=-1)
    return found
