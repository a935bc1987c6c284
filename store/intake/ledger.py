"""The ledger of imports: what came in, from where, when, how far it reaches, and what was refused."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

from models.base import Frozen
from store.intake.kinds import FactKind
from store.intake.reach import Reach
from store.pool import Connection

_WRITE: Final = (Path(__file__).parent / "write_run.sql").read_text(encoding="utf-8")
_LONGEST: Final = 2000


class Origin(StrEnum):
    """What brought facts."""

    FILE = "file"
    GENERATED = "generated"
    BEFORE = "before the ledger"


class Counted(Frozen):
    """Rows of a file, by what became of them; `read` is the sum of the others."""

    read: int
    skipped: int = 0
    rejected: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0


class Run(Frozen):
    """One import. `why` is set where it was refused: then nothing of it is stored but this.

    `file_sha256` and `mapping_sha256` are hex digests; the file's is missing where it was not read to its end.
    """

    kind: FactKind
    source: str
    origin: Origin
    imported_at: datetime
    seconds: float
    counted: Counted
    file_name: str | None = None
    file_sha256: str | None = None
    mapping_sha256: str | None = None
    why: str | None = None


async def write_run(conn: Connection, run: Run, reach: Reach = Reach()) -> int:  # noqa: B008 - it is immutable
    """Write it in the caller's transaction; its number."""
    told = run.why[:_LONGEST].replace("\x00", "").encode(errors="backslashreplace").decode() if run.why else None
    counted = run.counted
    number: int = await conn.fetchval(
        _WRITE,
        round(run.seconds, 3),
        run.kind.value,
        run.source,
        run.origin.value,
        "refused" if told else "taken",
        told,
        run.file_name,
        run.file_sha256,
        run.mapping_sha256,
        counted.read,
        counted.skipped,
        counted.rejected,
        counted.new,
        counted.changed,
        counted.unchanged,
        run.imported_at,
        reach.known_from,
        reach.known_to,
        reach.through,
    )
    return number
