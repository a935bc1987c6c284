"""Ten thousand open rollouts on one worker, idle and after a restart, against as many bare workflows that wait."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from functools import partial
from typing import NamedTuple, TypeAlias
from uuid import uuid4

import asyncpg
from temporalio.client import Client
from temporalio.worker import Worker

from bench.figures import Bar, Comparison, Findings, Profile, plain
from bench.ground import Ground, until
from bench.raw import RawGate, step
from bench.rollouts import BEGIN, plan_for, world
from bench.workers import worker_process
from console.gateway import Gateway
from models.command import Acknowledge, Verb
from models.metric import MetricName
from models.plan import NotMeasured, RolloutPlan
from store.pool import create_pool

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

AGAINST = "a bare workflow that waits for a signal, as many of them"
AT_ONCE = 50
SIZE = "BENCH_CROWDED"
"""Variable for another number of rollouts: ten thousand take long to be taken in."""

_ASKED = "select count(distinct rollout_id) from notice where kind = 'confirm'"
_ANSWERED = "select count(*) from decision_log where rollout_id = $1 and request_id = $2"


class Crowd(NamedTuple):
    """What was seen: seconds to take all in, CPU seconds a second while idle, and from the start of a new worker, and
    from when it is up, until the effect of the first signal."""

    taken: float
    idle: float
    first: float
    after: float


async def run(ground: Ground) -> Findings:
    """All rollouts wait for their owners, with the watch beside them; the bare workflows are as many on the same server
    after ours have gone."""
    count, rest = (20, 2.0) if ground.quick else (int(os.environ.get(SIZE, "10000")), 60.0)
    dsn = await world(ground)
    pool = await create_pool(dsn, max_size=8)
    async with pool, ground.temporal() as (server, client):
        began = time.perf_counter()
        async with worker_process(ground, server, dsn) as old:
            plans = await _fill(ground, Gateway(client), pool, count)
            taken = time.perf_counter() - began
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(old.idle(), 120)
            before, since = old.cpu, time.perf_counter()
            await asyncio.sleep(rest)
            # The least that can be told apart is a hundredth of a second.
            idle = max(old.cpu - before, 0.01) / (time.perf_counter() - since)
            memory = old.memory
        started = time.perf_counter()
        async with worker_process(ground, server, dsn):
            up = time.perf_counter()
            await _first(client, pool, plans[count // 2])
            ended = time.perf_counter()
    ours = Crowd(taken, idle, ended - started, ended - up)
    bare = await _bare(ground, count, rest)
    return _findings(count, ours, bare, memory)


async def _fill(ground: Ground, gateway: Gateway, pool: Pool, count: int) -> list[RolloutPlan]:
    """Start them, a few at a time: the server accepts starts three times as fast as they are taken in. The next few
    are on their way while the last of those before are."""
    template = _of_one_metric(plan_for("crowded"))
    plans = [template.model_copy(update={"id": f"crowded-{number}"}) for number in range(count)]
    for first in range(0, count, AT_ONCE):
        batch = plans[first : first + AT_ONCE]
        await asyncio.gather(*(gateway.start(plan, BEGIN, 1.0) for plan in batch))
        await until(partial(_all_asked, pool, first), within=300, pause=0.2)
        if (first // AT_ONCE) % 20 == 0:
            ground.tell(f"{first:,} of {count:,} rollouts are open")
    await until(partial(_all_asked, pool, count), within=300, pause=0.2)
    return plans


def _of_one_metric(plan: RolloutPlan) -> RolloutPlan:
    """Who waits for owners measures nothing, so that one metric is enough: six baselines of each would take the most
    time of being taken in."""
    measured = tuple(one for one in plan.metrics if one.metric is MetricName.LEAD_FOLLOW_UP_SLA)
    left_out = (one.metric for one in plan.metrics if one not in measured)
    changes = {
        "metrics": measured,
        "not_measured": tuple(NotMeasured(metric=one, reason="taken in sooner") for one in left_out),
        "risks": tuple(one.model_copy(update={"shown_by": None}) for one in plan.risks),
        "stop_conditions": tuple(one for one in plan.stop_conditions if one.metric in (None, measured[0].metric)),
    }
    return plan.model_copy(update=changes)


async def _all_asked(pool: Pool, count: int) -> bool:
    asked: int = await pool.fetchval(_ASKED)
    return asked >= count


async def _first(client: Client, pool: Pool, plan: RolloutPlan) -> None:
    """One of them hears from an owner; its log has it."""
    request = f"first-{uuid4()}"
    actor = plan.owners[0].identity
    command = Acknowledge(request_id=request, actor=actor, reason="measured by a bench")
    await Gateway(client).handle(plan.id).signal(Verb.ACKNOWLEDGE.value, command)

    async def answered() -> bool:
        return bool(await pool.fetchval(_ANSWERED, plan.id, request))

    await until(answered, within=120, pause=0.01)


async def _bare(ground: Ground, count: int, rest: float) -> Crowd:
    """The same of workflows that do nothing but wait, in this process, which does nothing else meanwhile."""
    ground.tell(f"the same with {count:,} bare workflows")
    async with ground.temporal() as (server, _):
        client = await Client.connect(server.address)
        began = time.perf_counter()
        async with Worker(client, task_queue="bare", workflows=[RawGate], activities=[step]):
            for first in range(0, count, AT_ONCE):
                names = [f"bare-{number}" for number in range(first, min(first + AT_ONCE, count))]
                await asyncio.gather(
                    *(client.start_workflow(RawGate.run, id=name, task_queue="bare") for name in names)
                )
            await _quiet()
            taken = time.perf_counter() - began
            before, since = time.process_time(), time.perf_counter()
            await asyncio.sleep(rest)
            idle = (time.process_time() - before) / (time.perf_counter() - since)
        started = time.perf_counter()
        async with Worker(client, task_queue="bare", workflows=[RawGate], activities=[step]):
            up = time.perf_counter()
            gate = client.get_workflow_handle(f"bare-{count // 2}")
            await gate.signal(RawGate.approve)
            await gate.result()
            ended = time.perf_counter()
    return Crowd(taken, idle, ended - started, ended - up)


async def _quiet() -> None:
    """Return when this process has had next to nothing to do for a second."""
    before = -1.0
    while time.process_time() - before > 0.03:
        before = time.process_time()
        await asyncio.sleep(1)


def _findings(count: int, ours: Crowd, bare: Crowd, memory: int) -> Findings:
    def compare(what: str, unit: str, mine: float, other: float, bar: Bar | None = None, note: str = "") -> Comparison:
        return Comparison(
            what=what, unit=unit, ours=(mine,), against=AGAINST, theirs=(max(other, 1e-6),), bar=bar, note=note
        )

    return Findings(
        comparisons=(
            compare(f"{count:,} open: idle", "% of a core", 100 * ours.idle, 100 * bare.idle, Bar(limit=5, unit="%")),
            compare("worker up until the first signal's effect", "s", ours.after, bare.after, Bar(limit=2, unit="s")),
            compare("worker started until the first signal's effect", "s", ours.first, bare.first),
            compare("taking one in", "ms", 1000 * ours.taken / count, 1000 * bare.taken / count),
        ),
        profiles=(_profile(count, memory),),
    )


def _profile(count: int, memory: int) -> Profile:
    rows = (("memory of the worker", f"{plain(memory / 1024**2)} MiB"), ("open rollouts", f"{count:,}"))
    return Profile(title="beside it", columns=("", ""), rows=rows)
