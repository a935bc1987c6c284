"""Puts single facts into a database, so that a test shows only what matters to the case it works out by hand."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime
from typing import Any

from judgement.values import group_value
from models.evidence import GroupValue, PartnerReading, Window
from models.metric import MetricName
from store.metrics import MetricRows, read_metric
from store.pool import Connection

LONG_KNOWN = datetime(2000, 1, 1, tzinfo=UTC)

# Dimensions are named by a key of their own; everything else only by where it came from.
_KEYED: dict[str, tuple[str, dict[str, Any]]] = {
    "partner": ("partner_id", {"name": "A partner"}),
    "person": ("person_id", {}),
    "mdf_budget": ("budget_id", {"currency": "USD", "amount": 0}),
    "mdf_allocation": ("allocation_id", {"currency": "USD"}),
    "mdf_request": ("request_id", {"currency": "USD"}),
}
_DEFAULTS: dict[str, dict[str, Any]] = {
    "fx_rate": {"reporting_currency": "USD"},
    "partner_transaction": {"kind": "sale", "currency": "USD"},
    "partner_cost": {"kind": "product", "currency": "USD"},
    "opportunity": {"currency": "USD"},
    "mdf_claim": {"currency": "USD"},
}


def at(text: str) -> datetime:
    """`2026-01-05` or `2026-01-05 09:30`, in UTC unless it states an offset."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def day(text: str) -> date:
    return date.fromisoformat(text)


def window(start: str, end: str) -> Window:
    return Window(start=at(start), end=at(end))


Q1 = window("2026-01-01", "2026-04-01")
Q1_END = Q1.end


class World:
    """One test's facts, known for long unless a test says when."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        self._numbers = itertools.count(1)
        self._partners: set[str] = set()

    async def add(self, table: str, **row: Any) -> str:
        """Insert a fact; a partner it names is made where there is none. Returns its source id."""
        key, defaults = _KEYED.get(table, ("", _DEFAULTS.get(table, {})))
        source_id = row.get("source_id") or (row.get(key) if key else None) or f"{table}-{next(self._numbers)}"
        if table == "partner":
            self._partners.add(row["partner_id"])
        elif "partner_id" in row and row["partner_id"] not in self._partners:
            await self.add("partner", partner_id=row["partner_id"])
        if table == "partner_transaction":
            row.setdefault("transaction_id", source_id)
        row = {"source_system": "test", "source_id": source_id, "known_at": LONG_KNOWN, **defaults, **row}
        if key:
            row.setdefault(key, source_id)
        places = ", ".join(f"${n}" for n in range(1, len(row) + 1))
        insert = f"insert into {table} ({', '.join(row)}) values ({places})"  # noqa: S608 - the tests' own names
        await self.conn.execute(insert, *row.values())
        return str(row["source_id"])

    async def amend(self, table: str, source_id: str, known: str, **row: Any) -> None:
        """From `known` on the fact says something else."""
        row = {"amended_at": at(known), **row}
        places = ", ".join(f"{name} = ${n}" for n, name in enumerate(row, 2))
        await self.conn.execute(f"update {table} set {places} where source_id = $1", source_id, *row.values())  # noqa: S608

    async def read(
        self, metric: MetricName, *partners: str, during: Window = Q1, as_of: datetime = Q1_END
    ) -> MetricRows:
        """What is stored about these partners; about all of them when none is named."""
        ids = partners or tuple(sorted(self._partners))
        return await read_metric(self.conn, metric, partner_ids=ids, window=during, as_of=as_of)

    async def reading(
        self, metric: MetricName, partner: str, during: Window = Q1, as_of: datetime = Q1_END
    ) -> PartnerReading:
        [row] = (await self.read(metric, partner, during=during, as_of=as_of)).rows
        return row

    async def value(
        self, metric: MetricName, *partners: str, during: Window = Q1, as_of: datetime = Q1_END
    ) -> GroupValue:
        """The partners as one group."""
        return group_value(metric, (await self.read(metric, *partners, during=during, as_of=as_of)).rows)
