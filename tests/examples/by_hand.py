"""The two real data sets counted by hand, straight from their CSV files: what the program says must agree with it."""

from __future__ import annotations

import csv
import gzip
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from tests.real_data import CASES_FILE, RESELLERS, SALES_FILE

_TIERS = {"300000": "bronze", "800000": "silver", "1000000": "silver", "1500000": "gold", "3000000": "platinum"}
_TYPES = {"Value Added Reseller": "var", "Specialty Bike Shop": "specialty", "Warehouse": "warehouse"}
_NORTH = ("United States", "Canada")


class Count(NamedTuple):
    """A metric by hand: its value in percent, the partners and the facts behind it."""

    value: float | None
    partners: int
    facts: int


class Ledger:
    """Reseller sales from one day to before another, added up from the file as a spreadsheet would.

    `margin` is sales less product cost, over sales, which is what such a sheet calls margin; the program's is less
    freight, too. `leakage` is discount over list value. Both in percent.
    """

    def __init__(self, start: str, end: str) -> None:
        self.lines = 0
        self.by_reseller: dict[str, list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 5)
        for row in _rows(SALES_FILE):
            if start <= row["OrderDate"] < end:
                self.lines += 1
                names = ("SalesAmount", "TotalProductCost", "Freight", "ExtendedAmount", "DiscountAmount")
                sums = self.by_reseller[f"aw-{row['ResellerKey']}"]
                self.by_reseller[f"aw-{row['ResellerKey']}"] = [
                    total + Decimal(row[name]) for total, name in zip(sums, names, strict=True)
                ]
        columns = zip(*self.by_reseller.values(), strict=True)
        self.sales, self.product, self.freight, self.list_value, self.discount = map(sum, columns)

    @property
    def margin(self) -> float:
        return float(100 * (self.sales - self.product) / self.sales)

    @property
    def leakage(self) -> float:
        return float(100 * self.discount / self.list_value)

    def margins(self, *, less_freight: bool = False) -> list[float]:
        """Each reseller's own."""
        return [
            float(100 * (sold - spent - (freight if less_freight else 0)) / sold)
            for sold, spent, freight, _, _ in self.by_reseller.values()
        ]


class Sales:
    """Reseller sales: `margin` of some resellers in a window, as it was known at its end."""

    def __init__(self) -> None:
        places = {
            row["GeographyKey"]: row["EnglishCountryRegionName"] for row in _rows(RESELLERS / "dim_geography.csv")
        }
        self._kinds = {
            f"aw-{row['ResellerKey']}": (
                _TYPES[row["BusinessType"]],
                _TIERS[row["AnnualSales"].partition(".")[0]],
                places[row["GeographyKey"]],
            )
            for row in _rows(RESELLERS / "dim_reseller.csv")
        }
        days: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0, 0])
        for row in _rows(SALES_FILE):
            day = days[f"aw-{row['ResellerKey']}", row["OrderDate"]]
            day[0] += float(row["SalesAmount"])
            day[1] += float(row["TotalProductCost"]) + float(row["Freight"])
            day[2] += 1
        self._days: dict[str, list[tuple[datetime, float, float, int]]] = defaultdict(list)
        for (reseller, text), (sold, spent, lines) in days.items():
            midnight = datetime.fromisoformat(text).replace(tzinfo=UTC)
            self._days[reseller].append((midnight, sold, spent, int(lines)))

    def north_american(self, type_: str, tier: str | None = None) -> list[str]:
        """Resellers of a type and tier in North America, in order of id."""
        return sorted(
            one
            for one, (kind, rank, place) in self._kinds.items()
            if kind == type_ and place in _NORTH and tier in (None, rank)
        )

    def count(self, resellers: Sequence[str], as_of: datetime, days: int) -> Count:
        """An order line is known the day after its date; before, nobody can count it."""
        first, last = as_of - timedelta(days=days), as_of - timedelta(days=1)
        sold = spent = 0.0
        facts, partners = 0, set()
        for reseller in resellers:
            for midnight, amount, cost, lines in self._days.get(reseller, ()):
                if first <= midnight <= last:
                    sold, spent, facts = sold + amount, spent + cost, facts + lines
                    partners.add(reseller)
        return Count(100 * (sold - spent) / sold if sold else None, len(partners), facts)


class Requests:
    """Service requests: `count` gives the share followed up in time, as it was known at a moment."""

    def __init__(self) -> None:
        zone = ZoneInfo("America/New_York")

        def moment(text: str) -> datetime | None:
            return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC) if text else None

        self._cases: dict[str, list[tuple[datetime, datetime, datetime | None]]] = defaultdict(list)
        for row in _rows(CASES_FILE):
            opened, due = moment(row["open_dt"]), moment(row["sla_target_dt"])
            if opened and due:
                self._cases[row["neighborhood"]].append((opened, due, moment(row["closed_dt"])))
        for cases in self._cases.values():
            cases.sort(key=itemgetter(0))

    def hours(self) -> list[float]:
        """From opening to closing, of every case with a deadline that was closed and not before it was opened."""
        return sorted(
            (closed - opened).total_seconds() / 3600
            for cases in self._cases.values()
            for opened, _, closed in cases
            if closed and closed >= opened
        )

    def states(self, area: str, begin: datetime, as_of: datetime) -> Counter[str]:
        """The states of an area's cases opened since a moment, as of another."""
        found = Counter[str]()
        for opened, due, closed in self._cases[area]:
            if begin <= opened < as_of:
                done = closed if closed and closed <= as_of else None
                if done is None:
                    found["open_breach" if due < as_of else "pending"] += 1
                else:
                    found["invalid" if done < opened else "met" if done <= due else "late"] += 1
        return found

    @property
    def areas(self) -> list[str]:
        """Every area that had a case with a deadline, also the one without a name."""
        return sorted(self._cases)

    def count(self, areas: Sequence[str], as_of: datetime, days: int) -> Count:
        """Met, over met, late and uncontacted past the deadline; those still within it count for nothing."""
        begin = as_of - timedelta(days=days)
        met = decided = 0
        partners = set()
        for area in areas:
            cases = self._cases[area]
            for opened, due, closed in cases[bisect_left(cases, (begin,)) : bisect_left(cases, (as_of,))]:
                done = closed if closed and closed <= as_of else None
                if (done and done < opened) or (done is None and due >= as_of):
                    continue
                decided += 1
                met += done is not None and done <= due
                partners.add(area)
        return Count(100 * met / decided if decided else None, len(partners), decided)


def _rows(path: Path) -> Iterator[dict[str, str]]:
    if path.suffix == ".gz":
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file)
        return
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)
