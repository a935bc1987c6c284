"""Counts breaches for tolerances: which readings count, which are one look, and when it is more than was agreed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias

from models.evidence import Breaches, MetricAssessment, Verdict
from models.metric import MetricUse
from models.plan_metric import Tolerance

Look: TypeAlias = tuple[datetime, bool]
"""When a metric of a cohort was read, and whether it lay beyond its threshold."""


def counts_as(item: MetricAssessment) -> bool | None:
    """What a judged reading adds to the count: True a breach, False the end of a run of them, None nothing.

    A reading that says nothing must not end a run: or else a source that is cut off now and then would keep a
    lasting breach tolerated for ever. What a change says counts for neither: it is judged over all looks together.
    """
    verdict = item.verdict if item.by_change is None else item.by_thresholds
    if verdict in (Verdict.NO_EVIDENCE, None) or item.untrusted:
        return None
    if verdict is Verdict.NOT_MET:
        return True
    if item.beyond_threshold:
        return True if item.use is MetricUse.GUARDRAIL or item.minimum_sample_reached else None
    return False if verdict is Verdict.MET else None


def spaced(looks: Iterable[Look], gap: timedelta) -> tuple[bool, ...]:
    """The looks that count, the oldest first: those closer than `gap` to the first of them are one.

    The watch and the rollout read the same breach within minutes; a tolerance must not be used up by that. Of
    looks that are one, the newest speaks.
    """
    counted: list[Look] = []
    for at, beyond in looks:
        if counted and at - counted[-1][0] < gap:
            counted[-1] = (counted[-1][0], beyond)
        else:
            counted.append((at, beyond))
    return tuple(beyond for _, beyond in counted)


def count_breaches(readings: Sequence[bool]) -> Breaches:
    """How many of the readings lay beyond, in all and in an unbroken run up to the newest."""
    in_a_row = 0
    for beyond in reversed(readings):
        if not beyond:
            break
        in_a_row += 1
    return Breaches(in_a_row=in_a_row, in_all=sum(readings))


def tolerated(breaches: Breaches, tolerance: Tolerance) -> bool:
    """Whether so many breaches are within what was agreed: a breach of the agreement is strictly more."""
    if breaches.in_a_row > tolerance.in_a_row:
        return False
    return tolerance.in_all is None or breaches.in_all <= tolerance.in_all
