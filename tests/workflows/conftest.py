"""Servers for tests in which servers and workers come and go, and in which histories are short."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import AsyncIterator
from datetime import date

import asyncpg
import pytest

from deploy.embedded.postgres import DATABASE, EmbeddedPostgres
from deploy.embedded.temporal import EmbeddedTemporal
from store.migrate import migrate
from store.pool import create_pool
from tests.conftest import QUIET
from tests.facts import seed_facts
from tests.memory import server_directory
from tests.workflows.chains import SHORT
from tests.workflows.live import FACTS_FROM
from workflows.attributes import SEARCH_ATTRIBUTES

FACTS_LAST = date(2027, 6, 1)
"""A rollout in fast time never gets this far, however slow the machine: 500 days are seven minutes."""

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
async def short_runs(settled: None) -> AsyncIterator[EmbeddedTemporal]:
    """A whole Temporal server in real time that asks for continue-as-new early."""
    options = {"limit.historyCount.suggestContinueAsNew": SHORT}
    async with EmbeddedTemporal(ui=False, search_attributes=SEARCH_ATTRIBUTES, dynamic_config=options) as server:
        yield server


@pytest.fixture(scope="session")
async def own_postgres() -> AsyncIterator[EmbeddedPostgres]:
    """A PostgreSQL whose settings a test may change and which it may stop, if it undoes that."""
    directory = server_directory("partner-rollouts-own-")
    try:
        # Only who asks for it waits for a standby server to confirm a commit.
        settings = {**QUIET, "synchronous_commit": "local"}
        async with EmbeddedPostgres(directory / "postgres", fast=True, settings=settings) as server:
            await migrate(server.dsn)
            async with await create_pool(server.dsn) as pool:
                await seed_facts(pool, FACTS_FROM, FACTS_LAST)
            yield server
    finally:
        shutil.rmtree(directory)


@pytest.fixture
async def own_database(own_postgres: EmbeddedPostgres) -> str:
    """The dsn of a database of this test's own on that server, with facts: the watch sees no other test's rollouts."""
    name = f"own_{next(_numbers)}"
    if own_postgres.process is None:
        # Whoever stopped it was broken off, or somebody took its port meanwhile and may have it still.
        own_postgres.port = None
        await own_postgres.start()
    conn = await asyncpg.connect(own_postgres.dsn_for("postgres"))
    try:
        await conn.execute(f"create database {name} template {DATABASE}")
    finally:
        await conn.close()
    return own_postgres.dsn_for(name)
