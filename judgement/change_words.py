"""Says in one plain sentence what a judged change shows."""

from __future__ import annotations

from collections.abc import Sequence

from models.change import Gate, GateFinding, MaterialChange
from models.evidence import Verdict
from models.metric import CATALOGUE, Direction, MetricName


def nothing_told(metric: MetricName, gates: Sequence[GateFinding]) -> str:
    """Why nothing can be said."""
    why = "; ".join(one.told for one in gates if one.blocks) or "nothing was measured since enrolment"
    return f"nothing can be said of a change of {CATALOGUE[metric].title}: {why}"


def sentence(metric: MetricName, verdict: Verdict, change: MaterialChange, *, anew: bool = False) -> str:
    """The verdict in words, with estimate, bound and margin in the unit of the change.

    Args:
        anew: it rests on a stretch that began with an enlargement, and not with the cohort.
    """
    estimate, margin = change.estimate or 0.0, change.margin or 0.0
    beside = "than at its baseline" if change.uncontrolled else "than in comparable partners"
    since = f" since {change.since:%Y-%m-%d}" if anew and change.since else ""
    told = f"{CATALOGUE[metric].title} is {_worse(metric, estimate, change.unit)} {beside}{since}"
    agreed = f"agreed margin {margin:.1f}"
    match verdict:
        case Verdict.NOT_MET:
            return f"{told}, at least {abs(_nearest(change)):.1f}; {agreed}: not met"
        case Verdict.MET:
            return f"{told}, at most {_most(metric, change):.1f} worse; {agreed}: met"
        case _:
            return f"{told}, {_between(change)}; {agreed}: {_why_not(change)}"


def _worse(metric: MetricName, estimate: float, unit: str) -> str:
    """Rounded first: what reads as nothing is neither better nor worse."""
    size = f"{abs(estimate):.1f}"
    if float(size) == 0:
        return "no different"
    direction = CATALOGUE[metric].direction
    if direction is Direction.TWO_SIDED:
        return f"{size} {unit} {'higher' if estimate > 0 else 'lower'}"
    better = (estimate > 0) == (direction is Direction.HIGHER)
    return f"{size} {unit} {'better' if better else 'worse'}"


def _nearest(change: MaterialChange) -> float:
    """The end of the interval nearest to nothing."""
    ends = [end for end in change.interval if end is not None]
    return min(ends, key=abs, default=0.0)


def _most(metric: MetricName, change: MaterialChange) -> float:
    """How much worse it may be at most."""
    low, high = change.interval
    match CATALOGUE[metric].direction:
        case Direction.HIGHER:
            return max(-(low or 0.0), 0.0)
        case Direction.LOWER:
            return max(high or 0.0, 0.0)
        case _:
            return max(abs(low or 0.0), abs(high or 0.0))


def _between(change: MaterialChange) -> str:
    low, high = ("any" if end is None else f"{end:+.1f}" for end in change.interval)
    return f"between {low} and {high}"


def _why_not(change: MaterialChange) -> str:
    """What keeps it from being told, the gravest first, and when it probably could be."""
    gates = {one.gate: one for one in change.gates}
    if Gate.OUTLIERS in gates and gates[Gate.OUTLIERS].blocks:
        return f"cannot tell, {gates[Gate.OUTLIERS].told}"
    if change.advisory:
        return "cannot tell with so few partners, for advice only"
    doubts = [one.told for one in change.gates if one.gate is not Gate.OUTLIERS]
    if doubts:
        return f"cannot tell, {'; '.join(doubts)}"
    seen = ""
    if change.detectable is not None:
        seen = f", so far one of {change.detectable:.1f} {change.unit} would have been seen"
    when = f"by {change.tells_on:%Y-%m-%d}" if change.tells_on else "not by the planned end"
    return f"cannot tell yet{seen}, the margin probably {when}"
