"""Signs what no record signed along: what was wished for, at once, and what has stood for an hour.

Every worker with the key does it, beside its work for Temporal. Two of them never sign one chain at the same time; what
one has done the other finds done.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
import structlog

from activities import LogSigner
from activities.checkpoints import attempt
from activities.errors import UNAVAILABLE
from audit.checkpoint import Because
from store import checkpoints as store
from worker.running import beside

log = structlog.get_logger(__name__)

UNSIGNED_FOR = timedelta(hours=1)
"""How long an entry may stand without a checkpoint over it."""

WISHES_EVERY = 0.5
"""Seconds between two looks for wishes."""

HOURLY_EVERY = 60.0
"""Seconds between two looks for what has stood for too long."""


@asynccontextmanager
async def signing(
    pool: asyncpg.Pool[asyncpg.Record], signer: LogSigner, after: timedelta = UNSIGNED_FOR
) -> AsyncIterator[None]:
    """Keep the log signed while inside. Where the store is away it is tried again: `/readyz` tells."""
    async with beside(_keep(pool, signer, after)):
        yield


async def _keep(pool: asyncpg.Pool[asyncpg.Record], signer: LogSigner, after: timedelta) -> None:
    loop, hourly = asyncio.get_running_loop(), 0.0
    while True:
        try:
            while await grant_wish(pool, signer):
                pass
            if loop.time() >= hourly:
                await sign_due(pool, signer, after)
                hourly = loop.time() + HOURLY_EVERY
        except UNAVAILABLE as problem:
            log.debug("the log is not signed", problem=repr(problem)[:300])
        except Exception:
            log.exception("the log is not signed")
            await asyncio.sleep(HOURLY_EVERY)
        await asyncio.sleep(WISHES_EVERY)


async def grant_wish(pool: asyncpg.Pool[asyncpg.Record], signer: LogSigner) -> bool:
    """Write the checkpoint that was wished for first; whether there was a wish. One that cannot be granted is an alarm
    in the log, and gone: whoever wished waits only so long."""
    async with pool.acquire() as conn, conn.transaction():
        wished = await store.take_wish(conn)
        if wished is None:
            return False
        key, because = wished
        await attempt(conn, key, Because(because), signer)
        return True


async def sign_due(pool: asyncpg.Pool[asyncpg.Record], signer: LogSigner, after: timedelta = UNSIGNED_FOR) -> int:
    """Write a checkpoint for every chain with an entry that has stood for so long without; how many were written. A
    chain that somebody else has in hand is left to them."""
    async with pool.acquire() as conn:
        waiting = await store.due(conn, after)
        written = 0
        for key in waiting:
            async with conn.transaction():
                written += await attempt(conn, key, Because.HOUR, signer, wait=False) is not None
    return written
