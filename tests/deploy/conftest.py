"""Servers that start quickly and are gone quickly, for tests in which neither is the point."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from deploy.embedded.postgres import EmbeddedPostgres
from deploy.embedded.processes import end
from deploy.embedded.stack import TEMPORAL, EmbeddedStack
from deploy.embedded.temporal import EmbeddedTemporal
from tests.memory import server_directory

Place = Callable[[Path], None]
"""Puts a PostgreSQL that was started before into a directory of data."""


@pytest.fixture(scope="session")
async def made_before() -> AsyncIterator[Place]:
    """Making a cluster takes ten times as long as copying one."""
    directory = server_directory("partner-rollouts-tests-")
    async with EmbeddedPostgres(directory / "postgres", fast=True):
        pass

    def place(target: Path) -> None:
        # Not by Python: the copy must belong to the account that the server runs as.
        subprocess.run(["cp", "-a", str(directory / "postgres"), str(target)], check=True)  # noqa: S607

    yield place
    shutil.rmtree(directory)


@pytest.fixture
async def stack(made_before: Place, settled: None) -> AsyncIterator[EmbeddedStack]:
    """Nothing runs in it yet; whatever runs in it at the end is ended."""
    directory = server_directory("partner-rollouts-tests-")
    stack = EmbeddedStack(directory / "servers", fast=True)
    stack.directory.mkdir(0o711)
    made_before(stack.directory / "postgres")
    yield stack
    await end_quickly(stack)
    shutil.rmtree(directory)


async def end_quickly(stack: EmbeddedStack) -> None:
    """Temporal takes a second to say goodbye to clients that it does not have any more."""
    for server in stack.status().running:
        if server.name == TEMPORAL:
            await end(server.process, (signal.SIGKILL, 10.0))
    await stack.down()


@asynccontextmanager
async def passing(server: EmbeddedTemporal) -> AsyncIterator[EmbeddedTemporal]:
    """A server for as long as the block lasts, ended without goodbye."""
    await server.start()
    try:
        yield server
    finally:
        await server.crash()
        await server.stop()
