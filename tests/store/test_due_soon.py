"""Which leads are due soon, whatever has happened to them."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Any

import asyncpg
import pytest

from store.changes import DueSoon, Stretch, due_soon
from tests.store.leads import PARTNERS, fill
from tests.store.world import World


def counted(lead: asyncpg.Record, stretch: Stretch) -> bool:
    """Open, in the window, known, and due in the partner's stretch."""
    known: datetime = max(filter(None, (lead["known_at"], lead["amended_at"])))
    taken = any(lead[f"{name}_at"] for name in ("first_contact", "reassigned", "excluded", "rejected"))
    return (
        not taken
        and lead["contact_due_at"] is not None
        and stretch.now <= lead["contact_due_at"] < stretch.until[lead["partner_id"]]
        and stretch.window_start <= lead["assigned_at"] <= stretch.now
        and known <= stretch.now
    )


def expected(leads: list[asyncpg.Record], stretch: Stretch) -> DueSoon | None:
    due = [one for one in leads if one["partner_id"] in stretch.until and counted(one, stretch)]
    if not due:
        return None
    of: dict[Any, int] = {}
    for one in due:
        of[one["partner_id"]] = of.get(one["partner_id"], 0) + 1
    partners = tuple(sorted(of, key=lambda name: (-of[name], name))[:5])
    return DueSoon(len(due), min(one["contact_due_at"] for one in due), partners)


@pytest.mark.parametrize("seed", range(6))
async def test_leads_due_soon_are_the_open_ones_known_whose_deadline_lies_ahead(world: World, seed: int) -> None:
    chance = Random(seed)
    await fill(world, chance)
    leads = await world.conn.fetch("select * from lead")
    deadlines = [one["contact_due_at"] for one in leads if one["contact_due_at"]]
    stretches = []
    for _ in range(100):
        now = chance.choice(deadlines) - timedelta(hours=chance.choice((0, 5, 24)))
        some = chance.sample(PARTNERS, chance.randrange(1, len(PARTNERS)))
        until = {partner: now + timedelta(hours=chance.choice((5, 24, 96))) for partner in some}
        stretches.append(Stretch(until, now - timedelta(days=chance.choice((2, 28))), now))
    found = await due_soon(world.conn, stretches)
    assert found == tuple(expected(leads, one) for one in stretches)
    assert any(found)
    assert not all(found)
