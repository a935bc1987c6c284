"""Turns a snapshot into an assessment: every reading judged, stop conditions looked at, all of it under one digest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from judgement.beside import Behind, put_beside
from judgement.changes import Sums, asked
from judgement.doubt import pausing
from judgement.quality import months_in_doubt
from judgement.thresholds import judge
from models.base import digest_json
from models.evidence import Assessment, Baseline, Look, MetricAssessment, Snapshot, StopTrigger
from models.metric import MetricName
from models.plan import RolloutPlan

Past: TypeAlias = Mapping[tuple[str, MetricName], Sequence[Look]]
"""Earlier looks, by cohort and metric, the oldest first."""


def assess(
    plan: RolloutPlan,
    snapshot: Snapshot,
    baselines: Sequence[Baseline],
    past: Past,
    behind: Behind | None = None,
    sums: Sums | None = None,
) -> Assessment:
    """Judge every reading of a snapshot for which the plan says something.

    Looks closer together than half the plan's cadence are one look. An assessment without items judges nothing:
    whoever reads it must not take it for a pass.

    Args:
        behind: the partners' rows; with them the comparison and the contributions stand beside each verdict.
        sums: what changes are judged from; without it there is no evidence of any.
    """
    frozen = {(one.cohort, one.metric): one for one in baselines}
    compared = {one.metric: one for one in snapshot.comparison}
    matured = {(one.cohort, one.metric): one for one in snapshot.changes}
    items, stopping = [], []
    for reading in snapshot.readings:
        metric = plan.metric(reading.metric)
        if metric is None:
            continue
        key = (reading.cohort, reading.metric)
        stops = [one.unless for one in plan.stop_conditions if one.metric is reading.metric and one.unless is not None]
        item = judge(
            reading,
            metric,
            frozen.get(key),
            past.get(key, ()),
            snapshot.as_of,
            one_look=plan.phases.cadence / 2,
            stops=stops,
            change=asked(plan, metric, matured[key], sums, frozen.get(key)) if sums and key in matured else None,
        )
        fulfilled, doubts = stop_triggers(plan, (item,)), months_in_doubt(reading, metric)
        if doubts:
            item = pausing(item, fulfilled)
        else:
            stopping.append(item)
        if behind is not None:
            item = put_beside(item, reading, compared.get(reading.metric), frozen.get(key), behind)
        items.append(item)
    return sealed(
        Assessment(
            evidence_id="",
            digest="",
            snapshot_digest=snapshot.digest,
            as_of=snapshot.as_of,
            items=tuple(items),
            stop=stop_triggers(plan, stopping),
        )
    )


def stop_triggers(plan: RolloutPlan, items: Sequence[MetricAssessment]) -> tuple[StopTrigger, ...]:
    """The plan's stop conditions that current evidence on a sufficient sample fulfils.

    Stopping cannot be taken back, so a small sample, an old one or data in which nobody can trust do not stop: they
    hold, by their verdict. Where a month of the ledger is in doubt, none of them is asked: see `judgement.doubt`.
    """
    return tuple(
        StopTrigger(condition=one.condition, metric=item.metric, cohort=item.cohort, value=item.value)
        for one in plan.stop_conditions
        for item in items
        if one.unless is not None
        and item.metric is one.metric
        and item.value is not None
        and item.data_current
        and not item.untrusted
        and item.minimum_sample_reached
        and one.unless.satisfied(item.value, item.baseline) is False
    )


def summary_of(assessment: Assessment) -> Assessment:
    """What goes into a history. What the checks found and what a change rests on is told in the reasons; that and who
    moved the number stay whole in the store, under the digest."""
    left_out: dict[str, object] = {"quality": (), "contributions": (), "change": None}
    items = (one.model_copy(update=left_out) for one in assessment.items)
    return assessment.model_copy(update={"items": tuple(items)})


def sealed(assessment: Assessment) -> Assessment:
    """The assessment with its digest, which covers everything but itself and the id, and the id made from it."""
    body = assessment.model_dump(mode="json", exclude={"evidence_id", "digest"})
    found = digest_json(body)
    name = f"assessment-{found.removeprefix('sha256:')[:16]}"
    return assessment.model_copy(update={"evidence_id": name, "digest": found})
