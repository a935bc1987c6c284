"""Importing CSV files: what goes in, what is set aside and why, and that doing it twice changes nothing."""

from __future__ import annotations

import gzip
import hashlib
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import asyncpg
import pytest

from store.intake import FactKind, IntakeError, IntakeRefused, import_file, parse_mapping
from tests.store.desk import LEAD_HEADER, LEADS, NOON, PARTNERS, SALE_HEADER, SALES, Desk, tally


async def test_a_good_file_goes_in_whole_and_the_report_says_so(desk: Desk) -> None:
    text = "Id,Name,Parent,Tier\np1,First,,gold\np2,Second,p1,\n"
    report = await desk.load(PARTNERS, text)
    assert tally(report) == (2, 0, 0, 0, 0)
    assert (report.kind, report.rows_read, report.reject_file) == (FactKind.PARTNERS, 2, None)
    assert report.sha256 == hashlib.sha256(text.encode()).hexdigest()
    rows = await desk.conn.fetch("select partner_id, name, parent_id, tier, type from partner order by partner_id")
    assert [tuple(row) for row in rows] == [
        ("p1", "First", None, "gold", "reseller"),
        ("p2", "Second", "p1", None, "reseller"),
    ]
    assert not list(desk.folder.glob("*.rejects.csv"))


async def test_importing_twice_changes_nothing_and_a_changed_row_is_updated(desk: Desk) -> None:
    text = "Id,Name,Parent,Tier\np1,First,,gold\np2,Second,,\n"
    await desk.load(PARTNERS, text)
    assert tally(await desk.load(PARTNERS, text, at=NOON + timedelta(days=1))) == (0, 0, 2, 0, 0)
    assert tally(await desk.load(PARTNERS, text.replace("gold", ""))) == (0, 1, 1, 0, 0)
    assert await desk.conn.fetchval("select tier from partner where partner_id = 'p1'") is None


async def test_gzip_byte_order_mark_blank_lines_and_spaces_are_taken_in_stride(desk: Desk) -> None:
    report = await desk.load(PARTNERS, '\ufeffId,Name , Parent,Tier\n\n p1 ,"First\n& only",,\n\n', name="in.csv.gz")
    assert tally(report) == (1, 0, 0, 0, 0)
    assert await desk.conn.fetchval("select name from partner where partner_id = 'p1'") == "First\n& only"


async def test_bad_rows_are_set_aside_with_line_column_reason_and_the_row_as_it_was(desk: Desk) -> None:
    await desk.partners("p1")
    report = await desk.load(
        LEADS,
        LEAD_HEADER
        + "a,p1,2025-02-01T10:00Z,,,,\n"
        + 'b,p1,"noon\nor so",,,,\n'
        + "c,ghost,2025-02-01T10:00Z,,,,\n"
        + ",p1,,,,,\n"
        + "e,p1,2025-02-01T10:00Z,,,2025-02-02T00:00Z,\n"
        + "a,p1,2025-02-03T10:00Z,,,,\n"
        + "g,p1,2025-02-01T10:00Z,,,2025-02-02T00:00Z,spam\n"
        + "h,p1\n",
    )
    assert (report.rows_read, report.inserted, report.rejected) == (8, 1, 7)
    assert report.reject_file == str(desk.folder / "in.rejects.csv")
    rejects = {row["reject_line"]: row for row in desk.rejects()}
    assert [(line, row["reject_column"]) for line, row in rejects.items()] == [
        ("3", "Assigned"),
        ("5", "Partner"),
        ("6", "Id; Assigned"),
        ("7", "Excluded, Reason"),
        ("8", "Id"),
        ("9", "Reason"),
        ("10", ""),
    ]
    assert rejects["3"]["reject_reason"].startswith("found 'noon\\nor so'; allowed: a moment such as")
    assert rejects["3"]["Assigned"] == "noon\nor so"
    assert rejects["5"]["reject_reason"] == "found 'ghost'; no such partner is known"
    assert rejects["6"]["reject_reason"].count("is empty, and leads cannot do without") == 2
    assert rejects["7"]["reject_reason"].startswith("found excluded_at '2025-02-02 00:00:00+00', excluded_reason empty")
    assert rejects["8"]["reject_reason"] == "found 'a' again, as on line 2"
    assert rejects["9"]["reject_reason"] == "found 'spam'; allowed: recalled, duplicate, junk"
    assert rejects["10"]["reject_reason"] == "found 2 columns; the header has 7"
    assert (rejects["10"]["Id"], rejects["10"]["Partner"], rejects["10"]["Due"]) == ("h", "p1", None)
    assert report.first_reasons[1] == "line 5, Partner: found 'ghost'; no such partner is known"
    assert [row["source_id"] for row in await desk.conn.fetch("select source_id from lead")] == ["a"]


@pytest.mark.parametrize("known", [False, True], ids=["new facts", "beside known ones"])
async def test_a_lead_that_is_due_before_it_is_assigned_is_set_aside(desk: Desk, known: bool) -> None:
    """Whichever way the file goes. At the moment itself is not before it."""
    await desk.partners("p1")
    if known:
        await desk.load(LEADS, LEAD_HEADER + "a,p1,2025-02-01T10:00Z,,,,\n")
    report = await desk.load(
        LEADS,
        LEAD_HEADER
        + "a,p1,2025-02-01T10:00Z,,,,\n"
        + "b,p1,2025-02-01T10:00Z,2025-02-01T10:59:59+01:00,,,\n"
        + "c,p1,2025-02-01T10:00Z,2025-02-01T11:00+01:00,,,\n"
        + "d,p1,noon,2025-02-01T10:00Z,,,\n",
    )
    assert (report.inserted, report.unchanged, report.rejected) == ((1, 1, 2) if known else (2, 0, 2))
    early, other = desk.rejects()
    assert (early["reject_line"], early["reject_column"]) == ("3", "Due, Assigned")
    assert early["reject_reason"] == "found 2025-02-01 09:59:59+00:00, before 2025-02-01 10:00:00+00:00; not allowed"
    assert (other["reject_line"], other["reject_column"]) == ("5", "Assigned")


async def test_a_corrected_reject_file_is_imported_with_the_same_mapping(desk: Desk) -> None:
    await desk.partners("p1")
    await desk.load(LEADS, LEAD_HEADER + "a,p1,2025-02-01T10:00Z,,,,\nb,p1,then,,,,\n")
    corrected = (desk.folder / "in.rejects.csv").read_text(encoding="utf-8").replace(",then,", ",never,")
    again = await desk.load(LEADS, corrected, name="again.csv")
    assert tally(again) == (0, 0, 0, 0, 1)
    (row,) = desk.rejects("again.rejects.csv")
    assert (row["Id"], row["Assigned"], row["reject_line"]) == ("b", "never", "2")
    assert list(row)[:4] == ["reject_line", "reject_column", "reject_reason", "Id"]
    assert tally(await desk.load(LEADS, corrected.replace(",never,", ",2025-02-01T10:00Z,"))) == (1, 0, 0, 0, 0)


async def test_strict_refuses_the_whole_file_for_one_bad_row(desk: Desk) -> None:
    await desk.partners("p1")
    with pytest.raises(IntakeRefused, match=r"1 bad row, nothing was written") as refused:
        await desk.load(LEADS, LEAD_HEADER + "a,p1,2025-02-01T10:00Z,,,,\nb,p1,then,,,,\n", strict=True)
    assert refused.value.rejected == 1
    assert refused.value.reasons[0].startswith("line 3, Assigned: found 'then'")
    assert await desk.count("lead") == 0
    assert [row["Id"] for row in desk.rejects()] == ["b"]


async def test_a_broken_file_writes_nothing_at_all(desk: Desk) -> None:
    await desk.partners("p1")
    whole = LEAD_HEADER + "".join(f"{number},p1,2025-02-01T10:00Z,,,,\n" for number in range(12_000))
    packed = gzip.compress(whole.encode())
    (desk.folder / "cut.csv.gz").write_bytes(packed[: len(packed) // 2])
    mapping = parse_mapping(LEADS)
    with pytest.raises(IntakeError, match="cannot be read to its end"):
        await import_file(desk.dsn, FactKind.LEADS, desk.folder / "cut.csv.gz", mapping)
    with pytest.raises(IntakeError, match=r"in.csv:4: broken CSV"):
        await desk.load(LEADS, LEAD_HEADER + 'a,p1,2025-02-01T10:00Z,,,,\nb,"p1,\n"x"y,\n')
    (desk.folder / "latin.csv").write_bytes(b"Id,Name,Parent,Tier\np9,Caf\xe9,,\n")
    with pytest.raises(IntakeError, match=r"latin\.csv:2: byte 0xe9 is not utf-8; set csv.encoding in the mapping"):
        await import_file(desk.dsn, FactKind.PARTNERS, desk.folder / "latin.csv", parse_mapping(PARTNERS))
    assert (await desk.count("lead"), await desk.count("partner")) == (0, 1)
    assert not list(desk.folder.glob("*rejects*"))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "has no header line"),
        ("Id,Name,Id\n", "column named twice: Id"),
        ("Id,Name,Rank\n", r"columns it does not have: Parent \(fields.parent_id\), Tier \(fields.tier\); it has: Id"),
    ],
)
async def test_a_file_that_does_not_fit_the_mapping_is_refused(desk: Desk, text: str, problem: str) -> None:
    with pytest.raises(IntakeError, match=problem):
        await desk.load(PARTNERS, text)


async def test_a_mapping_for_another_kind_and_a_missing_file_are_refused(desk: Desk) -> None:
    with pytest.raises(IntakeError, match="The mapping is for partners, not for leads"):
        await import_file(desk.dsn, FactKind.LEADS, desk.folder / "x.csv", parse_mapping(PARTNERS))
    with pytest.raises(IntakeError, match="No such file"):
        await import_file(desk.dsn, FactKind.PARTNERS, desk.folder / "x.csv", parse_mapping(PARTNERS))


async def test_values_templates_formats_and_conditions_shape_a_row(desk: Desk) -> None:
    await desk.partners("p1", "p2")
    report = await desk.load(
        SALES,
        SALE_HEADER
        + "7;1;p1;0,6;S;31.12.2024;1.234,50\n"
        + "7;1;p2;0,4;S;31.12.2024;1.234,50\n"
        + "8;1;p1;;R;02.01.2025;-10\n"
        + "9;1;p1;;Q;02.01.2025;offer\n",
    )
    assert tally(report) == (3, 0, 0, 1, 0)
    rows = await desk.conn.fetch(
        "select source_id, transaction_id, credit_share, kind, transaction_date, net_amount, currency, known_at"
        " from partner_transaction order by source_id"
    )
    day = date(2024, 12, 31)
    assert [tuple(row)[:6] for row in rows] == [
        ("7-1-p1", "7-1", Decimal("0.6"), "sale", day, Decimal("1234.5")),
        ("7-1-p2", "7-1", Decimal("0.4"), "sale", day, Decimal("1234.5")),
        ("8-1-p1", "8-1", Decimal(1), "return", date(2025, 1, 2), Decimal(-10)),
    ]
    assert {(row["currency"], row["known_at"]) for row in rows} == {("EUR", NOON)}


async def test_rows_that_break_the_tables_own_rules_are_set_aside(desk: Desk) -> None:
    await desk.partners("p1", "p2", "p3")
    await desk.load(SALES, SALE_HEADER + "5;1;p1;0,7;S;31.12.2024;10\n")
    report = await desk.load(
        SALES,
        SALE_HEADER
        + "1;1;p1;;S;31.12.2024;-5\n"  # a sale cannot be negative
        + "1;2;p1;;X;31.12.2024;5\n"  # left out by `where`
        + "1;3;p1;1,5;S;31.12.2024;5\n"  # more than all of it
        + "5;1;p2;0,3;S;31.12.2024;10\n"  # with what is stored exactly all of it
        + "6;1;p1;0,7;S;31.12.2024;10\n"
        + "6;1;p2;0,7;S;31.12.2024;10\n"  # together more than all of it: nobody can tell which is wrong
        + ";1;p3;;S;31.12.2024;10\n",  # half a key is no key
    )
    assert tally(report) == (1, 0, 0, 1, 5)
    assert [(row["reject_line"], row["reject_column"]) for row in desk.rejects(delimiter=";")] == [
        ("2", "Type, Net"),
        ("4", "Share"),
        ("6", "Share"),
        ("7", "Share"),
        ("8", "source_id"),
    ]
    report = await desk.load(SALES, SALE_HEADER + "5;1;p3;0,1;S;31.12.2024;10\n")
    assert report.first_reasons == ("line 2, Share: the shares of transaction '5-1' add up to 1.1; allowed: at most 1",)


async def test_what_is_wrong_with_a_cell_of_several_fields_is_said_once(desk: Desk) -> None:
    mapping = """\
kind: calendars
source_system: crm
fields: {source_id: Id, time_zone: Zone, monday: Hours, tuesday: Hours, wednesday: Hours, saturday: Saturday}
"""
    report = await desk.load(mapping, "Id,Zone,Hours,Saturday\na,Nowhere,9-17,9-17\n")
    wrong = "found '9-17'; '9-17' is no opening hour; write for example 09:00-17:30"
    assert report.first_reasons == (
        "line 2, Zone; Hours; Saturday: found 'Nowhere'; allowed: a time zone name such as Europe/Berlin; "
        f"{wrong}; {wrong}",
    )
    assert desk.rejects()[0]["reject_column"] == "Zone; Hours; Saturday"


async def test_a_key_names_one_fact_and_does_not_change(desk: Desk) -> None:
    await desk.partners("p1")
    other = PARTNERS.replace("crm", "erp").replace("{source_id: Id,", "{source_id: Id, partner_id: Name,")
    report = await desk.load(other, "Id,Name,Parent,Tier\n1,p1,,\n2,p2,,\n3,p2,,\n")
    assert (report.inserted, report.first_reasons) == (
        1,
        (
            "line 2, Name: found 'p1', which is already taken by 'p1' of crm",
            "line 4, Name: found 'p2' again, as on line 3",
        ),
    )
    report = await desk.load(other, "Id,Name,Parent,Tier\n2,p7,,\n")
    assert report.first_reasons == ("line 2, Name: found 'p7', but '2' is stored as 'p2', and a key cannot change",)


async def test_a_row_goes_with_the_row_it_refers_to(desk: Desk) -> None:
    report = await desk.load(PARTNERS, "Id,Name,Parent,Tier\na,A,b,\nb,B,c,\nc,C,ghost,\nd,D,e,\ne,E,,\n")
    assert tally(report) == (2, 0, 0, 0, 3)
    assert report.first_reasons[0] == "line 2, Parent: found 'b'; no such partner is known"
    assert {row[0] for row in await desk.conn.fetch("select partner_id from partner")} == {"d", "e"}


async def test_distinct_keeps_one_of_equal_rows_and_refuses_contradictions(desk: Desk) -> None:
    text = "Id,Name,Parent,Tier\n" + "p1,One,,\np2,Two,,\n" * 50 + "p1,Other,,\n"
    report = await desk.load(PARTNERS + "distinct: true\n", text)
    assert tally(report) == (2, 0, 0, 98, 1)
    assert report.first_reasons == ("line 102, Id: found 'p1' again, as on line 2",)


async def test_a_lookup_takes_a_value_from_the_file_beside(desk: Desk) -> None:
    mapping = PARTNERS.replace(
        "tier: Tier", "tier: {lookup: {file: tiers.csv, key: Code, from: Tier, take: Name}, values: {Au: gold}}"
    )
    (desk.folder / "tiers.csv").write_text("Code,Name\n1,Au\n2,\n3,Cu\n", encoding="utf-8")
    report = await desk.load(mapping, "Id,Name,Parent,Tier\na,A,,1\nb,B,,2\nc,C,,3\nd,D,,4\ne,E,,\n")
    assert report.first_reasons == (
        "line 4, Tier: found 'Cu'; allowed by the mapping: Au",
        "line 5, Tier: found '4', which tiers.csv does not have as Code",
    )
    found = await desk.conn.fetch("select partner_id, tier from partner order by 1")
    assert [tuple(row) for row in found] == [("a", "gold"), ("b", None), ("e", None)]
    (desk.folder / "tiers.csv").write_text("Code,Name\n1,Au\n1,Ag\n", encoding="utf-8")
    with pytest.raises(IntakeError, match=r"tiers.csv:3: Code '1' is there twice"):
        await desk.load(mapping, "Id,Name,Parent,Tier\na,A,,1\n")
    (desk.folder / "tiers.csv").unlink()
    with pytest.raises(IntakeError, match=r"tiers.csv: cannot be read"):
        await desk.load(mapping, "Id,Name,Parent,Tier\na,A,,1\n")


LEAD_TIMES = "select known_at, first_contact_at, first_contact_known_at from lead where source_id = 'a'"


async def test_history_is_known_when_it_happened_plus_the_lag(desk: Desk) -> None:
    await desk.partners("p1")
    await desk.load(LEADS, LEAD_HEADER + "a,p1,2025-02-01T10:00Z,,2025-02-03T10:00Z,,\n")
    row = await desk.conn.fetchrow(LEAD_TIMES)
    assert row is not None
    assert tuple(row) == tuple(datetime(2025, 2, *when, tzinfo=UTC) for when in ((1, 11), (3, 10), (3, 11)))


async def test_on_import_a_fact_is_known_then_and_a_later_change_when_it_is_first_seen(desk: Desk) -> None:
    await desk.partners("p1")
    live = LEADS.replace("known: {after: assigned_at, lag: 1h}\n", "")
    later, last = NOON + timedelta(days=1), NOON + timedelta(days=2)
    await desk.load(live, LEAD_HEADER + "a,p1,2025-02-01T10:00Z,,,,\n")
    contacted = LEAD_HEADER + "a,p1,2025-02-01T10:00Z,,2025-02-02T10:00Z,,\n"
    assert tally(await desk.load(live, contacted, at=later)) == (0, 1, 0, 0, 0)
    assert tally(await desk.load(live, contacted, at=last)) == (0, 0, 1, 0, 0)
    row = await desk.conn.fetchrow(LEAD_TIMES)
    assert row is not None
    assert tuple(row) == (NOON, datetime(2025, 2, 2, 10, tzinfo=UTC), later)
    # Another change of the row leaves alone when the contact became known.
    excluded = contacted.replace(",,\n", ",2025-02-05T10:00Z,junk\n")
    assert tally(await desk.load(live, excluded, at=last)) == (0, 1, 0, 0, 0)
    row = await desk.conn.fetchrow("select first_contact_known_at, excluded_known_at from lead")
    assert row is not None
    assert tuple(row) == (later, last)


async def test_a_row_without_the_moment_it_became_known_is_set_aside(desk: Desk) -> None:
    await desk.partners("p1")
    odd = LEADS.replace("after: assigned_at", "after: first_contact_at")
    report = await desk.load(odd, LEAD_HEADER + "a,p1,2025-02-01T10:00Z,,,,\n")
    assert report.first_reasons == ("line 2, Contacted: is empty, and tells when the fact became known",)


async def test_many_batches_report_their_progress_to_the_end(desk: Desk) -> None:
    await desk.partners("p1")
    file, seen = desk.folder / "many.csv", list[tuple[int, int]]()
    lines = "".join(f"{number},p1,2025-02-01T10:00Z,,,,\n" for number in range(12_000))
    file.write_text(LEAD_HEADER + lines, encoding="utf-8")
    report = await import_file(
        desk.dsn, FactKind.LEADS, file, parse_mapping(LEADS), progress=lambda *step: seen.append(step)
    )
    assert report.inserted == 12_000
    assert len(seen) == 3
    assert seen == sorted(seen)
    assert seen[-1] == (file.stat().st_size, file.stat().st_size)


async def test_an_import_takes_part_in_the_callers_transaction(desk: Desk) -> None:
    file = desk.folder / "in.csv"
    file.write_text("Id,Name,Parent,Tier\np1,One,,\n", encoding="utf-8")
    mapping = parse_mapping(PARTNERS)
    transaction = desk.conn.transaction()
    await transaction.start()
    assert (await import_file(desk.conn, FactKind.PARTNERS, file, mapping)).inserted == 1
    assert (await import_file(desk.conn, FactKind.PARTNERS, file, mapping)).unchanged == 1
    await transaction.rollback()
    assert await desk.count("partner") == 0


async def test_a_failed_database_leaves_no_half_import_and_no_half_reject_file(desk: Desk, tmp_path: Path) -> None:
    await desk.partners("p1")
    await desk.conn.execute(
        "create function refuse() returns trigger language plpgsql as $$begin raise 'no'; end$$;"
        "create trigger refuse before insert on lead for each row when (new.source_id = 'z') execute function refuse()"
    )
    with pytest.raises(asyncpg.RaiseError):
        await desk.load(LEADS, LEAD_HEADER + "a,p1,2025-02-01T10:00Z,,,,\nz,p1,2025-02-01T10:00Z,,,,\n")
    assert await desk.count("lead") == 0
    missing = tmp_path / "nowhere" / "bad.csv"
    with pytest.raises(IntakeError, match=r"there are bad rows, but .* cannot be written \(No such file"):
        await import_file(
            desk.dsn, FactKind.LEADS, _written(tmp_path, "b,p1,then,,,,\n"), parse_mapping(LEADS), reject_path=missing
        )
    assert desk.files() == ["bad.csv", "in.csv"]


def _written(folder: Path, lines: str) -> Path:
    file = folder / "bad.csv"
    file.write_text(LEAD_HEADER + "a,p1,2025-02-01T10:00Z,,,,\n" + lines, encoding="utf-8")
    return file
