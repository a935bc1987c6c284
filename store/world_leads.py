"""Leads of a synthetic world: assigned through the working day, due in business hours, mostly followed up in time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

from models.calendar import BusinessClock
from store.world_hours import CLOSES, OFFICE_HOURS, OPENS, PAUSES, DaysOff, add_own_days, clock_of, lived
from store.world_rows import Rows
from store.world_spec import Further, Slump, WorldPartner, WorldSpec, add_months, days, midnight

_CLASSES: Final = (("inbound", 0.25, 8), ("distributed", 0.60, 16), ("nurture", 0.15, 24))  # share, business hours
_WORKDAY = CLOSES - OPENS
_IN_TIME, _PARTNER_SPREAD = 0.94, 0.015
_NEVER_CONTACTED, _NEVER_IN_SLUMP = 0.25, 0.5
_EXCLUDED, _WEEKEND = 0.015, 0.12
_REJECTED, _REASSIGNED, _ANSWERED = 0.004, 0.008, 0.02  # a lead's fate up to each of them
_REPLIES: Final = timedelta(minutes=5)
_POLICY: Final = "2024"
_ACCEPT_HOURS: Final = 8
_HOUR: Final = timedelta(hours=1)


def add_policies(rows: Rows, spec: WorldSpec, countries: Mapping[str, str]) -> None:
    """A calendar for each time zone, Monday to Friday, 9 to 17, and the policy that leads are due by.

    Args:
        countries: whose holidays are kept, by time zone.
    """
    effective = add_months(spec.start, -24)
    known = midnight(effective)
    hours = [OFFICE_HOURS]
    closed = Further.HOLIDAYS in spec.further
    for zone, country in countries.items():
        public = country if closed else None
        rows.add("business_calendar", zone, f"Office hours, {zone}", zone, public, *[hours] * 5, zone, known)
    if closed:
        add_own_days(rows, spec, countries, known)
    for name, _, contact in _CLASSES:
        terms = (_POLICY, name, effective, 60 * _ACCEPT_HOURS, 60 * contact, list(PAUSES))
        rows.add("lead_policy", *terms, f"{_POLICY}-{name}", known)


def add_leads(rows: Rows, spec: WorldSpec, partner: WorldPartner, slumps: Sequence[Slump], off: DaysOff) -> None:
    """All leads of a partner, whom these slumps hit, and whose office is closed on days off."""
    if not spec.leads:
        return
    clock = clock_of(partner.time_zone, off) if spec.further else None
    leads = _leads(spec, partner, slumps, rows, clock if off else None)
    rows.many("lead", leads if clock is None else lived(rows, spec, partner, leads, clock))


def _leads(
    spec: WorldSpec, partner: WorldPartner, slumps: Sequence[Slump], rows: Rows, clock: BusinessClock | None
) -> Iterator[tuple[object, ...]]:
    """Without a clock there are no days off, and deadlines follow from the week alone, which is quicker."""

    def due_within(hours: int) -> datetime:
        return _utc(business_deadline(local, hours), zone) if clock is None else clock.add(assigned, hours * _HOUR)

    chance, zone = spec.chance(partner.partner_id, "leads"), ZoneInfo(partner.time_zone)
    fates = spec.chance(partner.partner_id, "leads", "fate")
    usual = min(max(chance.gauss(_IN_TIME, _PARTNER_SPREAD), 0.88), 0.985)
    for number, local in enumerate(_arrivals(chance, spec, partner)):
        assigned = _utc(local, zone)
        name, hours = _class(chance)
        due = due_within(hours)
        depth = sum(slump.depth for slump in slumps if slump.start <= assigned < slump.end) / 100
        # One draw whatever the slump, so that a slump changes the outcome of leads and nothing else about them.
        luck, delay, lag, odd = chance.random(), chance.random(), chance.random(), chance.random()
        in_time = max(usual - depth, 0.0)
        never = (1 - in_time) * (_NEVER_IN_SLUMP if depth else _NEVER_CONTACTED)
        contact: datetime | None = None
        if luck < in_time:
            contact = assigned + (due - assigned) * (0.02 + 0.93 * delay**1.4)
        elif luck < 1 - never:
            contact = due + days(0.1 + 3 * delay)
        excluded = assigned + days(0.2 + 2 * delay) if odd < _EXCLUDED else None
        fate, lead = fates.random(), f"{partner.partner_id}-lead-{number:05}"
        rejected = assigned + (due - assigned) * 0.3 if fate < _REJECTED else None
        reassigned = assigned + (due - assigned) * 0.5 if _REJECTED <= fate < _REASSIGNED else None
        if rejected or reassigned:
            contact = excluded = None
        accepted = assigned + (min(contact, due) - assigned) / 2 if contact else None
        known = days(0.02 + (0.3 * lag if lag < 0.98 else 2 * lag))
        reason = ("junk", "duplicate", "recalled")[int(3 * odd / _EXCLUDED)] if excluded else None
        for kind, at, actor in (
            ("rejected", rejected, "partner"),
            ("reassigned", reassigned, "router"),
            ("recalled", excluded if reason == "recalled" else None, "router"),
            ("auto_reply", assigned + _REPLIES if _REASSIGNED <= fate < _ANSWERED else None, "mail-robot"),
        ):
            if at:
                rows.add("lead_event", f"{lead}-{kind}", lead, kind, at, actor, at + known)
        yield (
            lead,
            partner.partner_id,
            name,
            _POLICY,
            assigned,
            assigned,
            due_within(_ACCEPT_HOURS),
            due,
            accepted,
            accepted + known if accepted else None,
            rejected,
            rejected + known if rejected else None,
            "no capacity" if rejected else None,
            contact,
            contact + known if contact else None,
            reassigned,
            reassigned + known if reassigned else None,
            excluded,
            excluded + known if excluded else None,
            reason,
            assigned + timedelta(minutes=10),
        )


def _arrivals(chance: Random, spec: WorldSpec, partner: WorldPartner) -> Iterator[datetime]:
    """Wall-clock times at the partner's: steady over the weeks, in working hours, seldom at a weekend."""
    first, last = partner.active_days(spec.start, spec.end)
    gap = 28 / (spec.leads * partner.volume)
    passed = chance.random() * gap
    while passed < (last - first).days:
        day = first + timedelta(days=int(passed))
        hour, weekend = 7 + 11 * chance.random(), chance.random()
        if day.weekday() >= 5 and weekend > _WEEKEND:
            day += timedelta(days=7 - day.weekday())
        if day < last:
            yield datetime.combine(day, time()) + timedelta(seconds=int(hour * 3600))
        passed += gap * (0.4 + 1.2 * chance.random())


def business_deadline(local: datetime, hours: float) -> datetime:
    """The wall-clock time when `hours` of Monday to Friday, 9 to 17, have passed; the clock starts at opening."""
    day, hour = local.date(), local.hour + local.minute / 60 + local.second / 3600
    weekday = day.weekday()
    if weekday >= 5 or hour >= CLOSES:
        day += timedelta(days=7 - weekday if weekday >= 4 else 1)
        weekday, hour = day.weekday(), OPENS
    # Hours of work from the first opening on; a deadline at closing time is not the next day's opening.
    worked = max(hour - OPENS, 0) + hours
    whole_days = max(math.ceil(worked / _WORKDAY) - 1, 0)
    weekends = (weekday + whole_days) // 5
    opening = datetime.combine(day + timedelta(days=whole_days + 2 * weekends), time(OPENS))
    return opening + timedelta(seconds=round((worked - whole_days * _WORKDAY) * 3600))


def _class(chance: Random) -> tuple[str, int]:
    luck = chance.random()
    for name, share, hours in _CLASSES:
        if luck < share:
            return name, hours
        luck -= share
    return _CLASSES[-1][0], _CLASSES[-1][2]


def _utc(local: datetime, zone: ZoneInfo) -> datetime:
    return local.replace(tzinfo=zone).astimezone(UTC)
