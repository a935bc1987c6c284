"""Reading a file by batches and each batch by columns: every different cell of a column is read once.

What cannot be read so, because of a bad cell or a row of the wrong length, is left to `FactReader.read`, row by row:
it knows the reasons.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from store.intake.columns import Column, constant, read_column
from store.intake.copytext import text_of
from store.intake.reach import Reach, events_of, latest
from store.intake.rows import FactReader, Problem, instant
from store.intake.source import CsvSource, Row

ROWS: Final = 5000


class Batch(NamedTuple):
    """`columns` holds the facts column by column, as `FactReader.columns` names them, in the words of COPY; `lines`
    the lines they come from."""

    read: int
    skipped: int
    lines: Sequence[int]
    columns: Sequence[Sequence[str]]
    problems: Sequence[Problem]
    reach: Reach

    @property
    def text(self) -> bytes:
        """The facts, for COPY."""
        return text_of(self.columns)

    @property
    def numbered(self) -> bytes:
        """The facts, for COPY, each behind its line."""
        return text_of((list(map(str, self.lines)), *self.columns))


class BatchReader:
    """Reads a file's batches, one after the other."""

    def __init__(self, source: CsvSource, reader: FactReader) -> None:
        self._source = source
        self._reader = reader
        self._events = [field.name for field in events_of(reader.mapping.spec)]

    def next(self) -> Batch | None:
        """The next batch; None at the end.

        Raises:
            IntakeError: the file cannot be read on.
        """
        lines, rows = self._source.batch(ROWS)
        if not rows:
            return None
        width, conditions = self._reader.width, self._reader.conditions
        whole: Sequence[int] = range(len(rows))
        odd: set[int] = set()
        if set(map(len, rows)) != {width}:
            odd = {number for number in whole if len(rows[number]) != width}
        if odd or conditions:
            whole = [n for n in whole if n not in odd and all(condition(rows[n]) for condition in conditions)]
        skipped = len(rows) - len(odd) - len(whole)
        columns = self._columns([rows[n] for n in whole])
        bad = {place for column in columns.values() if column.bad for place in column.bad_places()}
        if bad:
            odd |= {whole[place] for place in bad}
            columns = {name: column.without(bad) for name, column in columns.items()}
            whole = [n for place, n in enumerate(whole) if place not in bad]
        problems = self._problems([Row(lines[n], rows[n]) for n in sorted(odd)])
        return Batch(
            read=len(rows),
            skipped=skipped,
            lines=[lines[n] for n in whole],
            columns=[columns[name].tokens for name in self._reader.columns],
            problems=problems,
            reach=self._reach(columns),
        )

    def _problems(self, rows: Sequence[Row]) -> list[Problem]:
        found: list[Problem] = []
        for row in rows:
            told = self._reader.read(row)
            if not isinstance(told, list):
                raise TypeError(f"line {row.line} can be read by itself and not by columns")
            found += told
        return found

    def _columns(self, rows: Sequence[Sequence[str]]) -> dict[str, Column]:
        cells, size = list(zip(*rows, strict=True)), len(rows)
        if not rows:
            cells = [()] * self._reader.width
        found = {field.spec.name: read_column(field, cells, size) for field in self._reader.fields}
        self._complete(found, size)
        return {"source_system": constant(self._reader.mapping.source_system, size), **found}

    def _complete(self, columns: dict[str, Column], size: int) -> None:
        """Fill in what `FactReader.read` fills in: the key, and when the facts and their changes became known."""
        spec, known = self._reader.mapping.spec, self._reader.mapping.known
        if spec.id_field:
            columns[spec.id_field] = columns[spec.id_field].or_else(columns["source_id"])
        for name, other, makes_true in spec.answered:
            columns[name] = columns[name].or_else(columns[other].equals(makes_true))
        after = known.after if known else None
        if known is None:
            first = constant(self._reader.imported_at, size)
        elif after is None:
            first = constant(known.at, size)
        else:
            first = columns[after].later(known.lag)
            columns[after] = columns[after].required()
        columns["known_at"] = columns["known_at"].or_else(first)
        for name, begins in spec.ordered:
            columns[name] = columns[name].not_before(columns[begins])
        for stem in spec.changes:
            columns[f"{stem}_known_at"] = columns[f"{stem}_known_at"].or_else(self._seen(columns[f"{stem}_at"]))

    def _seen(self, happened: Column) -> Column:
        """When changes became known; where none happened, nothing did."""
        known = self._reader.mapping.known
        if known is None:
            return happened.seen(self._reader.imported_at)
        if known.at is not None:
            return constant(None, len(happened.tokens))
        return happened.later(known.lag)

    def _reach(self, columns: dict[str, Column]) -> Reach:
        moment = self._reader.imported_at
        known = columns["known_at"].present()
        return Reach(
            latest(_latest_until(columns[name].present(), moment) for name in self._events),
            min(known, default=None),
            max(known, default=None),
        )


def _latest_until(values: Sequence[Any], moment: datetime) -> datetime | None:
    """Of days and moments the last that is not later."""
    last = instant(max(values)) if values else None
    if last is None or last <= moment:
        return last
    return max((one for one in map(instant, values) if one <= moment), default=None)
