"""Which partners move a cohort's number: who cost it most, and how much of a change is due to each of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from judgement.values import group_value
from models.evidence import Contribution, PartnerReading
from models.metric import CATALOGUE, Direction, Grouping, MetricName

GRAVE = ("critical_failed", "unbudgeted")
"""Parts that are a breach by themselves."""

MISSES = frozenset(name for name, spec in CATALOGUE.items() if spec.counts_misses)
"""Metrics whose numerator counts what went well out of the denominator: the rest is what went wrong."""


def worst_partners(metric: MetricName, readings: Sequence[PartnerReading], limit: int) -> tuple[PartnerReading, ...]:
    """The partners who cost the cohort most, the worst first, at most `limit`.

    Failed critical checks and money spent without an allocation come before all else. Leads and assignments count
    by how many were missed. Otherwise a partner's contribution to a ratio of sums N/D is `n - (N/D) * d`: what they
    add beyond their share. Below it is bad where higher is better; where both sides are alarms, the side on which
    the cohort lies. Where nobody stands out the largest are named.
    """
    for grave in GRAVE:
        found = [(one.parts.get(grave, 0.0), one) for one in readings if one.parts.get(grave, 0.0) > 0]
        if found:
            return _first(found, limit)
    usable = [one for one in readings if one.numerator is not None and one.denominator is not None]
    if metric in MISSES:
        missed = [((one.denominator or 0.0) - (one.numerator or 0.0), one) for one in usable]
        return _first([(count, one) for count, one in missed if count > 0], limit)
    bad = [(score, one) for score, one in _contributions(metric, usable) if score > 0]
    return _first(bad or [(one.denominator or 0.0, one) for one in usable], limit)


def _first(scored: Sequence[tuple[float, PartnerReading]], limit: int) -> tuple[PartnerReading, ...]:
    ordered = sorted(scored, key=lambda pair: (-pair[0], pair[1].partner_id))
    return tuple(reading for _, reading in ordered[:limit])


def _contributions(metric: MetricName, readings: Sequence[PartnerReading]) -> list[tuple[float, PartnerReading]]:
    denominator = sum(one.denominator or 0.0 for one in readings)
    if denominator == 0:
        return []
    ratio = sum(one.numerator or 0.0 for one in readings) / denominator
    direction = CATALOGUE[metric].direction
    less_is_bad = ratio < 1 if direction is Direction.TWO_SIDED else direction is Direction.HIGHER
    sign = -1.0 if less_is_bad else 1.0
    return [(sign * ((one.numerator or 0.0) - ratio * (one.denominator or 0.0)), one) for one in readings]


def contributions(
    metric: MetricName, now: Sequence[PartnerReading], then: Sequence[PartnerReading], scale: float = 1.0
) -> tuple[Contribution, ...]:
    """How much of the change of a cohort's value since the baseline each partner makes up; they add up to it exactly.

    With the cohort's ratio R = N/D, of the baseline R0 = N0/D0, a partner's part is
    `(n - R0 d) / D - (n0 - R0 d0) / D0`: how far it pulls the ratio off R0 now, less how far it did then. It is the
    sum of what its own ratio r did, `(r - r0) d/D`, and of what its weight did, `(d/D - d0/D0) (r0 - R0)`. Pipeline
    velocity is value won times speed: half of each change is taken at the one end of the other, half at the other end;
    there `own` is the value won, and `mix` the speed.

    Args:
        scale: what the baseline's numerators count here, where windows differ in length and the metric grows with them.

    Returns:
        The largest part of the change first; none where one of the values cannot be given.
    """
    values = group_value(metric, now).value, group_value(metric, then).value
    if None in values:
        return ()
    pairs = _pairs(now, then)
    if CATALOGUE[metric].grouping is Grouping.FROM_PARTS:
        found = _of_a_product(pairs, scale)
    else:
        found = _of_a_ratio(pairs, _factor(metric), scale)
    total = sum(one.change for one in found)
    if not math.isfinite(total):
        return ()
    sign = -1.0 if total < 0 else 1.0
    return tuple(sorted(found, key=lambda one: (-sign * one.change, one.partner_id)))


class _Pair(NamedTuple):
    partner_id: str
    now: PartnerReading | None
    then: PartnerReading | None


def _pairs(now: Sequence[PartnerReading], then: Sequence[PartnerReading]) -> list[_Pair]:
    ours, theirs = ({one.partner_id: one for one in rows} for rows in (now, then))
    return [_Pair(partner, ours.get(partner), theirs.get(partner)) for partner in sorted({*ours, *theirs})]


def _factor(metric: MetricName) -> float:
    """What a ratio is multiplied with to be in the metric's unit: scores are points already."""
    return 1.0 if CATALOGUE[metric].grouping is Grouping.MEAN_OF_SCORES else 100.0


def _of_a_ratio(pairs: Sequence[_Pair], factor: float, scale: float) -> list[Contribution]:
    whole, before = _sides(one.now for one in pairs), _sides((one.then for one in pairs), scale)
    if whole[1] == 0 or before[1] == 0:
        return []
    base = before[0] / before[1]
    found = []
    for one in pairs:
        (n, d), (n0, d0) = _sides((one.now,)), _sides((one.then,), scale)
        change = (n - base * d) / whole[1] - (n0 - base * d0) / before[1]
        ratio, ratio0 = _ratio(n, d), _ratio(n0, d0)
        # Who was not there then has no ratio of their own to change: all of it is that they came.
        own = (ratio - ratio0) * d / whole[1] if ratio is not None and ratio0 is not None else 0.0
        found.append(
            Contribution(
                partner_id=one.partner_id,
                change=factor * change,
                own=factor * own,
                mix=factor * (change - own),
                then=None if ratio0 is None else factor * ratio0,
                now=None if ratio is None else factor * ratio,
            )
        )
    return found


def _of_a_product(pairs: Sequence[_Pair], scale: float) -> list[Contribution]:
    """Value won times deals won per day of cycle; the second is a ratio of sums itself."""
    won = [(scale * _part(one.then, "won_value"), _part(one.now, "won_value")) for one in pairs]
    value0, value1 = sum(a for a, _ in won), sum(b for _, b in won)
    (deals0, days0), (deals1, days1) = (
        (sum(_part(one, "won") for one in rows), sum(_part(one, "cycle_days") for one in rows))
        for rows in ([one.then for one in pairs], [one.now for one in pairs])
    )
    speed0, speed1 = (deals0 / days0 if days0 else None), (deals1 / days1 if days1 else None)
    if speed0 is None and speed1 is None:
        return []
    # Where nothing was won there is no speed, and nothing that it could have changed.
    ends = [one for one in (speed0, speed1) if one is not None]
    speed, value = sum(ends) / len(ends), (value0 + value1) / 2
    found = []
    for one, (before, after) in zip(pairs, won, strict=True):
        own, faster = (after - before) * speed, 0.0
        if speed0 is not None and speed1 is not None:
            now, then = (
                (_part(row, "won") - speed0 * _part(row, "cycle_days")) / days
                for row, days in ((one.now, days1), (one.then, days0))
            )
            faster = value * (now - then)
        found.append(
            Contribution(partner_id=one.partner_id, change=own + faster, own=own, mix=faster, then=None, now=None)
        )
    return found


def _ratio(numerator: float, denominator: float) -> float | None:
    """None where there is nothing to divide by, or so little that the ratio is beyond all numbers."""
    if denominator == 0:
        return None
    found = numerator / denominator
    return found if math.isfinite(100 * found) else None


def _sides(rows: Iterable[PartnerReading | None], scale: float = 1.0) -> tuple[float, float]:
    """Sums of numerators, counted by `scale`, and denominators."""
    there = [one for one in rows if one is not None]
    return scale * sum(one.numerator or 0.0 for one in there), sum(one.denominator or 0.0 for one in there)


def _part(row: PartnerReading | None, name: str) -> float:
    return row.parts.get(name, 0.0) if row else 0.0
