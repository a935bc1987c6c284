"""Judges a rollout's own evidence with all that stands behind it: whom it is compared with, who moved the number."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from activities.maturing import frozen_rows, sums_of
from judgement.assessment import assess, sealed
from judgement.beside import Behind, by_whom, with_facts
from judgement.trusted import trusted
from models.evidence import Assessment, Baseline, CohortReading, MetricAssessment, Snapshot
from models.plan import RolloutPlan
from models.rollout import CohortMembers
from models.work import RolloutKey
from store import evidence
from store.evidence import Measured, Past
from store.frozen import rows_of
from store.pool import Connection
from store.quality import comparison_cohort, facts_behind

EACH = 3
"""Facts named of each partner who moved a number."""


async def whom_to_compare(
    conn: Connection, key: RolloutKey, plan: RolloutPlan | None, measured: Sequence[str], as_of: datetime
) -> CohortMembers | None:
    """The partners beside the cohorts of these names; nobody where the store does not know the rollout."""
    if plan is None or not measured:
        return None
    control = plan.cohorts.control.name if plan.cohorts.control else None
    return await comparison_cohort(conn, key, control, measured, as_of)


async def weigh(
    conn: Connection,
    key: RolloutKey,
    plan: RolloutPlan,
    measured: Measured,
    baselines: Sequence[Baseline],
    past: Past,
) -> Assessment:
    """Judge a snapshot against the plan, with the looks before it since breaches count.

    Raises:
        EvidenceChanged: what the baselines were read from does not have its digest any more.
    """
    snapshot = measured.snapshot
    beside = await _beside(conn, key, plan, snapshot)
    metrics = {one.metric for one in snapshot.readings} | {one.metric for one in snapshot.changes}
    before = await frozen_rows(conn, key, baselines, metrics)
    behind = Behind(rows_of(measured.rows), before, beside.partners if beside and snapshot.comparison else ())
    assessment = assess(plan, snapshot, baselines, past, behind, sums_of(measured, before, beside))
    readings = {(one.cohort, one.metric): one for one in snapshot.readings}
    items = [await _with_facts(conn, item, readings[item.cohort, item.metric]) for item in assessment.items]
    return sealed(assessment.model_copy(update={"items": tuple(items)}))


def without_what_is_untrusted(plan: RolloutPlan, measured: Measured) -> Measured:
    """Baselines whose data are red have no value, and the reason why: nothing is compared with them."""
    snapshot = measured.snapshot
    readings = tuple(trusted(plan, one, snapshot.as_of) for one in snapshot.readings)
    if readings == snapshot.readings:
        return measured
    return evidence.seal(snapshot.as_of, readings, measured.rows, snapshot.comparison)


async def _beside(conn: Connection, key: RolloutKey, plan: RolloutPlan, snapshot: Snapshot) -> CohortMembers | None:
    if not snapshot.comparison and all(one.compared is None for one in snapshot.changes):
        return None
    cohorts = tuple(dict.fromkeys(one.cohort for one in snapshot.readings))
    return await whom_to_compare(conn, key, plan, cohorts, snapshot.as_of)


async def _with_facts(conn: Connection, item: MetricAssessment, reading: CohortReading) -> MetricAssessment:
    grave = by_whom(item, reading)
    partners = list(dict.fromkeys((*grave, *(one.partner_id for one in item.contributions))))
    return with_facts(item, await facts_behind(conn, item.metric, partners, reading.window, each=EACH), grave)
