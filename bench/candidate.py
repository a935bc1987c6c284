"""A way to judge that is not in force: ours, with freedom lent by the comparison and a risk that is spent earlier.

    python -m bench.candidate [ROLLOUTS [SEED]]

Why, and what it found: docs/decisions/0048.
"""

from __future__ import annotations

import sys

import numpy as np

import judgement.estimate as inside
from bench.judges import RISK, STAGES, Bools, arms, form_of, ours, reference
from bench.panel import DAYS, HARMED, HEALTHY, LATEST, MARGIN, Kind, Panel, make
from judgement.boundaries import for_few, spending
from judgement.estimate import Arm, Estimate, Floats, Form
from judgement.gates import LEAST_DAYS
from judgement.material import SINCE_ENROLLED
from judgement.verdicts import PLANNED_PART

LENT = 4.0
"""Degrees of freedom that the comparison lends the pilot at most."""

POWER = 1.5
"""Of the calendar fraction, in the spending of the risk; in force it is 2."""

AT_ONCE = 4800


def borrowed(form: Form, pilot: Arm, control: Arm) -> Estimate:
    """Our estimate, with an error that is never less than ours and more degrees of freedom.

    Were nothing to change, a pilot's partners would scatter as those that they are compared with. With V_T and V_C the
    arms' variances, L_C what of V_C is not the slopes', S_T what of V_T is theirs, X what an arm counts, f its freedom:
    `V = (1 - w) V_T + w (X_C / X_T L_C + S_T) + V_C` with `w = d / (d + f_T)`, d the less of `LENT` and f_C; the error
    is the greater of `sqrt(V)` and ours. Freedom of `(1 - w) V_T` is f_T and of all else f_C, put together as Welch and
    Satterthwaite do (moderated variances: Smyth 2004). A velocity counts by the deals before, since its deals now are
    a part of what is judged.
    """
    with np.errstate(all="ignore"):
        change, own, variances, lent_from, by_slopes = _parts(form, pilot, control)
        counts = [form.weight(arm.after) for arm in (pilot, control)]
        freedoms = [np.maximum(one.sum(axis=-1) ** 2 / (one**2).sum(axis=-1) - 1, 1.0) for one in counts]
        usual = [
            form.weight(arm.before if isinstance(form, inside.LogVelocity) else arm.after).sum(axis=-1)
            for arm in (pilot, control)
        ]
        lent = np.minimum(LENT, freedoms[1])
        share = lent / (lent + freedoms[0])
        mine = (1 - share) * variances[0]
        theirs = share * (usual[1] / usual[0] * lent_from + by_slopes) + variances[1]
        freedom = (mine + theirs) ** 2 / (mine**2 / freedoms[0] + theirs**2 / freedoms[1])
        return Estimate(change, np.maximum(np.sqrt(mine + theirs), own), np.maximum(freedom, 1.0))


def _parts(form: Form, pilot: Arm, control: Arm) -> tuple[Floats, Floats, list[Floats], Floats, Floats]:
    """Change and error as in force; the variances of the arms; of the control's what is not the slopes', of the pilot's
    what is theirs, all at the fade that is taken."""
    found = inside.estimate(form, pilot, control)
    pair = (pilot, control)
    sizes = [arm.before.shape[-2] for arm in pair]
    usual = (pilot.before.sum(axis=-2) + control.before.sum(axis=-2)) / sum(sizes)
    losses = [inside._lost(form, arm.after) for arm in pair]
    pasts = [form.pasts(arm, usual) for arm in pair]
    drops = [np.stack(np.broadcast_arrays(*(one.lost for one in sides)), axis=-2) for sides in pasts]
    means = [np.stack(np.broadcast_arrays(*(one.expected for one in sides)), axis=-1) for sides in pasts]
    square = inside._together(sizes, [drop @ drop.swapaxes(-1, -2) for drop in drops])
    product = inside._together(sizes, [drop @ loss[..., None] for drop, loss in zip(drops, losses, strict=True)])
    inverse = inside._inverse(np.nan_to_num(square))
    slopes = np.clip((inverse @ product)[..., 0], [one.least for one in pasts[0]], inside.STEEPEST)
    left = [loss - (slopes[..., None, :] @ drop)[..., 0, :] for loss, drop in zip(losses, drops, strict=True)]
    moved = [
        inside._lost_by_slopes(inverse * (size - 1) ** 2, means[0] - means[1], drop, one)
        for size, drop, one in zip(sizes, drops, left, strict=True)
    ]
    residual = inside._spread(left)
    comparable = np.where(np.isnan(residual), np.inf, residual)
    near = comparable.min(axis=0) + inside.NO_SPREAD * inside._spread(losses)
    best = np.argmax(comparable <= near, axis=0)[None]
    at_best = [
        np.take_along_axis(inside._variance(one), best, axis=0)[0]
        for one in (left[0] - moved[0], left[1] + moved[1], left[1], moved[0])
    ]
    return found.change, found.error, at_best[:2], at_best[2], at_best[3]


def pauses(panel: Panel) -> Bools:
    """Whether each rollout would be paused on each of its days; *met* stays as it is in force."""
    found = np.zeros((len(panel.sums), DAYS), bool)
    for stage in STAGES:
        looks = DAYS - LATEST - stage
        one = borrowed(form_of(panel.kind), *arms(panel, stage, LATEST))
        risk = RISK * PLANNED_PART * (SINCE_ENROLLED if stage == 0 else (1 - SINCE_ENROLLED) / (len(STAGES) - 1))
        bounds = spending([risk * (look / looks) ** POWER for look in range(1, looks + 1)])[LEAST_DAYS - 1 :]
        with np.errstate(all="ignore"):
            beyond = one.change + for_few(np.array(bounds), one.freedom) * one.error < 0
            found[:, stage + LEAST_DAYS - 1 + LATEST :] |= beyond & (one.change <= -MARGIN[panel.kind])
    return found


def main(rollouts: int = 400, seed: int = 31337) -> None:
    """Print share paused and median day of the reference, ours and the candidate, on the same rollouts."""
    for kind in Kind:
        for number, world in enumerate((*HEALTHY, *HARMED)):
            for pilot, control in ((8, 40), (20, 60)):
                chance = np.random.default_rng([seed, list(Kind).index(kind), number, pilot])
                step = AT_ONCE // (pilot + control)
                seen: list[tuple[Bools, ...]] = []
                for first in range(0, rollouts, step):
                    panel = make(kind, world, pilot, control, min(step, rollouts - first), chance)
                    seen.append((reference(panel).pauses, ours(panel).pauses, pauses(panel)))
                told = (_told(np.concatenate(one)) for one in zip(*seen, strict=True))
                sys.stdout.write(f"{kind}, {world.name}, {pilot}: reference {'; '.join(told)}\n")


def _told(paused: Bools) -> str:
    ever = paused.any(axis=1)
    day = f" ({np.median(paused.argmax(axis=1)[ever] + 1):.0f})" if ever.any() else ""
    return f"{100 * ever.mean():.1f} %{day}"


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
