"""What a look at leads says beside the SLA spares the checks a second look, and they find the same."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import asyncpg
import pytest

from models.evidence import Window
from models.metric import MetricName
from store.metrics import FEW, one_state, planned, read_sla
from store.quality import read_quality
from tests.store.leads import BEGINS, ENDS, PARTNERS, fill
from tests.store.world import World

SLA = MetricName.LEAD_FOLLOW_UP_SLA
GROUPS = (("a", "b", "c"), ("c", "d"), ("quiet",), (), ("nobody",), ("a", "f", "a"), (*PARTNERS, "quiet", "alone"))


async def others(world: World, chance: Random) -> None:
    """Leads that stand there again, from the same source or from another, some of them known late or taken out; and a
    partner of whom nothing new is heard."""
    rows = await world.conn.fetch("select partner_id, assigned_at, contact_due_at from lead order by source_id")
    for row in chance.sample(rows, 20):
        same = {**row, "created_at": row["assigned_at"], "class": chance.choice(("hot", "cold"))}
        for _ in range(chance.choice((1, 2, 3))):
            taken_out = {"excluded_at": row["assigned_at"], "excluded_reason": "junk"} if chance.random() < 0.2 else {}
            source = chance.choice(("test", "test", "another")) if row["partner_id"] in "bd" else "test"
            known = row["assigned_at"] + timedelta(days=chance.choice((0, 0, 0, 20)))
            await world.add("lead", **{"source_system": source, "known_at": known, **same, **taken_out})
    for number in range(9):
        await world.add("lead", partner_id="quiet", assigned_at=BEGINS - timedelta(days=number * 6))
    await world.add("lead", partner_id="alone", assigned_at=ENDS - timedelta(days=1), source_system="another")


@pytest.mark.parametrize("seed", range(8))
async def test_the_checks_find_what_they_find_by_themselves(world: World, seed: int) -> None:
    chance = Random(seed)
    await fill(world, chance)
    await others(world, chance)
    known: set[tuple[str | None, bool]] = set()
    found: set[str] = set()
    for as_of in (ENDS, *(BEGINS + timedelta(hours=chance.randrange(24, 60 * 24)) for _ in range(3))):
        window = Window(start=as_of - timedelta(days=chance.choice((7, 28, 60))), end=as_of)
        async with world.conn.transaction(), planned(world.conn):
            newest = (await read_sla(world.conn, GROUPS, window=window, as_of=as_of)).newest
        alone = await read_quality(world.conn, SLA, GROUPS, window, days=7, periods=8)
        assert await read_quality(world.conn, SLA, GROUPS, window, days=7, periods=8, newest=newest) == alone
        assert alone is not None
        known |= {(one.source, one.alike) for one in newest.values()}
        found |= {"twice" for one in alone.twice if one.facts} | {"silent" for one in alone.heard if one.gone.silent}
    assert known >= {("test", False), ("test", True), (None, True)}
    assert "twice" in found


@pytest.mark.parametrize("seed", range(2))
async def test_a_plan_that_was_made_once_finds_the_same_of_anybody(world: World, seed: int) -> None:
    """The first plan is made where hardly anything is there."""
    chance = Random(seed)
    kept = "set local plan_cache_mode = force_generic_plan"
    for more in (None, fill, others):
        if more is not None:
            await more(world, chance)
        window = Window(start=ENDS - timedelta(days=chance.choice((7, 28, 60))), end=ENDS)
        for groups in (GROUPS, GROUPS[:1], ()):
            async with world.conn.transaction(), planned(world.conn):
                own = await read_sla(world.conn, groups, window=window, as_of=ENDS)
            counted = await read_quality(world.conn, SLA, groups, window, days=7, periods=8)
            async with world.conn.transaction(), planned(world.conn):
                await world.conn.execute(kept)
                assert await read_sla(world.conn, groups, window=window, as_of=ENDS) == own
                newest = own.newest
                found = await read_quality(world.conn, SLA, groups, window, days=7, periods=8, newest=newest)
                assert found == counted


@pytest.mark.parametrize(("partners", "mode"), [(FEW, "force_generic_plan"), (FEW + 1, "force_custom_plan")])
async def test_only_what_few_are_asked_often_is_planned_once(
    facts_pool: asyncpg.Pool, partners: int, mode: str
) -> None:
    async with facts_pool.acquire() as conn:
        async with one_state(conn, partners, often=True):
            assert await conn.fetchval("show plan_cache_mode") == mode
        async with one_state(conn, partners):
            assert await conn.fetchval("show plan_cache_mode") == "force_custom_plan"
        assert await conn.fetchval("show plan_cache_mode") == "auto"
