"""Opening hours of a synthetic world: days off, what becomes of a lead's clock, and what is told of its contact."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final

from models.calendar import BusinessCalendar, BusinessClock, read_hours
from models.deadline import TimeKind, time_on
from store.calendars import library
from store.pool import Connection
from store.statements import statement
from store.world_rows import COLUMNS, Rows
from store.world_spec import Further, WorldPartner, WorldSpec, days
from store.world_wrong import is_wrong, put_right_after

OPENS, CLOSES = 9, 17
OFFICE_HOURS: Final = f"{OPENS:02}:00-{CLOSES:02}:00"
PAUSES: Final = ("waiting_for_customer",)
PAUSE_LIMIT: Final = 4800
_NOT_AGREED: Final = "no_time"
_PAUSED, _PAUSED_IN_VAIN, _ENDLESS, _UNAGREED = 0.04, 0.5, 0.4, 0.15
_SHORTEST: Final = timedelta(hours=2)
_TOLD: Final = timedelta(hours=1)
_WRONG: Final = 0.02
_ROBOT: Final = timedelta(minutes=5)
_WEEK: Final = (read_hours((OFFICE_HOURS,)),) * 5 + ((),) * 2
_YEARS_AROUND: Final = 1

DaysOff = Mapping[str, frozenset[date]]
"""By time zone the days on which offices are closed; it names each of them."""


def years_of(spec: WorldSpec) -> range:
    """The years whose days off deadlines of the world can meet."""
    return range(spec.start.year - _YEARS_AROUND, spec.end.year + _YEARS_AROUND + 1)


async def take_in_days_off(conn: Connection, spec: WorldSpec, countries: Mapping[str, str]) -> DaysOff:
    """Public holidays as the store has them, from the library where it has none yet, and the world's own days.

    Args:
        countries: by time zone.
    """
    years, regions = years_of(spec), sorted(set(countries.values()))
    stored = {tuple(row) for row in await conn.fetch(statement("calendars/public_holiday_years"), regions)}
    for region in regions:
        for year in years:
            if (region, year) not in stored:
                found = library.days_of(region, year)
                given = (region, year, library.version(), list(found), list(found.values()))
                await conn.execute(statement("calendars/take_in_year"), *given)
    public = await conn.fetch(statement("calendars/public_holidays"), regions, years[0], years[-1])
    off: dict[str, frozenset[date]] = {}
    for zone, country in countries.items():
        of_country = {row["day"] for row in public if row["region"] == country}
        own = list(_own_days(spec, country))
        opened, closed = ({day for day, _, shut in own if shut is wanted} for wanted in (False, True))
        off[zone] = frozenset(of_country - opened | closed)
    return off


def _own_days(spec: WorldSpec, country: str) -> Iterator[tuple[date, str, bool]]:
    """Days on which offices are closed as well, or open although it is a holiday."""
    for year in years_of(spec):
        yield date(year, 12, 24), "Year's end", True
        yield date(year, 12, 31), "Year's end", True
        if country == "US":
            october = date(year, 10, 1)
            yield october + timedelta(days=7 + -october.weekday() % 7), "Columbus Day", False


def add_own_days(rows: Rows, spec: WorldSpec, countries: Mapping[str, str], known: datetime) -> None:
    """The world's own days, for each calendar."""
    for zone, country in countries.items():
        for day, name, closed in _own_days(spec, country):
            rows.add("holiday", f"{zone}-{day}", zone, day, name, closed, known)


def clock_of(zone: str, off: DaysOff) -> BusinessClock:
    """Office hours of a time zone."""
    return BusinessClock(BusinessCalendar(time_zone=zone, week=_WEEK, closed=off.get(zone, frozenset())))


def lived(
    rows: Rows, spec: WorldSpec, partner: WorldPartner, leads: Iterable[tuple[Any, ...]], clock: BusinessClock
) -> Iterator[tuple[Any, ...]]:
    """Leads with the pauses of their clocks, how long their contact took, and what was first told of it."""
    chance = spec.chance(partner.partner_id, "leads", "pauses")
    reckoned = bool(spec.further & {Further.PAUSES, Further.HOLIDAYS})
    for values in leads:
        lead = dict(zip(COLUMNS["lead"], values, strict=True))
        if reckoned:
            _add_clock(rows, lead, partner.time_zone)
        # Drawn whatever becomes of it, so that no lead says anything about another.
        draws = (chance.random(), chance.random(), chance.random(), chance.random())
        paused = Further.PAUSES in spec.further and _pause(rows, lead, draws)
        told = {lead["first_contact_at"]}
        wrong = (
            is_wrong(spec, lead["source_id"], _WRONG) if Further.CORRECTIONS in spec.further and not paused else None
        )
        if wrong is not None and lead["first_contact_at"] is not None:
            known, right = lead["first_contact_known_at"], lead["first_contact_at"]
            # The answer of a robot taken for the contact, or the moment of entry for that of the call.
            lead["first_contact_at"] = min(lead["assigned_at"] + _ROBOT, right) if wrong.random() < 0.5 else known
            rows.amend("lead", lead["source_id"], put_right_after(known, wrong), first_contact_at=right)
            told.add(lead["first_contact_at"])
        if reckoned and not paused:
            _add_contacts(rows, lead, told - {None}, clock)
        yield tuple(lead.values())


def _add_clock(rows: Rows, lead: Mapping[str, Any], calendar_id: str) -> None:
    """What the deadlines were reckoned from, as the intake keeps it."""
    business = TimeKind.BUSINESS.value
    names = (lead["source_id"], lead["partner_id"], lead["class"], lead["assigned_at"], lead["policy_version"])
    dues = (lead["accept_due_at"], business, lead["contact_due_at"], business)
    rows.add("lead_clock", *names, *dues, list(PAUSES), PAUSE_LIMIT, calendar_id, lead["known_at"])


def _add_contacts(rows: Rows, lead: Mapping[str, Any], contacts: Iterable[datetime], clock: BusinessClock) -> None:
    assigned = lead["assigned_at"]
    for contact in sorted(contacts):
        minutes = [took.total_seconds() / 60 for took in (contact - assigned, time_on(clock, assigned, contact, ()))]
        rows.add("lead_contact_time", lead["source_id"], lead["partner_id"], assigned, contact, *minutes)


def _pause(rows: Rows, lead: Mapping[str, Any], draws: tuple[float, float, float, float]) -> bool:
    """Whether it had one. It begins while the clock still runs; who is contacted is so after it."""
    luck, begins, lasts, kind = draws
    assigned, due, contact = lead["assigned_at"], lead["contact_due_at"], lead["first_contact_at"]
    ended = (lead["rejected_at"], lead["reassigned_at"], lead["excluded_at"])
    first = min(contact or due, due)
    if luck >= (_PAUSED if contact else _PAUSED_IN_VAIN) or any(ended) or first - assigned < _SHORTEST:
        return False
    since = assigned + (first - assigned) * (0.1 + 0.8 * begins)
    until = since + (contact - since) * (0.2 + 0.7 * lasts) if contact else since + days(0.3 + 3.5 * lasts)
    if contact is None and lasts < _ENDLESS:
        until = None
    reason = _NOT_AGREED if kind < _UNAGREED else PAUSES[0]
    name = f"{lead['source_id']}-pause"
    rows.add(
        "lead_pause", name, lead["source_id"], since, until, until + _TOLD if until else None, reason, since + _TOLD
    )
    rows.pauses.append(name)
    return True
