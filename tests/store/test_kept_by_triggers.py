"""What triggers keep beside facts, statement by statement: corrections of corrections, moves, and facts taken back.

Whole files, many writers and servers that end are in `test_intake_crashed.py`; there corrections come one by one.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest

from tests.store.derived import disagreements
from tests.store.world import World, at

FIRST, SECOND, THIRD = at("2026-03-01"), at("2026-03-02"), at("2026-03-03")


async def lead(world: World, name: str, **row: object) -> None:
    said = {"partner_id": "a", "assigned_at": at("2026-02-01 09:00"), "contact_due_at": at("2026-02-02 09:00")}
    await world.add("lead", source_id=name, **{**said, "known_at": at("2026-02-01 10:00"), **row})


async def restated(world: World) -> list[tuple[str, datetime, datetime]]:
    """Of which fact, when it happened, and since when it says so."""
    found = await world.conn.fetch(
        "select source_id, happened_at, restated_at from fact_restated order by restated_at, source_id"
    )
    return [tuple(row) for row in found]


async def agreed(world: World) -> None:
    kept = ("fact_day", "fact_restated", "superseded", "watch_change")
    conn: Any = world.conn  # of a pool, which makes no difference here
    assert await disagreements(conn, *kept) == {}


async def test_a_fact_that_is_said_anew_again_and_again_counts_once_where_it_stands(world: World) -> None:
    await lead(world, "one")
    for moment, assigned in ((FIRST, "2026-02-05"), (SECOND, "2026-02-07"), (THIRD, "2026-02-06")):
        await world.amend("lead", "one", moment.isoformat(), assigned_at=at(assigned))
        await agreed(world)
    days = "select day::text, sum(facts) from fact_day where facts_of = 'lead' group by 1 having sum(facts) <> 0"
    assert [tuple(row) for row in await world.conn.fetch(days)] == [("2026-02-06", 1)]
    # Each at the day it said then.
    assert await restated(world) == [
        ("one", at("2026-02-05"), FIRST),
        ("one", at("2026-02-07"), SECOND),
        ("one", at("2026-02-06"), THIRD),
    ]


async def test_only_a_word_that_is_known_later_restates_a_fact(world: World) -> None:
    """History that was loaded wrongly is put right without a trace, also where the fact was said anew before."""
    await lead(world, "one")
    await world.amend("lead", "one", FIRST.isoformat(), contact_due_at=at("2026-02-03"))
    await world.amend("lead", "one", FIRST.isoformat(), contact_due_at=at("2026-02-04"))
    await world.conn.execute("update lead set contact_due_at = '2026-02-05Z'")
    assert [moment for *_, moment in await restated(world)] == [FIRST]
    assert await world.conn.fetchval("select count(*) from superseded.lead") == 1
    await agreed(world)


async def test_what_a_fact_did_not_say_yet_is_no_part_of_what_it_said(world: World) -> None:
    await lead(world, "one")
    row = {"contact_due_at": at("2026-02-09"), "first_contact_at": at("2026-02-02 08:00")}
    await world.amend("lead", "one", FIRST.isoformat(), **row)
    [told] = await world.conn.fetch("select contact_due_at, first_contact_at from lead_as_told($1)", SECOND)
    assert tuple(told) == (at("2026-02-02 09:00"), at("2026-02-02 08:00"))
    # From the very moment of the new word on, for a week.
    week = timedelta(days=7)
    for moment, due in ((FIRST, "2026-02-02 09:00"), (FIRST + week, "2026-02-09")):
        assert await world.conn.fetchval("select contact_due_at from lead_as_told($1)", moment) == at(due)


async def test_of_facts_that_change_together_each_is_restated_by_its_own_word(world: World) -> None:
    for name in ("contacted", "corrected"):
        await lead(world, name)
    await world.conn.execute(
        "update lead set first_contact_at = case source_id when 'contacted' then timestamptz '2026-02-02Z' end,"
        " amended_at = case source_id when 'corrected' then $1::timestamptz end,"
        " contact_due_at = case source_id when 'corrected' then timestamptz '2026-02-05Z' else contact_due_at end",
        FIRST,
    )
    assert [name for name, *_ in await restated(world)] == ["corrected"]
    await agreed(world)


async def test_a_fact_that_goes_to_another_partner_is_restated_and_a_deal_that_somebody_worked_on_is_not(
    world: World,
) -> None:
    await world.add("partner", partner_id="b")
    await lead(world, "moves")
    await world.amend("lead", "moves", FIRST.isoformat(), partner_id="b")
    worked = {"last_activity_at": at("2026-02-01")}
    await world.add("opportunity", partner_id="a", source_id="deal", known_at=at("2026-02-01"), **worked)
    await world.amend("opportunity", "deal", SECOND.isoformat(), last_activity_at=at("2026-03-02"))
    assert [name for name, *_ in await restated(world)] == ["moves"]
    await agreed(world)


async def test_a_close_is_counted_from_the_day_it_is_known(world: World) -> None:
    row = {"closed_at": at("2026-02-10"), "closed_known_at": at("2026-02-20"), "outcome": "won", "amount": 1}
    await world.add("opportunity", partner_id="a", known_at=at("2026-02-01"), **row)
    days = "select day::text, known_on::text, sum(facts) from fact_day where facts_of = 'opportunity' group by 1, 2"
    assert [tuple(found) for found in await world.conn.fetch(days)] == [("2026-02-10", "2026-02-20", 1)]


async def test_facts_that_are_all_taken_away_take_only_their_own_days_with_them(world: World) -> None:
    await lead(world, "one")
    await world.add("mdf_claim", partner_id="a", claimed_amount=1, submitted_at=at("2026-02-01"))
    await world.conn.execute("truncate mdf_claim")
    days = await world.conn.fetch("select facts_of from fact_day group by 1 having sum(facts) <> 0")
    assert [row["facts_of"] for row in days] == ["lead"]


async def test_whoever_a_fact_was_about_and_is_about_is_told_of_and_when_the_last_of_it_is_known(world: World) -> None:
    async def told() -> set[tuple[str, datetime]]:
        rows = await world.conn.fetch("delete from watch_change where facts = 'lead' returning about, horizon")
        return {tuple(row) for row in rows}

    await world.add("partner", partner_id="b")
    word = at("2026-02-03")
    await lead(world, "one", accepted_at=at("2026-02-01 10:00"), accepted_known_at=word)
    assert await told() == {("a", word)}
    await world.amend("lead", "one", FIRST.isoformat(), partner_id="b")
    assert await told() == {("a", word), ("b", FIRST)}
    await lead(world, "two", partner_id="b")
    assert await told() == {("b", at("2026-02-01 10:00"))}
    # Of several at once the latest.
    await world.conn.execute("update lead set class = 'new'")
    assert await told() == {("b", FIRST)}
    await world.conn.execute("delete from lead where source_id = 'one'")
    assert await told() == {("b", FIRST)}


@pytest.mark.parametrize("ends", ["rollback", "the connection ends"])
async def test_what_is_not_committed_leaves_nothing_beside_facts(database: str, ends: str) -> None:
    """Whatever is kept is written in the transaction of the facts, and by it alone."""
    look = await asyncpg.connect(database)
    conn = await asyncpg.connect(database)
    world = World(conn)
    begun = conn.transaction()
    await begun.start()
    await lead(world, "one")
    await world.amend("lead", "one", FIRST.isoformat(), contact_due_at=at("2026-02-05"))
    for partner in ("a", "b"):
        line = {"transaction_id": "t", "net_amount": 1, "transaction_date": at("2026-02-01").date()}
        await world.add("partner_transaction", partner_id=partner, **line)
    kept = ("fact_day", "fact_restated", "superseded.lead", "watch_change", "shared_line")
    counted = [await conn.fetchval(f"select count(*) from {table}") for table in kept]  # noqa: S608
    assert all(counted), counted
    if ends == "rollback":
        await begun.rollback()
        await conn.close()
    else:
        conn.terminate()
        await look.execute(
            "select pg_terminate_backend(pid, 60000) from pg_stat_activity where datname = current_database()"
            " and pid <> pg_backend_pid() and backend_type = 'client backend'"
        )
    assert [await look.fetchval(f"select count(*) from {table}") for table in kept] == [0] * 5  # noqa: S608
    await look.close()
