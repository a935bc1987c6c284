"""Breaches are told once, whatever happens to the servers under the watch and to the worker it runs on."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import uuid4

import asyncpg
import pytest
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.testing import WorkflowEnvironment

from activities import watching
from deploy.embedded.postgres import EmbeddedPostgres
from deploy.embedded.temporal import EmbeddedTemporal
from models.command import ReportBreach, ReportEvidence
from models.names import WATCH, WATCH_ID
from models.work import WatchInput
from store.migrate import migrate
from store.pool import create_pool
from tests.activities.mailbox import Mailbox, workflow_of
from tests.activities.setting import Pool
from tests.activities.stays import everything_is_dealt_with, first, late, opened
from tests.conftest import QUIET
from tests.facts import seed_facts
from tests.memory import server_directory
from tests.worker.process import patiently
from tests.workflows.process import USUAL, Site, site, terminate
from worker.plugin import rollouts_plugin
from worker.serving import serving

_numbers = count(1)


@pytest.fixture(scope="module")
async def own() -> AsyncIterator[EmbeddedPostgres]:
    """A PostgreSQL that tests may stop, whose queue of notifications is as small as it gets."""
    directory = server_directory("partner-rollouts-watch-")
    try:
        settings = {**QUIET, "max_notify_queue_pages": "64"}
        async with EmbeddedPostgres(directory / "postgres", fast=True, settings=settings) as server:
            yield server
    finally:
        shutil.rmtree(directory)


@pytest.fixture
async def dsn(own: EmbeddedPostgres) -> str:
    """A database of this test's own on it, with two months of regular facts up to the last midnight."""
    name = f"watch_{next(_numbers)}"
    conn = await asyncpg.connect(own.dsn_for("postgres"))
    await conn.execute(f"create database {name}")
    await conn.close()
    await migrate(own.dsn_for(name))
    today = datetime.now(UTC).date()
    async with await create_pool(own.dsn_for(name)) as pool:
        await seed_facts(pool, today - timedelta(days=60), today)
    return own.dsn_for(name)


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[Pool]:
    async with await create_pool(dsn, max_size=6) as pool:
        yield pool


@asynccontextmanager
async def a_worker(server: EmbeddedTemporal, pool: Pool) -> AsyncIterator[Client]:
    """A worker with the watch, which stays awake for hours."""
    client = await Client.connect(server.address, namespace=server.namespace, plugins=[rollouts_plugin()])
    queue, given = f"watch-{uuid4().hex[:8]}", WatchInput(slowest=timedelta(hours=1), stay=timedelta(hours=1))
    try:
        async with serving(client, pool, queue):
            await client.start_workflow(
                WATCH,
                given,
                id=WATCH_ID,
                task_queue=queue,
                id_conflict_policy=WorkflowIDConflictPolicy.TERMINATE_EXISTING,
            )
            yield client
    finally:
        await terminate(client, WATCH_ID)


async def told(box: Mailbox) -> list[str]:
    """What kinds of word came, evidence of no change left out.

    Whoever could not write down what it told tells it again under the same request id, and the rollout takes it once.
    """
    words = {word.request_id: word for word in await box.words()}.values()
    return [type(word).__name__ for word in words if not isinstance(word, ReportEvidence) or word.changed]


async def test_what_changes_after_the_database_was_restarted_is_told_once(
    own: EmbeddedPostgres, dsn: str, temporal_server: EmbeddedTemporal, dev_server: WorkflowEnvironment
) -> None:
    # It is open before anybody looks: a look that is tried again after the restart is one of its first moment, and a
    # word from before a rollout began to count is rightly said again.
    async with (
        connected(dsn) as pool,
        workflow_of(dev_server, await opened(pool)) as box,
        a_worker(temporal_server, pool),
    ):
        await first(box, ReportEvidence)
        await own.stop()
        await asyncio.sleep(1)  # long enough for the watch to notice
        await own.start()
        async with connected(dsn) as again:
            await late(again)
            await first(box, ReportBreach)
            await everything_is_dealt_with(again)
        assert await told(box) == ["ReportEvidence", "ReportBreach"]


async def test_a_full_queue_of_notifications_refuses_no_fact_and_hides_no_breach(
    dsn: str,
    temporal_server: EmbeddedTemporal,
    dev_server: WorkflowEnvironment,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watching, "ASK", timedelta(milliseconds=200))
    async with connected(dsn) as pool, a_worker(temporal_server, pool), _full_queue(dsn):
        setting = await opened(pool)
        async with workflow_of(dev_server, setting) as box:
            await first(box, ReportEvidence)
            await late(pool)
            await first(box, ReportBreach)
            await everything_is_dealt_with(pool)
            assert await told(box) == ["ReportEvidence", "ReportBreach"]


@asynccontextmanager
async def _full_queue(dsn: str) -> AsyncIterator[None]:
    """Somebody listens and then does not: nothing in the queue can be removed, and it takes no more."""
    deaf, noisy = await asyncpg.connect(dsn), await asyncpg.connect(dsn)
    try:
        await deaf.execute("listen noise")
        await deaf.execute("begin")
        await deaf.execute("select 1")
        with pytest.raises(asyncpg.PostgresError, match="too many notifications"):
            await _fill(noisy)
        yield
    finally:
        await deaf.close()
        await noisy.close()


async def _fill(conn: asyncpg.Connection) -> None:
    for number in range(10_000):
        await conn.execute("select pg_notify('noise', $1)", f"{number:07000}")


async def test_a_breach_that_comes_while_the_watchs_worker_is_dead_is_told_by_the_next_one(
    dsn: str, temporal_server: EmbeddedTemporal, dev_server: WorkflowEnvironment
) -> None:
    async with connected(dsn) as pool:
        setting = await opened(pool)
        async with site(temporal_server, dsn, within=USUAL) as here, workflow_of(dev_server, setting) as box:
            await first(box, ReportEvidence)
            await everything_is_dealt_with(pool)
            await _dies_in_its_sleep(here)
            await late(pool)
            await here.start_worker()
            await first(box, ReportBreach)
            await everything_is_dealt_with(pool)
            assert await told(box) == ["ReportEvidence", "ReportBreach"]


async def _dies_in_its_sleep(here: Site) -> None:
    watch = here.client.get_workflow_handle(WATCH_ID)
    pending = (await watch.describe()).raw_description.pending_activities
    assert [one.activity_type.name for one in pending] == ["evaluate_open_rollouts"]

    async def sign() -> bool | None:
        pending = (await watch.describe()).raw_description.pending_activities
        return any(one.HasField("last_heartbeat_time") for one in pending) or None

    await patiently(sign, lambda: "the watch's stay gives no sign of life")
    await here.kill_worker()
