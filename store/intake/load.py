"""Importing one file in one transaction, with its row in the ledger: the short way if all is new, or the long way."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from models.base import Frozen, digest
from store.intake.errors import IntakeError, IntakeLost
from store.intake.kinds import FactKind
from store.intake.ledger import Counted, Origin, Run, write_run
from store.intake.mapping import Mapping
from store.intake.rejects import place_for
from store.intake.source import Progress
from store.intake.staging import STATEMENT_SECONDS, Connection
from store.intake.ways import Brought, Import

_LOCK = (Path(__file__).parent / "lock_kind.sql").read_text(encoding="utf-8")
_LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    ConnectionError,
)


class ImportReport(Frozen):
    """What one import did.

    `rows_read` = `skipped` + `rejected` + `inserted` + `updated` + `unchanged`. Skipped rows are those that `where`
    left out or that `distinct` merged. `sha256` is the hex digest of the file as it lies on disk; `run_id` is the
    import's number in the ledger.
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
    run_id: int


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
    updated where it differs. What is stored about when it became known stays. Imports of one kind wait for each
    other. Each leaves a row in the ledger, a refused one too; inside a caller's transaction, as part of that.

    Args:
        strict: refuse the whole file when one row is bad.
        reject_path: where bad rows go; by default beside the file, as `NAME.rejects.csv`.
        progress: called after every batch with the bytes read and the file's size.
        imported_at: when facts became known that say nothing else; by default now.

    Raises:
        IntakeRefused: strict, and there are bad rows. Nothing was written but the reject file.
        IntakeBusy: others kept changing the same facts. Nothing was written.
        IntakeLost: the database went away.
        IntakeError: the file cannot be read, or is not what the mapping expects, or bad rows cannot be written
            anywhere. Nothing was written.
        asyncpg.PostgresError, OSError: the database, or the disk under the reject file, failed. Nothing was written.
    """
    if mapping.kind != kind:
        raise IntakeError(f"The mapping is for {mapping.kind}, not for {kind}")
    moment = (imported_at or datetime.now(UTC)).astimezone(UTC)
    target = place_for(file, reject_path)
    began = time.monotonic()
    async with _connection(dsn_or_conn) as conn:
        work = Import(conn, file, mapping, moment, target, progress)
        try:
            async with conn.transaction():
                await conn.execute(_LOCK, mapping.spec.table, timeout=STATEMENT_SECONDS)
                brought = await work.bring(strict=strict)
                run = _run(mapping, file, moment, began, brought.counted, brought.sha256)
                number = await write_run(conn, run, brought.reach)
        except _LOST as error:
            raise IntakeLost(file, str(error).partition("\n")[0] or type(error).__name__) from error
        except (IntakeError, asyncpg.PostgresError) as error:
            counted = Counted(read=work.rows_read, rejected=getattr(error, "rejected", 0))
            run = _run(mapping, file, moment, began, counted, work.sha256).model_copy(update={"why": _why(error)})
            with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                await write_run(conn, run)
            raise
    return _report(kind, file, moment, target, brought, number)


def _why(error: Exception) -> str:
    """In one line of words. What PostgreSQL adds to its message are details of the statement, for its own log."""
    if isinstance(error, asyncpg.PostgresError):
        told = str(error).partition("\n")[0] or type(error).__name__
        # What one of our own rules raises is said in words already.
        return told if isinstance(error, asyncpg.RaiseError) else f"the database failed: {told}"
    return "; ".join(filter(None, map(str.strip, str(error).splitlines()))) or type(error).__name__


def _run(mapping: Mapping, file: Path, moment: datetime, began: float, counted: Counted, sha256: str | None) -> Run:
    return Run(
        kind=mapping.kind,
        source=mapping.source_system,
        origin=Origin.FILE,
        imported_at=moment,
        seconds=time.monotonic() - began,
        counted=counted,
        file_name=file.name,
        file_sha256=sha256,
        mapping_sha256=digest(mapping).removeprefix("sha256:"),
    )


def _report(kind: FactKind, file: Path, moment: datetime, target: Path, brought: Brought, number: int) -> ImportReport:
    counted = brought.counted
    return ImportReport(
        kind=kind,
        file=str(file),
        rows_read=counted.read,
        skipped=counted.skipped,
        inserted=counted.new,
        updated=counted.changed,
        unchanged=counted.unchanged,
        rejected=counted.rejected,
        reject_file=str(target) if counted.rejected else None,
        first_reasons=brought.reasons,
        sha256=brought.sha256,
        imported_at=moment,
        run_id=number,
    )


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
