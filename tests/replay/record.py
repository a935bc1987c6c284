"""Records the history of every path: `python -m tests.replay.record [NAME...]`, or `NAME=AS` for one that is recorded
already and is passed in another way since.

Only for a path that has none yet. A history that today's code cannot replay is not recorded anew: the change that broke
it needs `workflow.patched`, because rollouts like it are running.
"""

from __future__ import annotations

import asyncio
import gzip
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment

from deploy.embedded.account import temporary_directory
from deploy.embedded.binaries import test_server_path
from deploy.embedded.postgres import EmbeddedPostgres
from deploy.embedded.temporal import EmbeddedTemporal
from models.names import WATCH_ID
from store.migrate import migrate
from store.pool import create_pool
from tests.conftest import register_search_attributes
from tests.facts import seed_facts
from tests.workflows.chains import SHORT, carried_on
from tests.workflows.conftest import FACTS_LAST
from tests.workflows.live import FACTS_FROM, Live
from tests.workflows.passing import passed
from tests.workflows.process import chain, site
from tests.workflows.scenarios import Pool, Scenario
from tests.workflows.scenarios_signed import PATHS
from workflows.attributes import SEARCH_ATTRIBUTES

HISTORIES = Path(__file__).parent / "histories"

RUNS = "continue_as_new"
"""The path over several runs; the watch's runs are recorded with it."""


@asynccontextmanager
async def played(scenario: Scenario, dsn: str) -> AsyncIterator[tuple[Live, Pool]]:
    """A path that has been passed on a server that skips time, over a database with its schema."""
    pool = await create_pool(dsn)
    environment = await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(test_server_path()), data_converter=pydantic_data_converter
    )
    async with environment, pool:
        await register_search_attributes(environment.client)
        async with passed(scenario, environment, pool) as live:
            yield live, pool


async def record(name: str, given: str, dsn: str) -> None:
    """Play one path and write down its history under the name that is given it."""
    async with played(PATHS[name], dsn) as (live, _):
        _write(given, await live.handle.fetch_history())


async def record_runs(given: str, dsn: str) -> None:
    """Play the path over several runs, and write down the runs of the rollout under the name that is given them, with
    the first two of the watch if it is the path's own."""
    options = {"limit.historyCount.suggestContinueAsNew": SHORT}
    async with EmbeddedTemporal(ui=False, search_attributes=SEARCH_ATTRIBUTES, dynamic_config=options) as server:
        async with await create_pool(dsn) as pool:
            await seed_facts(pool, FACTS_FROM, FACTS_LAST)
        async with site(server, dsn) as here:
            live = await carried_on(here)
            recorded = {given: await live.runs()}
            if given == RUNS:
                recorded["watch"] = (await chain(here.client, WATCH_ID))[:2]
    for name, runs in recorded.items():
        for number, events in enumerate(runs, 1):
            _write(f"{name}_{number}", WorkflowHistory(name, events))


def _write(name: str, history: WorkflowHistory) -> None:
    # Compressed without a time stamp, so that the same history is the same file.
    (HISTORIES / f"{name}.json.gz").write_bytes(gzip.compress(history.to_json().encode(), mtime=0))
    print(f"{name}: {len(history.events)} events")


async def main(names: list[str]) -> None:
    directory = temporary_directory("partner-rollouts-record-")
    try:
        async with EmbeddedPostgres(directory / "postgres", fast=True) as server:
            for number, wanted in enumerate(names or [*PATHS, RUNS]):
                name, _, given = wanted.partition("=")
                given = given or name
                if any((HISTORIES / f"{one}.json.gz").exists() for one in (given, f"{given}_1")):
                    print(f"{given}: recorded already; a recorded history is not replaced")
                    continue
                dsn = await _fresh(server, f"record_{number}")
                await (record_runs(given, dsn) if name == RUNS else record(name, given, dsn))
        await asyncio.sleep(0.3)
    finally:
        shutil.rmtree(directory)


async def _fresh(server: EmbeddedPostgres, name: str) -> str:
    import asyncpg

    connection = await asyncpg.connect(server.dsn_for("postgres"))
    try:
        await connection.execute(f"CREATE DATABASE {name}")
    finally:
        await connection.close()
    dsn = server.dsn_for(name)
    await migrate(dsn)
    return dsn


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
