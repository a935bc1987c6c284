"""Facts that nobody knew are inserted as such; where a file had brought one, all is done again with what is there."""

from __future__ import annotations

import asyncpg

from store.events import State, take
from tests.console.conftest import CHECKED, event
from tests.store.test_events_taking import HOURS, batch, clock


async def test_facts_that_a_file_brought_and_new_ones_begin_in_one_batch(pool: asyncpg.Pool[asyncpg.Record]) -> None:
    """Of L1 a file told, of L2 nobody: the batch is first written as if all were new, and then as it is."""
    await pool.execute(CHECKED)
    await pool.execute(
        "insert into lead (source_system, source_id, partner_id, assigned_at, class, known_at)"
        " values ('crm', 'L1', 'P2', '2026-02-01Z', 'cold', '2026-02-01Z')"
    )
    began = [event("lead.assigned", name, HOURS[1], partner_id="P1") for name in ("L1", "L2")]
    assert await take(pool, "crm", batch(began), "key") == [State.NEW] * 2
    rows = await pool.fetch("select source_id, partner_id, assigned_at, amended_at is null from lead order by 1")
    assert [tuple(row) for row in rows] == [("L1", "P1", clock(2, 1), False), ("L2", "P1", clock(2, 1), True)]
    assert await pool.fetchval("select partner_id from lead_as_of('2026-02-15Z') where source_id = 'L1'") == "P2"
    assert await pool.fetchval("select count(*) from fact_event") == 2
    assert await take(pool, "crm", batch(began), "key") == [State.DUPLICATE] * 2


async def test_a_change_of_a_fact_that_a_file_brought_is_written_at_the_first_attempt(
    pool: asyncpg.Pool[asyncpg.Record],
) -> None:
    """A row that is there is no new one, although nobody had sent an event of it: only one transaction is needed."""
    await pool.execute(CHECKED)
    await pool.execute(
        "insert into lead (source_system, source_id, partner_id, assigned_at, known_at)"
        " values ('crm', 'L1', 'P1', '2026-02-01Z', '2026-02-01Z')"
    )
    # A sequence is not rolled back: it counts attempts.
    await pool.execute(
        "create sequence attempts;"
        "create function attempt() returns trigger language plpgsql as"
        " $$ begin perform nextval('attempts'); return null; end $$;"
        "create trigger attempt after insert on fact_event for each statement execute function attempt()"
    )
    assert await take(pool, "crm", batch([event("lead.contacted", "L1", HOURS[3])]), "key") == [State.NEW]
    assert await pool.fetchval("select first_contact_at from lead") == clock(2, 3)
    assert await pool.fetchval("select last_value from attempts") == 1


async def test_what_nobody_knew_is_inserted_and_no_trigger_looks_for_changes(
    pool: asyncpg.Pool[asyncpg.Record],
) -> None:
    await pool.execute(CHECKED)
    await pool.execute(
        "create function changes() returns trigger language plpgsql as $$ begin raise 'a change'; end $$;"
        "create trigger changes before update on lead for each statement execute function changes()"
    )
    began = [event("lead.assigned", f"L{number}", HOURS[1], partner_id="P1") for number in range(3)]
    assert await take(pool, "crm", batch(began), "key") == [State.NEW] * 3
    assert await pool.fetchval("select count(*) from lead") == 3


async def test_of_changes_in_one_batch_some_are_of_facts_nobody_had_heard_of(
    pool: asyncpg.Pool[asyncpg.Record],
) -> None:
    """A batch that begins nothing counts first whether all are there: one that is not is written and waits."""
    await pool.execute(CHECKED)
    assert await take(pool, "crm", batch([event("lead.assigned", "L1", HOURS[1], partner_id="P1")]), "key")
    contacts = [event("lead.contacted", name, HOURS[3]) for name in ("L2", "L1")]
    assert await take(pool, "crm", batch(contacts), "key") == [State.WAITING, State.NEW]
    assert await pool.fetch("select subject from fact_subject order by 1") == [("L1",), ("L2",)]
    assert await take(pool, "crm", batch(contacts), "key") == [State.DUPLICATE] * 2
    more = [event("lead.contacted", name, HOURS[2], id=f"sooner {name}") for name in ("L2", "L1")]
    assert await take(pool, "crm", batch(more), "key") == [State.WAITING, State.NEW]
    assert await take(pool, "crm", batch([event("lead.assigned", "L2", HOURS[1], partner_id="P1")]), "key")
    rows = await pool.fetch("select source_id, first_contact_at from lead order by 1")
    assert [tuple(row) for row in rows] == [("L1", clock(2, 2)), ("L2", clock(2, 2))]
