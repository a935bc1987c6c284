"""Estimates how much more one group of partners changed than another, with its error, from per-partner sums."""

from __future__ import annotations

from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Places: TypeAlias = NDArray[np.intp]

FADES = (0.0, 0.1, 0.3, 1.0, 3.0)
"""How little a partner's own past is trusted: what it shows counts `d / (d + fade * mean d)`, where d is how much it
rests on. The fade that leaves the smallest residuals is taken, one for all sides of the past that fade."""

STEEPEST = 1.5
"""A past counts at most so much; more is chance."""

LIGHTEST = 0.1
"""A partner's residual counts at most ten times as much for the slopes as it is: it would be the less, the more the
slopes are that partner's own."""

LEAST_FREEDOM = 1.0

NO_SPREAD = 1e-9
"""Of the values: an error below that is what rounding leaves of partners who are all alike."""


class Past(NamedTuple):
    """What an arm's past lets expect, for each way to fade it: shape (fades, ...); and what of that is lost without
    each partner: shape (fades, ..., partners). `least` is the least slope: 0 of what cannot but last; of what may be
    mere luck as much below as above, because a slope that may err to one side only would take a part of the luck for
    lasting."""

    expected: Floats
    lost: Floats
    least: float = 0.0


class Form(Protocol):
    """A value that is a smooth function of sums over partners."""

    def value(self, mean: Floats) -> Floats:
        """Of means over partners, of shape (..., sums); NaN where there is no value."""

    def weight(self, sums: Floats) -> Floats:
        """What each partner counts in the value, of shape (..., partners)."""

    def pasts(self, arm: Arm, usual: Floats) -> list[Past]:
        """What sides of each partner's past let expect, off the value of the means `usual`."""


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

    def pasts(self, arm: Arm, usual: Floats) -> list[Past]:
        """A partner's own rate, at the size that it has now."""
        return [_rate(arm, usual, 0, 1, arm.after[..., 1], self._factor)]


def _rate(arm: Arm, usual: Floats, of: int, by: int, now: Floats, factor: Floats | float) -> Past:
    """A partner's own rate off the usual one, faded towards it, weighed by what the partner counts now."""
    rate, size = (usual[..., of] / usual[..., by])[..., None], usual[..., by, None]
    own, rests_on = arm.before[..., of], arm.before[..., by]
    fades = np.array(FADES).reshape(-1, *(1,) * now.ndim)
    faded = factor * now * (own - rate * rests_on) / (rests_on + fades * size)
    amount = np.where(np.isfinite(faded), faded, 0.0)
    whole, weight = amount.sum(axis=-1, keepdims=True), now.sum(axis=-1, keepdims=True)
    return Past((whole / weight)[..., 0], whole / weight - (whole - amount) / (weight - now))


class LogVelocity:
    """`log(value won * deals won / days of cycle)`, per partner: a difference of it is a relative change."""

    def value(self, mean: Floats) -> Floats:
        with np.errstate(all="ignore"):
            product = mean[..., 0] * mean[..., 1] / mean[..., 2]
            return np.log(np.where((product > 0) & np.isfinite(product), product, np.nan))

    def weight(self, sums: Floats) -> Floats:
        found: Floats = sums[..., 1]
        return found

    def pasts(self, arm: Arm, usual: Floats) -> list[Past]:
        """How many deals a partner wins, what each is worth and how long each takes, each in parts of what is usual:
        how many lasts, and what each is worth is mostly luck."""
        won = arm.after[..., 1]
        worth, taken = usual[..., 0] / usual[..., 1], usual[..., 2] / usual[..., 1]
        often, without = (np.log(side) for side in _means(arm.before[..., 1, None]))
        return [
            Past(often[None, ..., 0], (often - without[..., 0])[None]),
            _rate(arm, usual, 0, 1, won, 1 / worth[..., None])._replace(least=-STEEPEST),
            _rate(arm, usual, 2, 1, won, -1 / taken[..., None])._replace(least=-STEEPEST),
        ]


class Arm(NamedTuple):
    """The same partners before and after: each of shape (..., partners, sums)."""

    before: Floats
    after: Floats


class Estimate(NamedTuple):
    """`change` is how much more the pilot's value rose than the control's, `error` its standard error, `freedom` the
    degrees of freedom of that; NaN where they cannot be given."""

    change: Floats
    error: Floats
    freedom: Floats


def estimate(form: Form, pilot: Arm, control: Arm | None) -> Estimate:
    """How much more the pilot changed than the control, given what each partner's own past lets expect.

    With F the value of an arm's means: `theta = (F(T now) - F(C now)) - sum of b_k * (m_k(T) - m_k(C))`, where m_k is
    what side k of an arm's past lets expect, off everybody's: a ratio's past has one side, a velocity's three (how many
    deals, what each was worth, how long it took). With each b = 1 and nothing faded it is the difference in
    differences. Instead b are the slopes of the present on the past within the arms (analysis of covariance), each from
    `least` to `STEEPEST`: a pilot that was picked because it had just done well falls back by itself, and b takes that
    out, as far as its past shows it.

    Errors are those of the delete-one-partner jackknife: a partner is a cluster, and what is alike within it needs no
    model. `V = (G-1)/G * sum((u_i - mean u)^2)` of an arm, u_i what theta loses with partner i: what the arm's value
    does, less b times what its expectation does (r_i), and d times what b does, d being m(T) - m(C). With S the sum of
    squares of the past's losses x_i, b loses `S^-1 x_i r_i / (1 - h_i)`, h_i = x_i' S^-1 x_i. `error^2 = V(T) + V(C)`.
    Freedom by Welch and Satterthwaite, each arm's being that of as many equally large partners as count alike,
    `(sum w)^2 / sum w^2 - 1`.

    Without a control it is the plain change of the pilot.

    Sources: Efron and Stein 1981 (jackknife); MacKinnon and White 1985 (the slopes'); Welch 1947; Cochran 1957
    (covariance); Carter, Schnepel and Steigerwald 2017 (effective number of clusters).

    Args:
        pilot, control: leading dimensions are free and alike, to judge many at once.
    """
    with np.errstate(all="ignore"):
        return _alone(form, pilot) if control is None else estimated(fitted(form, pilot, control))


def _alone(form: Form, arm: Arm) -> Estimate:
    change = form.value(arm.after.mean(axis=-2)) - form.value(arm.before.mean(axis=-2))
    lost = _lost(form, arm.after) - _lost(form, arm.before)
    freedom = np.maximum(_effective(form.weight(arm.after)) - 1, LEAST_FREEDOM)
    error = _above_rounding(np.sqrt(variance(lost)), form.value(arm.after.mean(axis=-2)), change)
    return Estimate(change, error, freedom)


class Fit(NamedTuple):
    """A pilot beside a control, at the way to fade the past that fits best. Of both arms, pilot first, `left` and
    `by_slopes` are what theta loses with each partner, shape (..., partners): what the past does not explain, and what
    it takes by moving the slopes. `variances` are theta's by each arm, V(T) and V(C), `freedoms` the arms' own,
    `values` those of now."""

    change: Floats
    values: tuple[Floats, Floats]
    left: tuple[Floats, Floats]
    by_slopes: tuple[Floats, Floats]
    variances: tuple[Floats, Floats]
    freedoms: tuple[Floats, Floats]


def estimated(fit: Fit) -> Estimate:
    """The estimate by what the arms themselves scatter."""
    return put_together(fit, *fit.variances)


def put_together(fit: Fit, mine: Floats, theirs: Floats) -> Estimate:
    """An error of two variances that rest on the freedom of either arm, by Welch and Satterthwaite."""
    total = mine + theirs
    # Squared as arrays are: the power of a single number may differ in its last digit.
    freedom = np.square(total) / (np.square(mine) / fit.freedoms[0] + np.square(theirs) / fit.freedoms[1])
    error = _above_rounding(np.sqrt(total), *fit.values)
    return Estimate(fit.change, error, np.maximum(freedom, LEAST_FREEDOM))


def fitted(form: Form, pilot: Arm, control: Arm) -> Fit:
    """Take the slopes of the present on the past within the arms. The shapes are those of `estimate`."""
    arms = (pilot, control)
    sizes = [arm.before.shape[-2] for arm in arms]
    usual = (pilot.before.sum(axis=-2) + control.before.sum(axis=-2)) / sum(sizes)
    value, other = (form.value(arm.after.mean(axis=-2)) for arm in arms)
    losses = [_lost(form, arm.after) for arm in arms]
    freedoms = [np.maximum(_effective(form.weight(arm.after)) - 1, LEAST_FREEDOM) for arm in arms]
    pasts = [form.pasts(arm, usual) for arm in arms]
    drops = [np.stack(np.broadcast_arrays(*(one.lost for one in sides)), axis=-2) for sides in pasts]
    means = [np.stack(np.broadcast_arrays(*(one.expected for one in sides)), axis=-1) for sides in pasts]
    inverse, slopes = _slopes(sizes, losses, drops, [one.least for one in pasts[0]])
    left = [loss - (slopes[..., None, :] @ drop)[..., 0, :] for loss, drop in zip(losses, drops, strict=True)]
    imbalance = means[0] - means[1]
    by_slopes = [
        _lost_by_slopes(inverse * (size - 1) ** 2, imbalance, drop, one)
        for size, drop, one in zip(sizes, drops, left, strict=True)
    ]
    best = _best(_spread(left), _spread(losses))
    change = value - other - (slopes * imbalance).sum(axis=-1)
    mine, theirs, by_mine, by_theirs = (_at(best[..., None], one) for one in (*left, *by_slopes))
    return Fit(
        change=_at(best, change),
        values=(value, other),
        left=(mine, theirs),
        by_slopes=(by_mine, by_theirs),
        variances=(variance(mine - by_mine), variance(theirs + by_theirs)),
        freedoms=(freedoms[0], freedoms[1]),
    )


def _slopes(sizes: list[int], losses: list[Floats], drops: list[Floats], least: list[float]) -> tuple[Floats, Floats]:
    """For each way to fade the past the inverse of its squares, and the slopes."""
    square = _together(sizes, [drop @ drop.swapaxes(-1, -2) for drop in drops])
    product = _together(sizes, [drop @ loss[..., None] for drop, loss in zip(drops, losses, strict=True)])
    inverse = _inverse(np.nan_to_num(square))
    return inverse, np.clip((inverse @ product)[..., 0], least, STEEPEST)


def _best(residual: Floats, whole: Floats) -> Places:
    """The first way to fade of those that fit equally well: rounding must not choose."""
    comparable = np.where(np.isnan(residual), np.inf, residual)
    found: Places = np.argmax(comparable <= comparable.min(axis=0) + NO_SPREAD * whole, axis=0)[None]
    return found


def _at(best: Places, one: Floats) -> Floats:
    found: Floats = np.take_along_axis(one, best, axis=0)[0]
    return found


def _lost_by_slopes(inverse: Floats, imbalance: Floats, drop: Floats, left: Floats) -> Floats:
    """What `imbalance` times the slopes loses without each partner of an arm."""
    solved = inverse @ drop
    leverage = (drop * solved).sum(axis=-2)
    found: Floats = (imbalance[..., None, :] @ solved)[..., 0, :] * left / np.maximum(1 - leverage, LIGHTEST)
    return found


def _inverse(square: Floats) -> Floats:
    """The pseudo-inverse; of a single number its reciprocal, which is quicker had without it."""
    if square.shape[-1] == 1:
        return np.where(square > 0, 1 / square, 0.0)
    return np.asarray(np.linalg.pinv(square, rcond=NO_SPREAD, hermitian=True), dtype=np.float64)


def _above_rounding(error: Floats, *values: Floats) -> Floats:
    return np.where(error <= NO_SPREAD * sum(map(abs, values)), 0.0, error)


def _spread(losses: list[Floats]) -> Floats:
    """The sum of squares of what is lost with each partner."""
    return _together([loss.shape[-1] for loss in losses], [(loss**2).sum(axis=-1) for loss in losses])


def _together(sizes: list[int], terms: list[Floats]) -> Floats:
    """Both arms' sums, in the scale of single partners: what is lost without one shrinks with their number."""
    return terms[0] * (sizes[0] - 1) ** 2 + terms[1] * (sizes[1] - 1) ** 2


def _lost(form: Form, sums: Floats) -> Floats:
    """What the value loses without each partner."""
    mean, without = _means(sums)
    found: Floats = form.value(mean)[..., None] - form.value(without)
    return found


def _means(sums: Floats) -> tuple[Floats, Floats]:
    """Means over partners, and those without each of them."""
    return sums.mean(axis=-2), (sums.sum(axis=-2, keepdims=True) - sums) / (sums.shape[-2] - 1)


def variance(lost: Floats) -> Floats:
    """The jackknife's, of what is lost without each partner."""
    partners = lost.shape[-1]
    found: Floats = (partners - 1) / partners * ((lost - lost.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1)
    return found


def _effective(weight: Floats) -> Floats:
    """As many equally large partners as count alike."""
    found: Floats = weight.sum(axis=-1) ** 2 / (weight**2).sum(axis=-1)
    return found
