"""One consistent snapshot of metrics, and its assessment: shared by a rollout's own look and the watch's."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from judgement.assessment import assess
from judgement.contributions import worst_partners
from judgement.counting import counts_as
from judgement.values import group_value
from models.evidence import Assessment, Baseline, CohortReading, LeadDriver, Snapshot, Window
from models.metric import CATALOGUE, MetricName
from models.plan import RolloutPlan
from models.rollout import CohortMembers
from models.work import RolloutKey
from store import evidence
from store.evidence import PartnerRows
from store.metrics import read_metric, read_sla_drivers
from store.pool import Connection

TOP = 5
"""Partners named in a reading as those who cost it most; the evidence holds all."""

LEADS = 10
"""Leads named in a reading."""

READ_WITHIN = 15.0
"""Seconds for a whole snapshot, below the time an activity is given: nothing reads on when nobody waits."""


class Measured(NamedTuple):
    """A snapshot, and every partner's rows behind it."""

    snapshot: Snapshot
    rows: tuple[PartnerRows, ...]


async def measure(
    conn: Connection, as_of: datetime, cohorts: Sequence[CohortMembers], windows: Mapping[MetricName, timedelta]
) -> Measured:
    """Read the metrics of the cohorts as of a moment, all from one state of the database.

    The digest covers the partners' rows, so a repeated read of the same facts is the same evidence.

    Raises:
        TimeoutError: the reads together took too long.
    """
    readings, rows = [], []
    async with asyncio.timeout(READ_WITHIN), conn.transaction(isolation="repeatable_read", readonly=True):
        for cohort in cohorts:
            for metric, length in windows.items():
                reading, partners = await _read(conn, cohort, metric, Window(start=as_of - length, end=as_of))
                readings.append(reading)
                rows.append(partners)
    return Measured(evidence.seal(as_of, readings, rows), tuple(rows))


async def _read(
    conn: Connection, cohort: CohortMembers, metric: MetricName, window: Window
) -> tuple[CohortReading, PartnerRows]:
    as_of = window.end
    found = await read_metric(conn, metric, partner_ids=cohort.partners, window=window, as_of=as_of)
    leads: tuple[LeadDriver, ...] = ()
    if metric is MetricName.LEAD_FOLLOW_UP_SLA:
        leads = await read_sla_drivers(conn, partner_ids=cohort.partners, window=window, as_of=as_of, limit=LEADS)
    reading = CohortReading(
        cohort=cohort.name,
        metric=metric,
        window=window,
        group=group_value(metric, found.rows),
        data_through=found.data_through,
        definition_version=CATALOGUE[metric].definition_version,
        top_partners=worst_partners(metric, found.rows, TOP),
        leads=leads,
    )
    return reading, PartnerRows(cohort=cohort.name, metric=metric, partners=found.rows)


def summary(snapshot: Snapshot) -> Snapshot:
    """What goes into a history: the values and what they rest on. Parts and names stay in the store, under the digest;
    those behind a breach are named by the assessment."""
    return snapshot.model_copy(
        update={
            "readings": tuple(
                one.model_copy(
                    update={"group": one.group.model_copy(update={"parts": {}}), "top_partners": (), "leads": ()}
                )
                for one in snapshot.readings
            )
        }
    )


async def judge_snapshot(
    conn: Connection,
    key: RolloutKey,
    plan: RolloutPlan,
    snapshot: Snapshot,
    baselines: Sequence[Baseline],
    since: datetime,
) -> Assessment:
    """Judge a snapshot against the plan, counting breaches since a moment."""
    past = await evidence.past_readings(conn, key, since, snapshot.as_of)
    return assess(plan, snapshot, baselines, past)


async def keep_judgement(
    conn: Connection, key: RolloutKey, purpose: str, assessment: Assessment, measured: Measured | None = None
) -> None:
    """Keep an assessment whole, and its snapshot where that is not in the store yet."""
    async with conn.transaction():
        if measured is not None:
            await evidence.keep_snapshot(conn, key, purpose, measured.snapshot, measured.rows)
        await evidence.keep_assessment(conn, key, purpose, assessment)
        await keep_count(conn, key, purpose, assessment)


async def keep_count(conn: Connection, key: RolloutKey, purpose: str, assessment: Assessment) -> None:
    """Keep what the readings of an assessment add to the count of breaches."""
    counts = {(item.cohort, item.metric): counts_as(item) for item in assessment.items}
    await evidence.keep_readings(conn, key, purpose, assessment, counts)
