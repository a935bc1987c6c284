"""Files as they come: every encoding, line end and quoting, broken in every way, and times beyond all reason."""

from __future__ import annotations

import csv
import gzip
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import psutil
import pytest

from models.metric import MetricName
from store.intake import FactKind, ImportReport, IntakeError, MappingRefused, import_file, parse_mapping
from store.metrics import read_metric
from store.pool import prepare_connection
from tests.store.desk import LEAD_HEADER, LEADS, NOON, PARTNERS, SALE_HEADER, SALES, Desk, tally
from tests.store.world import window

NAMES = "kind: partners\nsource_system: crm\nfields: {source_id: Id, name: Name}\nknown: {at: 2025-01-01T00:00:00Z}\n"


async def bring(desk: Desk, content: bytes, name: str = "in.csv", mapping: str = NAMES) -> ImportReport:
    """Import a file of just these bytes."""
    file = desk.folder / name
    file.write_bytes(content)
    return await import_file(desk.dsn, FactKind.PARTNERS, file, parse_mapping(mapping))


async def names(desk: Desk) -> list[str]:
    return [row[0] for row in await desk.conn.fetch("select name from partner order by partner_id")]


READ: tuple[tuple[bytes, list[str]], ...] = (
    (b"\xef\xbb\xbfId,Name\r\np1,One\r\np2,Two\r\n", ["One", "Two"]),
    (b"Id,Name\rp1,One\rp2,Two\r", ["One", "Two"]),
    (b"Id,Name\np1,One\np2,Two", ["One", "Two"]),
    (b'Id,Name\np1,"One\r\nand\nonly"\np2,"Two ""2"", too"\n', ["One\r\nand\nonly", 'Two "2", too']),
    (b"Name,More,Id\nOne,x,p1\nTwo,y,p2\n", ["One", "Two"]),
    (b"\n\n Id , Name \n\n p1 , One \n\n", ["One"]),
    ("Id,Name\np1,Zoë 株式会社 😀\n".encode(), ["Zoë 株式会社 😀"]),
)


async def test_a_file_is_read_however_its_lines_end_and_its_columns_stand(desk: Desk) -> None:
    for content, found in READ:
        assert (await bring(desk, content)).rejected == 0, content
        assert await names(desk) == found
        assert (await bring(desk, gzip.compress(content), "packed.csv.gz")).unchanged == len(found)
        await desk.conn.execute("delete from partner")


async def test_another_encoding_is_read_and_its_bad_rows_can_be_read_again(desk: Desk) -> None:
    for encoding in ("latin-1", "cp1252", "utf-16", "utf-8-sig", "shift_jis"):
        mapping = PARTNERS + f"csv: {{encoding: {encoding}}}\n"
        word = "会社" if encoding == "shift_jis" else "Café"
        text = f"Id,Name,Parent,Tier\np1,{word},,\np2,{word} two,ghost,\n"
        assert tally(await bring(desk, text.encode(encoding), mapping=mapping)) == (1, 0, 0, 0, 1), encoding
        assert await names(desk) == [word]
        corrected = (desk.folder / "in.rejects.csv").read_text(encoding=encoding).replace("ghost", "p1")
        assert tally(await bring(desk, corrected.encode(encoding), "again.csv", mapping)) == (1, 0, 0, 0, 0)
        assert await names(desk) == [word, f"{word} two"]
        await desk.conn.execute("delete from partner")


REFUSED: tuple[tuple[str, bytes, str], ...] = (
    ("in.csv", b"", "in.csv: has no header line"),
    ("in.csv", b"\n\n\n", "in.csv: has no header line"),
    ("in.csv", b" , \np1,One\n", "in.csv: has no header line"),
    ("in.csv.gz", b"", r"in\.csv\.gz: has no header line"),
    ("in.csv.gz", b"Id,Name\n", r"in\.csv\.gz: cannot be read to its end: Not a gzipped file"),
    ("in.csv.gz", gzip.compress(b"Id,Name\np1,One\n" * 99)[:-9], r"in\.csv\.gz: cannot be read to its end"),
    ("in.csv", b"Id\np1\n", r"the mapping needs columns it does not have: Name \(fields\.name\); it has: Id$"),
    (
        "in.csv",
        b"Id;Name\np1;One\n",
        r"does not have: Id \(fields\.source_id\), Name .* it has: Id;Name; is csv\.delimiter of the mapping",
    ),
    ("in.csv", b"Id,Name,Name\np1,One,Uno\n", r"in\.csv:1: column named twice: Name"),
    ("in.csv", b"Id,Name\np1,Caf\xe9\n", r"in\.csv:2: byte 0xe9 is not utf-8; set csv\.encoding in the mapping"),
    ("in.csv", b"Id,Name\n" + b"p1,One\n" * 9000 + b"\xff", r"in\.csv:9002: byte 0xff is not utf-8"),
    ("in.csv.gz", gzip.compress(b"Id,Name\np1,Caf\xe9\n"), r"in\.csv\.gz:2: byte 0xe9 is not utf-8"),
    ("in.csv.gz", gzip.compress(b"Id,Name\n\xff")[:-1], r"in\.csv\.gz: the text is not utf-8"),
    ("in.csv", b'Id,Name\np1,"One\n', r"in\.csv:2: broken CSV: unexpected end of data"),
    ("in.csv", b'Id,Name\np1,"One" and\n', r"in\.csv:2: broken CSV: ',' expected after"),
    ("in.csv", b'Id,Name\np1,"One' + b"x" * 200_000, r"in\.csv:2: broken CSV: field larger.*is a quote left open\?"),
)


async def test_a_file_that_cannot_be_read_on_is_refused_whole_and_named(desk: Desk) -> None:
    for name, content, said in REFUSED:
        with pytest.raises(IntakeError, match=said) as refused:
            await bring(desk, content, name)
        assert str(refused.value).startswith(str(desk.folder / name))
        assert desk.files() == [name]
        (desk.folder / name).unlink()
    assert await names(desk) == []


async def test_a_directory_or_nothing_at_all_is_refused(desk: Desk) -> None:
    mapping = parse_mapping(NAMES)
    for path, why in ((desk.folder, "Is a directory"), (Path(), "Is a directory"), (desk.folder / "x", "No such file")):
        with pytest.raises(IntakeError, match=f"cannot be read: {why}"):
            await import_file(desk.dsn, FactKind.PARTNERS, path, mapping)


async def test_bad_rows_are_never_written_over_the_file_they_come_from(desk: Desk) -> None:
    file = desk.folder / "in.csv"
    file.write_bytes(b"Id,Name\n,One\n")
    (desk.folder / "link.csv").symlink_to(file)
    for place in (file, desk.folder / "link.csv"):
        with pytest.raises(IntakeError, match="would be written over it"):
            await import_file(desk.dsn, FactKind.PARTNERS, file, parse_mapping(NAMES), reject_path=place)
    assert file.read_bytes() == b"Id,Name\n,One\n"


async def test_a_file_of_nothing_but_its_header_changes_nothing(desk: Desk) -> None:
    await bring(desk, b"Id,Name\np1,One\n")
    assert tally(await bring(desk, b"Id,Name\n")) == (0, 0, 0, 0, 0)
    assert await names(desk) == ["One"]


async def test_characters_that_no_text_holds_are_set_aside(desk: Desk) -> None:
    report = await bring(desk, b"Id,Name\np1,a\x00b\np2,fine\n")
    assert report.first_reasons == ("line 2, Name: holds a NUL character",)
    assert await names(desk) == ["fine"]


async def test_half_a_character_which_some_encodings_can_write_is_set_aside(desk: Desk) -> None:
    report = await bring(desk, b"Id,Name\np1,+2AA-\np2,fine\n", mapping=f"{NAMES}csv: {{encoding: utf-7}}\n")
    assert report.first_reasons == (r"line 2, Name: holds half a character: '\ud800'",)
    assert await names(desk) == ["fine"]


async def test_the_same_id_twice_keeps_the_first_and_says_where_it_was(desk: Desk) -> None:
    report = await bring(desk, b"Id,Name\np1,One\np2,Two\np1,Uno\np1,Eins\n")
    assert report.first_reasons == (
        "line 4, Id: found 'p1' again, as on line 2",
        "line 5, Id: found 'p1' again, as on line 2",
    )
    assert await names(desk) == ["One", "Two"]


async def test_every_row_bad_is_told_and_changes_nothing(desk: Desk) -> None:
    report = await bring(desk, b"Id,Name\n" + b"p1,One,x\n" * 7000)
    assert tally(report) == (0, 0, 0, 0, 7000)
    assert len(report.first_reasons) == 10
    with (desk.folder / "in.rejects.csv").open(newline="", encoding="utf-8") as file:
        assert sum(1 for _ in csv.reader(file)) == 7001


NEVER = "9999-12-31T23:59:59Z"


async def test_times_at_the_end_of_the_calendar_are_set_aside_or_kept_and_never_a_crash(desk: Desk) -> None:
    await desk.partners("p1")
    rows = [
        f"a,p1,{NEVER},,,,",  # known an hour after the last one there is
        f"b,p1,2025-02-01T10:00Z,{NEVER},,,",  # due never, as some systems write it
        "c,p1,0001-01-01T00:00:00+05:00,,,,",  # before the first moment there is
        "d,p1,9999-12-31T23:59:59-05:00,,,,",
        "e,p1,2025-02-30T10:00Z,,,,",
    ]
    report = await desk.load(LEADS, LEAD_HEADER + "\n".join(rows) + "\n")
    assert (report.inserted, report.rejected) == (1, 4)
    assert report.first_reasons[0] == "line 2, known_at: became known after the year 9999"
    assert all("allowed: a moment such as" in one for one in report.first_reasons[1:])
    due = await desk.conn.fetchval("select contact_due_at from lead where source_id = 'b'")
    assert due == datetime.fromisoformat(NEVER)


async def test_numbers_beyond_all_reason_are_set_aside(desk: Desk) -> None:
    mapping = """\
kind: fx-rates
source_system: bank
fields: {source_id: Id, currency: Currency, reporting_currency: {constant: USD}, month: Month, rate: Rate}
"""
    odd = ["1e400000", "-1e41", "1e-400000", "1e999999999", "NaN", "Infinity", "0x1F", "1 000"]
    rows = [f"{line},EUR,2025-01,{number}" for line, number in enumerate(odd, 2)]
    report = await desk.load(mapping, "\n".join(["Id,Currency,Month,Rate", *rows, "x,JPY,2025-01,0.0067\n"]))
    said = [f"line {line}, Rate: found {number!r}; allowed: a number" for line, number in enumerate(odd, 2)]
    assert report.first_reasons == tuple(said)
    assert await desk.conn.fetchval("select rate from fx_rate") == Decimal("0.0067")


async def test_amounts_are_read_to_the_last_digit(desk: Desk) -> None:
    await desk.partners("p1")
    await desk.load(SALES, SALE_HEADER + "1;1;p1;;S;31.12.2024;99.999.999.999.999,9999\n")
    assert await desk.conn.fetchval("select net_amount from partner_transaction") == Decimal("99999999999999.9999")


async def test_memory_does_not_grow_with_the_file(desk: Desk) -> None:
    await desk.partners("p1")
    file, mapping = desk.folder / "many.csv.gz", parse_mapping(LEADS)
    with gzip.open(file, "wt", encoding="utf-8", compresslevel=1) as out:
        out.write(LEAD_HEADER)
        out.writelines(f"{number},p1,2025-02-01T10:00Z,2025-02-02T10:00Z,,,\n" for number in range(60_000))
    at, process = list[int](), psutil.Process()
    report = await import_file(
        desk.dsn,
        FactKind.LEADS,
        file,
        mapping,
        progress=lambda *_: at.append(process.memory_info().rss),
    )
    assert (report.inserted, len(at)) == (60_000, 12)
    # What the first batches needed is enough for all others: kept rows would be fifty megabytes.
    assert at[-1] - at[2] < 20_000_000


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ('csv: {delimiter: "\\n"}', "ends a line or opens a quote"),
        ("csv: {delimiter: '\"'}", "ends a line or opens a quote"),
        ("csv: {thousands: '.'}", "thousands sign '.' is part of a number already; decimal is '.'"),
        ("csv: {decimal: ',', thousands: ','}", "thousands sign ',' is part of a number already"),
        ("csv: {thousands: '1'}", "thousands sign '1' is part of a number already"),
        ("about: " + "[" * 800, "nested far too deep"),
        ('about: "\\U00110000"', "not valid YAML"),
        ("about: \x07", "not valid YAML"),
    ],
)
def test_a_mapping_that_would_read_nonsense_is_refused(extra: str, said: str) -> None:
    with pytest.raises(MappingRefused) as refused:
        parse_mapping(f"{NAMES}{extra}\n", "m.yaml")
    assert any(one.startswith("m.yaml:") and said in one for one in refused.value.problems), refused.value.problems


@pytest.mark.parametrize(("time_format", "said"), [("%Q", "bad directive"), ("%", "stray %")])
def test_a_date_format_that_is_none_is_refused(time_format: str, said: str) -> None:
    mapping = SALES.replace('"%d.%m.%Y"', f'"{time_format}"')
    with pytest.raises(MappingRefused) as refused:
        parse_mapping(mapping, "m.yaml")
    assert any("fields.transaction_date: format" in one and said in one for one in refused.value.problems)


async def test_an_encoding_that_is_none_is_refused(desk: Desk) -> None:
    for encoding in ("klingon", "base64"):
        with pytest.raises(IntakeError, match=f"'{encoding}' is not a known encoding"):
            await bring(desk, b"Id,Name\n", mapping=f"{NAMES}csv: {{encoding: {encoding}}}\n")


async def test_an_import_leaves_the_clock_alone(desk: Desk) -> None:
    """Moments are read in UTC whatever the zone of the machine or of the database."""
    await desk.conn.execute("alter role current_user set timezone = 'Asia/Tokyo'")
    try:
        await desk.partners("p1")
        await desk.load(LEADS, LEAD_HEADER + "a,p1,2025-02-01T10:00Z,,,,\n")
    finally:
        await desk.conn.execute("alter role current_user reset timezone")
    assert await desk.conn.fetchval("select assigned_at from lead") == datetime(2025, 2, 1, 10, tzinfo=UTC)


NUMBERED = """\
kind: transactions
source_system: erp
csv: {delimiter: ";", decimal: ",", thousands: "."}
fields:
  source_id: Id
  partner_id: Partner
  kind: {constant: sale}
  transaction_date: Day
  net_amount: Net
  currency: {constant: EUR}
"""


@pytest.mark.parametrize("net", ["12.50", "1.2.3,5", "1,234.50", "1.234.5", ".123", "1,5.000", "1..234", "1.2345"])
async def test_an_amount_written_for_other_separators_is_not_read_as_another_amount(desk: Desk, net: str) -> None:
    await desk.partners("p1")
    report = await desk.load(NUMBERED, f"Id;Partner;Day;Net\na;p1;2026-01-15;{net}\nb;p1;2026-01-15;-0\n")
    said = f"line 2, Net: found '{net}'; allowed: '.' between groups of three digits alone"
    assert (report.inserted, report.first_reasons) == (1, (said,))


@pytest.mark.parametrize("net", ["1.234.567,5", "12.34.567,5", "+1.234", "1234567,5"])
async def test_amounts_in_groups_are_read_as_such(desk: Desk, net: str) -> None:
    await desk.partners("p1")
    report = await desk.load(NUMBERED, f"Id;Partner;Day;Net\na;p1;2026-01-15;{net}\n")
    amount = await desk.conn.fetchval("select net_amount from partner_transaction")
    assert report.inserted == 1
    assert amount == Decimal("1234567.5") if "567" in net else 1234


async def test_years_cut_short_and_digits_of_other_scripts_are_set_aside(desk: Desk) -> None:
    await desk.partners("p1")
    rows = ["0026-01-15;1", "2026-01-15;\u0663", "\uff12\uff10\uff12\uff16-01-15;1", "1899-12-31;1", "1900-01-01;1"]
    report = await desk.load(
        NUMBERED, "Id;Partner;Day;Net\n" + "".join(f"{line};p1;{row}\n" for line, row in enumerate(rows, 2))
    )
    assert (report.inserted, report.rejected) == (1, 4)
    assert report.first_reasons[0] == "line 2, Day: found '0026-01-15'; allowed: years from 1900 on"
    leads = [f"a,p1,{at},,,," for at in ("0026-02-01T10:00Z", "1899-12-31T23:59Z", "1900-01-01T00:00+05:00")]
    for some in (leads, leads[:1]):  # many cells are read at once, unless one is odd
        report = await desk.load(LEADS, LEAD_HEADER + "\n".join(some) + "\n")
        assert report.first_reasons[0] == "line 2, Assigned: found '0026-02-01T10:00Z'; allowed: years from 1900 on"


async def test_a_name_that_no_index_holds_or_nobody_sees_is_set_aside(desk: Desk) -> None:
    """Of letters that do not repeat: what can be packed has room in an index at any length."""
    endless = "".join(map(chr, range(0x4E00, 0x4E00 + 3000)))
    rows = [endless, endless[:201], endless[:200], "a\x1b[2Jb", "a\ufeffb", '"a\nb"', "a b", "株式会社"]
    report = await bring(desk, ("Id,Name\n" + "".join(f"{one},One\n" for one in rows)).encode())
    assert (report.inserted, report.rejected) == (3, 5)
    assert (
        report.first_reasons[0] == f"line 2, Id: found {endless[:40]!r} and 2960 more; allowed: at most 200 characters"
    )
    assert report.first_reasons[2] == r"line 5, Id: found 'a\x1b[2Jb'; allowed: no '\x1b', which nobody sees"
    # Many cells are read at once: also where nothing else is odd one is not too long because it is one of many.
    many = [f"{number:04}{endless[:196]}" for number in range(3)]
    report = await bring(desk, ("Id,Name\n" + "".join(f"{one},One\n" for one in [*many, f"{many[0]}!"])).encode())
    assert (report.inserted, report.rejected) == (3, 1)
    assert "and 161 more; allowed: at most 200 characters" in report.first_reasons[0]
    # What people are called may be as long as it is.
    assert (await bring(desk, f"Id,Name\np9,{endless}\n".encode())).inserted == 1


async def test_days_without_end_do_not_take_every_other_reading_along(desk: Desk) -> None:
    mapping = """\
kind: compliance-checks
source_system: grc
fields: {source_id: Id, check_id: Id, version: {constant: "1"}, severity: {constant: high}, weight: {constant: "1"},
         validity_days: Days, effective_from: {constant: 2025-01-01}}
"""
    report = await desk.load(mapping, "Id,Days\na,2000000000\nb,1000000\n")
    assert report.first_reasons == ("line 2, Days: found '2000000000'; allowed: at most 1000000",)
    await desk.partners("p1")
    await desk.load(
        "kind: compliance-results\nsource_system: grc\nfields: {source_id: Id, partner_id: Partner, check_id: Check,"
        ' version: {constant: "1"}, outcome: {constant: pass}, assessed_at: {constant: 2025-01-01T00:00Z}}\n',
        "Id,Partner,Check\nr,p1,b\n",
    )
    during = window("2025-01-01", "2025-04-01")
    await prepare_connection(desk.conn)
    read = await read_metric(
        desk.conn, MetricName.COMPLIANCE_SCORE, partner_ids=("p1",), window=during, as_of=NOON + timedelta(days=9)
    )
    assert [row.numerator for row in read.rows] == [100]
