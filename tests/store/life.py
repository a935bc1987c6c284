"""A fact's life told step by step through intake, each step read before and after, and all of it again at the end."""

from __future__ import annotations

import csv
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

from store.intake import FactKind, import_file, parse_mapping
from store.intake.staging import Connection
from tests.store.world import World, at

JUST = timedelta(microseconds=1)
Look = Callable[[datetime], Awaitable[Any]]


class Life:
    """`look` reads what the life is about, as of a moment. A row that is told again keeps what it said before."""

    def __init__(self, world: World, folder: Path, look: Look) -> None:
        self._conn = cast(Connection, world.conn)
        self._file = folder / "in.csv"
        self._look = look
        self._rows: dict[tuple[FactKind, str], dict[str, str]] = {}
        self._seen: dict[datetime, Any] = {}

    async def tell(self, kind: FactKind, name: str, when: str, /, **says: str) -> Any:
        """Import one row as a live feed brings it at a moment; what is read from then on."""
        moment = at(when)
        self._seen[moment - JUST] = await self._look(moment - JUST)
        row = self._rows.setdefault((kind, name), {"source_id": name})
        row |= says
        with self._file.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(row))
            writer.writeheader()
            writer.writerow(row)
        fields = ", ".join(f"{field}: {field}" for field in row)
        mapping = parse_mapping(f"kind: {kind}\nsource_system: test\ntime_zone: UTC\nfields: {{{fields}}}\n")
        report = await import_file(self._conn, kind, self._file, mapping, imported_at=moment, strict=True)
        assert report.inserted + report.updated == 1
        self._seen[moment] = await self._look(moment)
        return self._seen[moment]

    async def at(self, when: str) -> Any:
        """What is read at a moment at which nothing is told."""
        self._seen[at(when)] = await self._look(at(when))
        return self._seen[at(when)]

    async def is_remembered(self) -> None:
        """Every moment still reads as it was read then, whatever was told since."""
        for moment, seen in self._seen.items():
            assert await self._look(moment) == seen, moment
