"""How long the database works on something, and on which of the project's statements."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple, TypeAlias

import asyncpg
from asyncpg.connection import LoggedQuery

import store
from bench.figures import Profile, plain
from bench.ground import until
from store.pool import create_pool

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

CONNECTIONS = 8
_SQL = Path(store.__file__).parent / "sql"
# A statement may begin with the text of another file; what it ends with tells which one it is.
_NAMES = {path.read_text(encoding="utf-8"): str(path.relative_to(_SQL).with_suffix("")) for path in _SQL.rglob("*.sql")}
_ALONE = """
select count(*) = 1 from pg_stat_activity where datname = current_database() and backend_type = 'client backend'
"""
_ACTIVE = "select active_time / 1000 from pg_stat_database where datname = current_database()"


class Took(NamedTuple):
    """Seconds by the clock, and seconds that sessions of the database were at work, added up."""

    wall: float
    database: float


class StatementTimes:
    """Seconds and runs by statement, as their callers waited for them."""

    def __init__(self) -> None:
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._runs: defaultdict[str, int] = defaultdict(int)

    def __call__(self, query: LoggedQuery) -> None:
        name = next((name for text, name in _NAMES.items() if query.query.endswith(text)), "transactions and the rest")
        self._seconds[name] += query.elapsed
        self._runs[name] += 1

    def profile(self, title: str) -> Profile:
        """The dearest ones."""
        whole = sum(self._seconds.values())
        dearest = sorted(self._seconds, key=self._seconds.__getitem__, reverse=True)[:12]
        return Profile(
            title=title,
            columns=("statement", "runs", "ms each", "share"),
            rows=tuple(
                (
                    name,
                    str(self._runs[name]),
                    plain(1000 * self._seconds[name] / self._runs[name]),
                    f"{self._seconds[name] / whole:.0%}",
                )
                for name in dearest
            ),
        )


async def measured(dsn: str, work: Callable[[Pool], Awaitable[object]], seen: StatementTimes | None = None) -> Took:
    """Do the work on a pool of its own, and say what it took. `seen` is told of every statement; that costs."""
    before = await _active(dsn)
    pool = await create_pool(dsn, min_size=CONNECTIONS, max_size=CONNECTIONS, command_timeout=3600)
    async with pool:
        if seen is not None:
            async with AsyncExitStack() as borrowed:
                for _ in range(CONNECTIONS):
                    connection = await borrowed.enter_async_context(pool.acquire())
                    connection.add_query_logger(seen)
        began = time.perf_counter()
        await work(pool)
        wall = time.perf_counter() - began
    return Took(wall=wall, database=await _active(dsn) - before)


async def _active(dsn: str) -> float:
    """Sessions count their time when they end: wait until all have."""
    connection = await asyncpg.connect(dsn)
    try:
        await until(lambda: connection.fetchval(_ALONE), within=60)
        found: float = await connection.fetchval(_ACTIVE)
        return found
    finally:
        await connection.close()
