"""Leads that take any course a lead can take, by chance: for what must hold of all of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Any

from tests.store.world import World, at

BEGINS, ENDS = at("2026-01-01"), at("2026-03-01")
PARTNERS = tuple("abcdef")
LEADS = 150


def lead(chance: Random) -> dict[str, Any]:
    """Any course a lead can take, to the microsecond or to the hour, so that instants also meet."""

    def after(moment: datetime, days: float) -> datetime:
        unit = chance.choice((timedelta(hours=1), timedelta(minutes=7), timedelta(microseconds=1)))
        return moment + unit * round(chance.uniform(-0.02, 1) * timedelta(days=days) / unit)

    def maybe(odds: float, name: str, days: float, **more: Any) -> dict[str, Any]:
        if chance.random() > odds:
            return {}
        happened = after(assigned, days)
        three_days = happened + timedelta(days=3) + timedelta(microseconds=1) * chance.choice((0, 1))
        known = chance.choice(({}, {}, {f"{name}_known_at": after(happened, 9)}, {f"{name}_known_at": three_days}))
        return {f"{name}_at": happened, **known, **more}

    assigned = after(BEGINS, 60)
    return {
        "partner_id": chance.choice(PARTNERS),
        "assigned_at": assigned,
        "contact_due_at": after(assigned, 4) if chance.random() < 0.9 else None,
        "known_at": after(assigned, 5) if chance.random() < 0.3 else assigned,
        **maybe(0.7, "first_contact", 6),
        **maybe(0.15, "reassigned", 6),
        **maybe(0.1, "rejected", 6),
        **maybe(0.15, "excluded", 8, excluded_reason=chance.choice(("recalled", "duplicate", "junk"))),
    }


async def fill(world: World, chance: Random) -> None:
    """A third of the leads is said anew once or twice, and of half of the contacts the opening hours are known."""
    for partner in PARTNERS:
        await world.add("partner", partner_id=partner)
    nothing = dict.fromkeys(await columns(world))
    for _ in range(LEADS):
        facts = lead(chance)
        name = await world.add("lead", **facts)
        if facts.get("first_contact_at") and chance.random() < 0.5:
            for _ in range(chance.choice((1, 2))):
                await opening_hours(world, chance, name, facts)
        known = facts["known_at"]
        for _ in range(chance.choice((0, 0, 0, 0, 1, 2))):
            known += timedelta(hours=chance.randrange(1, 400))
            said = lead(chance)
            del said["known_at"]
            await world.amend("lead", name, known.isoformat(), **{**nothing, **said})


async def columns(world: World) -> list[str]:
    """What a lead may lose when it is said anew."""
    rows = await world.conn.fetch(
        "select attname from pg_attribute where attrelid = 'lead'::regclass and attnum > 0 and not attisdropped"
        " and attname ~ '^(first_contact|reassigned|rejected|excluded)_(at|known_at|reason)$'"
    )
    return [row["attname"] for row in rows]


async def opening_hours(world: World, chance: Random, name: str, facts: dict[str, Any]) -> None:
    await world.conn.execute(
        "insert into lead_contact_time (source_system, source_id, partner_id, assigned_at, first_contact_at,"
        " elapsed_minutes, business_minutes, stands_since) values ('test', $1, $2, $3, $4, 0, $5, $6)"
        " on conflict do nothing",
        name,
        facts["partner_id"],
        facts["assigned_at"],
        facts["first_contact_at"],
        chance.uniform(0, 3000),
        BEGINS + timedelta(days=chance.uniform(0, 70)),
    )
