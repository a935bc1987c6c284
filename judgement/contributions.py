"""Which partners move a cohort's number most in the bad direction: the names a pause message gives."""

from __future__ import annotations

from collections.abc import Sequence

from models.evidence import PartnerReading
from models.metric import CATALOGUE, Direction, MetricName


def worst_partners(metric: MetricName, readings: Sequence[PartnerReading], limit: int) -> tuple[PartnerReading, ...]:
    """The partners without whom the cohort would read best, the worst first, at most `limit`.

    A partner's contribution to a ratio of sums N/D is `n - (N/D) * d`: what they add beyond their share, in the
    numerator's unit. Where lower is better, or both sides are alarms, its sign or its size decides. Partners
    with no contribution of the bad kind are left out.
    """
    usable = [one for one in readings if one.numerator is not None and one.denominator is not None]
    denominator = sum(one.denominator or 0.0 for one in usable)
    if not usable or denominator == 0:
        return ()
    ratio = sum(one.numerator or 0.0 for one in usable) / denominator
    scored = [(_badness(metric, (one.numerator or 0.0) - ratio * (one.denominator or 0.0)), one) for one in usable]
    bad = sorted((one for one in scored if one[0] > 0), key=lambda one: (-one[0], one[1].partner_id))
    if not bad:
        # All alike: nobody stands out, so the largest are named.
        bad = sorted(scored, key=lambda one: (-(one[1].denominator or 0.0), one[1].partner_id))
    return tuple(reading for _, reading in bad[:limit])


def _badness(metric: MetricName, contribution: float) -> float:
    match CATALOGUE[metric].direction:
        case Direction.HIGHER:
            return -contribution
        case Direction.LOWER:
            return contribution
        case Direction.TWO_SIDED:
            return abs(contribution)
