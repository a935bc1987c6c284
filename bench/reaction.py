"""A fact committed, or a deadline passing, until the rollout is paused, against a bare signal and an activity."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from statistics import median

from temporalio.client import Client
from temporalio.worker import Worker

from bench.crowd import multiply, open_pilot
from bench.figures import Bar, Comparison, Findings, Profile, p95, plain
from bench.ground import Ground, until
from bench.raw import RawGate, step
from bench.rollouts import BEGIN, approval, confirm_all, plan_for, world
from console.gateway import Gateway
from models.names import TASK_QUEUE, rollout_workflow_id
from models.plan import CohortSpec, GateName, RolloutPlan
from models.rollout import CohortMembers
from models.work import RolloutKey
from store.pool import Connection, create_pool
from worker.namespace import Watch, ensure_watch
from worker.serving import serving

AGAINST = "a bare signal and an empty activity, same server and process"
COHORT = 24
LEADS = 6
"""Overdue leads of each partner that come in one transaction: enough to take a cohort beyond its limit, and
not so many that the plan's stop condition is fulfilled."""

PACE = Watch(timedelta(minutes=5))
_OVERDUE = """
insert into lead (source_system, source_id, partner_id, assigned_at, contact_due_at, known_at)
select 'bench', partner || '/' || $2 || '/' || number, partner,
       $3::timestamptz - interval '2 days' - number * interval '7 minutes', $3, $4
from unnest($1::text[]) as partner, generate_series(1, $5) as number
"""
_IN_PILOT = "select count(*) from rollout where rollout_id = any ($1) and phase = 'pilot' and watched <> '[]'"


async def run(ground: Ground) -> Findings:
    """First with a few open rollouts, then with a thousand more; the bare signal in between, on the same server."""
    samples, crowd = (1, 3) if ground.quick else (16, 1000)
    dsn = await world(ground)
    pool = await create_pool(dsn, max_size=12, command_timeout=600)
    async with pool, ground.temporal() as (server, client), pool.acquire() as conn:
        await multiply(conn, 1 if ground.quick else 20)
        bare = await Client.connect(server.address)
        async with (
            serving(client, pool, TASK_QUEUE, watch=PACE.inputs()[0]),
            Worker(bare, task_queue="bare", workflows=[RawGate], activities=[step]),
        ):
            await ensure_watch(client, TASK_QUEUE, PACE)
            few = _Round(ground, conn, client, bare, "few")
            await few.measure(samples)
            await _fill_up(ground, conn, client, crowd)
            many = _Round(ground, conn, client, bare, "many", after=few.count)
            await many.measure(samples)
    return Findings(
        comparisons=(
            *few.compared(f"{2 * samples + 2} open rollouts"),
            *many.compared(f"{crowd:,} open rollouts more"),
        ),
        profiles=(few.profile(), many.profile()),
    )


class _Round:
    """Rollouts of its own in their pilots; each is paused once, by a fact or by a deadline."""

    def __init__(
        self, ground: Ground, conn: Connection, client: Client, bare: Client, name: str, *, after: int = 0
    ) -> None:
        self._ground = ground
        self._after = after
        self.count = 0
        self._conn = conn
        self._client = client
        self._bare = bare
        self._name = name
        self._by_fact: list[float] = []
        self._by_deadline: list[float] = []
        self._signals: list[float] = []
        self._ways: list[dict[str, float]] = []

    async def measure(self, samples: int) -> None:
        """One after the other: a bare signal, a fact, a deadline. The first of each has warmed everything up."""
        self.count = 2 * samples + 2
        plans = await self._in_pilot(self.count)
        self._ground.tell(f"{self._name}: breaching {len(plans)} rollouts, one at a time")
        for number in range(samples + 1):
            self._signals.append(await self._signal(f"{self._name}-{number}"))
            self._by_fact.append(await self._fact(plans[2 * number]))
            self._by_deadline.append(await self._deadline(plans[2 * number + 1]))

    def compared(self, note: str) -> tuple[Comparison, ...]:
        """The bars are ratios to the bare signal for facts, and a second for deadlines."""

        def one(what: str, value: float, other: float, limit: float) -> Comparison:
            bar = Bar(limit=limit, unit="ms")
            return Comparison(what=what, unit="ms", ours=(value,), against=AGAINST, theirs=(other,), bar=bar, note=note)

        signals, by_fact, by_deadline = self._signals[1:], self._by_fact[1:], self._by_deadline[1:]
        raw, slow = median(signals), p95(signals)
        return (
            one(f"fact until paused, p50, {self._name}", median(by_fact), raw, 5 * raw),
            one(f"fact until paused, p95, {self._name}", p95(by_fact), slow, 10 * slow),
            one(f"deadline until paused, p95, {self._name}", p95(by_deadline), slow, 1000),
        )

    async def _in_pilot(self, count: int) -> list[RolloutPlan]:
        self._ground.tell(f"{self._name}: taking {count} rollouts to their pilots")
        gateway, plans = Gateway(self._client), [await self._plan(number) for number in range(count)]
        for plan in plans:
            await gateway.start(plan, BEGIN, 1.0)
            await confirm_all(gateway.handle(plan.id), plan)
        ids = [plan.id for plan in plans]

        async def at_gate() -> bool:
            found = await self._conn.fetch(
                "select rollout_id, baselines -> 0 ->> 'evidence_digest' as evidence from rollout"
                " where rollout_id = any ($1) and status = 'awaiting approval' and phase = 'prepare'",
                ids,
            )
            for row in found:
                plan = next(one for one in plans if one.id == row["rollout_id"])
                yes = approval(plan, GateName.PREPARE_TO_PILOT.value, row["evidence"], "sponsor")
                await gateway.handle(plan.id).signal("decide", yes)
            return bool(await self._conn.fetchval(_IN_PILOT, ids) == count)

        try:
            await until(at_gate, within=60 + 5 * count, pause=1.0)
        except TimeoutError:
            rows = await self._conn.fetch("select distinct sentence from rollout where rollout_id = any ($1)", ids)
            raise RuntimeError(f"not all of them began: {[row[0] for row in rows]}") from None
        await asyncio.sleep(1.0 if self._ground.quick else 5.0)
        return plans

    async def _plan(self, number: int) -> RolloutPlan:
        """The example plan for a pilot of its own: a lead of another rollout's pilot must not breach this one. Its
        wave, which never begins, is of partners that others have, too."""
        plan = plan_for(f"reaction-{self._name}-{number}")
        rows = await self._conn.fetch("select partner_id from partner where active_to is null order by md5(partner_id)")
        active = [row["partner_id"] for row in rows]
        first = (self._after + number) * COHORT
        mine = tuple((active + active)[first : first + 2 * COHORT])
        if first + COHORT > len(active):
            raise RuntimeError(f"{len(active)} active partners are too few for {self._after + number + 1} pilots")
        changes = {
            "pilot": CohortSpec(name=plan.cohorts.pilot.name, partners=mine[:COHORT]),
            "control": None,
            "waves": (plan.cohorts.waves[0].model_copy(update={"partners": mine[COHORT:], "select": None}),),
        }
        return plan.model_copy(update={"cohorts": plan.cohorts.model_copy(update=changes)})

    async def _signal(self, name: str) -> float:
        gate = await self._bare.start_workflow(RawGate.run, id=f"bare-{name}", task_queue="bare")
        await asyncio.sleep(0.2)
        sent = time.time()
        await gate.signal(RawGate.approve)
        await gate.result()
        async for event in gate.fetch_history_events():
            if event.HasField("activity_task_started_event_attributes"):
                return (event.event_time.ToNanoseconds() / 1e9 - sent) * 1000
        raise RuntimeError("the bare activity never ran")

    async def _fact(self, plan: RolloutPlan) -> float:
        """Leads that turn out to have been missed: milliseconds from their commit until the rollout is paused."""
        now = await self._programme_now(plan)
        await self._overdue(plan, now - timedelta(hours=1), now - timedelta(seconds=1))
        committed = time.time()
        paused = await self._paused(plan, committed)
        self._ways.append({**await self._way(plan, committed), "paused": paused})
        return paused

    async def _way(self, plan: RolloutPlan, since: float) -> dict[str, float]:
        """When what stands in the rollout's history happened, in milliseconds."""
        found: dict[str, float] = {}
        names: dict[int, str] = {}
        async for event in self._client.get_workflow_handle(rollout_workflow_id(plan.id)).fetch_history_events():
            at = (event.event_time.ToNanoseconds() / 1e9 - since) * 1000
            if at < 0:
                continue
            if event.HasField("workflow_execution_signaled_event_attributes"):
                found.setdefault("the watch tells the rollout", at)
            elif event.HasField("activity_task_scheduled_event_attributes"):
                names[event.event_id] = event.activity_task_scheduled_event_attributes.activity_type.name
            elif event.HasField("activity_task_started_event_attributes"):
                name = names.get(event.activity_task_started_event_attributes.scheduled_event_id)
                found.setdefault(f"{name} begins", at)
            elif event.HasField("activity_task_completed_event_attributes"):
                name = names.get(event.activity_task_completed_event_attributes.scheduled_event_id)
                found.setdefault(f"{name} is done", at)
            elif event.marker_recorded_event_attributes.marker_name == "core_local_activity":
                found.setdefault("the rollout has judged it", at)
        return found

    def profile(self) -> Profile:
        """The median of each step on the way from a fact to the pause."""
        steps = [step for step in self._ways[0] if all(step in way for way in self._ways)]
        rows = sorted((median(way[step] for way in self._ways), step) for step in steps)
        return Profile(
            title=f"from a fact to the pause, ms after the commit, {self._name}",
            columns=("", "at"),
            rows=tuple((step, plain(at)) for at, step in rows),
        )

    async def _deadline(self, plan: RolloutPlan) -> float:
        """Leads that nobody contacts: milliseconds from their deadline until the rollout is paused."""
        now = await self._programme_now(plan)
        wait = timedelta(seconds=1.5)
        passes = time.time() + wait.total_seconds()
        await self._overdue(plan, now + wait, now - timedelta(seconds=1))
        return await self._paused(plan, passes)

    async def _overdue(self, plan: RolloutPlan, due: datetime, known: datetime) -> None:
        await self._conn.execute(_OVERDUE, list(plan.cohorts.pilot.partners), plan.id, due, known, LEADS)

    async def _programme_now(self, plan: RolloutPlan) -> datetime:
        row = await self._conn.fetchrow(
            "select real_start, programme_start from rollout where rollout_id = $1", plan.id
        )
        if row is None:
            raise RuntimeError(f"{plan.id} is not in the store")
        start: datetime = row["programme_start"]
        passed: timedelta = datetime.now(UTC) - row["real_start"]
        return start + passed

    async def _paused(self, plan: RolloutPlan, since: float) -> float:
        """By the moment at which the rollout itself wrote it down."""

        async def noted() -> bool:
            return bool(
                await self._conn.fetchval(
                    "select count(*) from decision_log where rollout_id = $1 and kind = 'pause'", plan.id
                )
            )

        try:
            await until(noted, within=60, pause=0.1)
        except TimeoutError:
            sentence = await self._conn.fetchval("select sentence from rollout where rollout_id = $1", plan.id)
            seen = await self._conn.fetchval("select picture from watch_mark where rollout_id = $1", plan.id)
            raise RuntimeError(f"{plan.id} is not paused: {sentence} Seen: {seen}") from None
        at = await self._conn.fetchval(
            "select at from decision_log where rollout_id = $1 and kind = 'pause' order by sequence limit 1", plan.id
        )
        return float((at.timestamp() - since) * 1000)


async def _fill_up(ground: Ground, conn: Connection, client: Client, count: int) -> None:
    """Other open rollouts in their pilots, spread over all partners; nobody runs their workflows, which makes no
    difference to the watch."""
    ground.tell(f"opening {count:,} more rollouts")
    rows = await conn.fetch("select partner_id from partner where active_to is null order by md5(partner_id)")
    partners, plan = [row["partner_id"] for row in rows], plan_for("crowd")
    started = datetime.now(UTC)
    for number in range(count):
        key = RolloutKey(rollout_id=f"crowd-{number}", chain_id="bench")
        first = number * COHORT % (len(partners) - COHORT)
        pilot = CohortMembers(name="pilot", partners=tuple(partners[first : first + COHORT]))
        await client.start_workflow("Nobody", id=rollout_workflow_id(key.rollout_id), task_queue="nobody")
        await open_pilot(conn, key, plan, pilot, BEGIN)
    await conn.execute("update rollout set real_start = $1 where rollout_id like 'crowd-%'", started)

    async def all_seen() -> bool:
        return bool(await conn.fetchval("select count(*) from watch_mark where rollout_id like 'crowd-%'") == count)

    await until(all_seen, within=900, pause=1.0)
