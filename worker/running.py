"""Runs a worker for as long as a block lasts, and ends with the block, also when the SDK's core does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import structlog
from temporalio.worker import Worker

log = structlog.get_logger(__name__)

CORE_ENDS_WITHIN = timedelta(seconds=15)
"""Beyond the grace that running activities have. As a rule the core ends at once. Seldom, about once in thirty times in
which an activity had failed, it never does, with nothing left to do."""


@asynccontextmanager
async def beside(*duties: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Let duties that never end by themselves go on while inside. What goes wrong in them is theirs to tell of."""
    tasks = [asyncio.create_task(one) for one in duties]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


@asynccontextmanager
async def taking_work(worker: Worker, core_ends_within: timedelta = CORE_ENDS_WITHIN) -> AsyncIterator[None]:
    """Take work while inside; whoever leaves waits for what is being worked on.

    Raises:
        Exception: what the worker broke with, while inside or at its end.
    """
    inside = asyncio.current_task()
    running = asyncio.create_task(worker.run())

    def broken(task: asyncio.Task[None]) -> None:
        if inside is not None and _problem(task):
            inside.cancel()

    running.add_done_callback(broken)
    try:
        yield
    except asyncio.CancelledError:
        if inside is None or not _problem(running):
            raise
        inside.uncancel()
    finally:
        running.remove_done_callback(broken)
        await _end(worker, running, core_ends_within)


def _problem(running: asyncio.Task[None]) -> BaseException | None:
    return running.exception() if running.done() and not running.cancelled() else None


async def _end(worker: Worker, running: asyncio.Task[None], core_ends_within: timedelta) -> None:
    ending = asyncio.create_task(worker.shutdown())
    within = worker.config(active_config=True)["graceful_shutdown_timeout"] + core_ends_within
    _, pending = await asyncio.wait((running,), timeout=within.total_seconds())
    if pending:
        # Everything of ours is done by now: it waits for the core alone.
        log.warning("the worker's core does not end; it is left", waited=within.total_seconds())
        running.cancel()
    await asyncio.wait((running, ending), timeout=core_ends_within.total_seconds())
    ending.cancel()
    if problem := _problem(running):
        raise problem
