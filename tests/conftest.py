"""The servers that tests run against, all of them real: PostgreSQL, the development server, the time-skipping one."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from deploy.embedded.binaries import test_server_path
from deploy.embedded.postgres import EmbeddedPostgres
from deploy.embedded.temporal import EmbeddedTemporal
from store.intake import ImportReport
from store.pool import create_pool
from tests.limits import (
    pytest_configure,
    pytest_runtest_call,
    pytest_runtest_protocol,
    pytest_runtest_setup,
    pytest_runtest_teardown,
    pytest_sessionfinish,
    pytest_timeout_set_timer,
)
from tests.memory import server_directory
from tests.real_data import OF_CASES, OF_RESELLERS, load

# pytest finds hooks here alone.
__all__ = [
    "pytest_configure",
    "pytest_runtest_call",
    "pytest_runtest_protocol",
    "pytest_runtest_setup",
    "pytest_runtest_teardown",
    "pytest_sessionfinish",
    "pytest_timeout_set_timer",
]

# Whoever runs tests side by side tells each process how wide the terminal is: the program would fold its lines to that.
os.environ.pop("COLUMNS", None)

# How fast a machine is, is measured in bench/.
settings.register_profile("whatever the machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("whatever the machine")

QUIET = {"autovacuum": "off"}
"""Settings of a PostgreSQL in which nothing goes on but what a test does: a transaction of the server's own, that
gathers statistics just when the watch reads, keeps its place behind what it has dealt with."""

# The SDK's threads may abort the interpreter at exit if it follows the last shutdown too closely.
SETTLE_SECONDS = 0.3

_database_numbers = itertools.count(1)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files come first, or one process is left alone with the last; and what the time-skipping server has lost is
    begun anew: in simulated time nothing else is tried twice.

    What lasts is a whole rollout, with servers and processes: some say themselves how much time they need, and there
    are few in a file. A file of a hundred tests is one of rules and values, and over in seconds.
    """
    sizes = Counter(item.path for item in items)
    longest: dict[Path, float] = {}
    for item in items:
        asked = item.get_closest_marker("timeout")
        longest[item.path] = max(longest.get(item.path, 0.0), asked.args[0] if asked and asked.args else 0.0)
    items.sort(key=lambda item: (-longest[item.path], sizes[item.path], item.path))
    for item in items:
        if "time_skipping" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.flaky(reruns=2, only_rerun=["Stranded"]))


@pytest.fixture(scope="session")
async def postgres() -> AsyncIterator[EmbeddedPostgres]:
    """A PostgreSQL server for the whole run. Don't stop it: a test that must starts one of its own."""
    directory = server_directory("partner-rollouts-tests-")
    try:
        async with EmbeddedPostgres(directory / "postgres", fast=True, settings=QUIET) as server:
            yield server
    finally:
        shutil.rmtree(directory)


@pytest.fixture(scope="session")
async def template_database(postgres: EmbeddedPostgres) -> str:
    """The name of a migrated database that others are copied from; nobody connects to it."""
    from store.migrate import migrate

    await _run(postgres, "CREATE DATABASE migrated")
    await migrate(postgres.dsn_for("migrated"))
    return "migrated"


@pytest.fixture
async def database(postgres: EmbeddedPostgres, template_database: str) -> AsyncIterator[str]:
    """The dsn of a migrated, empty database of this test's own."""
    name = f"test_{next(_database_numbers)}"
    await _run(postgres, f"CREATE DATABASE {name} TEMPLATE {template_database}")
    try:
        yield postgres.dsn_for(name)
    finally:
        await _run(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
async def real_database(postgres: EmbeddedPostgres, template_database: str) -> str:
    """The dsn of the one database that holds the real data sets. Rollouts may run in it; its facts stay as they are."""
    await _run(postgres, f"CREATE DATABASE real_data TEMPLATE {template_database}")
    return postgres.dsn_for("real_data")


@pytest.fixture(scope="session")
async def resellers(real_database: str) -> list[ImportReport]:
    """What came of importing the resellers' files, each with its mapping."""
    return [await load(real_database, name, file) for name, file in OF_RESELLERS]


@pytest.fixture(scope="session")
async def cases(real_database: str) -> list[ImportReport]:
    """What came of importing the city's file, as partners and as leads."""
    return [await load(real_database, name, file) for name, file in OF_CASES]


@pytest.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool[asyncpg.Record]]:
    """Connections to this test's database, as the stores get theirs."""

    async with await create_pool(database, max_size=5) as connections:
        yield connections


@pytest.fixture(scope="session")
async def settled() -> AsyncIterator[None]:
    """For whoever connects by the SDK: the run does not end right after its last connection."""
    yield
    await asyncio.sleep(SETTLE_SECONDS)


@pytest.fixture
async def time_skipping(settled: None) -> AsyncIterator[WorkflowEnvironment]:
    """A server whose clock jumps to the next timer, for rollouts that last months.

    It has one clock for everybody, and stops answering queries of a second workflow once it has skipped months: each
    test gets a server of its own (it starts in a tenth of a second), and none relies on its absolute time.
    """
    environment = await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(test_server_path()), data_converter=pydantic_data_converter
    )
    async with environment:
        await register_search_attributes(environment.client)
        yield environment


@pytest.fixture(scope="session")
async def temporal_server(settled: None) -> AsyncIterator[EmbeddedTemporal]:
    """A whole Temporal server in real time. Don't stop it: a test that must starts one of its own."""
    from workflows.attributes import SEARCH_ATTRIBUTES

    async with EmbeddedTemporal(ui=False, search_attributes=SEARCH_ATTRIBUTES) as server:
        yield server


@pytest.fixture(scope="session")
async def dev_server(temporal_server: EmbeddedTemporal) -> WorkflowEnvironment:
    """The whole Temporal server, seen as a test environment: `.client` and its helpers."""
    client = await Client.connect(
        temporal_server.address, namespace=temporal_server.namespace, data_converter=pydantic_data_converter
    )
    return WorkflowEnvironment.from_client(client)


async def _run(server: EmbeddedPostgres, statement: str) -> None:
    connection = await asyncpg.connect(server.dsn_for("postgres"))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def register_search_attributes(client: Client) -> None:
    """An attribute that is not registered makes the time-skipping server retry the workflow's task for ever."""
    from workflows.attributes import SEARCH_ATTRIBUTES

    await client.operator_service.add_search_attributes(
        AddSearchAttributesRequest(
            namespace=client.namespace,
            search_attributes={
                key.name: IndexedValueType.ValueType(key.indexed_value_type) for key in SEARCH_ATTRIBUTES
            },
        )
    )
