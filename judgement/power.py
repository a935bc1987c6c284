"""Says what a cohort can show: the smallest change that is seen by the planned end, and how soon a given one is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from judgement.boundaries import for_few
from judgement.estimate import Arm, Floats
from judgement.gates import LEAST_DAYS
from judgement.healthy import CHUNK, Flags, Share, share
from judgement.methods import METHODS, SQUARE, Estimates, estimates
from judgement.panel import Panel
from judgement.resample import Course, Places, Timeline, added_up
from judgement.sums import form_of, is_relative
from judgement.verdicts import LIKELY, PLANNED_PART, bound_at
from models.metric import CATALOGUE, Direction
from models.plan_change import ChangeRule, Margin

MOST_PARTNERS = 640
LONGEST = 730
"""Where to stop looking for a cohort, and for a pilot in days, that would do."""


Chosen: TypeAlias = tuple[Places | None, Places | None]
"""Places of the partners of a pilot and of a control; None: all of them, each once."""


class Weights(NamedTuple):
    """What each week counts before and since, and how many times as long as the baseline each look's days are."""

    before: Floats
    since: Floats
    longer: Floats


class Looks(NamedTuple):
    """What each look of each made-up rollout finds: shape (runs, looks). `worse` is how much worse the cohort seems,
    `reach` how far that must lie above nothing, over all looks; `pass_reach` how far below the margin, at one of them.

    In the metric's unit, or on the scale of logarithms; where the error is nothing, so is what can be said. `days` are
    those since the enrolment, `level` the baseline. `two_sided`: better by as much is an alarm, too.
    """

    days: Sequence[int]
    worse: Floats
    reach: Floats
    pass_reach: Floats
    level: Floats
    logs: bool
    two_sided: bool


def look_at(
    pilot: Panel,
    control: Panel | None,
    rule: ChangeRule,
    course: Course,
    drawn: Places,
    *,
    risk_share: float = 1.0,
    chosen: Chosen = (None, None),
    every: int = 1,
) -> Looks:
    """Reckon the change at each look as the product does by the rule's method, in rollouts in which nothing changed.

    Args:
        risk_share: of the rule's pause risk that this metric may spend.
        chosen: places of partners of shape (runs, size), to make up a cohort of another size; and of the control's.
        every: only each so many-th day is looked at, by the boundary of that day.
    """
    maturity = math.ceil(rule.maturity.total_seconds() / 86400)
    matured = course.length - maturity
    ages = np.arange(matured, LEAST_DAYS - 1, -every)[::-1]
    if not len(ages):
        nothing = np.empty((len(drawn), 0))
        return Looks((), nothing, nothing, nothing, np.empty(len(drawn)), False, False)
    risk = rule.pause_risk * risk_share / (2 if _two_sided(pilot) else 1)
    bounds, passes = (
        np.array([bound_at(one * PLANNED_PART, matured, int(age), power) for age in ages])
        for one, power in ((risk, METHODS[rule.method].power), (rule.pass_risk, SQUARE))
    )
    parts = []
    for start in range(0, len(drawn), CHUNK):
        some, others = (None if one is None else one[start : start + CHUNK] for one in chosen)
        timeline = Timeline(pilot, course, drawn[start : start + CHUNK])
        weights = Weights(timeline.baseline, timeline.window(np.zeros_like(ages), ages), ages / course.frozen)
        found, level = _estimated(pilot, control, rule.method, weights, (some, others))
        reach, passing = (
            for_few(bound, one.freedom) * np.where(one.error > 0, one.error, np.nan)
            for bound, one in ((bounds, found.pausing), (passes, found.passing))
        )
        parts.append((-_sign(pilot) * found.passing.change, reach, passing, level))
    worse, reach, passing, level = (np.concatenate(one) for one in zip(*parts, strict=True))
    days = tuple(int(age) + maturity for age in ages)
    return Looks(days, worse, reach, passing, level, is_relative(pilot.metric), _two_sided(pilot))


def _estimated(
    pilot: Panel, control: Panel | None, method: int, weights: Weights, chosen: Chosen
) -> tuple[Estimates, Floats]:
    """The change of some runs at each age, shape (runs, ages), and the metric's level before, shape (runs,)."""
    form = form_of(pilot.metric)
    own = _arm(pilot, weights, chosen[0])
    before = own.before
    if control is None and is_relative(pilot.metric):
        # What is counted over more days is more, and nobody beside it is counted over as many.
        own = own._replace(before=before * weights.longer[:, None, None])
    with np.errstate(all="ignore"):
        level = form.value(before.mean(axis=-2))[:, 0]
    beside = _arm(control, weights, chosen[1]) if control else None
    return estimates(method, form, own, beside), level


def _sign(panel: Panel) -> int:
    """1 where more is better. Of what is an alarm on both sides it is too much that is looked for."""
    return 1 if CATALOGUE[panel.metric].direction is Direction.HIGHER else -1


def _two_sided(panel: Panel) -> bool:
    return CATALOGUE[panel.metric].direction is Direction.TWO_SIDED


def _arm(panel: Panel, weights: Weights, chosen: Places | None = None) -> Arm:
    before, after = (added_up(panel, one) for one in (weights.before, weights.since))
    if chosen is not None:
        places = chosen[:, None, :, None]
        before, after = (np.take_along_axis(one, places, axis=2) for one in (before, after))
    return Arm(before, after)


def margin_of(margin: Margin, looks: Looks) -> Floats:
    """The agreed margin in the terms of each run; on the scale of logarithms it is `-log(1 - margin)`."""
    if looks.logs:
        return np.full(looks.level.shape, -math.log1p(-min(margin.number / 100, 0.999)))
    if margin.relative:
        return np.asarray(margin.number / 100 * np.abs(looks.level))
    return np.full(looks.level.shape, margin.number)


def told(change: float, looks: Looks) -> float:
    """A change for the worse as people read it: in the metric's unit, or in percent where it is one of logarithms."""
    return 100 * -math.expm1(-change) if looks.logs else change


def detectable(looks: Looks) -> float | None:
    """The smallest harm from the first day that is proven in `LIKELY` of the rollouts by the end; None without any.

    A harm h moves what a look finds by h and leaves its error as it is, since every partner is h worse. A run shows
    it as soon as `h > reach - worse`, so that what is asked for is a quantile of the least of that over its looks.
    """
    if not looks.worse.size:
        return None
    lacking = looks.reach - looks.worse
    needed = np.min(np.where(np.isnan(lacking), np.inf, lacking), axis=1)
    found = float(np.quantile(needed, LIKELY, method="higher"))
    return max(found, 0.0) if math.isfinite(found) else None


def proven(looks: Looks, harm: Floats) -> Floats:
    """Share of the rollouts, look by look, in which a harm from the first day has been proven by then."""
    return _by_then(looks.worse + harm[:, None] > looks.reach)


def not_met(looks: Looks, harm: Floats, margin: Floats, *, strict: bool) -> Floats:
    """The same of the verdict *not met*: proven, and as large as the margin by the best estimate or, strictly, proven
    to be."""
    hit = _proven(looks, looks.worse + harm[:, None], margin[:, None], strict=strict)
    if looks.two_sided:
        hit |= _proven(looks, -looks.worse - harm[:, None], margin[:, None], strict=strict)
    return _by_then(hit)


def _proven(looks: Looks, worse: Floats, margin: Floats, *, strict: bool) -> Flags:
    return np.asarray(worse > margin + looks.reach if strict else (worse > looks.reach) & (worse >= margin))


def met(looks: Looks, harm: Floats, margin: Floats, day: int) -> Share:
    """Share of the rollouts that are *met* at the last look up to a day: proven not to be worse by the margin."""
    at = max(int(np.searchsorted(looks.days, day, side="right")) - 1, 0)
    worse, reach = looks.worse[:, at] + harm, looks.pass_reach[:, at]
    return share((np.abs(worse) if looks.two_sided else worse) + reach < margin)


def _by_then(hit: Flags) -> Floats:
    found: Floats = np.maximum.accumulate(hit, axis=1).mean(axis=0)
    return found


def day_of(looks: Looks, curve: Floats, wanted: float = LIKELY) -> int | None:
    """The first day on which a curve is that high."""
    reached = np.flatnonzero(curve >= wanted)
    return looks.days[int(reached[0])] if len(reached) else None


def draw_partners(rng: np.random.Generator, partners: int, size: int, runs: int) -> Places:
    """Partners for a cohort of another size, with replacement."""
    return rng.integers(0, partners, (runs, size))
