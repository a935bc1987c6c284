"""The staging table: rows arrive by COPY, bad ones are set aside with a reason, the rest goes over in one statement."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

import asyncpg

from store.intake.batches import Batch
from store.intake.copytext import text_of, token
from store.intake.kinds import FactKind, KindSpec
from store.intake.reach import Reach, reached
from store.intake.rows import FactReader, Problem
from store.intake.rules import in_words

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

STATEMENT_SECONDS: Final = 3600.0
"""Imports are as long as their file; the usual short command timeout of a connection must not cut them off."""

_CONSTRAINTS: Final = (Path(__file__).parent / "constraints.sql").read_text(encoding="utf-8")
_OVERCREDITED: Final = (Path(__file__).parent / "overcredited.sql").read_text(encoding="utf-8")
_NATURAL_KEY: Final = ("source_system", "source_id")
# One row in the reject file per bad line, with all its reasons.
_REJECTED_BY_LINE: Final = """
    select line, array_agg(field order by place) as fields, array_agg(reason order by place) as reasons
    from intake_rejected group by line order by line
"""


class Rejection(NamedTuple):
    """One bad line with all its reasons; `column` names the file's columns where one column makes the field."""

    line: int
    column: str
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.column or 'row'}: {self.reason}"


class Moved(NamedTuple):
    """What the one statement did with the good rows."""

    inserted: int
    updated: int
    unchanged: int


class Staging:
    """The temporary tables of one import, inside the caller's transaction.

    The SQL below is built from this project's own table and column names only, never from a file's text.
    """

    def __init__(self, conn: Connection, spec: KindSpec, facts: FactReader) -> None:
        self._conn = conn
        self._spec = spec
        self.columns = facts.columns
        self._labels = facts.labels
        self._moment = facts.imported_at
        self._dated = "known_at" in facts.mapping.fields
        """Whether each row says by itself when it became known."""

        self.constraints: list[asyncpg.Record] = []

    async def create(self) -> None:
        """Make empty tables, also where this session has already imported in the same transaction."""
        columns = ", ".join(self.columns)
        await self._run("drop table if exists pg_temp.intake_staged, pg_temp.intake_rejected")
        await self._run(
            f"create temp table intake_staged on commit drop as "  # noqa: S608
            f"select 0::bigint as line, {columns} from {self._spec.table} with no data"
        )
        await self._run(
            "create temp table intake_rejected (place bigint generated always as identity, line bigint not null,"
            " field text not null, reason text not null) on commit drop"
        )
        self.constraints = await self._conn.fetch(_CONSTRAINTS, self._spec.table)

    async def add(self, batch: Batch) -> None:
        """COPY a batch of facts, and of problems already found."""
        if batch.lines:
            await self._copy("intake_staged", ("line", *self.columns), batch.numbered)
        await self.add_problems(batch.problems)

    async def add_problems(self, problems: Sequence[Problem]) -> None:
        """COPY problems alone."""
        if problems:
            told = [list(map(token, part)) for part in zip(*problems, strict=True)]
            await self._copy("intake_rejected", ("line", "field", "reason"), text_of(told))

    async def _copy(self, table: str, columns: Sequence[str], text: bytes) -> None:
        await self._conn.copy_to_table(
            table, schema_name="pg_temp", columns=columns, source=io.BytesIO(text), timeout=STATEMENT_SECONDS
        )

    async def merge_same(self) -> int:
        """Keep the first of rows that are the same in every column; how many went."""
        return await self._run(f"""
            delete from intake_staged s
            using (
                select line, row_number() over (partition by {", ".join(self.columns)} order by line) as place
                from intake_staged
            ) as same
            where same.line = s.line and same.place > 1
        """)  # noqa: S608

    async def reject(self) -> int:
        """Set aside every row that would break a rule of the table; how many lines are bad in all."""
        await self._run("analyze intake_staged")
        await self._reject_repeated(_NATURAL_KEY)
        checks = [one for one in self.constraints if one["type"] == "c"]
        broken = checks and await self._any(" or ".join(f"({one['expression']}) is false" for one in checks))
        for constraint in self.constraints:
            if constraint["type"] in "pu" and tuple(constraint["columns"]) != _NATURAL_KEY:
                await self._reject_taken(constraint)
            elif constraint["type"] == "c" and broken:
                await self._reject_checked(constraint)
        if self._dated:
            await self._reject_overtaken()
        if self._spec.kind is FactKind.TRANSACTIONS:
            await self._run(_OVERCREDITED)
        # A row that refers to another of the same file goes when that one went: repeat until nothing does.
        while sum([await self._reject_unknown(one) for one in self.constraints if one["type"] == "f"]):
            pass
        return int(await self._conn.fetchval("select count(distinct line) from intake_rejected"))

    async def first_rejected(self) -> tuple[Rejection, ...]:
        """The first few bad rows."""
        return tuple([self._rejection(row) for row in await self._conn.fetch(f"{_REJECTED_BY_LINE} limit 10")])

    async def all_rejected(self) -> AsyncIterator[Rejection]:
        """All of them, by line."""
        async for row in self._conn.cursor(_REJECTED_BY_LINE, prefetch=1000, timeout=STATEMENT_SECONDS):
            yield self._rejection(row)

    def _rejection(self, row: asyncpg.Record) -> Rejection:
        told = [
            (", ".join(self._labels.get(name, name) for name in field.split(", ")), reason)
            for field, reason in zip(row["fields"], row["reasons"], strict=True)
        ]
        # One cell may be read for several fields, as for the hours of Monday to Friday: it is told of once.
        columns, reasons = zip(*dict.fromkeys(told), strict=True)
        return Rejection(row["line"], "; ".join(columns), "; ".join(reasons))

    async def move(self) -> Moved:
        """Insert what is new, update what differs, leave the rest; when a fact first became known never moves.

        What becomes known later than the row as it stands amends it: the table keeps what it said before. What does
        not, because the mapping says that it was known all along, puts it right for the past too.
        """
        staged, known = await self._counted()
        updated = await self._update() if known else 0
        inserted = await self._insert(known) if known < staged else 0
        await analyze_grown(self._conn, self._spec.table, inserted + updated)
        return Moved(inserted, updated, staged - inserted - updated)

    async def reach(self) -> Reach:
        """How far the good rows reach."""
        through = reached(self._spec)
        row = await self._conn.fetchrow(
            f"select {through}, min(known_at), max(known_at) from intake_staged where $1::timestamptz is not null",  # noqa: S608
            self._moment,
            timeout=STATEMENT_SECONDS,
        )
        return Reach(*row.values()) if row else Reach()

    async def _counted(self) -> tuple[int, int]:
        """How many rows are staged, and how many of them are stored already."""
        row = await self._conn.fetchrow(
            f"select count(*), count(t.source_id) from intake_staged s left join {self._spec.table} t"  # noqa: S608
            " on t.source_system = s.source_system and t.source_id = s.source_id",
            timeout=STATEMENT_SECONDS,
        )
        return tuple(row.values()) if row else (0, 0)

    async def _update(self) -> int:
        """Rows that say something else than before."""
        facts = self._told
        settings = [f"{name} = s.{name}" for name in facts]
        settings += [
            f"{stem}_known_at = case when old.{stem}_at is distinct from s.{stem}_at"
            f" then s.{stem}_known_at else old.{stem}_known_at end"
            for stem in self._spec.changes
        ]
        before, after = (", ".join(f"{side}.{name}" for name in facts) for side in ("old", "s"))
        return await self._run(f"""
            update {self._spec.table} as old
            set {", ".join(settings)}, recorded_at = now(),
                amended_at = case when s.known_at > coalesce(old.amended_at, old.known_at)
                                  then s.known_at else old.amended_at end
            from intake_staged s
            where s.source_system = old.source_system and s.source_id = old.source_id
              and ({before}) is distinct from ({after})
              {f"and not ({self._repeats('old')})" if self._dated else ""}
        """)  # noqa: S608

    @property
    def _told(self) -> list[str]:
        """The columns that say what a fact is, without its names and when what became known."""
        kept = {*_NATURAL_KEY, "known_at", *(f"{stem}_known_at" for stem in self._spec.changes), *self._key}
        return [name for name in self.columns if name not in kept]

    def _repeats(self, fact: str) -> str:
        """A row that its file dates says what the stored one said at that time, before it was amended."""
        said, says = (", ".join(f"{side}.{name}" for name in self._told) for side in ("v", "s"))
        return f"""s.known_at < {fact}.amended_at and exists (
            select from superseded.{self._spec.table} v
            where v.source_system = s.source_system and v.source_id = s.source_id
              and coalesce(v.amended_at, v.known_at) <= s.known_at and v.superseded_at > s.known_at
              and ({said}) is not distinct from ({says})
        )"""  # noqa: S608

    async def _reject_overtaken(self) -> None:
        """Rows that are older than what corrected the fact since, and not what it said before: taken now, they would
        stand in the place of what is newer."""
        await self._set_aside(f"""
            delete from intake_staged s using {self._spec.table} t
            where t.source_system = s.source_system and t.source_id = s.source_id
              and s.known_at > t.known_at and s.known_at < t.amended_at and not ({self._repeats("t")})
            returning s.line, 'known_at' as field,
                      format('found %L; allowed: no earlier than %L, when the fact as it stands became known',
                             s.known_at, t.amended_at) as reason
        """)  # noqa: S608

    async def _insert(self, known: int) -> int:
        table, columns = self._spec.table, ", ".join(self.columns)
        new = f"""
            where not exists (
                select from {table} t where t.source_system = s.source_system and t.source_id = s.source_id
            )
        """
        return await self._run(
            f"insert into {table} ({columns}) select {columns} from intake_staged s"  # noqa: S608
            f" {new if known else ''} order by line"
        )

    @property
    def _key(self) -> tuple[str, ...]:
        """The primary key's columns: what the fact is called by others, and so never changes."""
        return next((tuple(one["columns"]) for one in self.constraints if one["type"] == "p"), ())

    async def _reject_repeated(self, columns: tuple[str, ...]) -> int:
        """Of rows equal in these columns the first stays."""
        listed = ", ".join(columns)
        repeated = f"select {listed} from intake_staged group by {listed} having count(*) > 1"  # noqa: S608
        if not await self._conn.fetchval(f"select exists ({repeated})", timeout=STATEMENT_SECONDS):
            return 0
        return await self._set_aside(f"""
            delete from intake_staged s
            using (
                select line, first_value(line) over (partition by {listed} order by line) as first
                from intake_staged where ({listed}) is not null
            ) as same
            where same.line = s.line and same.first < s.line
            returning s.line, {_quoted(_named(columns))} as field,
                      format('found %L again, as on line %s', {_found(columns)}, same.first) as reason
        """)  # noqa: S608

    async def _reject_taken(self, constraint: asyncpg.Record) -> None:
        """Rows whose key already names another fact, in the file or in the table, or that would change their own."""
        columns = tuple(constraint["columns"])
        await self._reject_repeated(columns)
        match = " and ".join(f"t.{name} = s.{name}" for name in columns)
        await self._set_aside(f"""
            delete from intake_staged s using {self._spec.table} t
            where {match} and (t.source_system, t.source_id) <> (s.source_system, s.source_id)
            returning s.line, {_quoted(_named(columns))} as field,
                      format('found %L, which is already taken by %L of %s',
                             {_found(columns)}, t.source_id, t.source_system) as reason
        """)  # noqa: S608
        if constraint["type"] == "p":
            await self._set_aside(f"""
                delete from intake_staged s using {self._spec.table} t
                where (t.source_system, t.source_id) = (s.source_system, s.source_id) and not ({match})
                returning s.line, {_quoted(_named(columns))} as field,
                          format('found %L, but %L is stored as %L, and a key cannot change',
                                 {_found(columns)}, s.source_id, {_found(columns, "t")}) as reason
            """)  # noqa: S608

    async def _reject_checked(self, constraint: asyncpg.Record) -> None:
        columns = tuple(constraint["columns"])
        found = ", ".join(
            f"format('%s %s', '{name}', coalesce(quote_literal(s.{name}::text), 'empty'))" for name in columns
        )
        allowed = _quoted("; allowed: " + in_words(constraint["expression"]))
        await self._set_aside(f"""
            delete from intake_staged s where ({constraint["expression"]}) is false
            returning s.line, {_quoted(_named(columns))} as field,
                      'found ' || concat_ws(', ', {found}) || {allowed} as reason
        """)  # noqa: S608

    async def _reject_unknown(self, constraint: asyncpg.Record) -> int:
        """Rows that refer to something not stored. A key with an empty part refers to nothing, which is allowed."""
        columns, table = tuple(constraint["columns"]), constraint["referred_table"]
        pairs = zip(columns, constraint["referred_columns"], strict=True)
        same = " and ".join(f"t.{theirs} = s.{ours}" for ours, theirs in pairs)
        places = [table, "intake_staged"] if constraint["refers_to_itself"] else [table]
        unknown = " and ".join(f"not exists (select from {place} t where {same})" for place in places)
        return await self._set_aside(f"""
            delete from intake_staged s where ({_listed(columns)}) is not null and {unknown}
            returning s.line, {_quoted(_named(columns))} as field,
                      format('found %L; no such {table.replace("_", " ")} is known', {_found(columns)}) as reason
        """)  # noqa: S608

    async def _set_aside(self, delete: str) -> int:
        return await self._run(
            f"with bad as ({delete}) insert into intake_rejected (line, field, reason)"  # noqa: S608
            " select line, field, reason from bad"
        )

    async def _any(self, condition: str) -> bool:
        found = await self._conn.fetchval(
            f"select exists (select from intake_staged s where {condition})",  # noqa: S608
            timeout=STATEMENT_SECONDS,
        )
        return bool(found)

    async def _run(self, statement: str) -> int:
        """Run it; how many rows it touched."""
        last = (await self._conn.execute(statement, timeout=STATEMENT_SECONDS)).rsplit(" ", 1)[-1]
        return int(last) if last.isdecimal() else 0


async def analyze_grown(conn: Connection, table: str, rows: int) -> None:
    """Bring the planner's statistics up to date, unless these rows are few among many: then that can wait for the
    server to do it by itself."""
    before = await conn.fetchval("select greatest(reltuples, 0) from pg_class where oid = $1::text::regclass", table)
    if rows > 0.1 * (before or 0):
        await conn.execute(f"analyze {table}", timeout=STATEMENT_SECONDS)


def _named(columns: tuple[str, ...]) -> str:
    """The fields to report; the source system is the mapping's own, except where it is all there is."""
    return ", ".join(name for name in columns if name != "source_system")


def _listed(columns: tuple[str, ...]) -> str:
    return ", ".join(f"s.{name}" for name in columns)


def _found(columns: tuple[str, ...], side: str = "s") -> str:
    return f"concat_ws(' ', {', '.join(f'{side}.{name}' for name in columns if name != 'source_system')})"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
