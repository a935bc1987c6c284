"""The two ways in which a file becomes facts: straight into the table, or through the staging table.

The short way is tried first, where it may be, and leaves nothing behind if it fails: then the file is read again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from models.base import Frozen
from store.calendars.staged import fill_deadlines, settle_leads, settle_pauses
from store.intake.ahead import made_ahead
from store.intake.batches import Batch, BatchReader
from store.intake.direct import REFUSALS, NotDirect, copy_facts, may_copy
from store.intake.errors import IntakeBusy, IntakeRefused
from store.intake.kinds import FactKind
from store.intake.ledger import Counted
from store.intake.mapping import Mapping
from store.intake.reach import Reach
from store.intake.rejects import write_rejects
from store.intake.rows import FactReader
from store.intake.source import CsvSource, Progress
from store.intake.staging import Connection, Moved, Staging, analyze_grown

_ATTEMPTS: Final = 3


class Brought(Frozen):
    """What an import did; `reasons` are the first few bad rows'."""

    counted: Counted
    reasons: tuple[str, ...]
    reach: Reach
    sha256: str


class Import:
    """One import, inside the caller's transaction. `rows_read` and `sha256` say how far it came, also if it failed."""

    def __init__(
        self,
        conn: Connection,
        file: Path,
        mapping: Mapping,
        moment: datetime,
        target: Path,
        progress: Progress | None,
    ) -> None:
        self.rows_read = 0
        self.sha256: str | None = None
        self._conn = conn
        self._file = file
        self._mapping = mapping
        self._moment = moment
        self._target = target
        self._progress = progress
        self._skipped = 0
        self._reach = Reach()
        self._told = 0

    async def bring(self, *, strict: bool) -> Brought:
        """Bring the file's facts in.

        Raises:
            IntakeError: and nothing may stay.
        """
        with CsvSource(self._file, self._mapping.csv) as source:
            staging = Staging(self._conn, self._mapping.spec, FactReader(self._mapping, source, self._moment))
            await staging.create()
        if await may_copy(self._conn, self._mapping, staging.constraints):
            try:
                async with self._conn.transaction():
                    return await self._short_way(staging, strict=strict)
            except (NotDirect, *REFUSALS):
                pass
        return await self._long_way(staging, strict=strict)

    async def _short_way(self, staging: Staging, *, strict: bool) -> Brought:
        table = self._mapping.spec.table
        async with self._batches() as batches:
            copied = await copy_facts(self._conn, table, staging.columns, batches)
        await staging.add_problems(copied.problems)
        rejected, reasons = await self._rejects(staging, strict=strict)
        await analyze_grown(self._conn, table, copied.facts)
        return self._brought(Moved(copied.facts, 0, 0), rejected, reasons)

    async def _long_way(self, staging: Staging, *, strict: bool) -> Brought:
        async with self._batches() as batches:
            async for batch in batches:
                await staging.add(batch)
        if self._mapping.distinct:
            self._skipped += await staging.merge_same()
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                async with self._conn.transaction():
                    if self._mapping.kind is FactKind.LEADS:
                        await fill_deadlines(self._conn, self._moment)
                    rejected, reasons = await self._rejects(staging, strict=strict)
                    self._reach = await staging.reach()
                    moved = await staging.move()
                    await self._settle()
                    return self._brought(moved, rejected, reasons)
            except REFUSALS as error:
                # Events come in meanwhile: what they brought is seen, and judged with, when it is tried again.
                if attempt == _ATTEMPTS:
                    raise IntakeBusy(self._file, str(error)) from error
        raise AssertionError("unreachable")

    async def _settle(self) -> None:
        """What follows from facts that went over, in the same transaction."""
        if self._mapping.kind is FactKind.LEADS:
            await settle_leads(self._conn, self._moment)
        elif self._mapping.kind is FactKind.LEAD_PAUSES:
            await settle_pauses(self._conn, self._moment)

    async def _rejects(self, staging: Staging, *, strict: bool) -> tuple[int, tuple[str, ...]]:
        rejected = await staging.reject()
        reasons = tuple(str(bad) for bad in await staging.first_rejected())
        if rejected:
            await write_rejects(staging, self._file, self._mapping.csv, self._target)
        if rejected and strict:
            raise IntakeRefused(self._file, rejected, reasons, self._target)
        return rejected, reasons

    def _brought(self, moved: Moved, rejected: int, reasons: tuple[str, ...]) -> Brought:
        counted = Counted(
            read=self.rows_read,
            skipped=self._skipped,
            rejected=rejected,
            new=moved.inserted,
            changed=moved.updated,
            unchanged=moved.unchanged,
        )
        return Brought(counted=counted, reasons=reasons, reach=self._reach, sha256=self.sha256 or "")

    @asynccontextmanager
    async def _batches(self) -> AsyncIterator[AsyncIterator[Batch]]:
        """The file from its beginning, read ahead; counted and told of as it goes."""
        self.rows_read, self._skipped, self._reach, self.sha256 = 0, 0, Reach(), None
        with CsvSource(self._file, self._mapping.csv) as source:
            reader = BatchReader(source, FactReader(self._mapping, source, self._moment))
            async with made_ahead(reader.next) as made:
                yield self._counted(made, source)
            self.sha256 = source.sha256()

    async def _counted(self, batches: AsyncIterator[Batch], source: CsvSource) -> AsyncIterator[Batch]:
        async for batch in batches:
            self.rows_read += batch.read
            self._skipped += batch.skipped
            self._reach |= batch.reach
            yield batch
            if self._progress is not None and source.bytes_read >= self._told:
                self._told = source.bytes_read
                self._progress(source.bytes_read, source.size)
