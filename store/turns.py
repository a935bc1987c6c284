"""Turns at work that one process at a time should do, taken in the store."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from store.pool import Connection


@asynccontextmanager
async def turn(conn: Connection, work: str) -> AsyncIterator[bool]:
    """Whether it is ours to do this work now, while inside. Nobody waits; the turn of a process that dies ends with its
    connection."""
    number = zlib.crc32(work.encode())
    ours = await _asked(conn, "select pg_try_advisory_lock($1)", number)
    try:
        yield ours
    finally:
        if ours and not conn.is_closed():
            await _asked(conn, "select pg_advisory_unlock($1)", number)


async def _asked(conn: Connection, sql: str, number: int) -> bool:
    """What the server says; where that does not come through, the connection ends, and with it the turn. Given back to
    its pool with the turn, it would keep everybody from that work."""
    try:
        return bool(await conn.fetchval(sql, number))
    except BaseException:
        conn.terminate()
        raise
