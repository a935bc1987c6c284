"""Ways to judge a panel day by day: ours, and what others do; each says when it pauses and when it would say *met*."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeAlias

import numpy as np
from scipy.special import ndtri

from bench.panel import BASELINE, DAYS, LATEST, MARGIN, Kind, Panel
from judgement.boundaries import for_few, planned, single_look
from judgement.estimate import Arm, Estimate, Floats, Form, LogVelocity, Ratio
from judgement.gates import LEAST_DAYS
from judgement.material import SINCE_ENROLLED
from judgement.methods import METHODS, SQUARE, Estimates, estimates
from judgement.verdicts import PLANNED_PART
from models.plan_change import METHOD

RISK = 0.05
STAGES = (0, 30, 60)
"""Days on which the rollout begins or grows."""

Bools: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]


class Days(NamedTuple):
    """Whether each rollout would be paused, and be found *met*, on each of its days: shape (rollouts, days)."""

    pauses: Bools
    met: Bools


Judge: TypeAlias = Callable[[Panel], Days]


def form_of(kind: Kind) -> Form:
    return LogVelocity() if kind is Kind.VELOCITY else Ratio(100.0)


def ours(panel: Panel, method: int = METHOD) -> Days:
    """The product's method: `judgement.material`, for many rollouts at once; a test holds the two together."""
    return _ours(panel, method, lag=LATEST)


def ours_before(panel: Panel) -> Days:
    """The method of plans from before there was a second."""
    return ours(panel, 1)


def unmatured(panel: Panel) -> Days:
    """Ours without waiting for days to mature."""
    return _ours(panel, METHOD, lag=0)


def _ours(panel: Panel, method: int, *, lag: int) -> Days:
    return _sequential(
        panel, partial(estimates, method), lag=lag, power=METHODS[method].power, part=PLANNED_PART, late_check=True
    )


def reference(panel: Panel) -> Days:
    """Difference in differences with a jackknife, group-sequential, t corrected: the method this one set out from."""

    def once(form: Form, pilot: Arm, control: Arm) -> Estimates:
        found = differences(form, pilot, control)
        return Estimates(found, found)

    return _sequential(panel, once, lag=LATEST)


def clustered_t(panel: Panel) -> Days:
    """A t-test of the difference in differences every day, as if it were the only one."""
    return _peeking(panel, differences, few=True)


def independent_z(panel: Panel) -> Days:
    """A z-test every day that takes each partner's every day for one of its own."""
    return _rows_apart(panel)


def threshold(panel: Panel, *, in_a_row: int = 1) -> Days:
    """A limit one margin below the pilot's baseline, on the trailing week."""
    form, margin = form_of(panel.kind), MARGIN[panel.kind]
    before = form.value(_before(panel)[:, : panel.pilot].mean(axis=1))
    if panel.kind is Kind.VELOCITY:
        before = before + np.log(7 / BASELINE)
    week = _known(panel, slice(0, panel.pilot), width=7)
    with np.errstate(all="ignore"):
        value = form.value(week.mean(axis=-2))
    beyond = np.nan_to_num(value, nan=np.inf) < before[:, None] - margin
    beyond[:, : LEAST_DAYS - 1] = False
    run = beyond.copy()
    for back in range(1, in_a_row):
        run[:, back:] &= beyond[:, :-back]
        run[:, :back] = False
    return Days(run, ~beyond & (np.arange(DAYS) >= LEAST_DAYS - 1))


def three_in_a_row(panel: Panel) -> Days:
    """The same, on the third look beyond in a row."""
    return threshold(panel, in_a_row=3)


def differences(form: Form, pilot: Arm, control: Arm) -> Estimate:
    """Difference in differences by the delete-one-partner jackknife, each arm with its number of partners less one."""
    with np.errstate(all="ignore"):
        change, variance, freedom = zip(*(_changed(form, arm) for arm in (pilot, control)), strict=True)
        total = variance[0] + variance[1]
        df = total**2 / (variance[0] ** 2 / freedom[0] + variance[1] ** 2 / freedom[1])
    return Estimate(change[0] - change[1], np.sqrt(total), df)


def _changed(form: Form, arm: Arm) -> tuple[Floats, Floats, float]:
    partners = arm.after.shape[-2]

    def without(sums: Floats) -> Floats:
        return form.value((sums.sum(axis=-2, keepdims=True) - sums) / (partners - 1))

    left = without(arm.after) - without(arm.before)
    spread = ((left - left.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1) * (partners - 1) / partners
    change = form.value(arm.after.mean(axis=-2)) - form.value(arm.before.mean(axis=-2))
    return change, spread, partners - 1.0


Estimator: TypeAlias = Callable[[Form, Arm, Arm], Estimate]
Pairs: TypeAlias = Callable[[Form, Arm, Arm], Estimates]


def _sequential(
    panel: Panel, by: Pairs, *, lag: int, power: float = SQUARE, part: float = 1.0, late_check: bool = False
) -> Days:
    """Group-sequential looks at the matured days, since the start and anew since each stage. `power`: of the time, in
    the spending of the risk of a pause."""
    margin, last = MARGIN[panel.kind], DAYS - lag
    shape = (len(panel.sums), DAYS)
    pauses, met = np.zeros(shape, bool), np.zeros(shape, bool)
    latest_worse = np.zeros(shape, bool)
    for stage in STAGES:
        looks = last - stage
        found, pausing = by(form_of(panel.kind), *arms(panel, stage, lag))
        risk = RISK * part * (SINCE_ENROLLED if stage == 0 else (1 - SINCE_ENROLLED) / (len(STAGES) - 1))
        critical = for_few(np.array(planned(risk, looks, power)[LEAST_DAYS - 1 :]), pausing.freedom)
        days = slice(stage + LEAST_DAYS - 1 + lag, DAYS)
        with np.errstate(all="ignore"):
            pauses[:, days] |= (found.change + critical * pausing.error < 0) & (found.change <= -margin)
            latest_worse[:, days] = found.change <= -margin
            if stage == 0:
                critical = for_few(np.array(planned(RISK * part, looks, SQUARE)[LEAST_DAYS - 1 :]), found.freedom)
                met[:, days] = found.change - critical * found.error > -margin
    if late_check:
        met &= ~latest_worse
    return Days(pauses, met & ~pauses)


def _peeking(panel: Panel, by: Estimator, *, few: bool) -> Days:
    """One look a day from the first week on, each as if it were the only one."""
    margin = MARGIN[panel.kind]
    found = by(form_of(panel.kind), *arms(panel, 0, 0))
    critical = single_look(RISK, found.freedom) if few else -ndtri(RISK)
    shape = (len(panel.sums), DAYS)
    pauses, met = np.zeros(shape, bool), np.zeros(shape, bool)
    with np.errstate(all="ignore"):
        pauses[:, LEAST_DAYS - 1 :] = (found.change + critical * found.error < 0) & (found.change <= -margin)
        met[:, LEAST_DAYS - 1 :] = found.change - critical * found.error > -margin
    return Days(pauses, met)


def _rows_apart(panel: Panel) -> Days:
    """Partner-days as clusters of their own, by the linearised ratio; arms and periods add up."""
    form = form_of(panel.kind)

    def apart(form: Form, pilot: Arm, control: Arm) -> Estimate:
        found = differences(form, pilot, control)
        return found._replace(error=_row_error(panel), freedom=np.full_like(found.change, 1e9))

    return _peeking(panel, lambda _, pilot, control: apart(form, pilot, control), few=False)


def _row_error(panel: Panel) -> Floats:
    """Standard error of the difference in differences, every partner-day taken for independent."""
    total: Floats = np.zeros((len(panel.sums), DAYS - LEAST_DAYS + 1))
    for arm in (slice(0, panel.pilot), slice(panel.pilot, None)):
        before, after = panel.sums[:, arm, :BASELINE], panel.sums[:, arm, BASELINE:]
        total += _row_variance(panel.kind, before.sum(axis=1), before, cumulative=False)[:, -1:]
        total += _row_variance(panel.kind, after.sum(axis=1), after, cumulative=True)[:, LEAST_DAYS - 1 :]
    return np.sqrt(total)


def _row_variance(kind: Kind, totals: Floats, rows: Floats, *, cumulative: bool) -> Floats:
    """Of the value over the days so far, from the squares of what each partner-day pulls."""
    sums = np.cumsum(totals, axis=1)
    squares = np.cumsum(np.einsum("rpdk,rpdl->rdkl", rows, rows), axis=1)
    with np.errstate(all="ignore"):
        if kind is Kind.VELOCITY:
            slope = np.stack([1 / sums[..., 0], 1 / sums[..., 1], -1 / sums[..., 2]], axis=-1)
        else:
            slope = 100 * np.stack([1 / sums[..., 1], -sums[..., 0] / sums[..., 1] ** 2], axis=-1)
        found: Floats = np.einsum("rdk,rdkl,rdl->rd", slope, squares, slope)
    return found


def rank_test(panel: Panel) -> Days:
    """Mann-Whitney as canary analysis applies it: daily readings of the last 14 days, pilot against control."""
    form, width = form_of(panel.kind), 14
    daily = [form.value(_by_day(panel, arm).mean(axis=-2)) for arm in (slice(0, panel.pilot), slice(panel.pilot, None))]
    shape = (len(panel.sums), DAYS)
    pauses, met = np.zeros(shape, bool), np.zeros(shape, bool)
    for day in range(LEAST_DAYS - 1, DAYS):
        first = max(0, day + 1 - width)
        _, high = _shift_interval(daily[0][:, first : day + 1], daily[1][:, first : day + 1])
        size = _mean_there(daily[0][:, first : day + 1]) - _mean_there(daily[1][:, first : day + 1])
        pauses[:, day] = (high < 0) & (size <= -MARGIN[panel.kind])
        met[:, day] = ~(high < 0)
    return Days(pauses, met)


def _mean_there(readings: Floats) -> Floats:
    """Of the days that have a reading; NaN without any."""
    with np.errstate(all="ignore"):
        found: Floats = np.nansum(readings, axis=1) / np.isfinite(readings).sum(axis=1)
    return found


def _shift_interval(ours: Floats, theirs: Floats) -> tuple[Floats, Floats]:
    """The 98 % interval of the location shift (Hodges and Lehmann), by the normal approximation of the rank sum."""
    n, m = ours.shape[1], theirs.shape[1]
    shifts = np.sort((ours[:, :, None] - theirs[:, None, :]).reshape(len(ours), -1), axis=1)
    cut = n * m / 2 - -ndtri(0.01) * np.sqrt(n * m * (n + m + 1) / 12)
    at = int(np.clip(np.floor(cut), 0, n * m - 1))
    return shifts[:, at], shifts[:, n * m - 1 - at]


def arms(panel: Panel, stage: int, lag: int) -> tuple[Arm, Arm]:
    """Pilot and control at each look since a stage, the rows of both added up from there."""
    before = _before(panel)[:, None]
    after = _after(panel, stage, lag)
    pilot, control = (
        Arm(np.broadcast_to(before[:, :, arm], (*after.shape[:2], *before[:, :, arm].shape[2:])), after[:, :, arm])
        for arm in (slice(0, panel.pilot), slice(panel.pilot, None))
    )
    return pilot, control


def _before(panel: Panel) -> Floats:
    found: Floats = panel.sums[:, :, :BASELINE].sum(axis=2)
    return found


def _after(panel: Panel, stage: int, lag: int) -> Floats:
    """Sums since a stage at each look, of what is known by then: shape (rollouts, looks, partners, sums)."""
    days = panel.sums[:, :, BASELINE + stage :]
    sums = np.moveaxis(np.cumsum(days, axis=2), 2, 1)[:, LEAST_DAYS - 1 : days.shape[2] - lag]
    if lag >= LATEST or panel.known[0] == 1:
        return sums
    return sums - _untold(panel, days, lag)[:, LEAST_DAYS - 1 : days.shape[2] - lag]


def _untold(panel: Panel, days: Floats, lag: int) -> Floats:
    """What of the pilot's numerators is not known yet, at each look."""
    missing = np.zeros((len(days), days.shape[2], *days.shape[1:2], days.shape[3]))
    for age in range(lag, LATEST):
        share = 1 - panel.known[age]
        moved = np.moveaxis(days, 2, 1)[:, : days.shape[2] - (age - lag), :, 0] * share
        missing[:, age - lag :, : panel.pilot, 0] += moved[:, :, : panel.pilot]
    return missing


def _known(panel: Panel, arm: slice, *, width: int) -> Floats:
    """Sums over the trailing days at each look, of what is known by then."""
    days = panel.sums[:, arm, BASELINE:]
    total = np.cumsum(days, axis=2)
    total[:, :, width:] -= np.cumsum(days, axis=2)[:, :, :-width]
    found = np.moveaxis(total, 2, 1)
    if panel.known[0] == 1 or arm.start != 0:
        return found
    return found - _untold(panel, panel.sums[:, :, BASELINE:], 0)[:, :, arm]


def _by_day(panel: Panel, arm: slice) -> Floats:
    found: Floats = np.moveaxis(panel.sums[:, arm, BASELINE:], 2, 1)
    return found


JUDGES: dict[str, Judge] = {
    "limit, first look beyond": threshold,
    "limit, three in a row": three_in_a_row,
    "z, rows independent, peeking": independent_z,
    "clustered t, peeking": clustered_t,
    "Mann-Whitney": rank_test,
    "difference in differences, sequential": reference,
    "ours without maturing": unmatured,
    "ours, method 1": ours_before,
    "ours": ours,
}
