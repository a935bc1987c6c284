"""What goes wrong has a name, a bounded text, and says whether trying again can help."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable

import asyncpg
import pytest
from pydantic import TypeAdapter
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment

from activities.delivery import Delivery
from activities.errors import LONGEST, borrowed, named_errors, unknown_partners
from activities.metrics import MetricActivities
from activities.notices import NoticeActivities
from activities.watching import WatchActivities
from deploy.embedded.postgres import EmbeddedPostgres
from models.work import NotifyRequest, TickRequest
from store.migrate import migrate
from store.pool import create_pool
from tests.activities.setting import DAY, START, Pool, Setting, entry, notice
from tests.activities.whole import BothEffects
from tests.memory import server_directory
from tests.worker.process import patiently


@pytest.fixture
async def own_postgres() -> AsyncIterator[EmbeddedPostgres]:
    """A server that this test may stop."""
    directory = server_directory("partner-rollouts-tests-")
    try:
        async with EmbeddedPostgres(directory / "postgres", fast=True) as server:
            await migrate(server.dsn)
            yield server
    finally:
        shutil.rmtree(directory)


async def caught(attempt: Awaitable[object]) -> ApplicationError:
    with pytest.raises(ApplicationError) as found:
        await attempt
    return found.value


async def test_a_stopped_database_is_unavailable_and_then_it_goes_on(
    own_postgres: EmbeddedPostgres, dev_server: WorkflowEnvironment
) -> None:
    async with await create_pool(own_postgres.dsn) as pool:
        setting = await Setting(pool).register()
        delivery = Delivery(pool, ())
        effects, metrics = BothEffects(pool, dev_server.client), MetricActivities(pool)
        notices, watch = NoticeActivities(pool, delivery), WatchActivities(pool, dev_server.client, delivery)
        telling = NotifyRequest(key=setting.key, notices=(notice(),))
        await own_postgres.stop()
        errors = [
            await caught(effects.resolve_cohorts(setting.resolving())),
            await caught(effects.enrol_partners(setting.enrolling())),
            await caught(effects.withdraw_partners(setting.enrolling())),
            await caught(effects.record_decisions(setting.recording(entry(1)))),
            await caught(metrics.fetch_metrics(setting.fetching())),
            await caught(metrics.assess_thresholds(setting.assessing("sha256:1"))),
            await caught(notices.notify_owners(telling)),
            await caught(watch.evaluate_open_rollouts(TickRequest(real_now=START, slowest=DAY))),
        ]
        assert {(error.type, error.non_retryable) for error in errors} == {("StoreUnavailable", False)}
        await own_postgres.start()
        assert await effects.record_decisions(setting.recording(entry(1))) == 1
        await notices.notify_owners(telling)
        contacts = await pool.fetch("select contact from notice where sent_at is not null order by contact")
        assert [row["contact"] for row in contacts] == ["*", "rev.ops@example.com", "sam.sponsor@example.com"]


async def test_connections_cut_in_the_middle_are_unavailability(pool: Pool) -> None:
    async def read() -> None:
        async with borrowed(pool) as conn:
            await conn.execute("select pg_sleep(20)")

    reading = asyncio.create_task(read())
    cut = (
        "select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_sleep(20)%' "
        "and state = 'active' and pid <> pg_backend_pid()"
    )

    async def was_cut() -> bool | None:
        done: bool | None = await pool.fetchval(cut)
        return done

    await patiently(was_cut)
    error = await caught(reading)
    assert (error.type, error.non_retryable) == ("StoreUnavailable", False)


async def test_waiting_for_a_free_connection_ends(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activities.errors.PATIENCE", 0.1)
    held = [await pool.acquire() for _ in range(pool.get_max_size())]
    try:
        async with asyncio.timeout(60):
            error = await caught(MetricActivities(pool).fetch_metrics(Setting(pool).fetching()))
    finally:
        for conn in held:
            await pool.release(conn)
    assert (error.type, error.non_retryable) == ("StoreUnavailable", False)


async def test_a_statement_that_takes_too_long_is_cut_off(database: str) -> None:
    async with await create_pool(database, command_timeout=2) as pool:  # as long as it may take to connect

        async def read() -> None:
            async with borrowed(pool) as conn:
                await conn.execute("select pg_sleep(60)")

        error = await caught(read())
    assert (error.type, error.non_retryable) == ("StoreUnavailable", False)


async def test_an_empty_database_is_to_be_migrated(own_postgres: EmbeddedPostgres) -> None:
    async with await create_pool(own_postgres.dsn) as pool:
        await pool.execute("create database bare")
    async with await create_pool(own_postgres.dsn_for("bare")) as pool:
        error = await caught(MetricActivities(pool).assess_thresholds(Setting(pool).assessing("sha256:1")))
    assert (error.type, error.non_retryable) == ("StoreNotReady", False)
    assert "rollouts db migrate" in str(error)


@pytest.mark.parametrize(
    ("problem", "kind", "final"),
    [
        (ConnectionRefusedError("no"), "StoreUnavailable", False),
        (asyncpg.TooManyConnectionsError("full"), "StoreUnavailable", False),
        (asyncpg.DeadlockDetectedError("each other"), "StoreUnavailable", False),
        (asyncpg.SerializationError("again"), "StoreUnavailable", False),
        (asyncpg.CannotConnectNowError("starting up"), "StoreUnavailable", False),
        (asyncpg.InvalidPasswordError("who"), "StoreUnavailable", False),
        (asyncpg.DiskFullError("full"), "StoreUnavailable", False),
        (asyncpg.InternalClientError("cannot switch to state 12"), "StoreUnavailable", False),
        (asyncpg.ForeignKeyViolationError("no such row"), "StoreRefused", True),
        (asyncpg.NumericValueOutOfRangeError("too large"), "StoreRefused", True),
        (RPCError("away", RPCStatusCode.UNAVAILABLE, b""), "ServerUnavailable", False),
    ],
)
def test_every_trouble_has_a_name(problem: Exception, kind: str, final: bool) -> None:
    with pytest.raises(ApplicationError) as found, named_errors():
        raise problem
    assert (found.value.type, found.value.non_retryable) == (kind, final)
    assert str(problem) in str(found.value)


def test_texts_are_bounded() -> None:
    with pytest.raises(ApplicationError) as found, named_errors():
        raise asyncpg.CheckViolationError("a row " * 1000)
    assert len(found.value.message) == LONGEST
    assert "and 990 more" in str(unknown_partners(tuple(f"P{number:04d}" for number in range(1000))))


def test_values_that_are_none_are_named() -> None:
    with pytest.raises(ApplicationError) as found, named_errors():
        TypeAdapter(int).validate_python("x" * 10_000)
    assert (found.value.type, found.value.non_retryable) == ("UnreadableFacts", True)
    assert len(found.value.message) <= LONGEST


def test_a_mistake_in_the_code_keeps_its_own_name() -> None:
    with pytest.raises(KeyError), named_errors():
        raise KeyError("a bug")
