"""Making the change real, and taking it back: only where signatures that hold, or the plan's own rules, say so."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import asyncpg
import structlog
from temporalio import activity

from activities.checkpoints import LogSigner
from activities.effects import record
from activities.errors import borrowed, unknown_rollout
from activities.meters import record_refused_effect
from activities.trust import Trust
from judgement.assessment import sealed
from models.evidence import Assessment
from models.plan import Decisions
from models.rollout import CohortMembers
from models.warrant import Case, NotProven
from models.work import EnrolRequest, EnrolResult
from store import enrolments, evidence, rollouts
from store.pool import Connection

log = structlog.get_logger(__name__)


class EnrolActivities:
    """What changes the world. They stand on a queue of their own, and look for themselves at what a request rests on:
    neither who works on the rollouts' queue nor who starts a rollout with owners of their own can enrol anybody."""

    def __init__(
        self, pool: asyncpg.Pool[asyncpg.Record], trust: Trust | None = None, signer: LogSigner | None = None
    ) -> None:
        self._pool = pool
        self._trust = trust or Trust()
        self._signer = signer

    @activity.defn
    async def enrol_partners(self, request: EnrolRequest) -> EnrolResult:
        """Make the change real for a cohort, all of it or nobody, and not before the log has what comes along.

        Key: rollout, chain, phase, wave, partner.
        """
        async with borrowed(self._pool) as conn, conn.transaction():
            await self._must_be_proven(conn, request, "enrol_partners")
            if request.record is not None:
                await record(conn, request.record, self._signer)
            change = await enrolments.enrol(conn, request)
        return EnrolResult(cohort=enrolments.cohort_name(request), partners=change.partners, changed=change.changed)

    @activity.defn
    async def withdraw_partners(self, request: EnrolRequest) -> EnrolResult:
        """Take the change back from a cohort. Key: rollout, chain, partner."""
        async with borrowed(self._pool) as conn, conn.transaction():
            await self._must_be_proven(conn, request, "withdraw_partners")
            change = await enrolments.withdraw(conn, request)
        return EnrolResult(cohort=enrolments.cohort_name(request), partners=change.partners, changed=change.changed)

    async def _must_be_proven(self, conn: Connection, request: EnrolRequest, name: str) -> None:
        try:
            await self._look(conn, request, enrols=name == "enrol_partners")
        except NotProven as problem:
            record_refused_effect(name)
            log.error(
                "alarm: partners were to be moved, and nobody who may has signed for it",
                rollout=request.key.rollout_id,
                chain=request.key.chain_id,
                cohort=enrolments.cohort_name(request),
                problem=str(problem),
            )
            raise

    async def _look(self, conn: Connection, request: EnrolRequest, *, enrols: bool) -> None:
        found = await rollouts.read_rollouts(conn, [request.key])
        if not found:
            raise unknown_rollout(request.key.rollout_id)
        registered = found[0]
        if registered.decisions is Decisions.UNSIGNED and request.proofs is None:
            if self._trust.decisions is Decisions.SIGNED:
                raise NotProven("decisions of this rollout are unsigned, and here they must be signed")
            return
        if request.proofs is None:
            raise NotProven("decisions of this rollout are signed, and none came along")
        case = Case(
            rollout_id=request.key.rollout_id,
            chain_id=request.key.chain_id,
            plan=registered.plan,
            clock=registered.clock,
            proofs=request.proofs,
            keys=await self._trust.keys(),
            at=_moment(),
        )
        if enrols:
            case.enrol(request.phase, request.wave, enrolments.cohort_name(request))
            await _must_be_of_the_plan(conn, request, case)
        else:
            case.withdraw(await _stopped_on(conn, request))


async def _must_be_of_the_plan(conn: Connection, request: EnrolRequest, case: Case) -> None:
    """Cohorts were frozen on the rollouts' queue: nobody may have got in whom the plan does not name there."""
    if isinstance(request.cohort, CohortMembers):
        raise NotProven("a cohort comes by name, its members are in the store")
    spec = next(one for one in case.plan.cohort_specs() if one.name == request.cohort)
    frozen = next((one for one in await enrolments.frozen_cohorts(conn, request.key) if one.name == spec.name), None)
    strangers = set(frozen.partners if frozen else ()) - set(spec.partners)
    if spec.partners and strangers:
        raise NotProven(f"the plan does not name {', '.join(sorted(strangers)[:10])} in cohort {spec.name}")


async def _stopped_on(conn: Connection, request: EnrolRequest) -> Assessment | None:
    """The assessment a rollout says it was stopped on, if the store has it for this rollout, unchanged."""
    wanted = request.proofs.stopped_on if request.proofs else None
    if wanted is None:
        return None
    found = await evidence.read_evidence(conn, wanted, request.key)
    if found is None or found.kind != "assessment" or found.digest != wanted:
        return None
    assessment = Assessment.model_validate_json(json.dumps(found.body))
    return assessment if sealed(assessment).digest == wanted else None


def _moment() -> datetime:
    """Now, as the server has it: where time is skipped, signatures are as far ahead as everything else."""
    return activity.info().current_attempt_scheduled_time if activity.in_activity() else datetime.now(UTC)
