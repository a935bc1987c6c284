"""A session in which a rollout runs and leaves no trace: its tables are its own, all others can only be read."""

from __future__ import annotations

import asyncpg
import pytest

from deploy.embedded.postgres import EmbeddedPostgres
from store.scratch import ScratchLost, ScratchRefused, scratch

OF_A_ROLLOUT = {
    "rollout",
    "rollout_cohort",
    "enrolment",
    "evidence",
    "judged_reading",
    "watch_mark",
    "decision_log",
    "notice",
}
_TEMPORARY = """
select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and n.nspname like 'pg\\_temp\\_%'
"""
_OPEN = """
insert into rollout (rollout_id, chain_id, plan, plan_digest, real_start, programme_start, speed, since)
values ('tried-out', 'c', '{}', 'd', now(), now(), 1, now())
"""


async def test_every_table_that_belongs_to_a_rollout_is_empty_and_writable_and_no_other_is(
    database: str, pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    await pool.execute(_OPEN)
    referring = await pool.fetch(
        "select distinct conrelid::regclass::text as name from pg_constraint where confrelid = 'rollout'::regclass"
    )
    async with scratch(database) as own:
        found = {row["relname"] for row in await own.fetch(_TEMPORARY)}
        assert found >= OF_A_ROLLOUT | {"watch_change", "watch_position"} | {row["name"] for row in referring}
        assert not found & {"partner", "lead", "fact_day", "partner_transaction", "intake_run"}
        assert await own.fetchval("select count(*) from rollout") == 0
        await own.execute(_OPEN)
        assert await own.fetchval("select count(*) from rollout") == 1
        assert await pool.fetchval("select count(*) from rollout") == 1
    assert await pool.fetchval("select count(*) from rollout") == 1


@pytest.mark.parametrize(
    "statement",
    [
        "insert into public.watch_position values (0, 0, now())",
        "update public.rollout set sentence = 'x'",
        "delete from partner",
        "truncate lead",
        "create table public.left_behind (a int)",
        "create schema left_behind",
    ],
)
async def test_the_server_refuses_whatever_would_be_written_elsewhere(database: str, statement: str) -> None:
    async with scratch(database) as own:
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await own.execute(statement)
        async with own.acquire() as conn, conn.transaction():
            with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
                await conn.execute(statement)


async def test_a_session_that_dies_leaves_nothing_and_is_not_gone_on_with(
    database: str, pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    async with scratch(database) as own:
        pid = await own.fetchval("select pg_backend_pid()")
        assert await pool.fetch(_TEMPORARY)
        await pool.fetchval("select pg_terminate_backend($1, 5000)", pid)
        with pytest.raises(ScratchLost, match="lost"):
            await own.fetchval("select 1")
    assert not await pool.fetch(_TEMPORARY)


async def test_who_may_not_make_temporary_tables_is_told_so(
    database: str, pool: asyncpg.Pool[asyncpg.Record], postgres: EmbeddedPostgres
) -> None:
    name = database.rpartition("/")[2]
    await pool.execute("create role reader login password 'reader'")
    try:
        await pool.execute(f"revoke temporary on database {name} from public")
        await pool.execute("grant select on all tables in schema public to reader")
        of_reader = "postgresql://reader:reader@" + database.partition("@")[2]
        with pytest.raises(ScratchRefused, match=r"temporary tables.*permission denied"):
            async with scratch(of_reader):
                pass
    finally:
        await pool.execute("drop owned by reader")
        await pool.execute("drop role reader")
