"""Finds facts that contradict each other, as they stand at a moment: how many of which source, and the first of them.

Each way in which they can is a statement of its own in `sql/contradictions`. It may read whole tables: nobody waits
for it but who asked, and no look at a rollout does. What comes back is counts and the few that are named, however much
is found.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

from models.base import Frozen
from models.contradiction import MEANINGS, Contradiction
from models.metric import CATALOGUE, MetricName
from store.intake.kinds import KINDS, FactKind
from store.pool import Connection
from store.statements import statement

SECONDS: Final = 3600.0
"""What one statement has: tens of millions of facts are read in minutes."""

_COUNTED: Final = statement("contradictions")


def _statement(one: Contradiction) -> str:
    finding = statement(f"contradictions/{one.replace('-', '_')}")
    return _COUNTED.replace("(:finding)", f"(\n{finding})")


_STATEMENTS: Final = {one: _statement(one) for one in Contradiction}
_SOURCES: Final = statement("fact_sources")


class Found(Frozen):
    """A fact that contradicts another one: of several the first, by `source_id`."""

    source: str
    source_id: str
    partner_id: str
    found: str
    expected: str


class Finding(Frozen):
    """One contradiction: how many facts of each source are in it, and the first of them by source and `source_id`."""

    contradiction: Contradiction
    sources: Mapping[str, int]
    first: tuple[Found, ...]

    @property
    def facts(self) -> int:
        """Of all sources together."""
        return sum(self.sources.values())


async def find(
    conn: Connection, one: Contradiction, as_of: datetime, *, sources: Collection[str] = (), limit: int = 5
) -> Finding:
    """Look for one contradiction.

    Args:
        as_of: facts are read as they were known then.
        sources: only facts of these are named and counted; without any, those of all.
        limit: how many of them to name at most.
    """
    rows = await conn.fetch(_STATEMENTS[one], as_of, list(sources) or None, limit, timeout=SECONDS)
    return Finding(
        contradiction=one,
        sources={row["source_system"]: row["facts"] for row in rows if row["facts"] is not None},
        first=tuple(
            Found(
                source=row["source_system"],
                source_id=row["source_id"],
                partner_id=row["partner_id"],
                found=row["found"],
                expected=row["expected"],
            )
            for row in rows
            if row["facts"] is None
        ),
    )


def read_by(one: Contradiction) -> tuple[MetricName, ...]:
    """Every metric that reads facts of the kind that is named, so that its number may rest on what is found."""
    table = KINDS[FactKind(MEANINGS[one].kind)].table
    return tuple(name for name, spec in CATALOGUE.items() if table in spec.reads)


async def known_sources(conn: Connection) -> frozenset[str]:
    """Every source that ever brought a fact, by file or by event."""
    return frozenset(row["source"] for row in await conn.fetch(_SOURCES))
