"""A backtest leaves the store as it was, and a rollout that really runs goes on beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from temporalio.testing import WorkflowEnvironment

from cli.backtest.running import NotRun
from deploy.embedded.postgres import EmbeddedPostgres
from models.backtest import End
from models.script import Script
from store import scratch as tables
from store.pool import create_pool
from tests.cli.backtest.conftest import copy_of
from tests.cli.backtest.worlds import backtest, plan, span
from tests.workflows.live import running

pytestmark = pytest.mark.timeout(600)

_TABLES = """
select format('%I.%I', schemaname, tablename) as name from pg_tables
where schemaname not in ('pg_catalog', 'information_schema') and schemaname not like 'pg\\_temp%'
order by 1
"""
AT_ONCE = Script(answers_after=timedelta(0))


@pytest.fixture
async def store(postgres: EmbeddedPostgres, slumping: str) -> AsyncIterator[asyncpg.Pool[asyncpg.Record]]:
    """A copy of the world, so that a rollout may really run in it."""
    async with await create_pool(await copy_of(postgres, "apart", slumping)) as pool:
        yield pool
    conn = await asyncpg.connect(postgres.dsn_for("postgres"))
    try:
        await conn.execute("drop database apart with (force)")
    finally:
        await conn.close()


async def _contents(pool: asyncpg.Pool[asyncpg.Record]) -> dict[str, str]:
    """Every table, and a digest of all its rows."""
    names = [row["name"] for row in await pool.fetch(_TABLES)]
    query = "select md5(coalesce(string_agg(t::text, chr(10) order by t::text), '')) from {} t"
    return {name: await pool.fetchval(query.format(name)) for name in names}


async def test_every_table_is_as_it_was_after_a_backtest_that_enrols_and_pauses(slumping: str) -> None:
    async with await create_pool(slumping) as pool:
        before = await _contents(pool)
        assert len(before) > 40
        found = await backtest(slumping, plan(), AT_ONCE, span("2025-05-12", 40))
        assert found.pauses
        assert any(one.kind.value == "enrolment" for one in found.log)
        assert await _contents(pool) == before


async def test_a_table_that_was_forgotten_ends_the_backtest_and_stays_as_it_was(
    slumping: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "_WRITTEN", tables._WRITTEN.replace("where k.contype = 'f'", "where false"))
    async with await create_pool(slumping) as pool:
        before = await _contents(pool)
        with pytest.raises(NotRun, match=r"could not begin its log.*read-only transaction"):
            await backtest(slumping, plan(), AT_ONCE, span("2025-05-12", 40))
        assert await _contents(pool) == before


async def test_a_rollout_that_runs_goes_on_beside_it(
    store: asyncpg.Pool[asyncpg.Record], time_skipping: WorkflowEnvironment, postgres: EmbeddedPostgres
) -> None:
    begins = datetime(2025, 4, 7, tzinfo=UTC)
    async with running(time_skipping, store, plan(), start=begins) as live:
        await live.confirm_all()
        await live.decide("sponsor")
        before = len(await live.stored_log(store))
        found, _ = await asyncio.gather(
            backtest(postgres.dsn_for("apart"), live.plan, AT_ONCE, span("2025-04-07", 25)), live.days(8)
        )
        await live.days(1)
        assert found.end is End.UNFINISHED
        assert [row["rollout_id"] for row in await store.fetch("select rollout_id from rollout")] == [live.plan.id]
        log = await live.stored_log(store)
        assert [row["sequence"] for row in log] == list(range(1, len(log) + 1))
        assert len(log) >= before
        view = await live.view()
        assert view.phase.value == "pilot"
        assert view.last_evidence_at is not None
        assert view.last_evidence_at >= begins + timedelta(days=8), "its watch has gone on"
        chains = await store.fetchval("select count(distinct chain_id) from decision_log")
        assert chains == 1
