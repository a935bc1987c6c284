"""Many open rollouts over many leads: the generated world several times over, and rollouts that each watch a cohort."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from bench.ground import Ground
from bench.rollouts import BEGIN, PARTNERS, WORLD_BEGINS, plan_for, world
from cli.data import fill
from models.clock import clock_at
from models.evidence import Baseline, Window
from models.metric import CATALOGUE
from models.plan import RolloutPlan
from models.rollout import CohortMembers
from models.work import OpenRequest, RolloutKey, Standing
from store import rollouts
from store.pool import Connection, create_pool
from store.world_rows import COLUMNS

COHORT = 24
_LEADS_A_WORLD = 44_000
_SHARED = (
    *("business_calendar", "lead_policy", "fx_rate", "rebate_run", "mdf_budget", "enablement_course"),
    "compliance_check",
)
# What tells one copy of the world from another: keys of its own, and references to them.
_OWN = (
    *("source_id", "partner_id", "transaction_id", "original_id", "opportunity_id", "lead_id"),
    *("allocation_id", "request_id", "person_id", "invoice_ref"),
)


class Crowd(NamedTuple):
    """Open rollouts of one plan, each with a pilot of its own; `now` is their programme time and the real one."""

    dsn: str
    now: datetime
    leads: int
    plan: RolloutPlan
    pilots: dict[RolloutKey, CohortMembers]


async def gather(ground: Ground, count: int, leads: int) -> Crowd:
    """`count` rollouts in their pilots over about so many leads, in a database of their own."""
    if ground.quick:
        dsn, now, copies = await world(ground), BEGIN, 1
    else:
        dsn = await ground.database()
        report = await fill(dsn, seed=7, start=WORLD_BEGINS, months=15, partners=PARTNERS)
        now, copies = report.ends_at - timedelta(days=14), round(leads / _LEADS_A_WORLD)
    ground.tell(f"multiplying a world of {PARTNERS} partners by {copies}")
    pool = await create_pool(dsn, command_timeout=3600)
    async with pool, pool.acquire() as connection:
        await multiply(connection, copies)
        found = await connection.fetchval("select count(*) from lead")
        partners = [row["partner_id"] for row in await connection.fetch("select partner_id from partner order by 1")]
        plan = plan_for("crowd")
        pilots = {}
        for number in range(count):
            first = number * COHORT % (len(partners) - COHORT)
            pilot = CohortMembers(name="pilot", partners=tuple(partners[first : first + COHORT]))
            key = RolloutKey(rollout_id=f"crowd-{number}", chain_id="bench")
            await open_pilot(connection, key, plan, pilot, now)
            pilots[key] = pilot
    ground.tell(f"{count} open rollouts, {len(partners):,} partners, {found:,} leads")
    return Crowd(dsn, now, found, plan, pilots)


async def multiply(connection: Connection, copies: int) -> None:
    """Make of the generated world as many, side by side: partners of their own with facts of their own."""
    for table in COLUMNS:
        if table not in _SHARED:
            await connection.execute(_copies_of(table), copies)
    await connection.execute("vacuum analyze")


def _copies_of(table: str) -> str:
    """Further copies of every row of a table, under other keys. Built of the project's own names only."""
    columns = ("source_system", *COLUMNS[table])
    values = ", ".join(f"{name} || '/' || copy" if name in _OWN else name for name in columns)
    return (
        f"insert into {table} ({', '.join(columns)}) "  # noqa: S608
        f"select {values} from {table}, generate_series(2, $1) as copy"
    )


async def open_pilot(
    connection: Connection, key: RolloutKey, plan: RolloutPlan, pilot: CohortMembers, now: datetime
) -> None:
    """As a rollout registers, and as it records that its pilot is enrolled."""
    clock = clock_at(now)
    await rollouts.open_rollout(connection, OpenRequest(key=key, plan=plan, plan_digest=plan.digest, clock=clock))
    window = Window(start=now - timedelta(days=90), end=now)
    baselines = tuple(
        Baseline(
            cohort=pilot.name,
            metric=one.metric,
            window=window,
            value=30.0,
            reason=None,
            n_partners=COHORT,
            n_facts=1000,
            definition_version=CATALOGUE[one.metric].definition_version,
            evidence_digest="sha256:bench",
        )
        for one in plan.metrics
    )
    standing = Standing(
        phase="pilot",
        wave=None,
        status="running",
        sentence="Running pilot.",
        since=now,
        open=True,
        watched=(pilot,),
        tolerance_since=now,
        baselines=baselines,
    )
    await rollouts.update_standing(connection, key, standing, 1)
