"""A worker killed with approvals on their way until the next one has served them all, against a graceful stop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple, TypeAlias

import asyncpg
from temporalio.api.enums.v1 import EventType, TimeoutType
from temporalio.api.history.v1 import HistoryEvent

from bench.figures import Bar, Comparison, Findings, Profile, plain
from bench.ground import Ground, until
from bench.rollouts import Gated, gated, world
from bench.workers import WorkerProcess, worker_process
from console.gateway import Gateway
from models.command import Verb
from store.pool import create_pool

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

AGAINST = "the same after a graceful stop"
PATIENCE = 180.0
_TIMED_OUT = EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT
_QUEUED = TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_START
_LOST = TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE
_SERVED = "select count(distinct rollout_id) from enrolment where rollout_id = any ($1)"


class Takeover(NamedTuple):
    """What came of it.

    Attributes:
        up: seconds from the order to end until the new worker was up.
        served: the same, until it had served all.
        left: approvals it had to serve.
        queued: workflow tasks that lay in the old worker's own queue, until their time there was over.
        lost: workflow tasks that the old worker had been given, and that had to time out first.
        retried: activities that the old worker had begun, and that had to time out first.
        work: CPU seconds of the new worker since it was up.
    """

    up: float
    served: float
    left: int
    queued: int
    lost: int
    retried: int
    work: float


async def run(ground: Ground) -> Findings:
    """Every rollout stands at its first gate, its approval is taken by the server, and then the worker ends."""
    count = 2 if ground.quick else 100
    killed = await _take_over(ground, count, kill=True)
    stopped = await _take_over(ground, count, kill=False)

    def compare(what: str, mine: float, other: float, bar: Bar | None = None) -> Comparison:
        return Comparison(what=what, unit="s", ours=(mine,), against=AGAINST, theirs=(other,), bar=bar)

    return Findings(
        comparisons=(
            compare("old worker told to end until the new one is up", killed.up, stopped.up),
            compare("old worker told to end until all are served", killed.served, stopped.served),
            compare(
                "new worker up until all are served",
                killed.served - killed.up,
                stopped.served - stopped.up,
                Bar(limit=10, unit="s"),
            ),
        ),
        profiles=(_profile(killed, stopped),),
    )


def _profile(killed: Takeover, stopped: Takeover) -> Profile:
    rows = (
        ("approvals left to the new worker", str(killed.left), str(stopped.left)),
        ("workflow tasks in the old one's own queue, timed out", str(killed.queued), str(stopped.queued)),
        ("workflow tasks given to the old one, timed out", str(killed.lost), str(stopped.lost)),
        ("activities begun by the old one, timed out", str(killed.retried), str(stopped.retried)),
        ("the new one's own work until all were served, s of CPU", plain(killed.work), plain(stopped.work)),
    )
    return Profile(title="what the new worker had to wait for", columns=("", "killed", "stopped"), rows=rows)


async def _take_over(ground: Ground, count: int, *, kill: bool) -> Takeover:
    dsn = await world(ground)
    pool = await create_pool(dsn)
    async with pool, ground.temporal() as (server, client):
        gateway = Gateway(client)
        async with worker_process(ground, server, dsn) as old:
            ground.tell(f"taking {count} rollouts to their first gate")
            rollouts = await gated(gateway, pool, "takeover", count)
            ground.tell(f"approving all, then the worker is {'killed' if kill else 'stopped'}")
            if ground.quick:
                # Nothing on its way to the old worker, and so nothing whose timeout the new one has to await.
                began = await _end(old, kill=kill)
                await _approve(gateway, rollouts)
            else:
                await _approve(gateway, rollouts)
                began = await _end(old, kill=kill)
        async with worker_process(ground, server, dsn) as new:
            up, work = time.perf_counter() - began, new.cpu
            left = count - await _served(pool, rollouts)
            await until(partial(_all_served, pool, rollouts), within=PATIENCE)
            served, work = time.perf_counter() - began, new.cpu - work
            # Before it ends: what it then has in its own queue times out as well.
            histories = [(await gateway.handle(one.plan.id).fetch_history()).events for one in rollouts]
    events = [event for history in histories for event in history]
    queued, lost = (sum(_timed_out(event) == how for event in events) for how in (_QUEUED, _LOST))
    retried = sum(event.activity_task_started_event_attributes.attempt > 1 for event in events)
    found = Takeover(up, served, left, queued, lost, retried, work)
    ground.tell(f"the new worker was up after {found.up:.1f} s; all were served after {found.served:.1f} s")
    return found


def _timed_out(event: HistoryEvent) -> TimeoutType.ValueType | None:
    """How a workflow task timed out; None for any other event."""
    return event.workflow_task_timed_out_event_attributes.timeout_type if event.event_type == _TIMED_OUT else None


async def _approve(gateway: Gateway, rollouts: Sequence[Gated]) -> None:
    """As signals, which the server keeps whoever is there."""
    await asyncio.gather(*(gateway.handle(one.plan.id).signal(Verb.DECIDE.value, one.approval()) for one in rollouts))


async def _end(worker: WorkerProcess, *, kill: bool) -> float:
    """The moment at which its end began."""
    began = time.perf_counter()
    await (worker.kill() if kill else worker.stop())
    return began


async def _served(pool: Pool, rollouts: Sequence[Gated]) -> int:
    """How many have enrolled their pilot."""
    found: int = await pool.fetchval(_SERVED, [one.plan.id for one in rollouts])
    return found


async def _all_served(pool: Pool, rollouts: Sequence[Gated]) -> bool:
    return await _served(pool, rollouts) == len(rollouts)
