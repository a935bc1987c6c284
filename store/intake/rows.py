"""One CSV record becomes one fact, a rejection with every reason, or nothing because the mapping leaves it out.

Files are read by columns (`batches.py`), which is several times as fast; what is odd about a row is found out here.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import NamedTuple, TypeAlias

from store.intake.errors import IntakeError
from store.intake.kinds import FieldSpec
from store.intake.mapping import Condition, FieldSource, Lookup, Mapping
from store.intake.source import CsvSource, Row
from store.intake.values import Value, reader

Text: TypeAlias = Callable[[Sequence[str]], "str | None"]
"""Takes the cells of the columns it stands for, and no others."""


class Fact(NamedTuple):
    """A row as it goes to the table: the line it came from, then one value per column of `FactReader.columns`."""

    line: int
    values: tuple[Value, ...]


class Problem(NamedTuple):
    """Why a row cannot be taken; `field` is empty where the whole row is meant."""

    line: int
    field: str
    reason: str


class FactReader:
    """A mapping made ready for one file.

    `columns` are the table's columns it fills. `labels` tells for each field the file's column it is read from,
    or the field itself where several columns make it: what a reject file calls it.
    """

    def __init__(self, mapping: Mapping, source: CsvSource, imported_at: datetime) -> None:
        """Resolve the mapping's columns against the file's header and load its lookups.

        Raises:
            IntakeError: a column or a lookup file the mapping names is not there.
        """
        self.mapping = mapping
        self.imported_at = imported_at
        self.width = len(source.header)
        self._header = source.header
        self._places = {name: index for index, name in enumerate(source.header)}
        self._require_columns(source.path)
        self.conditions = [self._condition(condition) for condition in mapping.where]
        self.fields = [self._field(spec, source.path) for spec in mapping.spec.fields]
        self.columns: tuple[str, ...] = ("source_system", *(spec.name for spec in mapping.spec.fields))
        self.labels = {name: one.columns[0] if len(one.columns) == 1 else name for name, one in mapping.fields.items()}

    def read(self, row: Row) -> Fact | list[Problem] | None:
        """The row's fact, its problems, or None when a `where` condition leaves it out."""
        if len(row.cells) != self.width:
            found = f"found {len(row.cells)} columns; the header has {self.width}"
            return [Problem(row.line, "", found)]
        if not all(condition(row.cells) for condition in self.conditions):
            return None
        values: dict[str, Value] = {"source_system": self.mapping.source_system}
        problems: list[Problem] = []
        for field in self.fields:
            try:
                values[field.spec.name] = field.value([row.cells[place] for place in field.places])
            except ValueError as error:
                problems.append(Problem(row.line, field.spec.name, str(error)))
        if not problems:
            try:
                problems = self._complete(row.line, values)
            except OverflowError:
                # Such as 9999-12-31, which many systems write for "never", and a lag.
                problems = [Problem(row.line, "known_at", "became known after the year 9999")]
        return problems or Fact(row.line, tuple(values[name] for name in self.columns))

    def _complete(self, line: int, values: dict[str, Value]) -> list[Problem]:
        """Fill in the key other facts refer to, and when the fact and its changes became known."""
        spec, known = self.mapping.spec, self.mapping.known
        if spec.id_field and values[spec.id_field] is None:
            values[spec.id_field] = values["source_id"]
        for name, other, makes_true in spec.answered:
            if values[name] is None:
                values[name] = values[other] == makes_true
        after = known.after if known else None
        if after is not None and values[after] is None:
            return [Problem(line, after, "is empty, and tells when the fact became known")]
        if values["known_at"] is None:
            values["known_at"] = self._known_at(values[after] if after else None)
        for stem in spec.changes:
            happened = values[f"{stem}_at"]
            if values[f"{stem}_known_at"] is None and happened is not None:
                values[f"{stem}_known_at"] = self._change_known_at(happened)
        return [
            Problem(line, f"{name}, {begins}", f"found {values[name]}, before {values[begins]}; not allowed")
            for name, begins in spec.ordered
            if _earlier(values[name], values[begins])
        ]

    def _known_at(self, after: Value) -> datetime:
        known = self.mapping.known
        if known is None:
            return self.imported_at
        return known.at if known.at is not None else instant(after) + known.lag

    def _change_known_at(self, happened: Value) -> datetime | None:
        known = self.mapping.known
        if known is None:
            return self.imported_at
        return None if known.at is not None else instant(happened) + known.lag

    def _require_columns(self, path: Path) -> None:
        needed = {
            **{condition.column: f"where.{index}" for index, condition in enumerate(self.mapping.where)},
            **{column: f"fields.{field}" for field, one in self.mapping.fields.items() for column in one.columns},
        }
        missing = [f"{name} ({place})" for name, place in needed.items() if name not in self._places]
        if missing:
            parted = len(self._header) > 1 or not any(one in self._header[0] for one in ";,|\t")
            hint = "" if parted else "; is csv.delimiter of the mapping what parts its columns?"
            has = ", ".join(self._header) + hint
            raise IntakeError(
                f"{path}: the mapping needs columns it does not have: {', '.join(missing)}; it has: {has}"
            )

    def _condition(self, condition: Condition) -> Callable[[list[str]], bool]:
        place, empty = self._places[condition.column], frozenset(self.mapping.empty)
        if condition.not_empty:
            return lambda cells: cells[place].strip() not in empty
        allowed = frozenset(condition.in_ if condition.in_ is not None else (condition.equals or "",))
        return lambda cells: cells[place].strip() in allowed

    def _field(self, spec: FieldSpec, path: Path) -> Field:
        source = self.mapping.fields.get(spec.name)
        read = reader(spec, self.mapping.rules, source.format if source else None)
        if source is None:
            default = read(spec.default) if spec.default is not None else None
            return Field(spec, (), lambda _: default)
        fallback = source.default or spec.default
        text, empty = self._text(source, path), f"is empty, and {self.mapping.kind} cannot do without"

        def value(cells: Sequence[str]) -> Value:
            found = text(cells) or fallback
            if found is None and spec.required:
                raise ValueError(empty)
            return None if found is None else read(found)

        as_it_stands = source.column is not None and source.values is None and source.format is None
        plain = frozenset(("", *self.mapping.empty)) if as_it_stands and not spec.allowed else frozenset[str]()
        return Field(spec, tuple(self._places[name] for name in source.columns), value, plain)

    def _text(self, source: FieldSource, path: Path) -> Text:
        """The function giving the text before it is read as the field's type; None for nothing."""
        text = self._origin(source, path)
        if source.values is None:
            return text
        table, otherwise = source.values, source.otherwise

        def mapped(cells: Sequence[str]) -> str | None:
            found = text(cells)
            if found in table or (found is None and "" in table):
                return table[found or ""]
            if found is None or otherwise is not None:
                return None if found is None else otherwise
            raise ValueError(f"found {found!r}; allowed by the mapping: {', '.join(table)}")

        return mapped

    def _origin(self, source: FieldSource, path: Path) -> Text:
        empty = frozenset(self.mapping.empty)

        def cell(place: int) -> Text:
            return lambda cells: None if (found := cells[place].strip()) in empty else found

        if source.constant is not None:
            return lambda _: source.constant
        if source.lookup is not None:
            return _lookup(source.lookup, cell(0), path, self.mapping)
        if source.template is not None:
            return _template(source.template, cell)
        return cell(0)


class Field(NamedTuple):
    """One field ready to be read: `value` takes the cells at `places` of the row, in that order.

    `plain`: every cell is read as it stands, but for these; empty where there is more to it.
    """

    spec: FieldSpec
    places: tuple[int, ...]
    value: Callable[[Sequence[str]], Value]
    plain: frozenset[str] = frozenset()


def _template(template: str, cell: Callable[[int], Text]) -> Text:
    """Nothing as soon as one of its columns is empty: half a key is no key."""
    pieces = [(literal, name is not None) for literal, name, _, _ in string.Formatter().parse(template)]
    texts = [cell(place) for place in range(sum(holds for _, holds in pieces))]

    def filled(cells: Sequence[str]) -> str | None:
        found = [one(cells) for one in texts]
        if None in found:
            return None
        upcoming = iter(found)
        return "".join(f"{literal}{next(upcoming)}" if holds else literal for literal, holds in pieces)

    return filled


def _earlier(value: Value, than: Value) -> bool:
    """Whether a moment or a day lies before another; what is not there does not."""
    return value is not None and than is not None and instant(value) < instant(than)


def instant(value: Value) -> datetime:
    """A date counts from its midnight UTC."""
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    raise TypeError(f"{value!r} says no time")


def _lookup(lookup: Lookup, key_of: Text, path: Path, mapping: Mapping) -> Text:
    """Reads the second file, which lies beside the imported one, into memory: lookups are small."""
    table: dict[str, str] = {}
    with CsvSource(path.parent / lookup.file, mapping.csv) as source:
        missing = [name for name in (lookup.key, lookup.take) if name not in source.header]
        if missing:
            raise IntakeError(
                f"{source.path}: has no column {' and '.join(missing)}; it has: {', '.join(source.header)}"
            )
        key_place, take_place = source.header.index(lookup.key), source.header.index(lookup.take)
        for row in source.rows():
            if len(row.cells) != len(source.header):
                raise IntakeError(f"{source.path}:{row.line}: {len(row.cells)} columns, not {len(source.header)}")
            key, taken = row.cells[key_place].strip(), row.cells[take_place].strip()
            if table.setdefault(key, taken) != taken:
                raise IntakeError(f"{source.path}:{row.line}: {lookup.key} {key!r} is there twice and says different")
    empty = frozenset(mapping.empty)

    def found(cells: Sequence[str]) -> str | None:
        key = key_of(cells)
        if key is None:
            return None
        if key not in table:
            raise ValueError(f"found {key!r}, which {lookup.file} does not have as {lookup.key}")
        return None if table[key] in empty else table[key]

    return found
