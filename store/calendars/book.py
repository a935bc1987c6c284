"""Calendars and policies as they were known at a moment, read once and kept at hand for reckoning."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Final

import asyncpg

from models.calendar import BusinessCalendar, BusinessClock, read_hours
from models.deadline import Clocks, LeadTerms, TimeKind
from store.calendars import library
from store.pool import Connection
from store.statements import statement

_PARTNERS: Final = statement("calendars/partner_calendars")
_CALENDARS: Final = statement("calendars/calendars")
_POLICIES: Final = statement("calendars/policies")
_PUBLIC: Final = statement("calendars/public_holidays")
_YEARS: Final = statement("calendars/public_holiday_years")
_TAKE_IN: Final = statement("calendars/take_in_year")
WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY: Final = timedelta(days=1)

ELAPSED: Final = BusinessClock(BusinessCalendar())
"""Round the clock."""


class CalendarBook:
    """One for each moment as of which calendars are asked for; inside the caller's transaction."""

    def __init__(self, conn: Connection, moment: datetime) -> None:
        self._conn = conn
        self._moment = moment
        self._calendar_of: dict[str, str | None] = {}
        self._rows: dict[str, asyncpg.Record] = {}
        self._public: dict[str, frozenset[date]] = {}
        self._covered: tuple[int, int] | None = None
        self._clocks: dict[str, BusinessClock] = {}
        self._policies: tuple[LeadTerms, ...] | None = None

    async def policies(self) -> tuple[LeadTerms, ...]:
        """All rows of all policies known at the moment."""
        if self._policies is None:
            rows = await self._conn.fetch(_POLICIES, self._moment)
            self._policies = tuple(_terms(row) for row in rows)
        return self._policies

    async def read(self, partner_ids: Collection[str], first: datetime, last: datetime) -> None:
        """Have these partners' calendars at hand for all moments between the two, and somewhat beyond."""
        new = sorted(set(partner_ids) - self._calendar_of.keys())
        if new:
            found = {row[0]: row[1] for row in await self._conn.fetch(_PARTNERS, new, self._moment)}
            self._calendar_of |= {one: found.get(one) for one in new}
        await self._read_calendars({self._calendar_of[one] for one in partner_ids}, first, last)

    async def read_calendar(self, calendar_id: str | None, first: datetime, last: datetime) -> None:
        """The same for one calendar."""
        await self._read_calendars({calendar_id}, first, last)

    async def _read_calendars(self, ids: set[str | None], first: datetime, last: datetime) -> None:
        missing = {one for one in ids if one is not None} - self._rows.keys()
        for row in await self._conn.fetch(_CALENDARS, sorted(missing), self._moment) if missing else ():
            self._rows[row["calendar_id"]] = row
        await self._cover(_year_of(first, -_DAY), _year_of(last, _DAY), anew=bool(missing))

    def covers(self, moment: datetime) -> bool:
        """Whether the holidays at hand reach to a moment, by whatever clock."""
        return self._covered is not None and _year_of(moment, _DAY) <= self._covered[1]

    def calendar_id(self, partner_id: str) -> str | None:
        """The partner's calendar; None: round the clock. Read it first."""
        return self._calendar_of[partner_id]

    def clocks(self, partner_id: str) -> Clocks:
        """What the partner's leads run by. Read it first."""
        return self.clocks_of(self._calendar_of[partner_id])

    def clocks_of(self, calendar_id: str | None) -> Clocks:
        """What leads run by under a calendar; None: round the clock."""
        if calendar_id is None or calendar_id not in self._rows:
            return Clocks(ELAPSED, ELAPSED)
        if calendar_id not in self._clocks:
            self._clocks[calendar_id] = BusinessClock(self._calendar(self._rows[calendar_id]))
        return Clocks(self._clocks[calendar_id], ELAPSED)

    def _calendar(self, row: asyncpg.Record) -> BusinessCalendar:
        public = self._public.get(row["public_holidays"], frozenset())
        return BusinessCalendar(
            time_zone=row["time_zone"],
            week=tuple(read_hours(tuple(row[day] or ())) for day in WEEKDAYS),
            closed=(public - frozenset(row["opened"])) | frozenset(row["closed"]),
        )

    async def _cover(self, first: int, last: int, *, anew: bool) -> None:
        """Take public holidays of these years in from the library where they are not stored yet."""
        if self._covered is not None:
            known_first, known_last = self._covered
            if not anew and known_first <= first and last <= known_last:
                return
            first, last = min(first, known_first), max(last, known_last)
        self._covered = (first, last)
        self._clocks.clear()
        regions = sorted({row["public_holidays"] for row in self._rows.values() if row["public_holidays"]})
        if not regions:
            return
        stored = {(row[0], row[1]) for row in await self._conn.fetch(_YEARS, regions)}
        for region in regions:
            for year in range(max(first, library.FIRST_YEAR), min(last, library.LAST_YEAR) + 1):
                if (region, year) not in stored:
                    days = library.days_of(region, year)
                    given = (region, year, library.version(), list(days), list(days.values()))
                    await self._conn.execute(_TAKE_IN, *given)
        self._public = {
            region: frozenset(row["day"] for row in rows)
            for region, rows in _by_region(await self._conn.fetch(_PUBLIC, regions, first, last)).items()
        }


def _by_region(rows: Iterable[asyncpg.Record]) -> dict[str, list[asyncpg.Record]]:
    found: dict[str, list[asyncpg.Record]] = {}
    for row in rows:
        found.setdefault(row["region"], []).append(row)
    return found


def _year_of(moment: datetime, further: timedelta) -> int:
    """Clocks differ from UTC by less than a day."""
    try:
        return (moment.astimezone(UTC) + further).year
    except OverflowError:
        return moment.year


def _terms(row: asyncpg.Record) -> LeadTerms:
    return LeadTerms(
        policy_version=row["policy_version"],
        lead_class=row["lead_class"],
        effective_from=row["effective_from"],
        accept_within=row["accept_within"],
        accept_counts=TimeKind(row["accept_counts"]),
        contact_within=row["contact_within"],
        contact_counts=TimeKind(row["contact_counts"]),
        pauses=tuple(row["pauses"]),
        pause_limit=row["pause_limit"],
    )
