"""The ledger: every import leaves a row beside its facts or none at all, and a refused one leaves word of itself."""

from __future__ import annotations

import hashlib
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from models.base import digest
from store.intake import FactKind, IntakeError, IntakeRefused, import_file, parse_mapping
from store.intake.kinds import KINDS
from store.intake.reach import events_of
from store.intake.ways import Import
from store.migrate import MIGRATIONS, migrate
from tests.store.desk import LEAD_HEADER, LEADS, NOON, PARTNERS, SALE_HEADER, SALES, Desk

HOUR = timedelta(hours=1)
COUNTS = ("rows_read", "rows_skipped", "rows_rejected", "rows_new", "rows_changed", "rows_unchanged")


def day(number: int, hour: int = 10) -> datetime:
    return datetime(2025, 2, number, hour, tzinfo=UTC)


async def runs(desk: Desk, kind: FactKind = FactKind.LEADS) -> list[dict[str, Any]]:
    return [dict(row) for row in await desk.conn.fetch("select * from intake_run where kind = $1 order by 1", kind)]


async def test_an_import_leaves_what_it_was_and_what_came_of_it(desk: Desk) -> None:
    await desk.partners("p1")
    text = LEAD_HEADER + "a,p1,2025-02-01T10:00Z,,2025-02-03T10:00Z,,\nb,p1,2025-02-02T10:00Z,,,,\nc,p1,noon,,,,\n"
    report = await desk.load(LEADS, text)
    (run,) = await runs(desk)
    assert (run["source"], run["origin"], run["outcome"], run["why"]) == ("crm", "file", "taken", None)
    assert (run["file_name"], run["file_sha256"]) == ("in.csv", hashlib.sha256(text.encode()).hexdigest())
    assert run["mapping_sha256"] == digest(parse_mapping(LEADS)).removeprefix("sha256:")
    assert [run[name] for name in COUNTS] == [3, 0, 1, 2, 0, 0]
    assert (run["imported_at"], run["run_id"]) == (NOON, report.run_id)
    assert (run["known_from"], run["known_to"]) == (day(1) + HOUR, day(2) + HOUR)
    assert run["through_at"] == day(3)
    assert run["seconds"] >= 0
    assert datetime.now(UTC) - run["at"] < timedelta(minutes=10)


async def test_what_changed_and_what_did_not_is_counted_apart(desk: Desk) -> None:
    text = "Id,Name,Parent,Tier\np1,First,,gold\np2,Second,,\np3,Third,ghost,\n"
    await desk.load(PARTNERS, text)
    await desk.load(PARTNERS, text.replace("gold", "silver").replace("ghost", "p1"))
    first, second = await runs(desk, FactKind.PARTNERS)
    assert [first[name] for name in COUNTS] == [3, 0, 1, 2, 0, 0]
    assert [second[name] for name in COUNTS] == [3, 0, 0, 1, 1, 1]
    assert (first["through_at"], first["mapping_sha256"]) == (None, second["mapping_sha256"])


async def test_events_that_lie_ahead_or_were_set_aside_do_not_make_a_source_look_fresh(desk: Desk) -> None:
    await desk.partners("p1")
    ahead = "a,p1,2025-02-01T10:00Z,,,,\nb,p1,2031-02-01T10:00Z,,,,\n"
    await desk.load(LEADS, LEAD_HEADER + ahead)
    await desk.load(LEADS, LEAD_HEADER + "c,p1,2025-02-02T10:00Z,,,,\nd,ghost,2025-02-09T10:00Z,,,,\n")
    assert [run["through_at"] for run in await runs(desk)] == [day(1), day(2)]


async def test_both_ways_into_the_table_write_the_same_row(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The short way, and the long one that `distinct` asks for."""
    await desk.partners("p1")
    rows = "a,p1,2025-02-01T10:00Z,,2025-02-03T10:00Z,,\nb,p1,2025-02-02T10:00Z,,,2025-02-02T11:00Z,junk\nc,p1,,,,,\n"
    said = "select to_jsonb(l) - 'recorded_at' - 'source_id' from lead l order by source_id"

    async def load(mapping: str) -> list[str]:
        transaction = desk.conn.transaction()
        await transaction.start()
        file = desk.folder / "in.csv"
        file.write_text(LEAD_HEADER + rows, encoding="utf-8")
        await import_file(desk.conn, FactKind.LEADS, file, parse_mapping(mapping), imported_at=NOON)
        facts = [row[0] for row in await desk.conn.fetch(said)]
        run = (await runs(desk))[-1]
        await transaction.rollback()
        return [*facts, *(str(run[name]) for name in (*COUNTS, "known_from", "known_to", "through_at"))]

    long = await load(f"{LEADS}distinct: true\n")

    async def refuse(*_: object, **__: object) -> None:
        raise AssertionError("it went the long way")

    monkeypatch.setattr(Import, "_long_way", refuse)
    assert await load(LEADS) == long
    with pytest.raises(AssertionError, match="the long way"):
        await load(f"{LEADS}distinct: true\n")


async def test_a_refused_import_leaves_word_of_itself_and_nothing_else(desk: Desk) -> None:
    await desk.partners("p1")
    with pytest.raises(IntakeRefused):
        await desk.load(LEADS, LEAD_HEADER + "a,p1,2025-02-01T10:00Z,,,,\nb,p1,then,,,,\n", strict=True)
    with pytest.raises(IntakeError):
        await desk.load(LEADS, LEAD_HEADER + 'a,p1,"2025-02-01T10:00Z,,,,\n')
    with pytest.raises(IntakeError):
        await desk.load(LEADS, "Id;Partner\n")
    strict, broken, other = await runs(desk)
    assert [run["outcome"] for run in (strict, broken, other)] == ["refused"] * 3
    assert (strict["rows_read"], strict["rows_rejected"], strict["rows_new"]) == (2, 1, 0)
    assert "1 bad row, nothing was written" in strict["why"]
    assert "broken CSV" in broken["why"]
    assert "columns it does not have" in other["why"]
    assert (broken["file_name"], broken["file_sha256"], broken["through_at"]) == ("in.csv", None, None)
    assert await desk.count("lead") == 0


async def test_facts_and_their_row_in_the_ledger_come_together_or_not_at_all(desk: Desk) -> None:
    await desk.partners("p1")
    await desk.conn.execute(
        "create function refuse() returns trigger language plpgsql as $$begin raise 'no'; end$$;"
        "create trigger refuse before insert on intake_run for each row"
        " when (new.outcome = 'taken') execute function refuse()"
    )
    with pytest.raises(asyncpg.RaiseError):
        await desk.load(LEADS, LEAD_HEADER + "a,p1,2025-02-01T10:00Z,,,,\n")
    assert await desk.count("lead") == 0
    assert [(run["outcome"], run["why"]) for run in await runs(desk)] == [("refused", "no")]


async def test_what_a_caller_takes_back_is_not_in_the_ledger(desk: Desk) -> None:
    file = desk.folder / "in.csv"
    file.write_text("Id,Name,Parent,Tier\np1,One,,\n", encoding="utf-8")
    transaction = desk.conn.transaction()
    await transaction.start()
    await import_file(desk.conn, FactKind.PARTNERS, file, parse_mapping(PARTNERS))
    assert await desk.count("intake_run") == 1
    await transaction.rollback()
    assert await desk.count("intake_run") == 0


async def test_facts_from_before_the_ledger_are_in_it(database: str, tmp_path: Path) -> None:
    admin = await asyncpg.connect(database)
    await admin.execute("create database before_the_ledger")
    dsn = database.replace(await admin.fetchval("select current_database()"), "before_the_ledger")
    try:
        for file in sorted(MIGRATIONS.glob("*.sql"))[:6]:
            shutil.copy(file, tmp_path)
        await migrate(dsn, tmp_path)
        conn = await asyncpg.connect(dsn)
        await conn.execute(
            "insert into partner (partner_id, name, source_system, source_id, known_at)"
            " values ('p1', 'One', 'crm', 'p1', '2025-01-01Z');"
            "insert into lead (source_system, source_id, partner_id, assigned_at, first_contact_at, known_at)"
            " values ('crm', 'a', 'p1', '2025-02-01T10:00Z', '2025-02-03T10:00Z', '2025-02-01T11:00Z'),"
            " ('crm', 'b', 'p1', '2025-02-02T10:00Z', null, '2025-02-02T11:00Z'),"
            " ('old', 'a', 'p1', '2024-02-02T10:00Z', null, '2025-02-02T11:00Z')"
        )
        await migrate(dsn)
        rows = await conn.fetch(
            "select source, kind, origin, rows_new, known_from, through_at from intake_run order by 1, 2"
        )
        await conn.close()
        before = "before the ledger"
        assert [tuple(row) for row in rows] == [
            ("crm", "leads", before, 2, day(1, 11), day(3)),
            ("crm", "partners", before, 1, datetime(2025, 1, 1, tzinfo=UTC), None),
            ("old", "leads", before, 1, day(2, 11), datetime(2024, 2, 2, 10, tzinfo=UTC)),
        ]
    finally:
        await admin.execute("drop database before_the_ledger with (force)")
        await admin.close()


def test_deadlines_and_what_is_known_are_no_events() -> None:
    names = {field.name for field in events_of(KINDS[FactKind.LEADS])}
    assert {"assigned_at", "first_contact_at"} <= names
    assert not names & {"contact_due_at", "known_at", "first_contact_known_at"}
    assert next(field.name for field in events_of(KINDS[FactKind.TRANSACTIONS])) == "transaction_date"
    assert events_of(KINDS[FactKind.PARTNERS]) == ()


async def test_a_day_reaches_to_its_midnight_wherever_the_session_is(desk: Desk) -> None:
    await desk.partners("p1")
    file = desk.folder / "in.csv"
    file.write_text(SALE_HEADER + "1;1;p1;;S;28.02.2025;5\n", encoding="utf-8")
    await desk.conn.execute("set timezone = 'Asia/Tokyo'")
    await import_file(desk.conn, FactKind.TRANSACTIONS, file, parse_mapping(SALES), imported_at=NOON)
    (run,) = await runs(desk, FactKind.TRANSACTIONS)
    assert run["through_at"] == datetime(2025, 2, 28, tzinfo=UTC)
