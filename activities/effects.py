"""What a rollout does to the store: registering, freezing cohorts, and the decision log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import asyncpg
import structlog
from temporalio import activity
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy

from activities.checkpoints import LogSigner, at_turn
from activities.delivery import Delivery
from activities.errors import another_plan, borrowed, named_errors, unknown_partners, unknown_rollout
from activities.exporting import given_to
from models.names import WAKE, WATCH, rollout_workflow_id, shard_of, watch_workflow_id
from models.plan import RolloutPlan
from models.rollout import CohortMembers, FrozenCohort, members_digest
from models.vouching import key_of
from models.work import (
    OpenRequest,
    OpenResult,
    RecordRequest,
    ResolvedCohorts,
    ResolveRequest,
    RolloutInput,
    StandingBrief,
    WatchInput,
)
from store import enrolments, notices, rollouts, seeds
from store import log as decision_log
from store.pool import Connection

log = structlog.get_logger(__name__)

ANSWER = timedelta(seconds=5)
"""Longest wait for Temporal's answer."""

LETTERS_WITHIN = timedelta(seconds=3)
"""Time in which letters are taken up right after they are recorded; what is left over goes out with the watch's next
look."""


class EffectActivities:
    """Activities that change the store on behalf of one rollout."""

    def __init__(
        self,
        pool: asyncpg.Pool[asyncpg.Record],
        client: Client,
        watch: WatchInput | None = None,
        signer: LogSigner | None = None,
        delivery: Delivery | None = None,
    ) -> None:
        self._pool = pool
        self._delivery = delivery
        self._client = client
        self._watch = watch or WatchInput()
        self._signer = signer

    @activity.defn
    async def open_rollout(self, request: OpenRequest) -> OpenResult:
        """Register the rollout and wake the watch, starting it where it does not run; by what the rollout knows the
        watch's words. Key: rollout and chain."""
        if request.plan is None:
            request = request.model_copy(update={"plan": await self._begun_with(request)})
        async with borrowed(self._pool) as conn, conn.transaction():
            await rollouts.open_rollout(conn, request)
            seed = await seeds.seed_of(conn, request.key)
        shard = shard_of(request.key.rollout_id, self._watch.shards)
        with named_errors():
            await self._client.start_workflow(
                WATCH,
                self._watch.model_copy(update={"shard": shard}),
                id=watch_workflow_id(shard),
                task_queue=activity.info().task_queue,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                start_signal=WAKE,
                static_summary="looks at all open rollouts",
                rpc_timeout=ANSWER,
            )
        return OpenResult(watch=key_of(seed))

    async def _begun_with(self, request: OpenRequest) -> RolloutPlan:
        """The plan a chain began with: its first event brings it, and nobody can change that."""
        workflow_id = rollout_workflow_id(request.key.rollout_id)
        with named_errors():
            given = await given_to(self._client, workflow_id, request.key.chain_id)
            [began] = await self._client.data_converter.decode(given, [RolloutInput])
        plan: RolloutPlan = began.plan
        if plan.digest != request.plan_digest:
            raise another_plan(request.key.rollout_id)
        return plan

    @activity.defn
    async def resolve_cohorts(self, request: ResolveRequest) -> ResolvedCohorts | tuple[CohortMembers, ...]:
        """Resolve and freeze the cohorts; a repetition gives back what was frozen. Key: rollout, chain, cohort.

        With an empty cohort nothing is frozen, so that a later attempt may find its partners.
        """
        async with borrowed(self._pool) as conn, conn.transaction():
            cohorts = await _resolve(conn, request)
        if not request.brief:
            return cohorts
        sizes = tuple(FrozenCohort(name=one.name, size=one.size) for one in cohorts)
        return ResolvedCohorts(cohorts=sizes, digest=members_digest(cohorts))

    @activity.defn
    async def record_decisions(self, request: RecordRequest) -> int:
        """Append to the decision log, update the standing and queue the letters about it, all or nothing; returns how
        many entries are new. A turn of the rollout is signed along, where that can be done.

        Letters that are to be delivered go out once that stands. Nothing that happens then makes the record fail: a
        letter that a channel did not take lies in the outbox, and goes out with the watch's next look.

        Key: rollout, chain, sequence.
        """
        async with borrowed(self._pool) as conn, conn.transaction():
            new = await record(conn, request, self._signer)
        if request.deliver and request.notices and self._delivery is not None:
            await self._deliver(self._delivery, [one.notice_id for one in request.notices])
        return new

    async def _deliver(self, delivery: Delivery, notice_ids: Sequence[str]) -> None:
        try:
            await delivery.deliver(notice_ids, LETTERS_WITHIN)
        except Exception as problem:
            log.warning(
                "letters left for later", letters=len(notice_ids), problem=f"{type(problem).__name__}: {problem}"
            )


async def record(conn: Connection, request: RecordRequest, signer: LogSigner | None = None) -> int:
    """Append to the log and update the standing; to be called in a transaction."""
    new = await decision_log.append(conn, request.key, request.run_id or request.key.chain_id, request.entries)
    last = max((entry.sequence for entry in request.entries), default=0)
    if request.standing is None:
        await rollouts.keep_standing(conn, request.key, last)
    elif isinstance(request.standing, StandingBrief):
        await rollouts.update_brief(conn, request.key, request.standing, last)
    else:
        await rollouts.update_standing(conn, request.key, request.standing, last)
    signed = await at_turn(conn, request.key, request.entries, signer) if new else None
    if request.notices:
        plan = await rollouts.read_plan(conn, request.key)
        if plan is None:
            raise unknown_rollout(request.key.rollout_id)
        for notice in request.notices:
            await notices.queue(conn, request.key, plan, notice, signed)
    return new


async def _resolve(conn: Connection, request: ResolveRequest) -> tuple[CohortMembers, ...]:
    frozen = await enrolments.frozen_cohorts(conn, request.key)
    if frozen:
        return frozen
    named = [partner for spec in request.specs for partner in spec.partners]
    unknown = await enrolments.unknown_partners(conn, named)
    if unknown:
        raise unknown_partners(unknown)
    cohorts = await enrolments.resolve(conn, request.specs, request.as_of)
    if any(not cohort.partners for cohort in cohorts):
        return cohorts
    return await enrolments.freeze_cohorts(conn, request.key, cohorts, request.as_of)
