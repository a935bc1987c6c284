"""Whatever a file or a mapping holds, an import takes it, sets rows aside or refuses it, and nothing in between."""

from __future__ import annotations

import csv
import gzip
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from store.intake import IntakeError, Mapping, MappingRefused, import_file, parse_mapping
from store.intake.batches import BatchReader
from store.intake.copytext import token
from store.intake.kinds import FactKind
from store.intake.rows import Fact, FactReader
from store.intake.source import CsvSource
from tests.store.desk import LEAD_HEADER, LEADS, NOON, PARTNERS, SALE_HEADER, SALES, Desk

FEW = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
MANY = settings(parent=FEW, max_examples=150)

TIMES = (
    *("2025-02-01T10:00Z", "2025-02-01T10:00:00+00:00", "2025-02-01 10:00:00Z", "2025-02-03T10:00:00.5+05:30"),
    *("", " ", "noon", "-", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+00:00"),
    *("0001-01-01T00:00:00+05:00", "2025-02-01T10:00:00+16:00", "2025-02-01T10:00:00-23:59", "2025-W05-6T10:00:00Z"),
    *("20250201T100000Z", "2025-02-01T10:00:00,25Z", "2025-02-01", "2025-02-30T10:00Z", "2025-02-01T24:00:00Z"),
    *("2025-02-01T10:00:00+00:00:30", "2025-02-01x10:00:00Z", "٢٠٢٥-02-01T10:00:00Z", " 2025-02-01T10:00:00Z "),
)
NUMBERS = (
    *("1", "0", "-0", "-5", "0,6", "1,5", "1.234,50", "1e400000", "-1e41", "1e-400000", "NaN", "sNaN", "Infinity"),
    *("99.999.999.999.999,9999", "99.999.999.999.999,99996", "0,000000000000000000000000000000000000001"),
    *("", " ", "٣", "0x1F", "1_000", "+7", "1,2,3", "--1"),
)
ODD = (
    *(
        "\\N",
        "\\.",
        "a\tb",
        "a\nb",
        "a\r\nb",
        '"',
        '""',
        "\\",
        "a\x00b",
        "\x1a",
        "\u2028",
        "\ufeff",
        "é",
        "株式会社",
        "😀",
    ),
    *("x" * 3000, "', drop table lead; --", "{", "}", "\x85", "\xa0", "NULL", "​"),
)
CELLS = st.one_of(st.sampled_from(ODD), st.text(max_size=6))
LEAD_ROWS = st.lists(
    st.tuples(
        st.sampled_from(("a", "b", "c", "d", "", " a ", *ODD)),
        st.sampled_from(("p1", "p1", "p1", "p2", "ghost", "", *ODD)),
        *(st.one_of(st.sampled_from(TIMES), CELLS) if odd else st.sampled_from(TIMES) for odd in (0, 0, 1, 0)),
        st.sampled_from(("", "junk", "recalled", "spam", "\\N")),
    ).flatmap(lambda row: st.sampled_from((row, row, row, row[:3], (*row, "more")))),
    max_size=8,
)
SALE_ROWS = st.lists(
    st.tuples(
        st.sampled_from(("1", "2", "", *ODD)),
        st.sampled_from(("1", "2")),
        st.sampled_from(("p1", "p2", "ghost", "")),
        st.sampled_from(NUMBERS),
        st.sampled_from(("S", "R", "Q", "")),
        st.sampled_from(("31.12.2024", "1.1.2025", "", "32.12.2024", "2024-12-31", "29.02.2025")),
        st.one_of(st.sampled_from(NUMBERS), CELLS),
    ),
    max_size=8,
)
WRITTEN = st.fixed_dictionaries(
    {
        "quoting": st.sampled_from((csv.QUOTE_MINIMAL, csv.QUOTE_ALL, None)),
        "ends": st.sampled_from(("\n", "\r\n", "\r")),
        "encoding": st.sampled_from(("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1252")),
        "packed": st.sampled_from((False, False, True)),
        "cut": st.sampled_from((0, 0, 0, 1, 9, 30)),
        "noise": st.sampled_from((b"", b"", b"", b"\xff", b"\n\n", b'"', b"\x00")),
    }
)


def written(header: str, rows: list[tuple[str, ...]], how: dict[str, Any], delimiter: str) -> tuple[str, bytes]:
    """A file's name and what is in it."""
    text = io.StringIO()
    if how["quoting"] is None:
        text.writelines(delimiter.join(row) + how["ends"] for row in rows)
    else:
        out = csv.writer(text, delimiter=delimiter, quoting=how["quoting"], lineterminator=how["ends"])
        out.writerows(rows)
    whole = header.rstrip("\n") + how["ends"] + text.getvalue()
    content = whole.encode(how["encoding"], errors="replace") + how["noise"]
    if how["packed"]:
        content = gzip.compress(content)
    return ("in.csv.gz" if how["packed"] else "in.csv"), content[: len(content) - how["cut"]]


TABLES = ("partner", "lead", "partner_transaction", "superseded.lead", "superseded.partner_transaction", "lead_clock")


async def counted(conn: asyncpg.Connection) -> list[int]:
    return [await conn.fetchval(f"select count(*) from {table}") for table in TABLES]  # noqa: S608


async def judge(conn: asyncpg.Connection, file: Path, mapping: Mapping, *, strict: bool) -> None:
    """Import it, and hold the outcome against what an import promises. Only `IntakeError` may come out of it."""
    (file.parent / "in.rejects.csv").unlink(missing_ok=True)
    before = await counted(conn)
    moment = NOON
    try:
        report = await import_file(conn, mapping.kind, file, mapping, strict=strict, imported_at=moment)
    except IntakeError:
        assert await counted(conn) == before
        assert await conn.fetchval("select outcome from intake_run order by run_id desc limit 1") == "refused"
        return
    assert report.rows_read == sum((report.skipped, report.rejected, report.inserted, report.updated, report.unchanged))
    assert sum((await counted(conn))[:3]) == sum(before[:3]) + report.inserted
    if strict:
        assert report.rejected == 0
    again = await import_file(conn, mapping.kind, file, mapping, imported_at=moment + timedelta(days=1))
    assert (again.inserted, again.updated, again.rejected) == (0, 0, report.rejected)
    if report.reject_file is not None:
        rejects = await import_file(conn, mapping.kind, Path(report.reject_file), mapping, imported_at=moment)
        assert rejects.rows_read == report.rejected


async def tried(desk: Desk, mapping: str, name: str, content: bytes, *, strict: bool) -> None:
    file = desk.folder / name
    file.write_bytes(content)
    transaction = desk.conn.transaction()
    await transaction.start()
    try:
        await judge(desk.conn, file, parse_mapping(mapping), strict=strict)
    finally:
        await transaction.rollback()


async def stored(desk: Desk) -> None:
    """Partners, and facts that files can bring again."""
    if not await desk.count("partner"):
        await desk.partners("p1", "p2")
        await desk.load(LEADS, LEAD_HEADER + "a,p1,2025-02-01T10:00Z,,,,\n")
        await desk.load(SALES, SALE_HEADER + "2;2;p1;0,7;S;31.12.2024;10\n")


@FEW
@given(rows=LEAD_ROWS, how=WRITTEN, strict=st.booleans(), lag=st.sampled_from(("0d", "1h")))
async def test_whatever_a_file_of_leads_holds(
    desk: Desk, rows: list[tuple[str, ...]], how: dict[str, Any], strict: bool, lag: str
) -> None:
    await stored(desk)
    name, content = written(LEAD_HEADER, rows, how, ",")
    said = how["encoding"] if how["encoding"] != "latin-1" else "utf-8"
    mapping = LEADS.replace("lag: 1h", f"lag: {lag}") + f"csv: {{encoding: {said}}}\n"
    await tried(desk, mapping, name, content, strict=strict)


@FEW
@given(rows=SALE_ROWS, how=WRITTEN, strict=st.booleans())
async def test_whatever_a_file_of_sales_holds(
    desk: Desk, rows: list[tuple[str, ...]], how: dict[str, Any], strict: bool
) -> None:
    await stored(desk)
    name, content = written(SALE_HEADER, rows, how, ";")
    mapping = SALES.replace("csv: {", f"csv: {{encoding: {how['encoding']}, ")
    await tried(desk, mapping, name, content, strict=strict)


@FEW
@given(content=st.binary(max_size=200), packed=st.booleans(), headed=st.booleans())
@example(content=b"p1,\xed\xa0\x80,,\n", packed=False, headed=True)
@example(content=b'p1,"' + b"x" * 140_000 + b'",,\n', packed=True, headed=True)
async def test_whatever_bytes_there_are(desk: Desk, content: bytes, packed: bool, headed: bool) -> None:
    whole = b"Id,Name,Parent,Tier\n" + content if headed else content
    await tried(
        desk, PARTNERS, "in.csv.gz" if packed else "in.csv", gzip.compress(whole) if packed else whole, strict=False
    )


ODD_MAPPING = """\
kind: leads
source_system: crm
fields:
  source_id: {template: "{Id}-{Partner}"}
  partner_id: {column: Partner, values: {p1: p1, p2: p2, "": p1}, otherwise: p2}
  class: {column: Reason, default: usual}
  assigned_at: Assigned
  contact_due_at: {column: Due, format: "%Y-%m-%dT%H:%MZ"}
  first_contact_at: Contacted
  excluded_at: Excluded
  excluded_reason: Reason
time_zone: Europe/Berlin
nonexistent_time: refuse
empty: ["", "-", "\\\\N"]
where: [{column: Id, not_empty: true}]
"""


@MANY
@given(
    rows=LEAD_ROWS,
    base=st.sampled_from((LEADS, ODD_MAPPING)),
    known=st.sampled_from(
        ("on_import", "{after: assigned_at, lag: 1h}", "{after: first_contact_at}", "{at: 2025-01-01T00:00:00Z}")
    ),
)
def test_reading_by_columns_is_reading_row_by_row(
    tmp_path_factory: Any, rows: list[tuple[str, ...]], base: str, known: str
) -> None:
    how = {"quoting": csv.QUOTE_MINIMAL, "ends": "\n", "encoding": "utf-8", "packed": False, "cut": 0, "noise": b""}
    file = tmp_path_factory.getbasetemp() / "columns.csv"
    file.write_bytes(written(LEAD_HEADER, rows, how, ",")[1])
    data = yaml.safe_load(base.replace("known: {after: assigned_at, lag: 1h}\n", ""))
    mapping = parse_mapping(yaml.safe_dump({**data, "known": yaml.safe_load(known)}, default_flow_style=False))
    with CsvSource(file, mapping.csv) as source:
        reader = FactReader(mapping, source, NOON)
        one_by_one = [reader.read(row) for row in source.rows()]
    facts = [one for one in one_by_one if isinstance(one, Fact)]
    with CsvSource(file, mapping.csv) as source:
        batch = BatchReader(source, FactReader(mapping, source, NOON)).next()
    if batch is None:
        assert not one_by_one
        return
    assert (batch.read, batch.skipped) == (len(one_by_one), one_by_one.count(None))
    assert batch.problems == [problem for one in one_by_one if isinstance(one, list) for problem in one]
    assert list(batch.lines) == [fact.line for fact in facts]
    said = [tuple(_normal(cell) for cell in row) for row in zip(*batch.columns, strict=True)]
    assert said == [tuple(_normal(token(value)) for value in fact.values) for fact in facts]
    seen = [fact.values[-1] for fact in facts if isinstance(fact.values[-1], datetime)]
    assert batch.reach.known_to == max(seen, default=None)


def _normal(cell: str) -> str:
    """A moment may be written as the file writes it."""
    try:
        return datetime.fromisoformat(cell).astimezone(UTC).isoformat() if cell[4:5] == "-" else cell
    except ValueError:
        return cell


VALUES = st.recursive(
    st.one_of(
        st.sampled_from(
            ("Id", "Name", "leads", "partners", "{Id}", "{}", "{Id!r}", "%Q", "true", "1d", "", "\ud800", "\0")
        ),
        st.text(max_size=5),
        st.none(),
        st.integers(),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(
            st.sampled_from(
                (
                    "column",
                    "constant",
                    "template",
                    "lookup",
                    "values",
                    "otherwise",
                    "default",
                    "format",
                    "after",
                    "at",
                    "lag",
                    "file",
                    "key",
                    "from",
                    "take",
                    "equals",
                    "in",
                    "not_empty",
                    "encoding",
                    "delimiter",
                    "x",
                )
            ),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=6,
)


def accepted(text: str) -> Mapping | None:
    """The mapping; None if it is refused, which must say where."""
    try:
        return parse_mapping(text)
    except MappingRefused as refused:
        if not refused.problems or not all(one.startswith("mapping:") for one in refused.problems):
            raise
        return None


PARTS = ("kind", "source_system", "fields", "known", "where", "distinct", "empty", "time_zone", "csv", "about",
         "ambiguous_time", "nonexistent_time", "surplus")  # fmt: skip
FIELDS = ("source_id", "name", "tier", "active_from", "known_at", "no_such")


@MANY
@given(changed=st.dictionaries(st.sampled_from(PARTS), VALUES, max_size=2),
       fields=st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=2), cut=st.integers(0, 40))  # fmt: skip
async def test_whatever_a_mapping_says(desk: Desk, changed: dict[str, Any], fields: dict[str, Any], cut: int) -> None:
    data = yaml.safe_load(PARTNERS)
    data = {**data, "fields": {**data["fields"], **fields}, **changed}
    text = yaml.safe_dump(data, allow_unicode=True)
    mapping = accepted(text[: len(text) - cut] if cut > 30 else text)
    if mapping is not None and mapping.kind is FactKind.PARTNERS:
        file = desk.folder / "in.csv"
        file.write_bytes(b"Id,Name,Parent,Tier\np1,One,,gold\np2,Two,p1,\np1,Uno,,\n,None,,\n")
        transaction = desk.conn.transaction()
        await transaction.start()
        try:
            await judge(desk.conn, file, mapping, strict=False)
        finally:
            await transaction.rollback()


@settings(parent=MANY, max_examples=300)
@given(text=st.one_of(st.text(max_size=60), st.text(alphabet="{}[]:,'\"&*!|>-# \n\tab1%@`\\", max_size=40)))
def test_whatever_a_mapping_file_holds(text: str) -> None:
    accepted(text)
