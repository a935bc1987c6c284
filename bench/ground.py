"""The servers benches stand on, the same embedded ones that `rollouts up` starts: each begins when first asked for."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import asyncpg
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from cli.backtest.server import skipped_time
from deploy.embedded.account import temporary_directory
from deploy.embedded.postgres import EmbeddedPostgres
from deploy.embedded.temporal import EmbeddedTemporal
from store.migrate import migrate
from worker.plugin import rollouts_plugin
from workflows.attributes import SEARCH_ATTRIBUTES

Tell = Callable[[str], None]
T = TypeVar("T")


async def until(ready: Callable[[], Awaitable[bool]], *, within: float, pause: float = 0.05) -> None:
    """Ask again and again.

    Raises:
        TimeoutError: it was not so within these seconds.
    """
    async with asyncio.timeout(within):
        while True:
            if await ready():
                return
            await asyncio.sleep(pause)


class Ground:
    """Whatever servers a bench asks for; they and their data end with it.

    Attributes:
        quick: measure at a size that only shows that everything works.
        tell: where a line of progress goes.
        directory: for files of a bench.
    """

    def __init__(self, tell: Tell, *, quick: bool = False) -> None:
        self.quick = quick
        self.tell = tell
        self.directory: Path = temporary_directory("partner-rollouts-bench-")
        self._stack = AsyncExitStack()
        self._postgres: EmbeddedPostgres | None = None
        self._numbers = count(1)
        self._made: dict[Any, Any] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()
        shutil.rmtree(self.directory, ignore_errors=True)

    async def once(self, make: Callable[[Ground], Awaitable[T]]) -> T:
        """What `make` makes of this ground; made once, however many benches ask for it."""
        if make not in self._made:
            self._made[make] = await make(self)
        found: T = self._made[make]
        return found

    async def database(self, template: str | None = None) -> str:
        """The dsn of a fresh, migrated database, on a server with the settings that `rollouts up` gives it.

        Args:
            template: the name of a database to copy, with all that is in it.
        """
        if self._postgres is None:
            self.tell("starting PostgreSQL")
            server = EmbeddedPostgres(self.directory / "postgres", fast=self.quick)
            self._postgres = await self._stack.enter_async_context(server)
        name = f"bench_{next(self._numbers)}"
        connection = await asyncpg.connect(self._postgres.dsn)
        try:
            await connection.execute(f"create database {name} template {template or 'template1'}")
        finally:
            await connection.close()
        dsn = self._postgres.dsn_for(name)
        await migrate(dsn)
        return dsn

    @asynccontextmanager
    async def temporal(self) -> AsyncIterator[tuple[EmbeddedTemporal, Client]]:
        """A whole Temporal server of its own, all in memory, and a client of ours."""
        async with EmbeddedTemporal(ui=False, search_attributes=SEARCH_ATTRIBUTES) as server:
            yield server, await Client.connect(server.address, plugins=[rollouts_plugin()])

    @asynccontextmanager
    async def skipped_time(self) -> AsyncIterator[tuple[WorkflowEnvironment, Client]]:
        """A server whose clock jumps to the next timer: months in seconds. One rollout each: it has one clock."""
        async with skipped_time() as (environment, client):
            yield environment, client
