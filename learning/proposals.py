"""What a next cycle could agree on for a metric: limits, margins and tolerances, each with the reason for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from statistics import median
from typing import NamedTuple

from judgement.healthy import rounded_out, step_of
from learning.accepted import Accepted
from learning.margins import GateLook, propose_margin
from models.learning import Judged, PauseReview
from models.metric import MetricName
from models.plan_change import METHOD, ChangeRule
from models.plan_metric import Basis, MetricPlan, Threshold, Tolerance
from models.plan_rules_quality import agreed_anew
from models.quality import QualityBound

ENOUGH = 8
"""Accepted readings below which nothing is said of how a metric varies."""


class Proposal(NamedTuple):
    """A metric's part of a next plan; reasons stand by the field they are for."""

    metric: MetricPlan
    reasons: dict[str, tuple[str, ...]]


def propose(
    agreed: MetricPlan, found: Accepted, pauses: Sequence[PauseReview], looks: Sequence[GateLook] = ()
) -> Proposal:
    """Limits and margins as strict as what was accepted bears, and never looser than they were agreed: to loosen one is
    for owners to argue. A breach more is tolerated only where owners judged a pause a false alarm and none judged one
    right.

    Args:
        pauses: of the whole rollout.
        looks: at its change, when phases were left.
    """
    limits = [_limit(one, found, agreed.window) for one in agreed.thresholds]
    thresholds = tuple(limit for limit, _ in limits)
    tolerance, why = _tolerance(agreed, [one for one in pauses if agreed.metric in one.metrics])
    warning = tuple(one for one in agreed.warning if not any(_looser(one, limit) for limit in thresholds))
    change, why_change = _change(agreed.change, agreed.metric, looks) if agreed.change else (None, ())
    checks = _checks(agreed)
    reasons = {
        "metric": (_baseline(found),),
        "thresholds": tuple(reason for _, reason in limits),
        "change": why_change,
        "tolerance": why,
        "warning": _dropped(agreed.warning, warning),
        "data_quality": _why_checked(checks),
    }
    changes = {
        "thresholds": thresholds,
        "change": change,
        "tolerance": tolerance,
        "warning": warning,
        "data_quality": (*agreed.data_quality, *checks),
    }
    return Proposal(agreed.model_copy(update=changes), {field: told for field, told in reasons.items() if told})


def _change(rule: ChangeRule, metric: MetricName, looks: Sequence[GateLook]) -> tuple[ChangeRule, tuple[str, ...]]:
    """The rule with the margin that was borne, to be judged by the method of new plans."""
    proposed, why = propose_margin(rule, metric, looks)
    if rule.method == METHOD:
        return proposed, (why,)
    told = f"judged by method {METHOD}, was {rule.method}: what new plans are judged by"
    return proposed.model_copy(update={"method": METHOD}), (why, told)


def _checks(agreed: MetricPlan) -> tuple[QualityBound, ...]:
    """The checks of new plans that this one is silent on: what it says of one stands, also of one source alone."""
    said = {one.check for one in agreed.data_quality}
    usual = agreed_anew(agreed.metric, agreed.freshness, by_change=agreed.change is not None)
    return tuple(one for one in usual if one.check not in said)


def _why_checked(checks: Sequence[QualityBound]) -> tuple[str, ...]:
    if not checks:
        return ()
    named = ", ".join(one.check.value for one in checks)
    return (f"{named}: not in the plan of the cycle before; new plans have it checked, with these bounds",)


def _baseline(found: Accepted) -> str:
    if found.baseline is None:
        return "no accepted reading and no baseline with a value; the next prepare must measure one"
    if found.frozen:
        return f"baseline {found.baseline:.4g}: frozen by the cycle before; no reading was accepted since"
    first, last = found.readings[0], found.readings[-1]
    cohorts = ", ".join(dict.fromkeys(one.cohort for one in found.readings))
    return (
        f"baseline {found.baseline:.4g}: median of {len(found.readings)} accepted readings of {cohorts}, "
        f"{first.as_of:%Y-%m-%d} to {last.as_of:%Y-%m-%d}"
    )


def _limit(limit: Threshold, found: Accepted, window: timedelta) -> tuple[Threshold, str]:
    """A limit one more of the largest move beyond the worst accepted reading; the old one where that is stricter."""
    compared = _compared(limit, found)
    if len(compared) < ENOUGH:
        return limit, f"{limit}: as before; {len(compared)} accepted readings say nothing of how it varies"
    if found.readings[-1].as_of - found.readings[0].as_of < window:
        return (
            limit,
            f"{limit}: as before; {len(compared)} accepted readings are of one window, so of nearly the same facts",
        )
    middle = median(compared)
    move = max(abs(one - middle) for one in compared)
    if not move:
        return limit, f"{limit}: as before; {len(compared)} accepted readings are all alike and say nothing of chance"
    worst = min(compared) if limit.at_least else max(compared)
    room = worst - move if limit.at_least else worst + move
    number = rounded_out(room, step_of(move), down=limit.at_least)
    proposed = limit.model_copy(update={"number": number})
    told = f"{len(compared)} accepted readings lay between {min(compared):.4g} and {max(compared):.4g}"
    if not _looser(limit, proposed):
        return limit, f"{limit}: as before; {told}, which leaves no room for a stricter one"
    return proposed, f"{proposed}, was {limit}: {told}; it leaves one more move of {move:.3g} beyond the worst"


def _compared(limit: Threshold, found: Accepted) -> list[float]:
    """The accepted readings in what the limit's number is in, against the baseline they make."""
    values = [one.value for one in found.readings if one.value is not None]
    if limit.basis is Basis.ABSOLUTE:
        return values
    if not found.baseline or found.frozen:
        return []
    if limit.basis is Basis.DIFFERENCE:
        return [one - found.baseline for one in values]
    return [100 * (one - found.baseline) / abs(found.baseline) for one in values]


def _looser(one: Threshold, other: Threshold) -> bool:
    """Whether a limit leaves more room than another of its kind."""
    alike = one.basis is other.basis and one.at_least is other.at_least
    return alike and (one.number < other.number if one.at_least else one.number > other.number)


def _tolerance(agreed: MetricPlan, pauses: Sequence[PauseReview]) -> tuple[Tolerance, tuple[str, ...]]:
    tolerance = agreed.tolerance
    counts = {kind: sum(one.judged is kind for one in pauses) for kind in Judged}
    if not pauses:
        return tolerance, ()
    told = "it paused the rollout: " + ", ".join(f"{count} {kind.value}" for kind, count in counts.items() if count)
    alarms = counts[Judged.FALSE_ALARM]
    if not alarms or counts[Judged.RIGHT] or counts[Judged.DISPUTED]:
        return tolerance, (f"as before; {told}",)
    more = tolerance.in_a_row + 1
    in_all = None if tolerance.in_all is None else max(tolerance.in_all, more)
    proposed = tolerance.model_copy(update={"in_a_row": more, "in_all": in_all})
    return proposed, (f"in_a_row {more}, was {tolerance.in_a_row}: {told}",)


def _dropped(before: Sequence[Threshold], after: Sequence[Threshold]) -> tuple[str, ...]:
    gone = [str(one) for one in before if one not in after]
    return (f"{', '.join(gone)} would be looser than the new threshold and is left out",) if gone else ()
