"""The two real data sets counted by hand, straight from their CSV files: what the program says must agree with it."""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
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
        self._lines: dict[str, list[tuple[date, float, float]]] = defaultdict(list)
        for row in _rows(SALES_FILE):
            cost = float(row["TotalProductCost"]) + float(row["Freight"])
            line = date.fromisoformat(row["OrderDate"]), float(row["SalesAmount"]), cost
            self._lines[f"aw-{row['ResellerKey']}"].append(line)

    def north_american(self, type_: str, tier: str | None = None) -> list[str]:
        """Resellers of a type and tier in North America, in order of id."""
        return sorted(
            one
            for one, (kind, rank, place) in self._kinds.items()
            if kind == type_ and place in _NORTH and tier in (None, rank)
        )

    def count(self, resellers: Sequence[str], as_of: datetime, days: int) -> Count:
        """An order line is known the day after its date; before, nobody can count it."""
        begin = as_of - timedelta(days=days)
        sold = spent = 0.0
        facts, partners = 0, set()
        for reseller in resellers:
            for day, amount, cost in self._lines.get(reseller, ()):
                midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
                if begin <= midnight and midnight + timedelta(days=1) <= as_of:
                    sold, spent, facts = sold + amount, spent + cost, facts + 1
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

    def count(self, areas: Sequence[str], as_of: datetime, days: int) -> Count:
        """Met, over met, late and uncontacted past the deadline; those still within it count for nothing."""
        begin = as_of - timedelta(days=days)
        met = decided = 0
        partners = set()
        for area in areas:
            for opened, due, closed in self._cases[area]:
                done = closed if closed and closed <= as_of else None
                if not begin <= opened < as_of or (done and done < opened) or (done is None and due >= as_of):
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
