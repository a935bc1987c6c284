"""fetch_metrics and assess_thresholds: what was measured, and what it means."""

from __future__ import annotations

import asyncpg
from temporalio import activity

from activities.errors import store_errors, unknown_evidence, unknown_rollout
from activities.measuring import judge_snapshot, measure
from models.evidence import Assessment, Snapshot
from models.work import AssessRequest, FetchRequest
from store import evidence, rollouts


class MetricActivities:
    """Activities that read facts and judge them."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool

    @activity.defn
    async def fetch_metrics(self, request: FetchRequest) -> Snapshot:
        """One consistent snapshot as of a moment, kept whole in the store. Key: the digest of what was read."""
        with store_errors():
            async with self._pool.acquire() as conn:
                return await measure(
                    conn, request.key, request.purpose, request.as_of, request.cohorts, request.windows
                )

    @activity.defn
    async def assess_thresholds(self, request: AssessRequest) -> Assessment:
        """Judge a snapshot against the plan as registered. Key: the digest of the assessment."""
        with store_errors():
            async with self._pool.acquire() as conn:
                plan = await rollouts.read_plan(conn, request.key)
                if plan is None or plan.digest != request.plan_digest:
                    raise unknown_rollout(request.key.rollout_id)
                snapshot = await evidence.read_snapshot(conn, request.key, request.snapshot_digest)
                if snapshot is None:
                    raise unknown_evidence(request.snapshot_digest)
                return await judge_snapshot(
                    conn, request.key, plan, snapshot, request.baselines, request.tolerance_since, request.phase
                )
