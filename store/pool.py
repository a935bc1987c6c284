"""Opens the PostgreSQL connections everything else uses: UTC sessions, JSON as Python values, bounded waits."""

from __future__ import annotations

import json
from typing import Any, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
"""A connection, whether opened for oneself or borrowed from a pool."""


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
