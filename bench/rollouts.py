"""Rollouts for benches: the example plan on a generated world, and people who confirm, approve and review."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import asyncpg
from temporalio.client import WorkflowHandle

from bench.ground import Ground, until
from cli.data import fill
from cli.plan import read_plan
from cli.plan_template import plan_template
from cli.planfile import parse_plan
from console.gateway import Gateway
from models.command import COMMANDS, Choice, Command, Verb
from models.plan import GateName, OptionKey, RolloutPlan
from models.rollout import RolloutView

BEGIN = datetime(2025, 4, 1, tzinfo=UTC)
"""Programme time at which every rollout of a bench starts; the world has three months of facts before it."""

WORLD_BEGINS = date(2025, 1, 1)
PARTNERS = 240
DAY = timedelta(days=1)
_PLAN = Path(__file__).parent.parent / "examples" / "plans" / "gold-tier-rebate.yaml"
_AT_FIRST_GATE = """
select rollout_id, baselines -> 0 ->> 'evidence_digest' as evidence from rollout
where rollout_id = any ($1) and phase = 'prepare' and status = 'awaiting approval'
"""


def plan_for(name: str, *, short: bool = False) -> RolloutPlan:
    """The example plan under another id, of such lengths that it takes 90 days; a fortnight and one wave if `short`."""
    return _lasting(read_plan(_PLAN), name, pilot=34 * DAY, waves=3, short=short)


def usual_plan(name: str, *, short: bool = False) -> RolloutPlan:
    """The same of the plan that `rollouts plan new` writes: as many metrics and owners, one wave less. The thresholds
    are those of the example, which a calm world keeps."""
    plan = parse_plan(plan_template(name, OptionKey.STAGED.value), f"the template {name}")
    example = read_plan(_PLAN)
    calm = {"metrics": example.metrics, "stop_conditions": example.stop_conditions}
    return _lasting(plan.model_copy(update=calm), name, pilot=48 * DAY, waves=2, short=short)


def _lasting(plan: RolloutPlan, name: str, *, pilot: timedelta, waves: int, short: bool) -> RolloutPlan:
    """The pilot, a fortnight to validate, and a fortnight for each wave; everything shorter if `short`."""
    validate = bake = 14 * DAY
    if short:
        pilot, validate, bake, waves = 7 * DAY, 2 * DAY, 5 * DAY, 1
    planned = tuple(one.model_copy(update={"bake": bake}) for one in plan.cohorts.waves[:waves])
    changes = {
        "id": name,
        "phases": plan.phases.model_copy(update={"pilot": pilot, "validate_for": validate}),
        "cohorts": plan.cohorts.model_copy(update={"waves": planned}),
        "reviews": plan.reviews.model_copy(update={"first": pilot - DAY}),
        "freeze_windows": (),
    }
    return plan.model_copy(update=changes)


async def world(ground: Ground) -> str:
    """The dsn of a fresh database with a calm world: nothing breaches, so rollouts take the course of their plan."""
    template = await ground.once(_fill)
    return await ground.database(template.rpartition("/")[2])


async def _fill(ground: Ground) -> str:
    dsn = await ground.database()
    report = await fill(dsn, seed=7, start=WORLD_BEGINS, months=5 if ground.quick else 8, partners=PARTNERS)
    ground.tell(f"a world of {report.partners} partners and {sum(report.rows.values()):,} facts")
    return dsn


def request(plan: RolloutPlan, verb: Verb, by: str, **fields: Any) -> Command:
    """What the holder of a role sends."""
    actor = plan.holders(by)[0].identity
    data = {"request_id": str(uuid4()), "actor": actor, "reason": "measured by a bench", **fields}
    return COMMANDS[verb].model_validate(data)


def approval(plan: RolloutPlan, gate: str, evidence: str, role: str) -> Command:
    """A role's yes to a gate, on the evidence it shows."""
    digests = {"plan_digest": plan.digest, "evidence_digest": evidence}
    return request(plan, Verb.DECIDE, role, gate=gate, choice=Choice.APPROVE, **digests)


async def confirm_all(handle: WorkflowHandle[Any, Any], plan: RolloutPlan) -> None:
    """Every owner confirms, by signal."""
    for owner in plan.owners:
        await handle.signal(
            Verb.CONFIRM_OWNERSHIP.value, request(plan, Verb.CONFIRM_OWNERSHIP, owner.role, role=owner.role)
        )


async def act(handle: WorkflowHandle[Any, Any], plan: RolloutPlan, view: RolloutView) -> None:
    """What the owners do about what they see: hold a review that is due, approve an open gate."""
    if view.review_due_at and view.review_due_at <= view.programme_now:
        await handle.signal(Verb.REVIEW.value, request(plan, Verb.REVIEW, "sponsor"))
    if view.gate and not view.gate.approved_at:
        rule = plan.approvals.rule(view.gate.name)
        for role in rule.roles[: rule.quorum] if rule else ():
            await handle.signal(Verb.DECIDE.value, approval(plan, view.gate.key, view.gate.digest, role))


class Gated(NamedTuple):
    """A rollout whose first gate is open: what an approval of it has to name."""

    plan: RolloutPlan
    evidence: str

    def approval(self) -> Command:
        """The sponsor's yes, which is all that this gate asks for."""
        return approval(self.plan, GateName.PREPARE_TO_PILOT.value, self.evidence, "sponsor")


async def gated(gateway: Gateway, pool: asyncpg.Pool[asyncpg.Record], name: str, count: int) -> list[Gated]:
    """Start rollouts and take them to their first gate, which opens when all owners have confirmed."""
    plans = {plan.id: plan for plan in (plan_for(f"{name}-{number}") for number in range(count))}
    for plan in plans.values():
        await gateway.start(plan, BEGIN, 1.0)
        await confirm_all(gateway.handle(plan.id), plan)

    async def all_there() -> bool:
        return len(await pool.fetch(_AT_FIRST_GATE, list(plans))) == count

    await until(all_there, within=60 + 5 * count, pause=0.2)
    rows = await pool.fetch(_AT_FIRST_GATE, list(plans))
    return [Gated(plans[row["rollout_id"]], row["evidence"]) for row in rows]
