"""One consistent snapshot of metrics, and its assessment: shared by a rollout's own look and the watch's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from judgement.contributions import worst_partners
from judgement.thresholds import assess
from judgement.values import group_value
from models.base import digest_json
from models.evidence import Assessment, Baseline, CohortReading, LeadDriver, PartnerReading, Snapshot, Window
from models.metric import CATALOGUE, MetricName
from models.plan import RolloutPlan
from models.rollout import CohortMembers
from models.work import RolloutKey
from store import evidence
from store.metrics import read_metric, read_sla_drivers
from store.pool import Connection

TOP = 5
"""Partners named in a reading as those who move it most; the evidence holds all."""

LEADS = 10
"""Leads named in a reading."""


async def measure(
    conn: Connection,
    key: RolloutKey,
    purpose: str,
    as_of: datetime,
    cohorts: Sequence[CohortMembers],
    windows: Mapping[MetricName, timedelta],
) -> Snapshot:
    """Read the metrics of the cohorts as of a moment in one snapshot, and keep it whole.

    The digest covers the partners' rows, so a repeated read of the same facts is the same evidence.
    """
    readings, rows = [], []
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        for cohort in cohorts:
            for metric, length in windows.items():
                reading, partners = await _reading(conn, cohort, metric, length, as_of)
                readings.append(reading)
                rows.append(
                    {
                        "cohort": cohort.name,
                        "metric": metric.value,
                        "partners": [one.model_dump(mode="json") for one in partners],
                    }
                )
    body = {"as_of": as_of.isoformat(), "readings": [one.model_dump(mode="json") for one in readings], "rows": rows}
    digest = digest_json(body)
    snapshot = Snapshot(
        evidence_id=f"snapshot-{digest.removeprefix('sha256:')[:16]}",
        digest=digest,
        as_of=as_of,
        readings=tuple(readings),
    )
    await evidence.keep_snapshot(conn, key, purpose, snapshot, rows)
    return snapshot


async def _reading(
    conn: Connection, cohort: CohortMembers, metric: MetricName, length: timedelta, as_of: datetime
) -> tuple[CohortReading, tuple[PartnerReading, ...]]:
    window = Window(start=as_of - length, end=as_of)
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
    return reading, found.rows


async def judge_snapshot(
    conn: Connection,
    key: RolloutKey,
    plan: RolloutPlan,
    snapshot: Snapshot,
    baselines: Sequence[Baseline],
    since: datetime,
    purpose: str,
) -> Assessment:
    """Judge a snapshot against the plan, counting breaches since a moment, and keep the assessment."""
    past = await evidence.past_readings(conn, key, since, snapshot.as_of)
    assessment = assess(plan, snapshot, baselines, past)
    async with conn.transaction():
        await evidence.keep_assessment(conn, key, purpose, assessment)
    return assessment
