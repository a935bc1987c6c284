"""Counts looks for tolerances: which of them count, which are one, and when it is more than was agreed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from models.evidence import Breaches, Look, MetricAssessment, Verdict
from models.metric import MetricUse
from models.plan_metric import Tolerance

Said = TypeVar("Said")


def counts_as(item: MetricAssessment) -> bool | None:
    """What a judged reading adds to the count: True a breach, False the end of a run of them, None nothing.

    A reading that says nothing must not end a run: or else a source that is cut off now and then would keep a
    lasting breach tolerated for ever. What a change says counts for neither: it is judged over all looks together.
    Nor is a look a breach that comes after too many others that said nothing.
    """
    verdict = item.by_itself if item.by_change is None else item.by_thresholds
    if verdict in (Verdict.NO_EVIDENCE, None) or item.untrusted:
        return None
    if verdict is Verdict.NOT_MET:
        return True
    if item.beyond_threshold:
        return True if item.use is MetricUse.GUARDRAIL or item.minimum_sample_reached else None
    return False if verdict is Verdict.MET else None


def spaced(looks: Iterable[tuple[datetime, Said]], gap: timedelta) -> tuple[Said, ...]:
    """What the looks say that count, the oldest first: those closer than `gap` to the first of them are one.

    The watch and the rollout read the same breach within minutes; a tolerance must not be used up by that. Of
    looks that are one, the newest speaks.
    """
    counted: list[tuple[datetime, Said]] = []
    for at, said in looks:
        if counted and at - counted[-1][0] < gap:
            counted[-1] = (counted[-1][0], said)
        else:
            counted.append((at, said))
    return tuple(said for _, said in counted)


def count_breaches(readings: Sequence[bool]) -> Breaches:
    """How many of the readings lay beyond, in all and in an unbroken run up to the newest."""
    return Breaches(in_a_row=run_of(readings, True), in_all=sum(readings))


def tolerated(breaches: Breaches, tolerance: Tolerance) -> bool:
    """Whether so many breaches are within what was agreed: a breach of the agreement is strictly more."""
    if breaches.in_a_row > tolerance.in_a_row:
        return False
    return tolerance.in_all is None or breaches.in_all <= tolerance.in_all


def run_of(said: Sequence[Said], wanted: Said) -> int:
    """How many said the same up to the newest, without a break."""
    run = 0
    for one in reversed(said):
        if one != wanted:
            break
        run += 1
    return run


def by_itself(look: Look) -> Verdict:
    """What an earlier look said: a tolerated breach is kept as *cannot tell*, but it was told that it was beyond."""
    return Verdict.NOT_MET if look.beyond else look.verdict
