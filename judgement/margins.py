"""What margin a judged change bears: the smallest one with which a cohort like it would probably have been met."""

from __future__ import annotations

import math

from scipy.special import stdtrit

from judgement.material import spoken_harm
from judgement.sums import is_relative
from judgement.verdicts import LIKELY
from models.change import MaterialChange
from models.metric import CATALOGUE, Direction, MetricName


def borne(metric: MetricName, change: MaterialChange) -> float | None:
    """The smallest margin, in the change's unit, with which this look would have been *met* as it was, and would be
    with a chance of 80 % in a cohort as uncertain in which nothing changed: `k * error + max(harm, t_0.8 * error)`.

    `k * error` is how far the interval reaches from the estimate to the bad side, which is what *met* is judged by.
    None where nothing was reckoned, or the interval has no end there.
    """
    estimate, error, freedom = change.estimate, change.error, change.freedom
    if estimate is None or error is None or freedom is None:
        return None
    end = change.interval[0 if _turn(metric, estimate) > 0 else 1]
    if end is None:
        return None
    harm = _harm(metric, change, estimate)
    reach = _harm(metric, change, end) - harm
    if not math.isfinite(reach):
        return None
    luck = float(stdtrit(freedom, LIKELY)) * error
    found = spoken_harm(reach + max(harm, luck), metric)
    return found if math.isfinite(found) and found > 0 else None


def _harm(metric: MetricName, change: MaterialChange, number: float) -> float:
    """A number of the change's unit on the scale that it was judged on, turned so that more is worse."""
    judged = number
    if is_relative(metric):
        # The loss of everything lies endlessly far on the log scale.
        judged = math.log1p(number / 100) if number > -100 else -math.inf
    return -_turn(metric, change.estimate or 0.0) * judged


def _turn(metric: MetricName, estimate: float) -> float:
    """1 where less is worse, -1 where more is; of an alarm on both sides the one on which the estimate lies."""
    match CATALOGUE[metric].direction:
        case Direction.HIGHER:
            return 1.0
        case Direction.LOWER:
            return -1.0
        case Direction.TWO_SIDED:
            return -1.0 if estimate > 0 else 1.0
