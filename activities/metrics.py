"""fetch_metrics and assess_thresholds: what was measured, and what it means; look_at_metrics is both in one."""

from __future__ import annotations

from datetime import timedelta

import asyncpg
from temporalio import activity

from activities.errors import borrowed, stale_evidence, unknown_evidence, unknown_rollout, wrong_plan
from activities.maturing import NO_STRETCHES, stretches_of
from activities.measuring import NO_VALUES, NOTHING_ALONE, WATCH, keep_judgement, measure, summary, values_before
from activities.weighing import weigh, whom_to_compare, without_what_is_untrusted
from judgement.assessment import summary_of
from judgement.quality import asked_of_cohorts
from models.brief import AssessmentBrief, LookBrief, SnapshotBrief
from models.evidence import Assessment, Snapshot
from models.metric import MetricName
from models.plan import RolloutPlan
from models.work import Answer, AssessRequest, FetchRequest, LookRequest, RolloutKey
from store import enrolments, evidence, rollouts
from store.evidence import Measured

BASELINE = "baseline"
"""What baselines are measured for."""


class MetricActivities:
    """Activities that read facts and judge them."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool

    @activity.defn
    async def fetch_metrics(self, request: FetchRequest) -> Snapshot | SnapshotBrief:
        """One consistent snapshot as of a moment, kept whole in the store; returns as much of it as is asked for.

        Key: the digest of what was read.
        """
        return _answer(request.answer, (await self._measured(request)).snapshot)

    async def _measured(self, request: FetchRequest) -> Measured:
        async with borrowed(self._pool) as conn:
            cohorts = await enrolments.members_of(conn, request.key, request.cohorts, request.cohorts_digest)
            baseline = request.purpose == BASELINE
            plan = await rollouts.read_plan(conn, request.key)
            windows = request.windows or _windows(request.key, plan)
            # A baseline is measured of all cohorts: whoever is compared later is among them.
            names = () if baseline else tuple(one.name for one in cohorts)
            beside = await whom_to_compare(conn, request.key, plan, names, request.as_of)
            changes, earlier = NO_STRETCHES, NO_VALUES
            if not baseline:
                found = await values_before(conn, {request.key: request.as_of}, windows.keys())
                earlier = found[request.key]
                changes = await stretches_of(conn, request.key, plan, cohorts, beside, request.as_of, windows.keys())
            alone = asked_of_cohorts(plan.metrics) if plan else NOTHING_ALONE
            measured = await measure(conn, request.as_of, cohorts, windows, beside, changes, earlier, alone, self._pool)
            if baseline and plan is not None:
                measured = without_what_is_untrusted(plan, measured)
            await evidence.keep_snapshot(conn, request.key, request.purpose, measured)
        if baseline:
            rollouts.remember_baselines(request.key, measured)
        return measured

    @activity.defn
    async def assess_thresholds(self, request: AssessRequest) -> Assessment | AssessmentBrief:
        """Judge a stored snapshot against the plan as registered, with the baselines of the snapshot they are from.

        Key: the digests of snapshot and plan, and the moment the count of breaches began: readings that came later
        than the snapshot do not change its assessment. A digest that came with a signal may be anybody's: under it
        must stand what the watch measured of this rollout, and nothing older than the rollout asks for.
        """
        return await self._judged(request)

    async def _judged(self, request: AssessRequest, measured: Measured | None = None) -> Assessment | AssessmentBrief:
        """What is at hand under the snapshot's digest, because it has just been kept, is not read once more."""
        async with borrowed(self._pool) as conn:
            found = await rollouts.read_to_judge(
                conn,
                request.key,
                request.snapshot_digest,
                request.tolerance_since,
                purpose=WATCH if request.not_before is not None else None,
                whole=measured is None,
            )
            if found is None:
                raise unknown_rollout(request.key.rollout_id)
            if found.plan_digest != request.plan_digest:
                raise wrong_plan(request.key.rollout_id)
            if found.snapshot is None:
                raise unknown_evidence(request.snapshot_digest)
            if measured is None:
                measured = await evidence.opened(found.snapshot)
            if request.not_before is not None and measured.snapshot.as_of < request.not_before:
                raise stale_evidence(request.snapshot_digest)
            baselines = request.baselines
            if request.baselines_from is not None:
                baselines = await rollouts.baselines_from(conn, request.key, request.baselines_from)
            assessment = await weigh(conn, request.key, found.plan, measured, baselines, found.past)
            await keep_judgement(conn, request.key, request.phase, assessment)
        said = summary_of(assessment)
        return AssessmentBrief.of(said, table=request.table) if request.brief or request.table else said

    @activity.defn
    async def look_at_metrics(self, request: LookRequest) -> LookBrief:
        """Measure, keep, and judge what was kept: one after the other, each as if it were asked for by itself. One that
        is tried again measures again, and finds the same unless facts have come.

        Key: those of `fetch_metrics` and `assess_thresholds`.
        """
        measured = await self._measured(request.measuring())
        judged = await self._judged(request.judging(measured.snapshot.digest), measured)
        return LookBrief.of(judged if isinstance(judged, AssessmentBrief) else AssessmentBrief.of(judged, table=True))


def _windows(key: RolloutKey, plan: RolloutPlan | None) -> dict[MetricName, timedelta]:
    if plan is None:
        raise unknown_rollout(key.rollout_id)
    return {one.metric: one.window for one in plan.metrics}


def _answer(wanted: Answer, snapshot: Snapshot) -> Snapshot | SnapshotBrief:
    match wanted:
        case Answer.DIGEST:
            return SnapshotBrief(digest=snapshot.digest, as_of=snapshot.as_of)
        case Answer.VALUES:
            return SnapshotBrief.of(snapshot)
        case Answer.TABLE:
            return SnapshotBrief.of(snapshot, table=True)
        case _:
            return summary(snapshot)
