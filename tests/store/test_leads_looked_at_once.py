"""What a look at leads says beside the SLA spares the checks a second look, and they find the same."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import asyncpg
import pytest

from models.evidence import Window
from models.metric import MetricName
from store.metrics import FEW, one_state, planned, read_sla, statement
from store.quality import read_quality
from tests.store.leads import BEGINS, ENDS, PARTNERS, fill
from tests.store.world import World

SLA = MetricName.LEAD_FOLLOW_UP_SLA
GROUPS = (
    ("a", "b", "c"),
    ("c", "d"),
    ("quiet",),
    (),
    ("nobody",),
    ("a", "f", "a"),
    (*PARTNERS, "quiet", "alone", "twin", "steady"),
)


async def others(world: World, chance: Random) -> None:
    """Leads that stand there again, from the same source or from another, some of them known late or taken out; a
    partner of whom nothing new is heard, and two of whom nothing was ever corrected."""
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
    for day in range(60):
        for partner in ("twin", "twin", "steady"):
            await world.add("lead", partner_id=partner, assigned_at=BEGINS + timedelta(days=day))
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


async def test_whose_leads_come_from_one_source_is_known_however_many_sources_there_are(world: World) -> None:
    """Of one alone, the first or the last of several by name, one between them, or of two."""
    window = Window(start=BEGINS, end=ENDS)
    told = {"a": ("m",), "b": ("m", "m"), "c": ("m", "z"), "d": ("z",), "e": ("k",)}
    for partner in told:
        await world.add("partner", partner_id=partner)
    for several in (False, True):
        for partner, sources in told.items():
            for source in sources if several else ("m",):
                await world.add(
                    "lead", partner_id=partner, assigned_at=BEGINS + timedelta(days=3), source_system=source
                )
        async with world.conn.transaction(), planned(world.conn):
            newest = (await read_sla(world.conn, [tuple(told)], window=window, as_of=ENDS)).newest
        one = {"a": "m", "b": "m", "c": None, "d": None, "e": None} if several else dict.fromkeys(told, "m")
        assert {partner: of.source for partner, of in newest.items()} == one


async def test_the_index_says_whether_a_lead_was_met(world: World) -> None:
    """What the statement asks is to the letter what the index holds: worked out once, when a lead is written."""
    await world.conn.execute("set local enable_seqscan = off; set local enable_bitmapscan = off")
    asked = "explain (verbose) " + statement(SLA)
    rows = await world.conn.fetch(asked, [0], ["a"], BEGINS, ENDS, ENDS)
    plan = "\n".join(row[0] for row in rows)
    assert "Index Only Scan using lead_by_partner" in plan
    # What an index holds is shown in parentheses of its own; what is worked out is not.
    assert "((CASE WHEN" in plan
    assert "COALESCE((CASE" not in plan


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
