"""A turn is given back, whatever happens to whoever had it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from store.pool import create_pool
from store.turns import turn
from tests.worker.process import patiently

WORK = "what only one does at a time"


@pytest.fixture
async def two(database: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await create_pool(database, min_size=2, max_size=2)
    yield pool
    await pool.close()


async def free(pool: asyncpg.Pool) -> bool | None:
    """Whether another session than the one of the pool that comes first gets the turn."""
    async with pool.acquire() as one, pool.acquire() as other:
        async with turn(one, WORK) as first:
            pass
        async with turn(other, WORK) as second:
            pass
    return (first and second) or None


async def test_a_turn_is_had_by_one_at_a_time_and_given_back(two: asyncpg.Pool) -> None:
    async with two.acquire() as one, two.acquire() as other:
        async with turn(one, WORK) as first, turn(other, WORK) as second:
            assert (first, second) == (True, False)
        async with turn(other, WORK) as second:
            assert second


async def test_who_is_broken_off_gives_the_turn_back(two: asyncpg.Pool) -> None:
    began = asyncio.Event()

    async def work() -> None:
        async with two.acquire() as conn, turn(conn, WORK) as ours:
            assert ours
            began.set()
            await asyncio.Event().wait()

    working = asyncio.create_task(work())
    await began.wait()
    working.cancel()
    await asyncio.wait([working])
    assert await free(two)


async def test_a_session_that_cannot_give_its_turn_back_ends(two: asyncpg.Pool) -> None:
    """Nobody resets a session that is given back to the pool: with the turn it would keep everybody from the work."""

    async def work() -> None:
        async with two.acquire() as conn, turn(conn, WORK) as ours:
            assert ours
            await conn.execute("begin")
            with pytest.raises(asyncpg.DivisionByZeroError):
                await conn.execute("select 1 / 0")

    with pytest.raises(asyncpg.InFailedSQLTransactionError):
        await work()
    await patiently(lambda: free(two), lambda: "the turn is kept")
