"""Which leads are due soon, whatever has happened to them."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Any

import asyncpg
import pytest

from models.metric import MetricName
from store.changes import DueSoon, Stretch, due_soon
from tests.store.leads import PARTNERS, fill
from tests.store.world import World

ACCEPTANCE = MetricName.LEAD_ACCEPTANCE
DEADLINES = {MetricName.LEAD_FOLLOW_UP_SLA: "contact_due_at", ACCEPTANCE: "accept_due_at"}
ACCEPTED = """
update lead set accept_due_at = contact_due_at - interval '9 hours',
                accepted_at = case when hashtext(source_id) % 3 = 0 then assigned_at + interval '3 hours' end
"""
"""Acceptance is due before the contact, and some accept."""


def counted(lead: asyncpg.Record, stretch: Stretch, metric: MetricName) -> bool:
    """Open, in the window, known, and due in the partner's stretch."""
    known: datetime = max(filter(None, (lead["known_at"], lead["amended_at"])))
    ends = ("first_contact", "reassigned", "excluded", "rejected", *(("accepted",) if metric is ACCEPTANCE else ()))
    taken, due_at = any(lead[f"{name}_at"] for name in ends), lead[DEADLINES[metric]]
    return (
        not taken
        and due_at is not None
        and stretch.now <= due_at < stretch.until[lead["partner_id"]]
        and stretch.window_start <= lead["assigned_at"] <= stretch.now
        and known <= stretch.now
    )


def expected(leads: list[asyncpg.Record], stretch: Stretch, metric: MetricName) -> DueSoon | None:
    due = [one for one in leads if one["partner_id"] in stretch.until and counted(one, stretch, metric)]
    if not due:
        return None
    of: dict[Any, int] = {}
    for one in due:
        of[one["partner_id"]] = of.get(one["partner_id"], 0) + 1
    partners = tuple(sorted(of, key=lambda name: (-of[name], name))[:5])
    return DueSoon(len(due), min(one[DEADLINES[metric]] for one in due), partners)


@pytest.mark.parametrize("metric", DEADLINES)
@pytest.mark.parametrize("seed", range(6))
async def test_leads_due_soon_are_the_open_ones_known_whose_deadline_lies_ahead(
    world: World, seed: int, metric: MetricName
) -> None:
    chance = Random(seed)
    await fill(world, chance)
    await world.conn.execute(ACCEPTED)
    leads = await world.conn.fetch("select * from lead")
    deadlines = [one[DEADLINES[metric]] for one in leads if one[DEADLINES[metric]]]
    stretches = []
    for _ in range(100):
        now = chance.choice(deadlines) - timedelta(hours=chance.choice((0, 5, 24)))
        some = chance.sample(PARTNERS, chance.randrange(1, len(PARTNERS)))
        until = {partner: now + timedelta(hours=chance.choice((5, 24, 96))) for partner in some}
        stretches.append(Stretch(until, now - timedelta(days=chance.choice((2, 28))), now))
    found = await due_soon(world.conn, stretches, metric)
    assert found == tuple(expected(leads, one, metric) for one in stretches)
    assert any(found)
    assert not all(found)
