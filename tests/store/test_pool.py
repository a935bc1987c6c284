"""Connections as every store gets them, and a snapshot that one transaction sees whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import asyncpg
import pytest

from models.metric import MetricName
from store.metrics import read_metric
from store.pool import Connection, create_pool, shared, spare
from tests.store.world import Q1, Q1_END, World, at


@pytest.fixture
async def own_pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await create_pool(database, application_name="pool test")
    yield pool
    await pool.close()


async def test_json_comes_and_goes_as_python_values(own_pool: asyncpg.Pool) -> None:
    value = {"met": 3, "partners": ["a", "b"], "share": 0.5, "none": None}
    assert await own_pool.fetchval("select $1::jsonb", value) == value
    # PostgreSQL has no NaN in JSON; saying so here names the value, the server would only name a byte.
    with pytest.raises(asyncpg.DataError, match="not JSON compliant"):
        await own_pool.fetchval("select $1::jsonb", {"met": float("nan")})


async def test_sessions_reckon_in_utc_whatever_the_server_prefers(own_pool: asyncpg.Pool, database: str) -> None:
    name = database.rsplit("/", 1)[-1].split("?")[0]
    await own_pool.execute(f"alter database \"{name}\" set timezone to 'Asia/Tokyo'")
    pool = await create_pool(database)
    try:
        day = await pool.fetchval("select $1::timestamptz::date", datetime(2026, 1, 1, 20, tzinfo=UTC))
    finally:
        await pool.close()
    assert day.isoformat() == "2026-01-01"


async def test_a_statement_is_given_up_after_its_time(database: str) -> None:
    async with await create_pool(database, command_timeout=2) as pool:  # as long as it may take to connect
        with pytest.raises(TimeoutError):
            await pool.execute("select pg_sleep(60)")


async def test_the_server_is_told_who_asks(own_pool: asyncpg.Pool) -> None:
    assert await own_pool.fetchval("select current_setting('application_name')") == "pool test"


async def test_what_is_set_in_a_transaction_ends_with_it_also_where_nobody_ended_it(database: str) -> None:
    """Nothing resets a session that is given back: only what is open is rolled back."""
    async with await create_pool(database, max_size=1) as pool:
        async with pool.acquire() as conn:
            ours = conn.get_server_pid()
            usual = await conn.fetchval("show work_mem")
            await conn.execute("begin; set local work_mem = '77MB'")
        async with pool.acquire() as conn:
            assert conn.get_server_pid() == ours
            assert not conn.is_in_transaction()
            assert await conn.fetchval("show work_mem") == usual


async def test_all_metrics_of_one_transaction_see_the_same_facts(own_pool: asyncpg.Pool) -> None:
    async with own_pool.acquire() as conn:
        await World(conn).add("lead", partner_id="a", assigned_at=at("2026-01-05"), contact_due_at=at("2026-01-06"))
    async with (
        own_pool.acquire() as reader,
        own_pool.acquire() as writer,
        reader.transaction(isolation="repeatable_read", readonly=True),
    ):
        before = {metric: await read(reader, metric) for metric in MetricName}
        await writer.execute("update lead set first_contact_at = assigned_at")
        assert {metric: await read(reader, metric) for metric in MetricName} == before
        assert (await read(writer, MetricName.LEAD_FOLLOW_UP_SLA)) != before[MetricName.LEAD_FOLLOW_UP_SLA]


async def test_a_connection_to_spare_is_open_and_has_nothing_to_do_and_nobody_waits_for_one(database: str) -> None:
    async with await create_pool(database, max_size=2) as pool, pool.acquire() as first:
        async with spare(pool) as none:
            assert none is None  # another could be opened, but none is open
        async with pool.acquire() as second:
            async with spare(pool) as none:
                assert none is None
            known = second.get_server_pid()
        async with spare(pool) as helper:
            assert helper is not None
            assert known == helper.get_server_pid() != first.get_server_pid()


async def test_whoever_has_nothing_to_do_takes_the_next_task(own_pool: asyncpg.Pool) -> None:
    async with own_pool.acquire() as slow, own_pool.acquire() as quick:
        let = asyncio.Event()

        async def do(conn: Connection, task: int) -> tuple[int, bool]:
            if conn is slow:
                await let.wait()
            elif task == 4:
                let.set()
            return task * task, conn is slow

        found = await shared((slow, quick), range(5), do)
    assert found == {0: (0, True), **{task: (task * task, False) for task in range(1, 5)}}


async def test_what_goes_wrong_with_one_ends_what_the_others_do_and_is_raised_as_it_is(own_pool: asyncpg.Pool) -> None:
    async with own_pool.acquire() as one, own_pool.acquire() as other:
        asked: dict[Connection, str] = {one: "select pg_sleep(60)", other: "select 1 / 0"}
        with pytest.raises(asyncpg.DivisionByZeroError):
            await shared((one, other), range(2), lambda conn, _: conn.execute(asked[conn]))
        assert [await conn.fetchval("select 1") for conn in (one, other)] == [1, 1]


async def read(conn: asyncpg.pool.PoolConnectionProxy, metric: MetricName) -> object:
    return await read_metric(conn, metric, partner_ids=("a",), window=Q1, as_of=Q1_END)
