"""A database session in which a rollout runs over the facts and leaves no trace: it writes tables of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date
from typing import Any

import asyncpg

from store.pool import Connection, prepare_connection
from store.statements import statement

_WRITTEN = statement("scratch/written")
_REACH = statement("scratch/reach")

# The server itself refuses whatever would be written to any other table, whoever asks for it: in a read-only
# transaction only temporary tables can be written.
_SETTINGS = {
    "timezone": "UTC",
    "application_name": "rollouts backtest",
    "default_transaction_read_only": "on",
    "temp_buffers": "64MB",
}


class ScratchRefused(Exception):
    """The database lets nobody make tables of a session's own; the message says why."""


class ScratchLost(Exception):
    """The session is gone, and its tables with it."""


@asynccontextmanager
async def scratch(dsn: str, *, command_timeout: float = 60) -> AsyncIterator[asyncpg.Pool[Any]]:
    """A pool of the one connection that sees empty temporary tables in place of those that rollouts write.

    They go with the session, however it ends. Everything else is as it is, and can only be read.

    Raises:
        ScratchRefused: the database does not allow it.
        OSError, asyncpg.PostgresError: the server cannot be reached or refuses the connection.
    """
    opened = False

    async def prepare(conn: asyncpg.Connection[asyncpg.Record]) -> None:
        nonlocal opened
        if opened:
            raise ScratchLost("the connection to PostgreSQL was lost, and with it what the backtest had written")
        opened = True
        await prepare_connection(conn)
        await _make_tables(conn)

    pool = await asyncpg.create_pool(
        dsn,
        min_size=0,
        max_size=1,
        # Whoever closes an idle connection would close the tables with it.
        max_inactive_connection_lifetime=0,
        max_queries=2**62,
        command_timeout=command_timeout,
        init=prepare,
        server_settings=_SETTINGS,
    )
    async with pool:
        async with pool.acquire():
            pass
        yield pool


async def _make_tables(conn: asyncpg.Connection[asyncpg.Record]) -> None:
    tables = await conn.fetch(_WRITTEN)
    try:
        await conn.execute("begin read write")
        for one in tables:
            await conn.execute(f"create temporary table {one['name']} (like {one['whole']} including all)")
        await conn.execute("commit")
    except asyncpg.PostgresError as problem:
        await conn.execute("rollback")
        raise ScratchRefused(
            f"a backtest needs temporary tables, and the database refuses them: {problem}"
        ) from problem


async def read_reach(conn: Connection, tables: Sequence[str], since: date, until: date) -> dict[str, dict[str, Any]]:
    """For each table of facts the first and the last day, when those of the first and the last became known, and how
    many facts of `[since, until)` were known by its end. None, and 0, where there are none.
    """
    found = {row["facts_of"]: dict(row) for row in await conn.fetch(_REACH, list(tables), since, until)}
    nothing = {"first": None, "last": None, "known_first": None, "known_last": None, "in_span": 0}
    return {table: {name: found.get(table, nothing)[name] for name in nothing} for table in tables}
