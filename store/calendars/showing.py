"""A calendar for people to look at: its hours, and the days of a year on which it is closed or open all the same."""

from __future__ import annotations

from datetime import date

from models.base import Frozen
from store.calendars import library
from store.calendars.book import WEEKDAYS
from store.pool import Connection
from store.statements import statement

_CALENDAR = statement("calendars/show_calendar")
_DAYS = statement("calendars/show_days")
_VERSION = "select library_version from public_holiday_year where region = $1 and year = $2"
_NAMES = "select calendar_id from business_calendar order by calendar_id limit 20"


class SpecialDay(Frozen):
    """A day that is not as usual. `public`: a public holiday; otherwise the calendar's own row, which counts."""

    day: date
    name: str
    closed: bool
    public: bool


class CalendarView(Frozen):
    """`library_version` None: the year has not been needed yet, and its public holidays are as the library has them."""

    calendar_id: str
    name: str | None
    time_zone: str
    public_holidays: str | None
    hours: dict[str, tuple[str, ...]]
    partners: int
    year: int
    library_version: str | None
    days: tuple[SpecialDay, ...]


async def read_calendar(conn: Connection, calendar_id: str, year: int) -> CalendarView | None:
    """The calendar as it stands; None where there is none of that name. Stores nothing."""
    row = await conn.fetchrow(_CALENDAR, calendar_id)
    if row is None:
        return None
    region = row["public_holidays"]
    rows = await conn.fetch(_DAYS, calendar_id, region, year)
    days = [SpecialDay(day=one["day"], name=one["name"], closed=one["closed"], public=one["public"]) for one in rows]
    version = await conn.fetchval(_VERSION, region, year)
    if region and version is None:
        found = library.days_of(region, year).items()
        days += [SpecialDay(day=day, name=name, closed=True, public=True) for day, name in found]
    return CalendarView(
        calendar_id=row["calendar_id"],
        name=row["name"],
        time_zone=row["time_zone"],
        public_holidays=region,
        hours={day: tuple(row[day] or ()) for day in WEEKDAYS},
        partners=row["partners"],
        year=year,
        library_version=version,
        days=tuple(sorted(days, key=lambda one: (one.day, not one.public))),
    )


async def calendar_names(conn: Connection) -> tuple[str, ...]:
    """The first few, to choose from."""
    return tuple([row[0] for row in await conn.fetch(_NAMES)])
