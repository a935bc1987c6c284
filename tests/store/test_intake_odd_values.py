"""Every field of every kind with what systems write where they mean nothing, never, or something else: a row is taken
or set aside with its reason, whatever is taken can be read again, and no metric breaks on it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import date, timedelta

from models.metric import MetricName
from store.intake import import_file, parse_mapping
from store.intake.kinds import KINDS, FactKind, FieldSpec, FieldType
from store.metrics import read_metric
from store.pool import prepare_connection
from tests.store.desk import NOON, Desk
from tests.store.world import window

BLANKS = ("\\N", "\\.", "\ufeff", "a\x00b")
LETTERS = ("x" * 5000, "\u2028", "a\tb", "a\r\nb", "\\", '"', "\x1b[2J", "株式会社", "😀", "{}")
NUMBERS = (
    *("0", "-0", "-1", "0.5", "1e40", "-1e41", "1e-40", "1e400000", "NaN", "-Infinity", "1_000", "1,5", "٣"),
    *("99999999999999.99996", "-99999999999999.9999", "1.000000001", "2147483647", "-2147483649", "9" * 5000),
)
DAYS = (
    *(
        "0001-01-01",
        "1899-12-31",
        "1900-01-01",
        "9999-12-31",
        "2025-02-30",
        "2025-W05-6",
        "2025-12",
        "0001-01",
        "9999-12",
    ),
    *("٢٠٢٥-02-01", "0000-01-01", "10000-01-01"),
)
MOMENTS = (
    *("9999-12-31T23:59:59Z", "9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+05:00", "1900-01-01T00:00:00+23:59"),
    *("2025-02-01T24:00:00Z", "2025-02-01T10:00:00+00:00:30", "2025-02-30T10:00Z", "2025-02-01T10:00:00", "1738404000"),
)
ODD: dict[FieldType, tuple[str, ...]] = {
    FieldType.TEXT: LETTERS,
    FieldType.TEXTS: (*LETTERS, ";", ";;", "a;\x00", "a; a"),
    FieldType.MONEY: NUMBERS,
    FieldType.NUMBER: NUMBERS,
    FieldType.SHARE: NUMBERS,
    FieldType.INTEGER: NUMBERS,
    FieldType.BOOLEAN: ("TRUE", "İ", "maybe", "2", "ja"),
    FieldType.DATE: DAYS,
    FieldType.MONTH: DAYS,
    FieldType.INSTANT: MOMENTS,
    FieldType.CURRENCY: ("eur", "EURO", "€€€", "ÉUR", "XXX", "\x00\x00\x00"),
    FieldType.ZONE: ("Mars/Phobos", "../UTC", "UTC", "Asia/Kathmandu", "EST5EDT", "utc"),
    FieldType.HOURS: ("25:00-26:00", "09:00-09:00", "09:00", "22:00-06:00", "00:00-24:00", "09:00-12:00;11:00-13:00"),
    FieldType.HOLIDAYS: ("XX", "DE-XX", "DE-BY", "de", "DE-"),
}
PLAIN = {
    FieldType.TEXT: "some",
    FieldType.TEXTS: "some;more",
    FieldType.MONEY: "10",
    FieldType.NUMBER: "1",
    FieldType.SHARE: "0.5",
    FieldType.INTEGER: "1",
    FieldType.BOOLEAN: "true",
    FieldType.DATE: "2025-01-15",
    FieldType.MONTH: "2025-01",
    FieldType.INSTANT: "2025-01-15T10:00:00Z",
    FieldType.CURRENCY: "USD",
    FieldType.ZONE: "UTC",
    FieldType.HOURS: "09:00-17:00",
    FieldType.HOLIDAYS: "DE",
}
# What a plain row says otherwise; what others refer to is called as its kind is. Later kinds refer to earlier ones.
KNOWN = {
    "partner_id": "partners",
    "person_id": "people",
    "calendar_id": "calendars",
    "lead_id": "leads",
    "opportunity_id": "opportunities",
    "budget_id": "mdf-budgets",
    "allocation_id": "mdf-allocations",
    "request_id": "mdf-requests",
    "policy_version": "some",
    "check_id": "some",
    "course_id": "some",
}
SAYS: dict[FactKind, dict[str, str]] = {
    FactKind.CALENDARS: {"monday": "09:00-17:00"},
    FactKind.LEAD_POLICIES: {"contact_within": "60", "pauses": "some"},
    FactKind.FX_RATES: {"currency": "EUR"},
    FactKind.OPPORTUNITY_REOPENINGS: {"amount": "1"},
    FactKind.MDF_BUDGETS: {"period_start": "2025-01-01", "period_end": "2025-04-01"},
    FactKind.LEAD_PAUSES: {"reason": "some"},
}
APART: dict[FactKind, str] = {
    FactKind.HOLIDAYS: "day",
    FactKind.FX_RATES: "month",
    FactKind.REBATE_RUNS: "earned_period",
    FactKind.LEAD_POLICIES: "class",
    FactKind.ENABLEMENT_COURSES: "version",
    FactKind.COMPLIANCE_CHECKS: "version",
}
"""Of kinds that have another key beside their source's: what tells rows apart by it."""


def plain(kind: FactKind) -> dict[str, str]:
    """A row that is taken: what it must say, and nothing else."""
    row = {
        field.name: KNOWN.get(field.name) or (field.allowed[0] if field.allowed else PLAIN[field.type])
        for field in KINDS[kind].fields
        if field.required
    }
    own = {name: "" for name in (KINDS[kind].id_field,) if name}
    return {**row, **own, **SAYS.get(kind, {}), "source_id": kind.value}


def apart(kind: FactKind, number: int) -> dict[str, str]:
    """What no other row of the kind has."""
    name = APART.get(kind)
    if name is None:
        return {}
    field = KINDS[kind].by_name[name]
    if field.type in (FieldType.DATE, FieldType.MONTH):
        every = 1 if field.type is FieldType.DATE else 31
        return {name: (date(1990, 1, 15) + timedelta(days=every * number)).isoformat()}
    return {name: f"{number + 1}"}


def oddly(kind: FactKind) -> Iterator[tuple[FieldSpec, str]]:
    for field in KINDS[kind].fields:
        for value in (*BLANKS, *ODD[field.type]):
            yield field, value


def rows(kind: FactKind) -> list[dict[str, str]]:
    """A plain row, and a row for each odd value of each field."""
    found = [plain(kind) | apart(kind, 0)]
    for number, (field, value) in enumerate(oddly(kind), 1):
        found.append({**plain(kind), **apart(kind, number), "source_id": f"row {number}", field.name: value})
    return found


def written(kind: FactKind, of: list[dict[str, str]]) -> str:
    text = io.StringIO()
    out = csv.DictWriter(text, [field.name for field in KINDS[kind].fields], restval="")
    out.writeheader()
    out.writerows(of)
    return text.getvalue()


def mapped(kind: FactKind) -> str:
    fields = ", ".join(f"{field.name}: {field.name}" for field in KINDS[kind].fields)
    return f"kind: {kind.value}\nsource_system: crm\nfields: {{{fields}}}\n"


async def test_every_field_of_every_kind_is_taken_or_set_aside_whatever_it_holds(desk: Desk) -> None:
    for kind in FactKind:
        text, mapping = written(kind, rows(kind)), parse_mapping(mapped(kind))
        file = desk.folder / f"{kind}.csv"
        file.write_text(text, encoding="utf-8", newline="")
        report = await import_file(desk.dsn, kind, file, mapping, imported_at=NOON)
        rejects = desk.rejects(f"{kind}.rejects.csv")
        assert report.inserted == await desk.count(KINDS[kind].table) == report.rows_read - len(rejects), kind
        assert all(row["reject_reason"] for row in rejects)
        assert not any(row["source_id"] == kind for row in rejects), [rejects[0], report.first_reasons]
        again = await import_file(desk.dsn, kind, file, mapping, imported_at=NOON + timedelta(days=1))
        assert (again.inserted, again.updated, again.rejected) == (0, 0, report.rejected), kind
    await prepare_connection(desk.conn)
    for metric in MetricName:
        for during in (window("2025-01-01", "2025-04-01"), window("1900-01-01", "2025-02-01")):
            read = await read_metric(
                desk.conn, metric, partner_ids=("partners",), window=during, as_of=NOON + timedelta(days=2)
            )
            assert read.rows or metric is not MetricName.PARTNER_CHURN
