"""Judges made-up healthy rollouts by a plan's own limits: in how many of them an agreed limit is passed by chance."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from judgement.estimate import Floats
from judgement.panel import Panel, values
from judgement.resample import Course, Places, Timeline, added_up, group_sums
from models.metric import CATALOGUE, Block, MetricUse
from models.plan_metric import Basis, MetricPlan, Threshold

Flags: TypeAlias = NDArray[np.bool_]

CHUNK = 40
"""Rollouts that are worked out together: more would not fit into a processor's cache."""

TOO_OFTEN = 0.1
"""Share of healthy rollouts beyond which a limit is said to cost too much."""

_HALVINGS, _FINEST = 40, 0.1


class Share(NamedTuple):
    """Part of the made-up rollouts, and the standard error that comes from their number."""

    part: float
    error: float


class Path(NamedTuple):
    """What the looks of each rollout find: all of shape (runs, looks), but `baseline` of (runs, 1)."""

    value: Floats
    baseline: Floats
    enough: Flags


class LimitPrice(NamedTuple):
    """What one limit costs by itself. `wider` is the limit nearest to it that passes for healthy often enough."""

    limit: Threshold
    alone: Share
    wider: Threshold | None


def share(hit: Flags) -> Share:
    """Of a row of yes and no: its mean and `sqrt(p (1-p) / n)`, which is never less than that of one in n."""
    runs = len(hit)
    part = float(np.mean(hit))
    spread = max(part * (1 - part), (1 - 1 / runs) / runs)
    return Share(part, math.sqrt(spread / runs))


def follow(panel: Panel, rule: MetricPlan, course: Course, drawn: Places) -> Path:
    """The readings of a metric at every look: its trailing window, beside the baseline of the very same rollout."""
    days = np.array(course.looks)
    length = max(1, round(rule.window.total_seconds() / 86400))
    found = []
    for chunk in _chunks(drawn):
        timeline = Timeline(panel, course, chunk)
        window, frozen = timeline.window(days - length, days), timeline.baseline
        scale = length / course.frozen if CATALOGUE[panel.metric].grows_with_window else 1.0
        found.append((_values(panel, window), _values(panel, frozen) * scale, _enough(panel, rule, window)))
    return Path(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def alarms(path: Path, rule: MetricPlan, course: Course, limits: Sequence[Threshold] | None = None) -> Flags:
    """In which rollouts the metric is *not met*: of a guardrail at any look, of an outcome at its gate.

    As the product counts: strictly more breaches in a row, or in all, than are tolerated. Looks without a value count
    for neither side, nor do those of too small a sample, but for a guardrail's breaches; more of either than agreed are
    blind, which is *not met* as well.

    Args:
        limits: these alone, and nothing said of blindness.
    """
    chosen = rule.thresholds if limits is None else limits
    beyond = np.zeros(path.value.shape, dtype=bool)
    untold = ~np.isfinite(path.value)
    for limit in chosen:
        deficit = _deficit(limit, path)
        untold |= ~np.isfinite(deficit)
        beyond |= (deficit > 0) if limit.inclusive else (deficit >= 0)
    found = _counted(beyond, untold, path.enough, rule, course)
    return found if limits is not None else found | _blind(beyond, untold, path, rule, course)


def limit_prices(path: Path, rule: MetricPlan, course: Course) -> tuple[LimitPrice, ...]:
    """Each limit by itself."""
    return tuple(
        LimitPrice(limit, share(alarms(path, rule, course, (limit,))), _wider(limit, path, rule, course))
        for limit in rule.thresholds
    )


def rounded_out(number: float, step: float, *, down: bool) -> float:
    """The next whole step outwards."""
    found = math.floor(number / step + 1e-9) if down else math.ceil(number / step - 1e-9)
    return round(found * step, 10)


def step_of(size: float) -> float:
    """A step that people would agree in: a half from five on, a tenth below, and so for other magnitudes."""
    if size <= 0 or not math.isfinite(size):
        return 0.1
    power = 10.0 ** math.floor(math.log10(size))
    return float(power / 2 if size >= 5 * power else power / 10)


def _values(panel: Panel, weights: Floats) -> Floats:
    blocks = panel.facts.sum(axis=1)
    return values(panel, group_sums(panel, weights), weights @ blocks)


def _enough(panel: Panel, rule: MetricPlan, window: Floats) -> Flags:
    """Whether a look rests on the agreed sample."""
    least = rule.minimum_sample
    facts = window @ panel.facts
    if panel.block is Block.TENURE:
        facts = added_up(panel, window)[..., 1]
    reached = (facts > 0).sum(axis=-1) >= least.partners
    return np.asarray(reached & (facts.sum(axis=-1) >= least.facts - 1e-9))


def _chunks(drawn: Places) -> Iterator[Places]:
    for start in range(0, len(drawn), CHUNK):
        yield drawn[start : start + CHUNK]


def _deficit(limit: Threshold, path: Path) -> Floats:
    """How far the value lies beyond the limit, in the limit's own terms; NaN where it cannot be told."""
    with np.errstate(all="ignore"):
        compared = {
            Basis.ABSOLUTE: path.value,
            Basis.DIFFERENCE: path.value - path.baseline,
            Basis.RELATIVE: 100 * (path.value - path.baseline) / np.abs(path.baseline),
        }[limit.basis]
    distance = limit.number - compared
    return distance if limit.at_least else -distance


def _counted(beyond: Flags, untold: Flags, enough: Flags, rule: MetricPlan, course: Course) -> Flags:
    """Look by look, as `judgement.counting` does it for one rollout."""
    guards = rule.purpose is MetricUse.GUARDRAIL
    breach = beyond if guards else beyond & enough
    kept = ~beyond & ~untold & enough
    in_row = np.zeros(len(beyond))
    in_all = np.zeros(len(beyond))
    ever = np.zeros(len(beyond), dtype=bool)
    for at, day in enumerate(course.looks):
        if _begins_anew(course, at):
            in_row[:], in_all[:] = 0, 0
        in_row = np.where(breach[:, at], in_row + course.day_looks, np.where(kept[:, at], 0, in_row))
        in_all += breach[:, at] * course.day_looks
        more = in_row > rule.tolerance.in_a_row
        if rule.tolerance.in_all is not None:
            more |= in_all > rule.tolerance.in_all
        if guards or day == course.gate:
            ever = ever | (breach[:, at] & more)
    return ever


def _begins_anew(course: Course, at: int) -> bool:
    """Whether a phase ended between this look and the one before."""
    return any(one < course.looks[at] and (not at or course.looks[at - 1] <= one) for one in course.anew)


def _blind(beyond: Flags, untold: Flags, path: Path, rule: MetricPlan, course: Course) -> Flags:
    """In which rollouts nothing could be said of a guardrail for longer than is agreed, by `judgement.tolerance`."""
    ever = np.zeros(len(beyond), dtype=bool)
    unsure_agreed, nothing_agreed = rule.tolerance.cannot_tell, rule.tolerance.no_evidence_in_a_row
    if rule.purpose is not MetricUse.GUARDRAIL or not rule.tolerance.watches_for_blindness:
        return ever
    nothing = ~np.isfinite(path.value)
    unsure = ~nothing & ~beyond & (untold | ~path.enough)
    in_row, in_all = np.zeros(len(beyond)), np.zeros(len(beyond))
    for at in range(len(course.looks)):
        if _begins_anew(course, at):
            in_row[:], in_all[:] = 0, 0
        in_row = np.where(nothing[:, at], in_row + course.day_looks, 0)
        in_all += unsure[:, at] * course.day_looks
        if nothing_agreed is not None:
            ever = ever | (nothing[:, at] & (in_row > nothing_agreed))
        if unsure_agreed is not None:
            ever = ever | (unsure[:, at] & (in_all > unsure_agreed))
    return ever


def _wider(limit: Threshold, path: Path, rule: MetricPlan, course: Course) -> Threshold | None:
    """The nearest limit of its kind that, by itself, is passed in no more than `TOO_OFTEN` of the rollouts."""

    def often(by: float) -> bool:
        return bool(np.mean(alarms(path, rule, course, (_moved(limit, by),))) > TOO_OFTEN)

    if not often(0):
        return limit
    deficits = _deficit(limit, path)
    high = float(np.nanmax(np.where(np.isfinite(deficits), deficits, 0.0))) * 1.001 + 1e-9
    if often(high):
        return None
    low = 0.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if often(middle) else (low, middle)
    moved = _moved(limit, high)
    return moved.model_copy(
        update={"number": rounded_out(moved.number, max(step_of(high), _FINEST), down=limit.at_least)}
    )


def _moved(limit: Threshold, by: float) -> Threshold:
    return limit.model_copy(update={"number": limit.number + (-by if limit.at_least else by)})
