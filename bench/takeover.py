"""A worker killed with approvals on their way until the next one has served them all, against a graceful stop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import asyncpg

from bench.figures import Bar, Comparison, Findings
from bench.ground import Ground, until
from bench.rollouts import Gated, gated, world
from bench.workers import WorkerProcess, worker_process
from cli.gateway import Gateway
from models.command import Verb
from store.pool import create_pool

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

AGAINST = "the same after a graceful stop"
PATIENCE = 180.0
_SERVED = "select count(distinct rollout_id) from enrolment where rollout_id = any ($1)"


class Takeover(NamedTuple):
    """Seconds from the old worker's end until the new one was up, and until it had served all; how many were left."""

    up: float
    served: float
    left: int


async def run(ground: Ground) -> Findings:
    """Every rollout stands at its first gate, its approval is taken by the server, and then the worker ends."""
    count = 5 if ground.quick else 100
    killed = await _take_over(ground, count, kill=True)
    stopped = await _take_over(ground, count, kill=False)

    def compare(what: str, mine: float, other: float, bar: Bar | None = None, note: str = "") -> Comparison:
        return Comparison(what=what, unit="s", ours=(mine,), against=AGAINST, theirs=(other,), bar=bar, note=note)

    left = f"{killed.left} of {count} approvals were left to the new worker, {stopped.left} after the graceful stop"
    return Findings(
        comparisons=(
            compare("old worker told to end until the new one is up", killed.up, stopped.up),
            compare("old worker told to end until all are served", killed.served, stopped.served, None, left),
            compare(
                "new worker up until all are served",
                killed.served - killed.up,
                stopped.served - stopped.up,
                Bar(limit=10, unit="s"),
            ),
        )
    )


async def _take_over(ground: Ground, count: int, *, kill: bool) -> Takeover:
    dsn = await world(ground)
    pool = await create_pool(dsn)
    async with pool, ground.temporal() as (server, client):
        gateway = Gateway(client)
        async with worker_process(ground, server, dsn) as old:
            ground.tell(f"taking {count} rollouts to their first gate")
            rollouts = await gated(gateway, pool, "takeover", count)
            ground.tell(f"approving all, then the worker is {'killed' if kill else 'stopped'}")
            began = await _approve_then_end(gateway, rollouts, old, kill=kill)
        async with worker_process(ground, server, dsn):
            up = time.perf_counter() - began
            left = count - await _served(pool, rollouts)

            async def all_served(pool: Pool = pool, rollouts: Sequence[Gated] = rollouts) -> bool:
                return await _served(pool, rollouts) == len(rollouts)

            await until(all_served, within=PATIENCE)
            found = Takeover(up=up, served=time.perf_counter() - began, left=left)
    ground.tell(f"the new worker was up after {found.up:.1f} s; all were served after {found.served:.1f} s")
    return found


async def _approve_then_end(gateway: Gateway, rollouts: Sequence[Gated], worker: WorkerProcess, *, kill: bool) -> float:
    """When the end began. Approvals go as signals, which the server keeps; the worker has begun on some of them."""
    await asyncio.gather(*(gateway.handle(one.plan.id).signal(Verb.DECIDE.value, one.approval()) for one in rollouts))
    began = time.perf_counter()
    await (worker.kill() if kill else worker.stop())
    return began


async def _served(pool: Pool, rollouts: Sequence[Gated]) -> int:
    """How many have enrolled their pilot."""
    found: int = await pool.fetchval(_SERVED, [one.plan.id for one in rollouts])
    return found
