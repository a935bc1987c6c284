"""Brings a database to the schema this code expects: numbered SQL files, forward only, each in one transaction."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

import asyncpg

MIGRATIONS = Path(__file__).parent / "migrations"

_LOCK = 0x70_72_6F_6C_6C  # Any number will do, as long as every runner of this project uses the same one.
_LOCK_WAIT = "60s"
_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
# A file that commits by itself would be half-applied when a later statement fails.
_OWN_TRANSACTION = re.compile(
    r"^\s*(begin|commit|rollback|end|start\s+transaction)(\s+(work|transaction))?\s*;", re.I | re.M
)
_LEDGER = """
    create table if not exists schema_migration (
        number     integer primary key,
        name       text not null unique,
        sha256     text not null,
        applied_at timestamptz not null default now()
    )
"""
_APPLIED = "select number, name, sha256, applied_at from schema_migration order by number"
# The driver cannot read the answer to a text without any statement, such as comments alone.
_NOTHING = "\n;select"
_RECORD = "insert into schema_migration (number, name, sha256) values ($1, $2, $3)"


class MigrationError(Exception):
    """A migration was refused or failed; the message names the file. Nothing of that file is applied."""

    def __init__(self, file: str, why: str) -> None:
        super().__init__(f"{file}: {why}")
        self.file = file
        self.why = why


class MigrationState(StrEnum):
    APPLIED = "applied"
    PENDING = "pending"
    CHANGED = "changed since it was applied"
    MISSING = "applied, but its file is gone"
    NEWER = "applied by a newer program"


@dataclass(frozen=True)
class MigrationStatus:
    """Where one migration stands in one database."""

    number: int
    name: str
    state: MigrationState
    applied_at: datetime | None


@dataclass(frozen=True)
class _File:
    number: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


async def migrate(dsn: str, directory: Path = MIGRATIONS) -> list[str]:
    """Apply what is pending, in order; several runners at once apply each file once.

    Returns:
        The names of the files applied by this call, oldest first; empty when there was nothing to do.

    Raises:
        MigrationError: a file is misnamed, missing, out of order or changed after it was applied; one failed
            (it alone is rolled back); or another runner held the lock for a minute.
    """
    files = _read(directory)
    async with _connection(dsn) as conn, _exclusive(conn):
        await conn.execute(_LEDGER)
        applied = await _ledger(conn)
        _check(files, applied)
        pending = [file for file in files if file.number not in applied]
        for file in pending:
            await _apply(conn, file)
    return [file.name for file in pending]


async def status(dsn: str, directory: Path = MIGRATIONS) -> list[MigrationStatus]:
    """Every migration known to the code or to the database, by number. Changes nothing.

    Raises:
        MigrationError: a file is misnamed, or a number is missing or used twice.
    """
    files = {file.number: file for file in _read(directory)}
    async with _connection(dsn) as conn:
        exists = await conn.fetchval("select to_regclass('schema_migration') is not null")
        applied = await _ledger(conn) if exists else {}
    pending = [
        MigrationStatus(file.number, file.name, MigrationState.PENDING, None)
        for file in files.values()
        if file.number not in applied
    ]
    found = [
        MigrationStatus(row["number"], row["name"], _state(files, row), row["applied_at"]) for row in applied.values()
    ]
    return sorted(found + pending, key=lambda one: one.number)


def _state(files: Mapping[int, _File], row: asyncpg.Record) -> MigrationState:
    file = files.get(row["number"])
    if file is None:
        return MigrationState.NEWER if row["number"] > max(files) else MigrationState.MISSING
    same = (file.name, file.sha256) == (row["name"], row["sha256"])
    return MigrationState.APPLIED if same else MigrationState.CHANGED


def _read(directory: Path) -> list[_File]:
    files: list[_File] = []
    for path in sorted(directory.glob("*.sql")):
        found = _NAME.fullmatch(path.name)
        if found is None:
            raise MigrationError(path.name, "must be named like 0001_what_it_does.sql")
        number, expected = int(found[1]), len(files) + 1
        if number != expected:
            raise MigrationError(path.name, f"number {expected:04} was expected here; numbers have no gap and no twin")
        # read_text makes line ends equal, so that a checkout on another system does not count as a change.
        files.append(_File(number, path.name, path.read_text(encoding="utf-8")))
    if not files:
        raise MigrationError(str(directory), "holds no migrations")
    return files


def _check(files: list[_File], applied: Mapping[int, asyncpg.Record]) -> None:
    """Refuse unless what is applied is exactly the beginning of what there is."""
    by_number = {file.number: file for file in files}
    for row in applied.values():
        state = _state(by_number, row)
        if state is MigrationState.NEWER:
            raise MigrationError(row["name"], f"{state}; this one knows up to {max(by_number):04}: update the program")
        if state is not MigrationState.APPLIED:
            raise MigrationError(row["name"], f"{state} on {row['applied_at']:%Y-%m-%d}; write a new migration instead")
    if applied and max(applied) != len(applied):
        missing = min(set(by_number) - set(applied))
        raise MigrationError(by_number[missing].name, "a later migration is already applied; order cannot be changed")


async def _apply(conn: asyncpg.Connection[asyncpg.Record], file: _File) -> None:
    if _OWN_TRANSACTION.search(file.sql):
        raise MigrationError(file.name, "begins or ends a transaction by itself; every file runs in one of its own")
    try:
        async with conn.transaction():
            await conn.execute(file.sql + _NOTHING)
            await conn.execute(_RECORD, file.number, file.name, file.sha256)
    except asyncpg.PostgresError as error:
        raise MigrationError(file.name, f"{_line(file.sql, error)}{error}") from error
    except (asyncpg.InterfaceError, OSError) as error:
        # What the server said last is lost on the way: asyncpg cannot end the transaction of a closed connection.
        raise MigrationError(file.name, "the connection was lost; nothing of it is applied, try again") from error


def _line(sql: str, error: asyncpg.PostgresError) -> str:
    position = getattr(error, "position", None)
    return f"line {sql.count(chr(10), 0, int(position)) + 1}: " if position else ""


async def _ledger(conn: asyncpg.Connection[asyncpg.Record]) -> dict[int, asyncpg.Record]:
    return {row["number"]: row for row in await conn.fetch(_APPLIED)}


@asynccontextmanager
async def _connection(dsn: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    conn = await asyncpg.connect(dsn, server_settings={"timezone": "UTC", "application_name": "rollouts-migrate"})
    try:
        yield conn
    finally:
        await conn.close()


@asynccontextmanager
async def _exclusive(conn: asyncpg.Connection[asyncpg.Record]) -> AsyncIterator[None]:
    """Hold the one lock all runners share; the session's end frees it, whatever happens."""
    await conn.execute("select set_config('lock_timeout', $1, false)", _LOCK_WAIT)
    try:
        await conn.execute("select pg_advisory_lock($1)", _LOCK)
    except asyncpg.LockNotAvailableError as error:
        raise MigrationError("migrations", f"another runner has held the lock for {_LOCK_WAIT}") from error
    yield
    await conn.execute("select pg_advisory_unlock($1)", _LOCK)
