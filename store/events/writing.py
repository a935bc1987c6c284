"""Writes folded facts into their tables, one statement a table, stamped with when they became known."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cache
from operator import itemgetter
from typing import Any, Final, NamedTuple

import asyncpg

from store.events.columns import array, joined, joined_or_null
from store.events.errors import EventProblem, EventsConflict, EventsRefused, shown
from store.events.folding import BASES, COLUMNS, Fact
from store.intake.kinds import KINDS, FactKind, FieldType
from store.pool import Connection
from store.statements import statement

_TEMPLATE: Final = statement("events/write_facts")
_TYPES: Final = {
    FieldType.MONEY: "numeric",
    FieldType.SHARE: "numeric",
    FieldType.NUMBER: "numeric",
    FieldType.INTEGER: "integer",
    FieldType.BOOLEAN: "boolean",
    FieldType.DATE: "date",
    FieldType.MONTH: "date",
    FieldType.INSTANT: "timestamptz",
}
_ORDER: Final = (*BASES, FactKind.OPPORTUNITY_REOPENINGS)
"""Requests stand before claims, leads before their pauses, deals before their stages and reopenings."""

_KEY: Final = re.compile(r"Key \((?P<columns>.*)\)=\((?P<values>.*)\) ")
ONE_MOMENT_EACH: Final = frozenset({FactKind.LEADS, FactKind.LEAD_PAUSES})
"""Kinds of which everything that can happen to a fact has its own `_known_at`, so that it need not amend the row."""


class Row(NamedTuple):
    """A fact and the source it is of."""

    source_system: str
    fact: Fact


async def write_facts(conn: Connection, moment: datetime, rows: Sequence[Row], new: Collection[str] = ()) -> None:
    """Insert what is new, amend what says something else than before, leave the rest.

    Args:
        new: kinds of which all rows are taken to be new. These are inserted without asking for what may be there, and
            no trigger looks at changes that there cannot be.

    Raises:
        EventsConflict: a key is taken by another fact.
        asyncpg.UniqueViolationError: a row that was taken to be new is there.
    """
    by_kind: dict[FactKind, list[Row]] = {}
    for row in rows:
        by_kind.setdefault(row.fact.kind, []).append(row)
    for kind in _ORDER:
        if kind in by_kind:
            await _write(conn, moment, kind, by_kind[kind], kind in new)


async def _write(conn: Connection, moment: datetime, kind: FactKind, rows: Sequence[Row], new: bool) -> None:
    names = COLUMNS[kind]
    values = zip(*map(itemgetter(*names), [fact.columns for _, fact in rows]), strict=True)
    columns = [joined_or_null(_texts(kind, name, column)) for name, column in zip(names, values, strict=True)]
    sources, ids = joined([source for source, _ in rows]), joined([fact.source_id for _, fact in rows])
    try:
        await conn.execute(insert(kind) if new else upsert(kind), moment, sources, ids, *columns)
    except asyncpg.UniqueViolationError as taken:
        if new:
            raise
        raise EventsConflict([_taken(KINDS[kind].table, taken)]) from taken
    except (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError) as broken:
        # The tables' own rules stay the authority, also where the events' are found to be laxer.
        table = KINDS[kind].table
        raise EventsRefused(
            [
                EventProblem(
                    event=None, field=table.replace("_", " "), found=shown(str(broken)), allowed="what the table takes"
                )
            ]
        ) from broken


def _texts(kind: FactKind, name: str, values: Sequence[Any]) -> Sequence[str | None]:
    """Values of a column as text; most are text already."""
    if KINDS[kind].by_name[name].type not in (FieldType.BOOLEAN, FieldType.INTEGER):
        return values
    return [None if one is None else str(one).lower() for one in values]


def _taken(table: str, taken: asyncpg.UniqueViolationError) -> EventProblem:
    """The name of the constraint says nothing to a sender; the key that is taken does."""
    found = _KEY.match(getattr(taken, "detail", None) or "")
    field, value = (found["columns"], found["values"]) if found else ("subject", "a key that is taken")
    kind = table.replace("_", " ")
    return EventProblem(event=None, field=field, found=value, allowed=f"a key that no other {kind} has")


@cache
def insert(kind: FactKind) -> str:
    """The statement for rows of a kind that are new."""
    return upsert(kind).partition("on conflict")[0]


@cache
def upsert(kind: FactKind) -> str:
    """The statement for a kind, made of this project's own names only."""
    spec, columns = KINDS[kind], COLUMNS[kind]
    stems = [stem for stem in spec.changes if f"{stem}_at" in columns]
    # What a fact is called by others never changes, unless it is something that its first event says of it.
    fixed = spec.id_field if kind in BASES and spec.id_field not in BASES[kind].fields else None
    said = [name for name in columns if name != fixed]
    settings = [f"{name} = excluded.{name}" for name in said]
    settings += [
        f"{stem}_known_at = case when old.{stem}_at is distinct from excluded.{stem}_at"
        f" then excluded.{stem}_known_at else old.{stem}_known_at end"
        for stem in stems
    ]
    return _TEMPLATE.format(
        table=spec.table,
        columns=", ".join(columns),
        values=", ".join(f"{name}::{_TYPES.get(spec.by_name[name].type, 'text')}" for name in columns),
        known="".join(f"{stem}_known_at, " for stem in stems),
        known_values="".join(f"case when {stem}_at is not null then $1::timestamptz end, " for stem in stems),
        arrays=", ".join(array(place) for place in range(2, 4 + len(columns))),
        settings=", ".join(settings),
        only_changes=_only_changes(kind, said, stems),
        before=", ".join(f"old.{name}" for name in said),
        after=", ".join(f"excluded.{name}" for name in said),
    )


def _only_changes(kind: FactKind, said: Sequence[str], stems: Sequence[str]) -> str:
    if kind not in ONE_MOMENT_EACH:
        return "false"
    own = {f"{stem}_at" for stem in stems} | {"excluded_reason", "rejected_reason"}
    rest = [name for name in said if name not in own]
    same = [
        f"({', '.join(f'old.{name}' for name in rest)}) is not distinct from "
        f"({', '.join(f'excluded.{name}' for name in rest)})"
    ]
    return " and ".join(same + [f"(old.{stem}_at is null or old.{stem}_at = excluded.{stem}_at)" for stem in stems])


async def stored_rows(
    conn: Connection, keys: Mapping[FactKind, Sequence[tuple[str, str]]]
) -> dict[tuple[str, FactKind, str], str]:
    """Rows that are there already, as JSON text, by source, kind and source id."""
    found = {}
    for kind, wanted in keys.items():
        sources, ids = [source for source, _ in wanted], [one for _, one in wanted]
        query = f"""
            select source_system, source_id, to_jsonb(t)::text as row
            from {KINDS[kind].table} t
            where (source_system, source_id) in (select * from unnest($1::text[], $2::text[]))
        """  # noqa: S608 - our own table's name
        for row in await conn.fetch(query, sources, ids):
            found[row["source_system"], kind, row["source_id"]] = row["row"]
    return found
