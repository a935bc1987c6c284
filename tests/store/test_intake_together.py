"""Imports beside each other, beside other writers, and on a connection that is cut: all of a file or nothing of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import asyncpg
import pytest

from store.intake import FactKind, ImportReport, IntakeBusy, IntakeLost, import_file, parse_mapping
from tests.store.desk import LEAD_HEADER, LEADS, NOON, Desk, tally

T = TypeVar("T")

LIVE = LEADS.replace("known: {after: assigned_at, lag: 1h}\n", "")
ASSIGNED = "p1,2025-02-01T10:00Z"
WAITING = """
    select count(*) from pg_stat_activity
    where datname = current_database() and application_name = 'rollouts-import' and wait_event_type = 'Lock'
"""
INSERT = """
    insert into lead (source_system, source_id, partner_id, assigned_at, known_at)
    values ('crm', $1, 'p1', '2025-02-01T10:00Z', '2025-02-01T11:00Z')
"""


def lines(ids: list[str], due: str = "") -> str:
    return LEAD_HEADER + "".join(f"{one},{ASSIGNED},{due},,,\n" for one in ids)


def begun(desk: Desk, name: str, text: str, mapping: str = LEADS, hours: int = 0) -> asyncio.Task[ImportReport]:
    """An import that goes on beside the test."""
    file = desk.folder / name
    file.write_text(text, encoding="utf-8")
    moment = NOON + timedelta(hours=hours)
    return asyncio.create_task(import_file(desk.dsn, FactKind.LEADS, file, parse_mapping(mapping), imported_at=moment))


async def soon(what: Awaitable[T]) -> T:
    return await asyncio.wait_for(what, 60)


async def until_it_waits(desk: Desk) -> None:
    # On a connection of its own: inside a transaction the server's activity stays as it was first seen.
    look = await asyncpg.connect(desk.dsn)
    try:
        async with asyncio.timeout(60):
            while not await look.fetchval(WAITING):  # noqa: ASYNC110 - another process is waited for
                await asyncio.sleep(0.01)
    finally:
        await look.close()


async def test_the_same_file_by_several_at_once_is_taken_once(desk: Desk) -> None:
    await desk.partners("p1")
    text = lines([f"L{number}" for number in range(3000)])
    reports = await soon(asyncio.gather(*(begun(desk, f"{number}.csv", text) for number in range(4))))
    assert sorted(tally(one) for one in reports) == [(0, 0, 3000, 0, 0)] * 3 + [(3000, 0, 0, 0, 0)]
    assert await desk.count("lead") == 3000
    assert await desk.conn.fetchval("select sum(rows_new) from intake_run where kind = 'leads'") == 3000


async def test_corrections_of_the_same_facts_at_once_come_one_after_the_other(desk: Desk) -> None:
    await desk.partners("p1")
    ids = [f"L{number}" for number in range(2000)]
    await soon(begun(desk, "first.csv", lines(ids), LIVE))
    up = begun(desk, "up.csv", lines(ids, "2025-02-02T10:00Z"), LIVE, hours=1)
    down = begun(desk, "down.csv", lines(ids[::-1], "2025-02-03T10:00Z"), LIVE, hours=1)
    for report in await soon(asyncio.gather(up, down)):
        assert tally(report) == (0, 2000, 0, 0, 0)
    found = await desk.conn.fetch("select contact_due_at, count(*) from lead group by 1")
    assert [row["count"] for row in found] == [2000]


async def test_a_key_that_somebody_else_is_just_writing_is_waited_for(desk: Desk) -> None:
    await desk.partners("p1")
    async with desk.conn.transaction():
        await desk.conn.execute(INSERT, "b")
        importing = begun(desk, "in.csv", lines(["a", "b", "c"]))
        await until_it_waits(desk)
    assert tally(await soon(importing)) == (2, 0, 1, 0, 0)
    assert await desk.count("lead") == 3


async def test_a_key_that_somebody_else_takes_between_judging_and_writing_is_judged_again(desk: Desk) -> None:
    """The long way, held up after it has counted what is there by a trigger that waits for the test."""
    await desk.partners("p1")
    await desk.load(LEADS, lines(["a"]))
    await desk.conn.execute(
        "create function hold() returns trigger language plpgsql as"
        " $$begin perform pg_advisory_xact_lock(7); return new; end$$;"
        "create trigger hold before insert on lead for each row when (new.source_id = 'x') execute function hold()"
    )
    await desk.conn.execute("select pg_advisory_lock(7)")
    importing = begun(desk, "in.csv", lines(["a", "x", "b"]))
    await until_it_waits(desk)
    await desk.conn.execute(INSERT, "b")
    await desk.conn.execute("select pg_advisory_unlock(7)")
    assert tally(await soon(importing)) == (1, 0, 2, 0, 0)
    assert await desk.count("lead") == 3


async def test_an_import_that_stands_in_a_deadlock_is_tried_again(desk: Desk) -> None:
    await desk.partners("p1")
    await desk.load(LIVE, lines(["a", "b"]))
    lock = "select from lead where source_id = $1 for update"
    transaction = desk.conn.transaction()
    await transaction.start()
    await desk.conn.execute(lock, "b")
    importing = begun(desk, "in.csv", lines(["a", "b"], "2025-02-02T10:00Z"), LIVE, hours=1)
    await until_it_waits(desk)
    # Whom of the two the database lets go is its own affair; whoever it is, the import ends right.
    with contextlib.suppress(asyncpg.DeadlockDetectedError):
        await desk.conn.execute(lock, "a")
    await transaction.rollback()
    assert tally(await soon(importing)) == (0, 2, 0, 0, 0)


async def test_an_import_that_others_never_let_through_says_so(desk: Desk) -> None:
    await desk.partners("p1")
    await desk.conn.execute(
        "create function taken() returns trigger language plpgsql as"
        " $$begin raise unique_violation using message = 'somebody was faster'; end$$;"
        "create trigger taken before insert on lead for each row execute function taken()"
    )
    with pytest.raises(IntakeBusy, match=r"in.csv: nothing was written, because .* \(somebody was faster\); try again"):
        await soon(begun(desk, "in.csv", lines(["a"])))
    assert await desk.count("lead") == 0
    assert await desk.conn.fetchval("select outcome from intake_run where kind = 'leads'") == "refused"


@pytest.mark.parametrize("known", [[], ["L0"]], ids=["short way", "long way"])
async def test_a_connection_that_is_cut_leaves_nothing_and_the_file_can_be_brought_again(
    desk: Desk, known: list[str]
) -> None:
    await desk.partners("p1")
    await desk.load(LEADS, lines(known))
    file = desk.folder / "many.csv"
    file.write_text(lines([f"L{number}" for number in range(30_000)]), encoding="utf-8")
    cut: list[asyncio.Task[str]] = []

    def cut_it(done: int, total: int) -> None:
        if not cut and done > total / 2:
            end = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'rollouts-import'"
            cut.append(asyncio.create_task(desk.conn.execute(f"{end} and datname = current_database()")))

    mapping = parse_mapping(LEADS)
    async with desk.conn.transaction():
        # Nobody writes down that they have ended before they are cut off.
        await desk.conn.execute("lock table intake_run in share mode")
        with pytest.raises(IntakeLost, match=r"many.csv: the connection to PostgreSQL was lost .* the file again"):
            await soon(import_file(desk.dsn, FactKind.LEADS, file, mapping, progress=cut_it))
        await asyncio.gather(*cut)
    assert await desk.count("lead") == len(known)
    assert await desk.conn.fetchval("select count(*) from intake_run where file_name = 'many.csv'") == 0
    report = await soon(import_file(desk.dsn, FactKind.LEADS, file, mapping))
    assert tally(report) == (30_000 - len(known), 0, len(known), 0, 0)


@pytest.mark.parametrize("way", ["", "distinct: true\n"], ids=["short way", "long way"])
async def test_a_server_that_ends_the_session_while_facts_go_over_leaves_nothing(desk: Desk, way: str) -> None:
    await desk.partners("p1")
    await desk.conn.execute(
        "create function cut() returns trigger language plpgsql as"
        " $$begin perform pg_terminate_backend(pg_backend_pid()); return new; end$$;"
        "create trigger cut before insert on lead for each row when (new.source_id = 'L500') execute function cut()"
    )
    with pytest.raises(IntakeLost):
        await soon(begun(desk, "in.csv", lines([f"L{number}" for number in range(1000)]), LEADS + way))
    assert await desk.count("lead") == 0
    assert desk.files() == ["in.csv"]


async def test_an_import_that_is_given_up_leaves_nothing_and_no_lock(desk: Desk) -> None:
    await desk.partners("p1")
    text = lines([f"L{number}" for number in range(30_000)])
    told = asyncio.Event()
    file = desk.folder / "in.csv"
    file.write_text(text, encoding="utf-8")
    importing = asyncio.create_task(
        import_file(desk.dsn, FactKind.LEADS, file, parse_mapping(LEADS), progress=lambda *_: told.set())
    )
    await soon(told.wait())
    importing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await importing
    assert await desk.count("lead") == 0
    assert tally(await soon(begun(desk, "again.csv", lines(["a"])))) == (1, 0, 0, 0, 0)


async def test_imports_of_one_kind_wait_for_each_other_and_others_do_not(desk: Desk) -> None:
    await desk.partners("p1")
    async with desk.conn.transaction():
        report = await import_file(
            desk.conn, FactKind.LEADS, _file(desk, lines(["a"])), parse_mapping(LEADS), imported_at=NOON
        )
        assert report.inserted == 1
        waiting = begun(desk, "second.csv", lines(["a"]))
        await until_it_waits(desk)
        await soon(desk.partners("p2"))
        assert not waiting.done()
    assert tally(await soon(waiting)) == (0, 0, 1, 0, 0)


def _file(desk: Desk, text: str) -> Path:
    file = desk.folder / "first.csv"
    file.write_text(text, encoding="utf-8")
    return file


async def test_what_happens_to_the_trace_of_a_refusal_on_a_lost_connection_hides_nothing(desk: Desk) -> None:
    """The connection is given by the caller, and gone before the import begins."""
    conn = await asyncpg.connect(desk.dsn)
    await conn.close()
    with pytest.raises(IntakeLost):
        await import_file(conn, FactKind.LEADS, _file(desk, lines(["a"])), parse_mapping(LEADS))
