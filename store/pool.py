"""Opens the PostgreSQL connections everything else uses: UTC sessions, JSON as Python values, bounded waits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeAlias, TypeVar

import asyncpg
from asyncpg.pool import PoolConnectionProxy

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
"""A connection, whether opened for oneself or borrowed from a pool."""

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


T = TypeVar("T")
R = TypeVar("R")


class Json(str):
    """Text that is JSON already: it goes to the database as it stands."""

    __slots__ = ()


def _dumps(value: Any) -> str:
    return value if type(value) is Json else json.dumps(value, allow_nan=False)


async def create_pool(
    dsn: str,
    *,
    command_timeout: float = 10,
    min_size: int = 1,
    max_size: int = 4,
    application_name: str = "partner-rollouts",
) -> asyncpg.Pool[asyncpg.Record]:
    """A pool of connections to `dsn`; close it with `await pool.close()`.

    Args:
        command_timeout: seconds after which a statement is cancelled and `TimeoutError` raised.

    Raises:
        OSError, asyncpg.PostgresError: the server cannot be reached or refuses the connection.
    """
    return await asyncpg.create_pool(
        dsn,
        min_size=min_size,
        max_size=max_size,
        # A watch that had nothing to do for minutes must not prepare everything anew when something happens.
        max_cached_statement_lifetime=0,
        # Nor each time anew what is long: of the metrics' statements some are, and those are the dearest to plan.
        max_cacheable_statement_size=0,
        command_timeout=command_timeout,
        init=prepare_connection,
        reset=_leave_as_it_is,
        # The session's zone decides how dates and instants are compared inside SQL, so no server default may.
        server_settings={"timezone": "UTC", "application_name": application_name},
    )


async def _leave_as_it_is(_: Connection) -> None:
    """Nothing that we set outlasts its transaction, and `store.turns` gives back what it takes: to ask the server to
    reset a session each time it is given back would be one more message to wait for. What is still open is rolled back
    before this is called."""


async def prepare_connection(conn: Connection) -> None:
    """Give a connection the JSON codec that the stores rely on."""
    for name in ("json", "jsonb"):
        await conn.set_type_codec(name, schema="pg_catalog", encoder=_dumps, decoder=json.loads)


@asynccontextmanager
async def spare(pool: Pool) -> AsyncIterator[Connection | None]:
    """A connection that stands open with nothing to do; None where there is none. Nobody waits for it, nor opens one:
    whoever has one of a pool's connections already and waits for another keeps it from those who have none."""
    if pool.get_idle_size() == 0:
        yield None
        return
    async with pool.acquire() as conn:
        yield conn


async def shared(
    conns: Sequence[Connection], tasks: Iterable[T], do: Callable[[Connection, T], Awaitable[R]]
) -> dict[T, R]:
    """What is done of each task, in any order: every connection takes the next as soon as it has nothing to do.

    Raises:
        Exception: whatever `do` raises first. Nothing is under way any more.
    """
    found: dict[T, R] = {}
    waiting = iter(tasks)

    async def work(conn: Connection) -> None:
        for task in waiting:
            found[task] = await do(conn, task)

    try:
        async with asyncio.TaskGroup() as group:
            for conn in conns:
                group.create_task(work(conn))
    except ExceptionGroup as problems:
        raise problems.exceptions[0] from None
    return found
