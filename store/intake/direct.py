"""The short way: facts go from the file into their table by COPY, all at once, as long as every one is new and good.

The table's own rules judge them. The first row that breaks one makes PostgreSQL refuse, everything is taken back, and
the file goes the long way, by `staging.py`: that one tells new facts from known ones and says what is wrong with which.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import asyncpg

from store.intake.batches import Batch
from store.intake.kinds import FactKind
from store.intake.mapping import Mapping
from store.intake.rows import Problem
from store.intake.staging import STATEMENT_SECONDS, Connection

_ROWS_PER_COPY: Final = 250_000
"""What the server keeps of each row until its statement ends, such as the checks of references, stays bounded."""

_MOST_PROBLEMS: Final = 10_000
_LEADS_ARE_RECKONED: Final = (Path(__file__).parent / "leads_are_reckoned.sql").read_text(encoding="utf-8")
# What one row alone cannot tell: shares of a transaction, rows that refer to each other, clocks that pauses stop.
_LONG_WAY: Final = (FactKind.TRANSACTIONS, FactKind.LEAD_PAUSES)

REFUSALS: Final = (asyncpg.IntegrityConstraintViolationError, asyncpg.DeadlockDetectedError)
"""What PostgreSQL says when a rule of the table is broken, or when somebody else works on the same facts."""


class NotDirect(Exception):
    """The file has to go the long way."""


@dataclass
class Copied:
    """What went in."""

    facts: int = 0
    problems: list[Problem] = field(default_factory=list)


async def may_copy(conn: Connection, mapping: Mapping, columns: list[asyncpg.Record]) -> bool:
    """Whether rows of this mapping can be judged one by one, by the table's own rules. `columns`: its constraints."""
    if mapping.distinct or mapping.kind in _LONG_WAY or any(one["refers_to_itself"] for one in columns):
        return False
    return mapping.kind is not FactKind.LEADS or not await conn.fetchval(_LEADS_ARE_RECKONED)


async def copy_facts(conn: Connection, table: str, columns: tuple[str, ...], batches: AsyncIterator[Batch]) -> Copied:
    """Copy all facts of the batches, in a savepoint of the caller's.

    Raises:
        NotDirect, one of REFUSALS: not all of them can be; the savepoint must be rolled back.
    """
    copied = Copied()
    upcoming = await anext(batches, None)

    async def some() -> AsyncIterator[bytes]:
        nonlocal upcoming
        rows = 0
        while upcoming is not None and rows < _ROWS_PER_COPY:
            copied.problems += upcoming.problems
            if len(copied.problems) > _MOST_PROBLEMS:
                raise NotDirect
            rows += len(upcoming.lines)
            if upcoming.lines:
                yield upcoming.text
            upcoming = await anext(batches, None)
        copied.facts += rows

    while upcoming is not None:
        await conn.copy_to_table(table, source=some(), columns=columns, timeout=STATEMENT_SECONDS)
    return copied
