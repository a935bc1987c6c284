"""Rows a second of `data import` and `data generate`, against a bare COPY of the same rows and against executemany."""

from __future__ import annotations

import csv
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import asyncpg

from bench.figures import Comparison, Findings
from bench.ground import Ground
from bench.rollouts import BEGIN
from store.intake import FactKind, import_file, parse_mapping
from store.world import WorldSpec, generate_world
from store.world_rows import COLUMNS

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

PARTNERS = 240
BATCH = 1000
_MAPPING = parse_mapping("""
kind: leads
source_system: bench
fields: {source_id: id, partner_id: partner, assigned_at: assigned, contact_due_at: due, first_contact_at: contacted}
known: {after: assigned_at, lag: 0d}
""")
_PARTNERS = """
insert into partner (partner_id, name, source_system, source_id, known_at)
select 'P' || number, 'Partner ' || number, 'bench', 'P' || number, now() from generate_series(1, $1) as number
"""
# Keys, checks, indexes and the reference to partners are the lead's; what the file leaves out has a default.
_BARE = """
create table bare_lead (like lead including all);
alter table bare_lead alter source_system set default 'bench', alter known_at set default now(),
    add foreign key (partner_id) references partner (partner_id)
"""
_COLUMNS = ("source_id", "partner_id", "assigned_at", "contact_due_at", "first_contact_at")
_INSERT = f"insert into bare_lead ({', '.join(_COLUMNS)}) values ($1, $2, $3, $4, $5)"  # noqa: S608 - our own names


async def run(ground: Ground) -> Findings:
    """Each way fills an empty table; the import also checks every row and would say what is wrong with which."""
    rows, rounds = (2_000, 1) if ground.quick else (200_000, 3)
    file = ground.directory / "leads.csv"
    _write(file, rows)
    ground.tell(f"{rows:,} rows, {file.stat().st_size / 2**20:.1f} MiB; {rounds} rounds of each way")
    connection = await asyncpg.connect(await ground.database())
    try:
        await connection.execute(_BARE)
        await connection.execute(_PARTNERS, PARTNERS)
        seconds: dict[Way, list[float]] = {way: [] for way in (_import, _import_again, _copy, _executemany)}
        for _ in range(rounds):
            await connection.execute("truncate lead cascade")
            for way, taken in seconds.items():
                await connection.execute("truncate bare_lead")
                began = time.perf_counter()
                await way(connection, file)
                taken.append(time.perf_counter() - began)
    finally:
        await connection.close()

    def compare(what: str, against: str, ours: Way, theirs: Way) -> Comparison:
        mine, other = (tuple(rows / 1000 / taken for taken in seconds[way]) for way in (ours, theirs))
        return Comparison(what=what, unit="1000 rows/s", ours=mine, against=against, theirs=other)

    made, copied = await _worlds(ground, rounds)
    copy, many = "COPY of the same file, same keys and indexes", f"executemany, {BATCH} rows at a time"
    return Findings(
        comparisons=(
            compare("import of new facts", copy, _import, _copy),
            compare("the same file again", copy, _import_again, _copy),
            compare("import of new facts", many, _import, _executemany),
            Comparison(
                what="a made-up world",
                unit="1000 rows/s",
                ours=made,
                against="COPY of the same rows into the same tables, with all that follows from them",
                theirs=copied,
            ),
        )
    )


Way = Callable[[Connection, Path], Awaitable[None]]


async def _import(connection: Connection, file: Path) -> None:
    report = await import_file(connection, FactKind.LEADS, file, _MAPPING)
    if report.rejected:
        raise RuntimeError(f"{report.rejected} rows were rejected: {report.first_reasons}")


async def _import_again(connection: Connection, file: Path) -> None:
    """Every fact is there already and none has changed."""
    report = await import_file(connection, FactKind.LEADS, file, _MAPPING)
    if report.unchanged != report.rows_read:
        raise RuntimeError(f"only {report.unchanged} of {report.rows_read} rows were there already")


async def _copy(connection: Connection, file: Path) -> None:
    await connection.copy_to_table("bare_lead", source=file, columns=_COLUMNS, format="csv", header=True)


async def _executemany(connection: Connection, file: Path) -> None:
    with file.open(newline="", encoding="utf-8") as text:
        lines = csv.reader(text)
        next(lines)
        rows = ((line[0], line[1], *map(datetime.fromisoformat, line[2:])) for line in lines)
        async with connection.transaction():
            while batch := list(islice(rows, BATCH)):
                await connection.executemany(_INSERT, batch)


def _write(file: Path, rows: int) -> None:
    """Leads of all partners, one every five minutes, most of them contacted in time."""
    with file.open("w", newline="", encoding="utf-8") as text:
        out = csv.writer(text)
        out.writerow(("id", "partner", "assigned", "due", "contacted"))
        for number in range(rows):
            assigned = BEGIN + number * timedelta(minutes=5)
            moments = (assigned, assigned + timedelta(hours=24), assigned + timedelta(hours=1 + number % 26))
            out.writerow((f"L{number}", f"P{number % PARTNERS + 1}", *(moment.isoformat() for moment in moments)))


async def _worlds(ground: Ground, rounds: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Thousands of rows a second: making a world and writing it, and writing the same rows as they lie on disk."""
    spec = WorldSpec(seed=7, start=BEGIN.date(), months=1 if ground.quick else 12, partners=5 if ground.quick else 120)
    made, copied = list[float](), list[float]()
    for _ in range(rounds):
        first = await asyncpg.connect(await ground.database())
        second = await asyncpg.connect(await ground.database())
        try:
            began = time.perf_counter()
            rows = sum((await generate_world(first, spec)).rows.values())
            made.append(rows / 1000 / (time.perf_counter() - began))
            files = {table: ground.directory / f"{table}.copy" for table in COLUMNS}
            for table, file in files.items():
                await first.copy_from_table(table, output=file, columns=_written(table))
            began = time.perf_counter()
            async with second.transaction():
                for table, file in files.items():
                    await second.copy_to_table(table, source=file, columns=_written(table))
            copied.append(rows / 1000 / (time.perf_counter() - began))
        finally:
            await first.close()
            await second.close()
    return tuple(made), tuple(copied)


def _written(table: str) -> tuple[str, ...]:
    return (*COLUMNS[table], "source_system")
