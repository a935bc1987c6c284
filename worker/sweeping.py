"""Sweeps while the worker runs: looks after the workflows, and exports the histories of what is over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import structlog

from activities.sweeping import Sweep, Swept
from worker.running import beside

log = structlog.get_logger(__name__)

LOOK = timedelta(minutes=1)
"""Between two looks whether every open rollout has a workflow that goes on."""

EXPORT = timedelta(days=1)
"""Between two exports of what is over. A rollout exports its history itself before it ends; what is left is its last
event, and runs that somebody ended."""

AGAIN = timedelta(minutes=10)
"""Until an export that went wrong is tried again."""


@asynccontextmanager
async def sweeping(sweep: Sweep, look: timedelta = LOOK, export: timedelta = EXPORT) -> AsyncIterator[None]:
    """Sweep while inside, at once and then at these intervals; what goes wrong is told of and tried again."""
    looks = _every(look, min(look, AGAIN), lambda: _told(sweep.look))
    async with beside(looks, _every(export, min(export, AGAIN), lambda: _told(sweep.export))):
        yield


async def _every(interval: timedelta, again: timedelta, work: Callable[[], Awaitable[bool]]) -> None:
    while True:
        done = await work()
        await asyncio.sleep((interval if done else again).total_seconds())


async def _told(sweep: Callable[[], Awaitable[Swept | None]]) -> bool:
    """Whether all went well, or another worker is at it."""
    try:
        swept = await sweep()
    except Exception as problem:
        log.warning("sweep_failed", problem=str(problem)[:300])
        return False
    if swept is not None and (swept.exported or swept.failed):
        log.info("histories_exported", exported=swept.exported, failed=swept.failed)
    return swept is None or not swept.failed
