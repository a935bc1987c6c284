"""Migrations on a real server: forward only, each file once and whole, and every irregularity refused by name."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

import store.migrate as runner
from deploy.embedded.postgres import EmbeddedPostgres
from store.migrate import MIGRATIONS, MigrationError, MigrationState, migrate, status

_numbers = itertools.count(1)


@pytest.fixture
async def blank(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """The dsn of a database without any table."""
    name = f"blank_{next(_numbers)}"
    admin = await asyncpg.connect(postgres.dsn_for("postgres"))
    try:
        await admin.execute(f"create database {name}")
        yield postgres.dsn_for(name)
        await admin.execute(f"drop database {name} with (force)")
    finally:
        await admin.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, "0001_first.sql", "create table first (id int);")
    write(tmp_path, "0002_second.sql", "create table second (id int); insert into second values (1);")
    return tmp_path


def write(folder: Path, name: str, sql: str) -> None:
    (folder / name).write_text(sql, encoding="utf-8")


async def ask(dsn: str, query: str) -> object:
    conn = await asyncpg.connect(dsn)
    try:
        return await conn.fetchval(query)
    finally:
        await conn.close()


async def test_applies_in_order_and_then_has_nothing_to_do(blank: str, folder: Path) -> None:
    assert await migrate(blank, folder) == ["0001_first.sql", "0002_second.sql"]
    assert await migrate(blank, folder) == []
    assert await ask(blank, "select count(*) from second") == 1


async def test_status_tells_applied_from_pending_and_changes_nothing(blank: str, folder: Path) -> None:
    assert [one.state for one in await status(blank, folder)] == [MigrationState.PENDING] * 2
    assert await ask(blank, "select to_regclass('schema_migration')") is None
    await migrate(blank, folder)
    write(folder, "0003_third.sql", "create table third (id int);")
    found = await status(blank, folder)
    assert [(one.name, one.state) for one in found] == [
        ("0001_first.sql", MigrationState.APPLIED),
        ("0002_second.sql", MigrationState.APPLIED),
        ("0003_third.sql", MigrationState.PENDING),
    ]
    assert found[0].applied_at is not None
    assert found[2].applied_at is None


async def test_runners_at_the_same_time_apply_each_file_once(blank: str, folder: Path) -> None:
    # Slow enough that all runners would be inside at once without the lock; a second insert would show.
    write(folder, "0003_slow.sql", "select pg_sleep(0.3); insert into second values (2);")
    applied = await asyncio.gather(*(migrate(blank, folder) for _ in range(4)))
    assert sorted(len(names) for names in applied) == [0, 0, 0, 3]
    assert await ask(blank, "select count(*) from second") == 2


async def test_waiting_for_another_runner_ends(blank: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "_LOCK_WAIT", "100ms")
    other = await asyncpg.connect(blank)
    try:
        await other.execute("select pg_advisory_lock($1)", runner._LOCK)
        with pytest.raises(MigrationError, match="another runner"):
            await migrate(blank, folder)
        # The end of a session is not waited for by whoever ends it.
        await other.execute("select pg_advisory_unlock($1)", runner._LOCK)
    finally:
        await other.close()
    assert await migrate(blank, folder) == ["0001_first.sql", "0002_second.sql"]


async def test_a_file_changed_after_it_was_applied_is_refused(blank: str, folder: Path) -> None:
    await migrate(blank, folder)
    write(folder, "0001_first.sql", "create table first (id bigint);")
    write(folder, "0003_third.sql", "create table third (id int);")
    with pytest.raises(MigrationError, match=r"0001_first\.sql: changed since it was applied") as refused:
        await migrate(blank, folder)
    assert refused.value.file == "0001_first.sql"
    assert await ask(blank, "select to_regclass('third')") is None
    assert [one.state for one in await status(blank, folder)] == [
        MigrationState.CHANGED,
        MigrationState.APPLIED,
        MigrationState.PENDING,
    ]


async def test_other_line_ends_are_not_a_change(blank: str, tmp_path: Path) -> None:
    (tmp_path / "0001_first.sql").write_bytes(b"create table first (\n  id int\n);\n")
    await migrate(blank, tmp_path)
    (tmp_path / "0001_first.sql").write_bytes(b"create table first (\r\n  id int\r\n);\r\n")
    assert await migrate(blank, tmp_path) == []


async def test_an_applied_file_that_is_gone_is_refused(blank: str, folder: Path) -> None:
    await migrate(blank, folder)
    conn = await asyncpg.connect(blank)
    try:
        await conn.execute("update schema_migration set number = 0, name = '0000_zero.sql' where number = 1")
    finally:
        await conn.close()
    with pytest.raises(MigrationError, match=r"0000_zero\.sql: applied, but its file is gone"):
        await migrate(blank, folder)
    assert (await status(blank, folder))[0].state is MigrationState.MISSING


async def test_a_database_newer_than_the_program_is_left_alone_and_says_so(blank: str, folder: Path) -> None:
    write(folder, "0003_third.sql", "create table third (id int);")
    await migrate(blank, folder)
    (folder / "0003_third.sql").unlink()
    with pytest.raises(MigrationError, match=r"0003_third\.sql: applied by a newer program; this one knows up to 0002"):
        await migrate(blank, folder)
    states = [one.state for one in await status(blank, folder)]
    assert states == [MigrationState.APPLIED, MigrationState.APPLIED, MigrationState.NEWER]


async def test_a_file_for_a_number_that_later_ones_have_passed_is_refused(blank: str, folder: Path) -> None:
    await migrate(blank, folder)
    conn = await asyncpg.connect(blank)
    try:
        await conn.execute("delete from schema_migration where number = 1")
    finally:
        await conn.close()
    with pytest.raises(MigrationError, match=r"0001_first\.sql: a later migration is already applied"):
        await migrate(blank, folder)


async def test_a_failing_file_leaves_nothing_of_itself_and_keeps_the_earlier_ones(blank: str, folder: Path) -> None:
    write(folder, "0003_broken.sql", "create table third (id int);\n\ninsert into nowhere values (1);")
    with pytest.raises(MigrationError, match=r'0003_broken\.sql: line 3: relation "nowhere" does not exist'):
        await migrate(blank, folder)
    assert await ask(blank, "select to_regclass('third')") is None
    assert await ask(blank, "select max(number) from schema_migration") == 2
    write(folder, "0003_broken.sql", "create table third (id int);")
    assert await migrate(blank, folder) == ["0003_broken.sql"]


async def test_a_runner_that_is_cut_off_in_the_middle_leaves_nothing_and_frees_the_lock(
    blank: str, folder: Path
) -> None:
    write(folder, "0003_slow.sql", "create table third (id int); select pg_sleep(60);")
    running = asyncio.create_task(migrate(blank, folder))
    cut = "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and query like $1"
    conn = await asyncpg.connect(blank)
    try:
        for _ in range(3000):
            if await conn.fetchval(f"{cut} and application_name = 'rollouts-migrate'", "%pg_sleep(60)%"):
                break
            await asyncio.sleep(0.01)
    finally:
        await conn.close()
    with pytest.raises(MigrationError, match=r"0003_slow\.sql: the connection was lost; nothing of it is applied"):
        await running
    assert await ask(blank, "select to_regclass('third')") is None
    write(folder, "0003_slow.sql", "create table third (id int);")
    assert await migrate(blank, folder) == ["0003_slow.sql"]


@pytest.mark.parametrize("text", ["", "\n", "-- 0003 was given up.", "-- First.\n/* Second. */\n-- Third.\n", ";"])
async def test_a_file_that_says_nothing_to_the_database_is_applied_like_any_other(
    blank: str, folder: Path, text: str
) -> None:
    """Such as one whose number must stay, and whose statements have gone elsewhere."""
    write(folder, "0003_nothing.sql", text)
    write(folder, "0004_fourth.sql", "create table fourth (id int) -- without a semicolon")
    assert (await migrate(blank, folder))[2:] == ["0003_nothing.sql", "0004_fourth.sql"]
    assert await migrate(blank, folder) == []
    assert await ask(blank, "select count(*) from fourth") == 0


async def test_a_file_that_commits_by_itself_is_refused(blank: str, folder: Path) -> None:
    write(folder, "0003_commits.sql", "create table third (id int);\nCOMMIT;\nselect 1/0;")
    with pytest.raises(MigrationError, match=r"0003_commits\.sql: begins or ends a transaction"):
        await migrate(blank, folder)
    assert await ask(blank, "select to_regclass('third')") is None


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("0004_gap.sql", "number 0003 was expected here"),
        ("0002_twin.sql", "number 0003 was expected here"),
        ("003_short.sql", "must be named like"),
        ("0003-dash.sql", "must be named like"),
    ],
)
async def test_a_misnumbered_file_is_refused_before_anything_runs(
    blank: str, folder: Path, name: str, why: str
) -> None:
    write(folder, name, "select 1;")
    with pytest.raises(MigrationError, match=why) as refused:
        await migrate(blank, folder)
    assert refused.value.file == name
    assert await ask(blank, "select to_regclass('schema_migration')") is None


async def test_an_empty_folder_is_refused_rather_than_taken_as_done(blank: str, tmp_path: Path) -> None:
    with pytest.raises(MigrationError, match="no migrations"):
        await migrate(blank, tmp_path)


async def test_the_projects_own_migrations_apply_to_a_blank_database(blank: str) -> None:
    assert (await migrate(blank))[0] == "0001_facts.sql"
    assert {one.state for one in await status(blank, MIGRATIONS)} == {MigrationState.APPLIED}
