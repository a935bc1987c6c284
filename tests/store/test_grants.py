"""The role of a worker adds to the record, and can do nothing else to it, in whatever way it tries."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest

from store.grants import APPEND_ONLY, HIDDEN, WORKER, RoleRefused, create_role, grant_worker
from store.pool import create_pool
from tests.activities.desk import Desk, signer
from tests.activities.setting import Pool, Setting
from tests.store.roles import login


@pytest.fixture
async def as_worker(pool: Pool, database: str) -> AsyncIterator[Pool]:
    """Connections of a worker's role."""
    async with await create_pool(await login(pool, database), max_size=3) as connections:
        yield connections


async def test_a_worker_s_role_records_and_signs(pool: Pool, as_worker: Pool) -> None:
    desk = Desk(as_worker, signer(), await Setting(as_worker).register())
    await desk.record(1, 2)
    assert [one.size for one in await desk.verified()] == [2]
    assert await desk.record(1, 2) == 0


@pytest.mark.parametrize("table", sorted(APPEND_ONLY))
async def test_a_worker_s_role_changes_deletes_and_empties_nothing_of_the_record(
    pool: Pool, as_worker: Pool, table: str
) -> None:
    desk = Desk(pool, signer(), await Setting(pool).register())
    await desk.record(1)
    column = await pool.fetchval(
        "select attname from pg_attribute where attrelid = $1::regclass and attnum > 0 order by attnum limit 1", table
    )
    before = await pool.fetch(f"select * from {table}")  # noqa: S608
    for statement in (
        f"update {table} set {column} = {column}",  # noqa: S608
        f"delete from {table}",  # noqa: S608
        f"truncate {table}",
        f"truncate {table} cascade",
        f"alter table {table} disable trigger all",
        f"alter table {table} add column more text",
        f"alter table {table} owner to current_user",
        f"drop table {table} cascade",
        f"create trigger mine before insert on {table} for each row execute function refuse_change()",
        f"create rule mine as on insert to {table} do instead nothing",
        f"select * from {table} for update",  # noqa: S608
        "set session_replication_role = replica",
        "set role postgres",
        "alter function refuse_change() rename to other",
        "drop function refuse_change() cascade",
        "create or replace function refuse_change() returns trigger language plpgsql as $$ begin return new; end $$",
    ):
        with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.InvalidParameterValueError)):
            await as_worker.execute(statement)
    # A grant of rights that one does not have is no error, but grants nothing.
    await as_worker.execute(f"grant update, delete, truncate on {table} to public")
    assert not await as_worker.fetchval("select has_table_privilege($1, 'update, delete, truncate')", table)
    assert await pool.fetch(f"select * from {table}") == before  # noqa: S608


async def test_what_the_triggers_hold_is_what_the_role_cannot_do(pool: Pool) -> None:
    rows = await pool.fetch(
        "select distinct tgrelid::regclass::text as name from pg_trigger where tgfoid = 'refuse_change'::regproc"
    )
    # A history grows until its run is over; like the others it is never deleted.
    assert {row["name"] for row in rows} <= APPEND_ONLY | {"exported_history"}
    assert "delete" not in WORKER["exported_history"]
    for name in APPEND_ONLY:
        assert WORKER.get(name, "select") in ("select", "select, insert")


@pytest.mark.parametrize("table", sorted(HIDDEN))
async def test_a_worker_s_role_does_not_read_what_only_the_console_needs(as_worker: Pool, table: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await as_worker.fetch(f"select * from {table}")  # noqa: S608


async def test_granting_takes_away_what_was_granted_beyond(pool: Pool, database: str) -> None:
    role = f"worker_{uuid4().hex[:8]}"
    dsn = await login(pool, database, role)
    await pool.execute(f"grant all on all tables in schema public to {role}")
    async with pool.acquire() as conn, conn.transaction():
        await grant_worker(conn, role)
    own = await asyncpg.connect(dsn)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await own.execute("delete from decision_log")
    finally:
        await own.close()


async def test_a_role_that_grants_do_not_bind_is_refused(pool: Pool) -> None:
    owner = await pool.fetchval("select current_user")
    near, mighty = (f"role_{uuid4().hex[:8]}" for _ in range(2))
    await pool.execute(f"create role {mighty} superuser")
    async with pool.acquire() as conn:
        for role, why in ((owner, "superuser"), (mighty, "superuser"), ("nobody at all", "there is no role")):
            with pytest.raises(RoleRefused, match=why):
                await grant_worker(conn, role)
        await create_role(conn, near)
        with pytest.raises(RoleRefused, match="there is a role"):
            await create_role(conn, near)
        # Whoever owns one table of ours is not bound on it.
        await conn.execute(f"alter table draft owner to {near}")
        with pytest.raises(RoleRefused, match="owns the tables"):
            await grant_worker(conn, near)


async def test_names_of_roles_are_quoted(pool: Pool, database: str) -> None:
    odd = f'odd"; drop table draft; --{uuid4().hex[:6]}'
    async with pool.acquire() as conn, conn.transaction():
        await create_role(conn, odd)
        assert await grant_worker(conn, odd) > 40
    assert await pool.fetchval("select has_table_privilege($1, 'decision_log', 'insert')", odd)
