"""Makes a verdict of many looks: breaches that are tolerated, *met* often enough, nothing said for too long."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from judgement.counting import by_itself, count_breaches, counts_as, run_of, spaced, tolerated
from models.base import many
from models.evidence import Breaches, Look, MetricAssessment, Verdict
from models.metric import MetricUse
from models.plan_metric import OnBreach, Tolerance


def tolerating(
    item: MetricAssessment,
    tolerance: Tolerance,
    past: Sequence[Look],
    as_of: datetime,
    one_look: timedelta,
    *,
    outright: bool = False,
) -> MetricAssessment:
    """A reading against its thresholds, with its breaches counted, this one among them: one that is tolerated is
    *cannot tell*, and never *met*.

    Args:
        past: earlier looks since the count began, the oldest first.
        one_look: looks closer together than this are one.
        outright: a breach that no tolerance excuses.
    """
    present = counts_as(item)
    counted = [(one.at, one.beyond) for one in past if one.beyond is not None]
    breaches = count_breaches(spaced([*counted, *([(as_of, present)] if present is not None else [])], one_look))
    item = item.model_copy(update={"breaches": breaches})
    if item.verdict is not Verdict.NOT_MET or outright or not tolerated(breaches, tolerance):
        return item
    return _changed(item, Verdict.CANNOT_TELL, _breaches_told(breaches, tolerance))


def over_looks(
    item: MetricAssessment, tolerance: Tolerance, past: Sequence[Look], as_of: datetime, one_look: timedelta
) -> MetricAssessment:
    """All that was judged of a reading, with what the looks before it said.

    *Met* is said once it has been so in as many looks in a row as are agreed. A guardrail of which nothing could be
    said for longer than agreed is blind, which is *not met*. Each reason says what was counted and what is agreed.
    Arguments are as of `tolerating`, which comes first.
    """
    this = by_itself(Look(as_of, item.verdict, counts_as(item)))
    looks = spaced([*((one.at, by_itself(one)) for one in past), (as_of, this)], one_look)
    if this is Verdict.MET:
        return _often_enough(item, tolerance, run_of(looks, Verdict.MET))
    return item if this is Verdict.NOT_MET else _seeing(item, tolerance, looks)


def _often_enough(item: MetricAssessment, tolerance: Tolerance, run: int) -> MetricAssessment:
    if run >= tolerance.met_in_a_row:
        return item
    told = f"met in {many(run, 'look')} in a row, {tolerance.met_in_a_row} are agreed"
    return _changed(item, Verdict.CANNOT_TELL, told).model_copy(update={"looked": Verdict.MET})


def _seeing(item: MetricAssessment, tolerance: Tolerance, looks: Sequence[Verdict]) -> MetricAssessment:
    """A guardrail that nobody can read protects nobody. It pauses and never stops: a stop cannot be taken back, so it
    rests on what was seen."""
    if item.use is not MetricUse.GUARDRAIL:
        return item
    if item.verdict is Verdict.NO_EVIDENCE:
        number, agreed, how = run_of(looks, Verdict.NO_EVIDENCE), tolerance.no_evidence_in_a_row, " in a row"
    else:
        number, agreed, how = looks.count(Verdict.CANNOT_TELL), tolerance.cannot_tell, ""
    if agreed is None or number <= agreed:
        return item
    told = f"blind: {item.verdict.value} for {many(number, 'look')}{how}, tolerates {agreed}"
    blind = item.model_copy(
        update={"verdict": Verdict.NOT_MET, "looked": item.verdict, "reasons": (told, *item.reasons)}
    )
    return blind.model_copy(update={"on_breach": OnBreach.PAUSE}) if item.on_breach is OnBreach.STOP else blind


def _changed(item: MetricAssessment, verdict: Verdict, told: str) -> MetricAssessment:
    return item.model_copy(update={"verdict": verdict, "reasons": (*item.reasons, told)})


def _breaches_told(breaches: Breaches, tolerance: Tolerance) -> str:
    told = f"beyond, tolerated: {breaches.in_a_row} of {tolerance.in_a_row} in a row"
    if tolerance.in_all is not None:
        told += f", {breaches.in_all} of {tolerance.in_all} in all"
    return told
