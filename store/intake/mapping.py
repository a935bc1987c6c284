"""Mapping files: how the columns of a CSV file become the fields of one kind of fact.

A mapping is YAML. One file may feed several kinds: write one mapping for each. The whole format by example:

    kind: transactions
    source_system: erp
    fields:
      source_id: {template: "{Order}-{Line}"}     # text with columns in braces
      partner_id: Customer                        # short for {column: Customer}
      net_amount: {column: Net, default: "0"}     # what an empty cell becomes
      currency: {constant: EUR}
      kind: {column: Type, values: {S: sale, R: return}}
      transaction_date: {column: Day, format: "%d.%m.%Y"}
    known: {after: transaction_date, lag: 1d}     # or on_import (the default), or {at: 2025-01-01T00:00:00Z}
    where:                                        # rows that do not match are skipped, not rejected
      - {column: Type, in: [S, R]}
      - {column: Net, not_empty: true}
    empty: ["", "NULL"]                           # cells that mean "nothing"; the default is ""
    csv: {delimiter: ";", decimal: ",", thousands: "."}

Other fields of a mapping: `distinct: true` keeps one of several rows that give exactly the same fact;
`time_zone: America/New_York` reads moments without an offset as wall-clock time there; and a field may be looked up
in a second file that lies beside the imported one:
`{lookup: {file: regions.csv, key: Id, from: RegionId, take: Name}}`.
"""

from __future__ import annotations

import string
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from models.base import Duration
from models.calendar import time_zones
from store.intake.kinds import KINDS, FactKind, FieldSpec, KindSpec
from store.intake.values import Ambiguous, Nonexistent, ReadingRules, reader
from store.intake.yaml_text import Path as YamlPath
from store.intake.yaml_text import YamlRefused, read_yaml


class MappingRefused(ValueError):
    """The mapping file cannot be used. `problems` holds one line each: file, line, column, field, found, allowed."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class _Part(BaseModel):
    """Read from text scalars, hence not strict: `distinct: true` arrives as the text `true`."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False)


def _known_zone(name: str) -> str:
    if name not in time_zones():
        raise ValueError(f"{name!r} is not a time zone; write a name such as America/New_York")
    return name


Name = Annotated[str, Field(min_length=1, max_length=200)]
Zone = Annotated[str, AfterValidator(_known_zone)]


class Lookup(_Part):
    """A value from another CSV file: the row whose `key` equals this row's column `from`; its column `take`."""

    file: Name
    key: Name
    from_: Name = Field(alias="from")
    take: Name


class FieldSource(_Part):
    """Where one field's value comes from: exactly one of column, constant, template, lookup; then `values`."""

    column: Name | None = None
    constant: str | None = None
    template: Name | None = None
    lookup: Lookup | None = None
    values: dict[str, str] | None = None
    otherwise: str | None = None
    default: str | None = None
    format: Name | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        given = [name for name in ("column", "constant", "template", "lookup") if getattr(self, name) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none of them"
            raise ValueError(f"give exactly one of column, constant, template, lookup; found {found}")
        if self.otherwise is not None and self.values is None:
            raise ValueError("otherwise says what a value outside `values` becomes; there are no values here")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the imported file that this value needs."""
        if self.column is not None:
            return (self.column,)
        if self.template is not None:
            return tuple(name for _, name, _, _ in string.Formatter().parse(self.template) if name is not None)
        return (self.lookup.from_,) if self.lookup else ()


class Condition(_Part):
    """One condition a row must meet: the column equals a text, is one of several, or is not empty."""

    column: Name
    equals: str | None = None
    in_: tuple[str, ...] | None = Field(default=None, alias="in")
    not_empty: Literal[True] | None = None

    @model_validator(mode="before")
    @classmethod
    def _true_as_text(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("not_empty") == "true":
            return {**data, "not_empty": True}
        return data

    @model_validator(mode="after")
    def _one_test(self) -> Self:
        given = [name for name in ("equals", "in_", "not_empty") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("give exactly one of equals, in, not_empty: true")
        return self


_KNOWN = "write on_import, {after: FIELD, lag: 1d} or {at: 2025-01-01T00:00:00Z}"


class Known(_Part):
    """When a fact became known: `at` a fixed moment, or `after` a field of it plus `lag`. Unsaid: on import.

    A change (contacted, closed, paid, ...) then counts as known `lag` after it happened; with `at`, when it
    happened; on import, at the import that brought it. A date counts from its midnight UTC.

    A row that is imported again and says something else is known by the same rule. On import it counts from that
    import on, and reads as of an earlier moment see what it said before; with `at` or `after` it was known all along,
    so it puts wrongly loaded history right.
    """

    at: AwareDatetime | None = None
    after: Name | None = None
    lag: Duration = timedelta(0)

    @model_validator(mode="after")
    def _at_or_after(self) -> Self:
        if self.at is not None and self.after is not None:
            raise ValueError("give at or after, not both")
        if self.at is None and self.after is None:
            raise ValueError(_KNOWN)
        return self


class CsvFormat(_Part):
    """How the file is written. Numbers have `decimal` as their decimal sign and may hold `thousands` signs."""

    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    encoding: Name = "utf-8"
    decimal: Literal[".", ","] = "."
    thousands: Annotated[str, Field(max_length=1)] = ""

    @model_validator(mode="after")
    def _signs_differ(self) -> Self:
        if self.delimiter in '\r\n"':
            raise ValueError(f"delimiter {self.delimiter!r} ends a line or opens a quote; write for example ; or a tab")
        if self.thousands and (self.thousands == self.decimal or self.thousands in "0123456789+-"):
            raise ValueError(
                f"thousands sign {self.thousands!r} is part of a number already; decimal is {self.decimal!r}"
            )
        return self


def _on_import(value: Any) -> Any:
    if isinstance(value, str) and value != "on_import":
        raise ValueError(_KNOWN)
    return None if value == "on_import" else value


def _column_for_text(value: Any) -> Any:
    return {"column": value} if isinstance(value, str) else value


class Mapping(_Part):
    """One mapping file; see the module's text for the format."""

    kind: FactKind
    source_system: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")]
    about: str = ""
    fields: dict[str, Annotated[FieldSource, BeforeValidator(_column_for_text)]]
    known: Annotated[Known | None, BeforeValidator(_on_import)] = None
    where: tuple[Condition, ...] = ()
    distinct: bool = False
    empty: tuple[str, ...] = ("",)
    time_zone: Zone | None = None
    ambiguous_time: Ambiguous = Ambiguous.EARLIER
    nonexistent_time: Nonexistent = Nonexistent.SHIFT
    csv: CsvFormat = CsvFormat()

    @property
    def spec(self) -> KindSpec:
        """The kind this mapping feeds."""
        return KINDS[self.kind]

    @property
    def rules(self) -> ReadingRules:
        """How its cells are to be read."""
        return ReadingRules(
            decimal=self.csv.decimal,
            thousands=self.csv.thousands,
            time_zone=self.time_zone,
            ambiguous=self.ambiguous_time,
            nonexistent=self.nonexistent_time,
        )


def load_mapping(path: Path) -> Mapping:
    """Read and check a mapping file.

    Raises:
        MappingRefused: the file cannot be read or says something impossible; every problem with its place.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise MappingRefused((f"{path}: cannot be read: {error.strerror or error}",)) from error
    except UnicodeDecodeError as error:
        raise MappingRefused((f"{path}: cannot be read: {error}",)) from error
    return parse_mapping(text, str(path))


def parse_mapping(text: str, name: str = "mapping") -> Mapping:
    """The same for text at hand; `name` is what problems call the file."""
    try:
        data, places = read_yaml(text)
    except YamlRefused as error:
        raise MappingRefused((f"{name}:{error.line}:{error.column}: {error}",)) from error
    try:
        mapping = Mapping.model_validate(data)
    except ValidationError as error:
        problems = tuple(_problem(dict(item), places, name) for item in error.errors(include_url=False))
        raise MappingRefused(problems) from error
    misfits = tuple(f"{_where(path, places, name)}: {text}" for path, text in _misfits(mapping))
    if misfits:
        raise MappingRefused(misfits)
    return mapping


def _where(path: YamlPath, places: dict[YamlPath, tuple[int, int]], name: str) -> str:
    """The place of the longest part of the path that stands in the file; pydantic adds steps of its own."""
    kept = tuple(step for index, step in enumerate(path) if (*path[:index], step) in places)
    line, column = next((places[path[:end]] for end in range(len(path), -1, -1) if path[:end] in places), (1, 1))
    field = ".".join(str(step) for step in (kept or path))
    return f"{name}:{line}:{column}: {field or 'the mapping'}"


def _problem(item: dict[str, Any], places: dict[YamlPath, tuple[int, int]], name: str) -> str:
    path = tuple(item["loc"])
    if item["type"] == "extra_forbidden":
        return f"{_where(path, places, name)}: not a field of a mapping"
    if item["type"] == "missing":
        return f"{_where(path[:-1], places, name)}: {path[-1]} is missing"
    found = "" if isinstance(item["input"], dict) else f"; found {item['input']!r}"
    return f"{_where(path, places, name)}: {item['msg'].removeprefix('Value error, ')}{found}"


def _misfits(mapping: Mapping) -> list[tuple[YamlPath, str]]:
    """What does not fit the kind: unknown or missing fields, impossible constants, a known rule without its field."""
    specs = mapping.spec.by_name
    found: list[tuple[YamlPath, str]] = []
    for field, source in mapping.fields.items():
        if field not in specs:
            found.append((("fields", field), f"{mapping.kind} has no such field; allowed: {', '.join(specs)}"))
        else:
            found += [(("fields", field), text) for text in _source_misfits(source, specs[field], mapping)]
    missing = [spec.name for spec in specs.values() if spec.required and spec.name not in mapping.fields]
    if missing:
        found.append((("fields",), f"{mapping.kind} cannot do without {', '.join(missing)}"))
    if mapping.known is not None and mapping.known.after is not None:
        found += _known_misfits(mapping.known.after, mapping, specs)
    return found


def _known_misfits(after: str, mapping: Mapping, specs: dict[str, FieldSpec]) -> list[tuple[YamlPath, str]]:
    timed = [name for name in mapping.fields if name in specs and specs[name].is_time]
    if after in timed:
        return []
    return [(("known", "after"), f"found {after!r}; allowed: a mapped date or moment ({', '.join(timed) or 'none'})")]


def _source_misfits(source: FieldSource, spec: FieldSpec, mapping: Mapping) -> list[str]:
    """Texts of the mapping itself that the field can never take, and options that mean nothing here."""
    found: list[str] = []
    if source.values is not None and source.constant is not None:
        found.append("a constant needs no values")
    if source.format is not None and not spec.is_time:
        found.append(f"format is for dates and moments; this field takes {spec.type}")
    elif source.format is not None:
        found += _format_misfits(source.format)
    if source.template is not None:
        found += _template_misfits(source.template)
    read = reader(spec, mapping.rules, source.format)
    texts = [source.constant, source.default, source.otherwise, *(source.values or {}).values()]
    for text in dict.fromkeys(text for text in texts if text):
        try:
            read(text)
        except ValueError as error:
            found.append(str(error))
    return found


def _format_misfits(time_format: str) -> list[str]:
    """What is wrong with the format itself; that an empty text does not match it says nothing."""
    try:
        datetime.strptime("", time_format)  # noqa: DTZ007 - nothing is read
    except ValueError as error:
        return [] if "does not match" in str(error) else [f"format {time_format!r}: {error}"]
    return []


def _template_misfits(template: str) -> list[str]:
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        return [f"template {template!r}: {error}"]
    odd = [name for _, name, form, conversion in parts if name is not None and (not name or form or conversion)]
    if odd:
        return [f"template {template!r}: write column names in braces, nothing else"]
    return [] if any(name for _, name, _, _ in parts) else [f"template {template!r} names no column; use constant"]
