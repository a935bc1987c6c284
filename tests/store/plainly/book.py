"""Facts with what they said before, and the table of each as it was known at a moment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any

Row = dict[str, Any]
Parts = dict[str, Fraction]
"""By name what is counted of one partner: `numerator`, `denominator` and `facts` among the parts of the metric."""

_REACH_BACK = frozenset({"partner", "person"})
"""Whoever is first written down today was somebody yesterday too."""

HUNDRED = Fraction(100)


def midnight(day: date) -> datetime:
    """When a business date begins."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def month_of(when: date | datetime) -> date:
    """The first day of the month that a date, or a moment by UTC, lies in."""
    day = when.astimezone(UTC).date() if isinstance(when, datetime) else when
    return day.replace(day=1)


def in_days(length: timedelta) -> Fraction:
    """Exactly, and in parts of a day."""
    return Fraction(length // timedelta(microseconds=1), 86_400_000_000)


def happened(moment: datetime | None, known: datetime | None, as_of: datetime) -> bool:
    """It is there once it has happened and somebody knows: at once, unless a later moment is said."""
    return moment is not None and moment <= as_of and (known is None or known <= as_of)


class Book:
    """Tables of facts; each fact is a list of versions, the first known from `known_at`, others from `amended_at`."""

    def __init__(self) -> None:
        self._facts: dict[str, dict[str, list[Row]]] = defaultdict(dict)

    def tell(self, table: str, name: str, versions: list[Row]) -> None:
        self._facts[table][name] = versions

    def __iter__(self) -> Iterator[tuple[str, str, list[Row]]]:
        for table, facts in self._facts.items():
            for name, versions in facts.items():
                yield table, name, versions

    def as_of(self, table: str, moment: datetime) -> dict[str, Row]:
        """The rows of a table as they were known, by their `source_id`."""
        found: dict[str, Row] = {}
        for name, (first, *later) in self._facts[table].items():
            row = first if first["known_at"] <= moment or table in _REACH_BACK else None
            for version in later:
                if row is not None and version["amended_at"] <= moment:
                    row = version
            if row is not None:
                found[name] = row
        return found

    def rate(self, currency: str, month: date, as_of: datetime) -> Fraction | None:
        """What one unit is worth in dollars in a month; None where nobody knows."""
        if currency == "USD":
            return Fraction(1)
        for row in self.as_of("fx_rate", as_of).values():
            if (row["currency"], row["reporting_currency"], row["month"]) == (currency, "USD", month):
                return Fraction(row["rate"])
        return None
