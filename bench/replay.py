"""What a rollout costs the worker that takes it in: replay, start, memory, against it without the sandbox."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path
from typing import TypeAlias

import asyncpg
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHistory
from temporalio.plugin import SimplePlugin
from temporalio.worker import Replayer

from bench.figures import Bar, Comparison, Findings, Profile, plain
from bench.ground import Ground, until
from bench.parking import EVERY
from bench.remembering import ALL
from bench.rollouts import BEGIN, plan_for, world
from bench.simulated import simulate
from bench.unsandboxed import unsandboxed_plugin
from bench.workers import WorkerProcess, worker_process
from console.gateway import Gateway
from store.pool import create_pool
from worker.plugin import rollouts_plugin

Pairs: TypeAlias = list[tuple[float, float]]
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

AGAINST = "the same without the workflow sandbox"
AT_ONCE = 10
PAGE = 4096
_TASK_DONE = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
_ASKED_FOR = (
    EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
    EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
    EventType.EVENT_TYPE_TIMER_STARTED,
)
_OWNERS_ASKED = "select count(distinct rollout_id) from notice where rollout_id = any ($1) and kind = 'confirm'"
_HOME = Path(__file__).parent.parent
_RECORDED = _HOME / "tests" / "replay" / "histories"


async def run(ground: Ground) -> Findings:
    """Histories are replayed in this process, whose CPU is counted; memory is that of processes of their own."""
    rollout = await ground.once(simulate)
    rounds = 1 if ground.quick else 3
    recorded = _recorded()[: 2 if ground.quick else None]
    events = sum(len(one.events) for one in recorded)
    start = _just_started(rollout.history)
    ground.tell(f"replaying {len(recorded)} recorded histories of {events} events and the simulated one")
    # The first of each loads and warms what the later ones find ready.
    await _both([start], 5)
    found = {"event": await _rounds(recorded, rounds), "whole": await _rounds([rollout.history], rounds)}
    found["start"] = await _rounds([start], rounds, times=5 if ground.quick else 40)
    memory, cpu = await _parked(ground)
    remembered = await _remembered(ground)

    def compare(what: str, unit: str, pairs: Pairs, scale: float, bar: Bar | None = None, note: str = "") -> Comparison:
        ours, theirs = (tuple(value * scale for value in side) for side in zip(*pairs, strict=True))
        return Comparison(what=what, unit=unit, ours=ours, against=AGAINST, theirs=theirs, bar=bar, note=note)

    return Findings(
        comparisons=(
            compare(f"CPU an event, {len(recorded)} recorded histories", "ms", found["event"], 1000 / events),
            compare(
                f"CPU of a cold resume, {len(rollout.events)} events", "s", found["whole"], 1, Bar(limit=0.5, unit="s")
            ),
            compare("CPU of taking a new rollout in", "ms", found["start"], 1000, Bar(limit=15, unit="ms")),
            compare("CPU from a start until its owners are asked", "ms", cpu, 1000, None, "with its five activities"),
            compare("memory a cached rollout", "KiB", memory, 1 / 1024, Bar(limit=150, unit="KiB")),
        ),
        profiles=(remembered,),
    )


async def _rounds(histories: Sequence[WorkflowHistory], rounds: int, times: int = 1) -> Pairs:
    return [await _both(histories, times) for _ in range(rounds)]


async def _both(histories: Sequence[WorkflowHistory], times: int) -> tuple[float, float]:
    """CPU seconds of one replay of all, with and without the sandbox."""
    return await _replay(rollouts_plugin(), histories, times), await _replay(unsandboxed_plugin(), histories, times)


async def _replay(plugin: SimplePlugin, histories: Sequence[WorkflowHistory], times: int) -> float:
    async def all_of_them() -> AsyncIterator[WorkflowHistory]:
        for _ in range(times):
            for history in histories:
                yield history

    # The SDK complains of the malformed signals that some of them hold, and that the product refuses.
    logger = logging.getLogger("temporalio")
    logger.setLevel(logging.CRITICAL)
    began = time.process_time()
    try:
        await Replayer(workflows=[], plugins=[plugin]).replay_workflows(all_of_them())
    finally:
        logger.setLevel(logging.NOTSET)
    return (time.process_time() - began) / times


def _recorded() -> list[WorkflowHistory]:
    return [
        WorkflowHistory.from_json(f"rollout/{path.name}", gzip.decompress(path.read_bytes()).decode())
        for path in sorted(_RECORDED.glob("*.json.gz"))
    ]


def _just_started(history: WorkflowHistory) -> WorkflowHistory:
    """The rollout's first workflow task and what it asked for; nothing of what came of that."""
    events = list(history.events)
    end = next(at for at, event in enumerate(events) if event.event_type == _TASK_DONE) + 1
    while events[end].event_type in _ASKED_FOR:
        end += 1
    return WorkflowHistory.from_json("rollout/just-started", WorkflowHistory("", events[:end]).to_json())


async def _parked(ground: Ground) -> tuple[Pairs, Pairs]:
    """Bytes of a rollout that waits for its owners in a worker's cache, and the CPU seconds it took to get there."""
    count = 3 if ground.quick else 100
    memory, cpu = [], []
    for _ in range(1 if ground.quick else 2):
        found = [await _park(ground, sandbox, count) for sandbox in ((), ("unsandboxed",))]
        memory.append((found[0][0], found[1][0]))
        cpu.append((found[0][1], found[1][1]))
    return memory, cpu


async def _park(ground: Ground, sandbox: Sequence[str], count: int) -> tuple[float, float]:
    """In a worker that remembers as much of other rollouts as it ever will: what it has more is what one more costs."""
    dsn = await world(ground)
    ground.tell(f"parking {count} rollouts in a worker process {' '.join(sandbox)}")
    pool, pause = await create_pool(dsn), 0.3 if ground.quick else 2.0
    async with (
        pool,
        ground.temporal() as (server, client),
        worker_process(ground, server, dsn, "bench.parking", str(_others(ground)), *sandbox) as worker,
    ):
        gateway = Gateway(client)
        # What comes with the first few stays for all: connections, compiled validators, threads.
        await _start(gateway, pool, "warm", count // 3)
        memory, cpu = await _memory(ground, worker, pause), worker.cpu
        await _start(gateway, pool, "parked", count)
        await worker.idle(during=pause)
        cpu = worker.cpu - cpu
        # Of a few, all may fit into memory that was there already: then it is as much as can be told apart.
        return max(await _memory(ground, worker, pause) - memory, PAGE) / count, cpu / count


def _others(ground: Ground) -> int:
    """Rollouts that a worker remembers before it begins."""
    return 3 if ground.quick else ALL


async def _memory(ground: Ground, worker: WorkerProcess, pause: float) -> int:
    """What it has, in bytes, when it is idle and has given back what is free."""
    await worker.idle(during=pause)
    if not ground.quick:
        await asyncio.sleep(3 * EVERY.total_seconds())
    return worker.memory


async def _remembered(ground: Ground) -> Profile:
    """What it remembers, in a process of its own."""
    command = (sys.executable, "-P", "-m", "bench.remembering", str(_others(ground)))
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(_HOME)}
    )
    written, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    found: dict[str, int] = json.loads(written)
    parts = [*found.items(), ("all of it", sum(found.values()))]
    return Profile(
        title="what a worker remembers of rollouts, open or not, when it is full",
        columns=("", "MiB"),
        rows=tuple((name, plain(size / 2**20)) for name, size in parts),
    )


async def _start(gateway: Gateway, pool: Pool, name: str, count: int) -> None:
    """A few at a time, so that the memory they need while they are busy is the same however many they are."""
    plans = [plan_for(f"{name}-{number}") for number in range(count)]
    for first in range(0, count, AT_ONCE):
        batch = plans[first : first + AT_ONCE]
        for plan in batch:
            await gateway.start(plan, BEGIN, 1.0)
        await until(partial(_all_asked, pool, [plan.id for plan in batch]), within=120)


async def _all_asked(pool: Pool, names: list[str]) -> bool:
    asked: int = await pool.fetchval(_OWNERS_ASKED, names)
    return asked == len(names)
