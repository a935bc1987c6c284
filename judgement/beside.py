"""Puts beside a verdict what it does not rest on: partners who are not enrolled, and who moved the number."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from judgement.contributions import GRAVE, contributions
from judgement.values import group_value
from models.evidence import Baseline, CohortReading, Comparison, Contribution, MetricAssessment, PartnerReading
from models.metric import CATALOGUE, Direction, MetricName

NAMED = 5
"""Partners whose part of a change is kept; the rows behind the evidence give that of every one."""

TOLD = 3
"""Partners named in the sentence about a breach, and facts of each."""

Rows: TypeAlias = Mapping[tuple[str, MetricName], Sequence[PartnerReading]]
"""Partners' rows by cohort and metric."""


class Behind(NamedTuple):
    """What stands behind a snapshot: the rows of its cohorts, those of the baselines' snapshot, and the partners that
    the comparison was measured of."""

    rows: Rows
    then: Rows
    compared: Collection[str] = ()


def put_beside(
    item: MetricAssessment,
    reading: CohortReading,
    comparison: CohortReading | None,
    baseline: Baseline | None,
    behind: Behind,
) -> MetricAssessment:
    """The item with its comparison, and with the partners who make up most of its change since the baseline."""
    scale = _scale(reading, baseline)
    key = (item.cohort, item.metric)
    moved: tuple[Contribution, ...] = ()
    if item.baseline is not None and item.value is not None:
        moved = contributions(item.metric, behind.rows.get(key, ()), behind.then.get(key, ()), scale)
    return item.model_copy(
        update={
            "comparison": _compared(item, comparison, behind, scale) if comparison else None,
            "contributions": moved[:NAMED],
        }
    )


def by_whom(item: MetricAssessment, reading: CohortReading) -> tuple[str, ...]:
    """The partners of what is a breach by itself, at most `TOLD`; nobody where there is none.

    It may well leave no value, or no worse one, so that nobody's part of a change says whose it is.
    """
    grave = any(reading.group.parts.get(part, 0.0) > 0 for part in GRAVE)
    return item.partners[:TOLD] if grave else ()


def with_facts(
    item: MetricAssessment, facts: Mapping[str, tuple[str, ...]], grave: Collection[str] = ()
) -> MetricAssessment:
    """The item with the facts behind each contribution; of a breach it is said who made it.

    Args:
        grave: the partners of what is a breach by itself.
    """
    found = tuple(one.model_copy(update={"facts": facts.get(one.partner_id, ())}) for one in item.contributions)
    told = (*_whose_it_is(grave, facts), *_who_moved_it(item, found))
    return item.model_copy(update={"contributions": found, "reasons": (*item.reasons, *told)})


def _whose_it_is(grave: Collection[str], facts: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    if not grave:
        return ()
    return ("a breach by itself of " + ", ".join(f"{one}{_listed(facts.get(one, ()))}" for one in grave),)


def _who_moved_it(item: MetricAssessment, found: Sequence[Contribution]) -> tuple[str, ...]:
    """Nothing where the number did not get worse: what is beyond then was so at the baseline."""
    if not item.beyond_threshold or item.value is None or item.baseline is None:
        return ()
    change = item.value - item.baseline
    bad = {Direction.HIGHER: change < 0, Direction.LOWER: change > 0}.get(CATALOGUE[item.metric].direction, True)
    worst = [one for one in found if one.change * change > 0][:TOLD]
    if not bad or not worst:
        return ()
    names = (f"{one.partner_id} {one.change:+.2f}{_listed(one.facts)}" for one in worst)
    return (f"of {change:+.2f} since the baseline {', '.join(names)}",)


def _listed(facts: Sequence[str]) -> str:
    return f" ({', '.join(facts[:TOLD])})" if facts else ""


def _compared(item: MetricAssessment, reading: CohortReading, behind: Behind, scale: float) -> Comparison:
    """Of the same partners then and now, whichever cohort their baseline was measured in."""
    partners = set(behind.compared)
    then = [
        row
        for (_, metric), rows in behind.then.items()
        if metric is item.metric
        for row in rows
        if row.partner_id in partners
    ]
    before = group_value(item.metric, then).value
    before = None if before is None else before * scale
    value, difference = reading.group.value, None
    if item.value is not None and item.baseline is not None and value is not None and before is not None:
        difference = (item.value - item.baseline) - (value - before)
    return Comparison(
        cohort=reading.cohort,
        value=value,
        baseline=before,
        difference=difference,
        partners=reading.group.n_partners,
        facts=reading.group.n_facts,
    )


def _scale(reading: CohortReading, baseline: Baseline | None) -> float:
    """What a baseline counts over the reading's window."""
    if baseline is None or not CATALOGUE[reading.metric].grows_with_window:
        return 1.0
    before, now = (one.window.end - one.window.start for one in (baseline, reading))
    return now / before
