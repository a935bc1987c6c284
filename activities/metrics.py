"""fetch_metrics and assess_thresholds: what was measured, and what it means."""

from __future__ import annotations

import asyncpg
from temporalio import activity

from activities.errors import borrowed, unknown_evidence, unknown_rollout, wrong_plan
from activities.measuring import judge_snapshot, keep_judgement, measure, summary
from models.evidence import Assessment, Snapshot
from models.work import AssessRequest, FetchRequest
from store import evidence, rollouts


class MetricActivities:
    """Activities that read facts and judge them."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool

    @activity.defn
    async def fetch_metrics(self, request: FetchRequest) -> Snapshot:
        """One consistent snapshot as of a moment, kept whole in the store; returns its summary.

        Key: the digest of what was read.
        """
        async with borrowed(self._pool) as conn:
            measured = await measure(conn, request.as_of, request.cohorts, request.windows)
            await evidence.keep_snapshot(conn, request.key, request.purpose, measured.snapshot, measured.rows)
        return summary(measured.snapshot)

    @activity.defn
    async def assess_thresholds(self, request: AssessRequest) -> Assessment:
        """Judge a stored snapshot against the plan as registered.

        Key: the digests of snapshot and plan, and the moment the count of breaches began: readings that came later
        than the snapshot do not change its assessment.
        """
        async with borrowed(self._pool) as conn:
            plan = await rollouts.read_plan(conn, request.key)
            if plan is None:
                raise unknown_rollout(request.key.rollout_id)
            if plan.digest != request.plan_digest:
                raise wrong_plan(request.key.rollout_id)
            snapshot = await evidence.read_snapshot(conn, request.key, request.snapshot_digest)
            if snapshot is None:
                raise unknown_evidence(request.snapshot_digest)
            since = request.tolerance_since
            assessment = await judge_snapshot(conn, request.key, plan, snapshot, request.baselines, since)
            await keep_judgement(conn, request.key, request.phase, assessment)
        return assessment
