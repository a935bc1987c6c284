"""A desk to import files from: writes them, imports them into a database of its own, and looks at the result."""

from __future__ import annotations

import csv
import gzip
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from store.intake import ImportReport, import_file, parse_mapping

PARTNERS = """\
kind: partners
source_system: crm
fields: {source_id: Id, name: Name, parent_id: Parent, tier: Tier}
known: {at: 2025-01-01T00:00:00Z}
"""
LEADS = """\
kind: leads
source_system: crm
fields:
  source_id: Id
  partner_id: Partner
  assigned_at: Assigned
  contact_due_at: Due
  first_contact_at: Contacted
  excluded_at: Excluded
  excluded_reason: Reason
known: {after: assigned_at, lag: 1h}
"""
SALES = """\
kind: transactions
source_system: erp
fields:
  source_id: {template: "{Order}-{Line}-{Partner}"}
  transaction_id: {template: "{Order}-{Line}"}
  partner_id: Partner
  credit_share: {column: Share, default: "1"}
  kind: {column: Type, values: {S: sale, R: return}}
  transaction_date: {column: Day, format: "%d.%m.%Y"}
  net_amount: Net
  currency: {constant: EUR}
where:
  - {column: Type, in: [S, R]}
csv: {delimiter: ";", decimal: ",", thousands: "."}
"""
LEAD_HEADER = "Id,Partner,Assigned,Due,Contacted,Excluded,Reason\n"
SALE_HEADER = "Order;Line;Partner;Share;Type;Day;Net\n"
NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)


class Desk:
    """Writes files, imports them, and looks at the result."""

    def __init__(self, dsn: str, conn: asyncpg.Connection, folder: Path) -> None:
        self.dsn = dsn
        self.conn = conn
        self.folder = folder

    async def load(
        self, mapping: str, text: str, *, name: str = "in.csv", strict: bool = False, at: datetime = NOON
    ) -> ImportReport:
        file = self.folder / name
        file.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        made = parse_mapping(mapping)
        return await import_file(self.dsn, made.kind, file, made, strict=strict, imported_at=at)

    async def partners(self, *ids: str) -> None:
        await self.load(PARTNERS, "Id,Name,Parent,Tier\n" + "".join(f"{one},Partner {one},,\n" for one in ids))

    def rejects(self, name: str = "in.rejects.csv", delimiter: str = ",") -> list[dict[str, str]]:
        with (self.folder / name).open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file, delimiter=delimiter))

    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())

    async def count(self, table: str) -> int:
        return int(await self.conn.fetchval(f"select count(*) from {table}"))  # noqa: S608


def tally(report: ImportReport) -> tuple[int, int, int, int, int]:
    return report.inserted, report.updated, report.unchanged, report.skipped, report.rejected
