"""Which partners move a cohort's number most in the bad direction: the names a pause message gives."""

from __future__ import annotations

from collections.abc import Sequence

from models.evidence import PartnerReading
from models.metric import CATALOGUE, Direction, MetricName

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
