"""Importing one file: read it in batches, stage it, set bad rows aside, move the good ones, all in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Final

import asyncpg

from models.base import Frozen
from store.intake.errors import IntakeError, IntakeRefused
from store.intake.kinds import FactKind
from store.intake.mapping import Mapping
from store.intake.rejects import place_for, write_rejects
from store.intake.rows import Fact, FactReader, Problem
from store.intake.source import CsvSource, Progress, Row
from store.intake.staging import Connection, Moved, Staging

_BATCH: Final = 5000


class ImportReport(Frozen):
    """What one import did.

    `rows_read` = `skipped` + `rejected` + `inserted` + `updated` + `unchanged`. Skipped rows are those that `where`
    left out or that `distinct` merged. `sha256` is the hex digest of the file as it lies on disk.
    """

    kind: FactKind
    file: str
    rows_read: int
    skipped: int
    inserted: int
    updated: int
    unchanged: int
    rejected: int
    reject_file: str | None
    first_reasons: tuple[str, ...]
    sha256: str
    imported_at: datetime


@dataclass
class _Counts:
    read: int = 0
    skipped: int = 0


async def import_file(
    dsn_or_conn: str | Connection,
    kind: FactKind,
    file: Path,
    mapping: Mapping,
    *,
    strict: bool = False,
    reject_path: Path | None = None,
    progress: Progress | None = None,
    imported_at: datetime | None = None,
) -> ImportReport:
    """Import a CSV file (also `.csv.gz`) of one kind of fact. Importing the same file again changes nothing.

    A row is one whole fact: fields the mapping leaves out are empty, and a fact that is stored already is
    updated where it differs. What is stored about when it became known stays.

    Args:
        strict: refuse the whole file when one row is bad.
        reject_path: where bad rows go; by default beside the file, as `NAME.rejects.csv`.
        progress: called after every batch with the bytes read and the file's size.
        imported_at: when facts became known that say nothing else; by default now.

    Raises:
        IntakeRefused: strict, and there are bad rows. Nothing was written but the reject file.
        IntakeError: the file cannot be read, or is not what the mapping expects, or bad rows cannot be written
            anywhere. Nothing was written.
        asyncpg.PostgresError, OSError: the database, or the disk under the reject file, failed. Nothing was written.
    """
    if mapping.kind != kind:
        raise IntakeError(f"The mapping is for {mapping.kind}, not for {kind}")
    moment = imported_at or datetime.now(UTC)
    target = place_for(file, reject_path)
    async with _connection(dsn_or_conn) as conn, conn.transaction():
        with CsvSource(file, mapping.csv) as source:
            facts = FactReader(mapping, source, moment)
            staging = Staging(conn, mapping.spec, facts)
            await staging.create()
            counts = await _stage(source, facts, staging, progress)
            sha256 = source.sha256()
        if mapping.distinct:
            counts.skipped += await staging.merge_same()
        rejected = await staging.reject()
        reasons = tuple(str(bad) for bad in await staging.first_rejected())
        if rejected:
            await write_rejects(staging, file, mapping.csv, target)
        if rejected and strict:
            raise IntakeRefused(file, rejected, reasons, target)
        moved: Moved = await staging.move()
    return ImportReport(
        kind=kind,
        file=str(file),
        rows_read=counts.read,
        skipped=counts.skipped,
        inserted=moved.inserted,
        updated=moved.updated,
        unchanged=moved.unchanged,
        rejected=rejected,
        reject_file=str(target) if rejected else None,
        first_reasons=reasons,
        sha256=sha256,
        imported_at=moment,
    )


async def _stage(source: CsvSource, reader: FactReader, staging: Staging, progress: Progress | None) -> _Counts:
    counts = _Counts()
    rows = source.rows()
    # Reading is work for the processor: in a thread, so that a progress bar or a server beside it stays alive.
    while batch := await asyncio.to_thread(_read_batch, rows, reader, counts):
        await staging.add(*batch)
        if progress is not None:
            progress(source.bytes_read, source.size)
    return counts


def _read_batch(rows: Iterator[Row], reader: FactReader, counts: _Counts) -> tuple[list[Fact], list[Problem]] | None:
    facts: list[Fact] = []
    problems: list[Problem] = []
    read = 0
    for row in islice(rows, _BATCH):
        read += 1
        found = reader.read(row)
        if found is None:
            counts.skipped += 1
        elif isinstance(found, Fact):
            facts.append(found)
        else:
            problems += found
    counts.read += read
    return (facts, problems) if read else None


@asynccontextmanager
async def _connection(dsn_or_conn: str | Connection) -> AsyncIterator[Connection]:
    if not isinstance(dsn_or_conn, str):
        yield dsn_or_conn
        return
    settings = {"timezone": "UTC", "application_name": "rollouts-import"}
    conn = await asyncpg.connect(dsn_or_conn, server_settings=settings)
    try:
        yield conn
    finally:
        await conn.close()
