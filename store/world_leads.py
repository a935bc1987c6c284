"""Leads of a synthetic world: assigned through the working day, due in business hours, mostly followed up in time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

from store.world_rows import Rows
from store.world_spec import Slump, WorldPartner, WorldSpec, days

_CLASSES: Final = (("inbound", 0.25, 8), ("distributed", 0.60, 16), ("nurture", 0.15, 24))  # share, business hours
_OPENS, _CLOSES = 9, 17
_WORKDAY = _CLOSES - _OPENS
_IN_TIME, _PARTNER_SPREAD = 0.94, 0.015
_NEVER_CONTACTED, _NEVER_IN_SLUMP = 0.25, 0.5
_EXCLUDED, _WEEKEND = 0.015, 0.12


def add_leads(rows: Rows, spec: WorldSpec, partner: WorldPartner, slumps: Sequence[Slump]) -> None:
    """All leads of a partner, whom these slumps hit."""
    if spec.leads:
        rows.many("lead", _leads(spec, partner, slumps))


def _leads(spec: WorldSpec, partner: WorldPartner, slumps: Sequence[Slump]) -> Iterator[tuple[object, ...]]:
    chance, zone = spec.chance(partner.partner_id, "leads"), ZoneInfo(partner.time_zone)
    usual = min(max(chance.gauss(_IN_TIME, _PARTNER_SPREAD), 0.88), 0.985)
    for number, local in enumerate(_arrivals(chance, spec, partner)):
        assigned = _utc(local, zone)
        name, hours = _class(chance)
        due_local = business_deadline(local, hours)
        due = _utc(due_local, zone)
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
        accepted = assigned + (min(contact, due) - assigned) / 2 if contact else None
        known = days(0.02 + (0.3 * lag if lag < 0.98 else 2 * lag))
        yield (
            f"{partner.partner_id}-lead-{number:05}",
            partner.partner_id,
            name,
            "2024",
            assigned,
            assigned,
            _utc(business_deadline(local, 8), zone),
            due,
            accepted,
            accepted + known if accepted else None,
            contact,
            contact + known if contact else None,
            excluded,
            excluded + known if excluded else None,
            ("junk" if odd < _EXCLUDED / 2 else "duplicate") if excluded else None,
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
    if weekday >= 5 or hour >= _CLOSES:
        day += timedelta(days=7 - weekday if weekday >= 4 else 1)
        weekday, hour = day.weekday(), _OPENS
    # Hours of work from the first opening on; a deadline at closing time is not the next day's opening.
    worked = max(hour - _OPENS, 0) + hours
    whole_days = max(math.ceil(worked / _WORKDAY) - 1, 0)
    weekends = (weekday + whole_days) // 5
    opening = datetime.combine(day + timedelta(days=whole_days + 2 * weekends), time(_OPENS))
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
