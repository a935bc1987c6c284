"""What each version of the method judges by: a plan keeps the one that it was signed off with while it runs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from judgement.estimate import (
    Arm,
    Estimate,
    Fit,
    Floats,
    Form,
    LogVelocity,
    estimate,
    estimated,
    fitted,
    put_together,
    variance,
)

LENT = 4.0
"""Degrees of freedom that the comparison lends the pilot at most."""

SQUARE, SOONER = 2.0, 1.5
"""Powers of the time with which a risk is spent. *Met* is judged by the first, whatever the method."""


class Method(NamedTuple):
    """How a pause is judged. `power`: of the time, in the spending of its risk. `lends`: the comparison says, too, how
    a pilot scatters to which nothing happens."""

    power: float
    lends: bool


METHODS = {1: Method(SQUARE, lends=False), 2: Method(SOONER, lends=True)}


class Estimates(NamedTuple):
    """One change with two errors: by `passing` it is *met*, by `pausing` it is *not met*."""

    passing: Estimate
    pausing: Estimate


def estimates(method: int, form: Form, pilot: Arm, control: Arm | None) -> Estimates:
    """How much more the pilot changed than the control, and how sure that is by a version of the method.

    Without a control there is nobody who could lend: both errors are the pilot's own.

    Args:
        pilot, control: leading dimensions are free and alike, to judge many at once.

    Raises:
        KeyError: a method that there is not.
    """
    if control is None or not METHODS[method].lends:
        found = estimate(form, pilot, control)
        return Estimates(found, found)
    with np.errstate(all="ignore"):
        fit = fitted(form, pilot, control)
        own = estimated(fit)
        return Estimates(own, _with_lent(own, form, (pilot, control), fit))


def _with_lent(own: Estimate, form: Form, arms: tuple[Arm, Arm], fit: Fit) -> Estimate:
    """The same change with an error that is never less than its own, and with freedom lent by the comparison.

    Were nothing to change, a pilot's partners would scatter as those that they are compared with. With V_T and V_C the
    arms' variances, L_C what of V_C is not the slopes', S_T what of V_T is theirs, X what an arm counts, f its freedom:
    `V = (1 - w) V_T + w (X_C / X_T L_C + S_T) + V_C` with `w = d / (d + f_T)`, d the less of `LENT` and f_C; the error
    is the greater of `sqrt(V)` and its own. Freedom of `(1 - w) V_T` is f_T and of all else f_C, put together as Welch
    and Satterthwaite do (moderated variances: Smyth 2004). A velocity counts by the deals before, since its deals now
    are a part of what is judged.

    Where that is no number it is the estimate as it was.
    """
    mine, theirs = fit.variances
    of_pilot, of_control = fit.freedoms
    borrowed = np.minimum(LENT, of_control)
    share = borrowed / (borrowed + of_pilot)
    counts = [_counts(form, arm) for arm in arms]
    expected = counts[1] / counts[0] * variance(fit.left[1]) + variance(fit.by_slopes[0])
    found = put_together(fit, (1 - share) * mine, share * expected + theirs)
    there = np.isfinite(found.error) & np.isfinite(found.freedom)
    return Estimate(
        own.change,
        np.where(there, np.maximum(found.error, own.error), own.error),
        np.where(there, found.freedom, own.freedom),
    )


def _counts(form: Form, arm: Arm) -> Floats:
    found: Floats = form.weight(arm.before if isinstance(form, LogVelocity) else arm.after).sum(axis=-1)
    return found
