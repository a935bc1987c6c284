"""What a next cycle could agree on as a margin: what every gate that was passed bore, and the cohorts could show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from judgement.healthy import rounded_out, step_of
from judgement.margins import borne
from learning.accepted import Stretch, failed, halted, passed
from learning.entries import ordered
from learning.limits import changes_of, cohorts_of
from models.evidence import Verdict
from models.learning import ChangeReading, Readings
from models.log import LogEntry
from models.metric import MetricName
from models.plan import RolloutPlan
from models.plan_change import ChangeRule, Margin

FINEST = 0.01
"""The smallest step of a margin: finer ones nobody agrees."""


class GateLook(NamedTuple):
    """The last look at a change before a phase or wave was left. `why_not` says what keeps it from being accepted."""

    look: ChangeReading
    why_not: str | None


class Said(NamedTuple):
    """What a look says of margins, in the agreed one's own unit: which one would probably have been met, None where
    that cannot be said, and how large a change would probably have been seen."""

    look: ChangeReading
    bore: float | None
    showed: float


def gate_looks(
    plan: RolloutPlan, metric: MetricName, log: Iterable[LogEntry], readings: Readings
) -> tuple[GateLook, ...]:
    """What was said of a change when phases and waves were left, cohort by cohort, the oldest first.

    Accepted is a look that was *met* and whose stretch, from where it begins to the look, holds neither a pause nor a
    failed period of its own: what went wrong stays in the sums for as long as the stretch goes on.
    """
    entries = ordered(log)
    good, bad = passed(entries), halted(entries)
    found = []
    for cohort in cohorts_of(plan, readings):
        looks = changes_of(readings, cohort, metric)
        own = (*bad, *failed(looks))
        for phase in good:
            last = next((one for one in reversed(looks) if phase.since <= one.as_of < phase.until), None)
            if last is not None:
                found.append(GateLook(last, _why_not(last, own)))
    return tuple(found)


def _why_not(look: ChangeReading, bad: Sequence[Stretch]) -> str | None:
    if look.verdict is not Verdict.MET or look.change is None or look.change.since is None:
        return f"{look.cohort} was {look.verdict.value} on {look.as_of:%Y-%m-%d}, when a phase was left"
    since = look.change.since
    if any(stretch.meets(since, look.as_of) for stretch in bad):
        return (
            f"what {look.cohort} showed from {since:%Y-%m-%d} to {look.as_of:%Y-%m-%d} holds a pause or failed period"
        )
    return None


def propose_margin(rule: ChangeRule, metric: MetricName, looks: Sequence[GateLook]) -> tuple[ChangeRule, str]:
    """The margin that every gate would have borne and every cohort could show in the end, where that is a stricter one;
    else the old one. A wider one is never proposed: that one is wanted stands in the reason."""
    kept, said = f"margin {rule.margin}: as before", _told_by(rule, metric, looks)
    if not looks:
        return rule, f"{kept}; no phase was passed in which this change was judged"
    refused = [one.why_not for one in looks if one.why_not]
    if refused:
        more = f" (and {len(refused) - 1} more looks at gates count as little)" if len(refused) > 1 else ""
        return rule, f"{kept}; {refused[0]}{more}{_wider(rule, said)}"
    bore = [(one.bore, one.look) for one in said if one.bore is not None]
    if len(bore) < len(looks):
        return rule, f"{kept}; {_unsaid(looks, said)}"
    (hardest, at), least = max(bore, key=lambda one: one[0]), max(_in_the_end(said), key=lambda one: one.showed)
    told = (
        f"of {len(bore)} looks at gates {_of(at)} needed most, {_spelled(hardest, rule)} to be met with a chance of "
        f"80 % where nothing changed; {_of(least.look)} would have shown one of {_spelled(least.showed, rule)}"
    )
    needed = max(hardest, least.showed)
    number = rounded_out(needed, max(step_of(needed), FINEST), down=False)
    if number >= rule.margin.number:
        return rule, f"{kept}; {told}: that leaves no room for a stricter one{_wider(rule, said)}"
    proposed = rule.model_copy(update={"margin": Margin(number=number, relative=rule.margin.relative)})
    return proposed, f"margin {proposed.margin}, was {rule.margin}: {told}"


def _unsaid(looks: Sequence[GateLook], said: Sequence[Said]) -> str:
    """Why looks that were accepted do not all say which margin would have been met."""
    nothing = next((one.look for one in looks if one.look.change is not None and one.look.change.margin == 0), None)
    if nothing is not None:
        return f"{_of(nothing)} was judged by a margin of nothing, and no other can be told from that"
    if any(one.bore is None for one in said):
        return "an interval without an end does not say what would have been met"
    return "a look at a gate does not say how large a change would have been seen"


def _told_by(rule: ChangeRule, metric: MetricName, looks: Sequence[GateLook]) -> list[Said]:
    found = []
    for one in looks:
        change = one.look.change
        if change is None or not change.margin or change.detectable is None:
            continue
        # A part of the baseline was judged in points: what it was then tells how to write them.
        unit = rule.margin.number / change.margin
        bore = borne(metric, change)
        found.append(Said(one.look, None if bore is None else bore * unit, change.detectable * unit))
    return found


def _in_the_end(said: Sequence[Said]) -> list[Said]:
    """The newest of every cohort: what it could show when all its time was over."""
    return list({one.look.cohort: one for one in sorted(said, key=lambda one: one.look.as_of)}.values())


def _wider(rule: ChangeRule, said: Sequence[Said]) -> str:
    """That a cohort could not have shown the agreed margin, where that is so."""
    least = max(_in_the_end(said), key=lambda one: one.showed, default=None)
    if least is None or least.showed <= rule.margin.number:
        return ""
    return (
        f"; {_of(least.look)} would not have shown less than {_spelled(least.showed, rule)}: more partners, more time "
        "or a wider margin are for owners to argue"
    )


def _of(look: ChangeReading) -> str:
    return f"{look.cohort} on {look.as_of:%Y-%m-%d}"


def _spelled(number: float, rule: ChangeRule) -> str:
    return f"{number:.3g}{'%' if rule.margin.relative else 'pp'}"
