"""Batches of events in a real database: whatever way they are cut and ordered, the same facts come of them."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import asyncpg
import pytest

from store.events import EventsRefused, State, read_batch, settle_waiting, take, waiting_events
from store.intake.kinds import KINDS, FactKind
from store.intake.standing import read_standing
from tests.console.conftest import CHECKED, event

TABLES = {
    "lead": "source_id",
    "lead_pause": "source_id",
    "lead_event": "source_id",
    "opportunity": "source_id",
    "opportunity_reopening": "source_id",
    "opportunity_stage": "source_id",
    "mdf_request": "source_id",
    "mdf_claim": "source_id",
    "enablement_assignment": "source_id",
    "compliance_result": "source_id",
    "compliance_waiver": "source_id",
    "partner_transaction": "source_id",
    "partner_cost": "source_id",
}
KNOWLEDGE = "known_at, recorded_at, amended_at, source_system, source_id"
MORNING = datetime(2026, 3, 3, 8, tzinfo=UTC)
HOURS = [f"2026-03-02T{hour:02}:00:00Z" for hour in range(12)]


def story(source: str) -> list[dict[str, Any]]:
    """Facts of every kind, with corrections and changes of mind; names carry the source, for some are shared by all."""

    def said(type_: str, name: str, hour: int = 0, **more: Any) -> dict[str, Any]:
        more.setdefault("id", f"{type_} {name} {hour}")
        return event(type_, f"{source} {name}", HOURS[hour], source=source, **more)

    lead: dict[str, Any] = {"partner_id": "P1", "contact_due_at": HOURS[6]}
    request: dict[str, Any] = {"partner_id": "P1", "requested_amount": 9, "currency": "EUR"}
    claim: dict[str, Any] = {"partner_id": "P1", "claimed_amount": 5, "currency": "EUR", "request_id": f"{source} R1"}
    course: dict[str, Any] = {"partner_id": "P1", "person_id": "H1", "course_id": "c", "due_on": "2026-04-01"}
    result: dict[str, Any] = {"partner_id": "P1", "check_id": "C1", "check_version": 1, "outcome": "pass"}
    waiver: dict[str, Any] = {"partner_id": "P1", "check_id": "C1", "approved_by": "a", "reason": "b"}
    sale: dict[str, Any] = {"partner_id": "P1", "kind": "sale", "transaction_date": "2026-03-01", "currency": "EUR"}
    stage: dict[str, Any] = {"opportunity_id": f"{source} D1", "stage": "proposal"}
    cost: dict[str, Any] = {
        "partner_id": "P1",
        "kind": "product",
        "amount": 3,
        "currency": "EUR",
        "recognised_on": "2026-03-01",
    }
    return [
        said("lead.assigned", "L1", 1, **lead),
        said("lead.assigned", "L1", 2, id="lead.assigned L1 1", version=2, **(lead | {"partner_id": "P2"})),
        said("lead.accepted", "L1", 3),
        said("lead.contacted", "L1", 8),
        said("lead.contacted", "L1", 5),
        said("lead.contacted", "L1", 7, id="lead.contacted L1 5", version=3),
        said("lead.reassigned", "L1", 9),
        said("lead.assigned", "L2", 1, **lead),
        said("lead.recalled", "L2", 2, excluded_reason="junk"),
        said("lead.contacted", "L3", 2),
        said("lead.paused", "Z1", 2, lead_id=f"{source} L1", reason="a"),
        said("lead.paused", "Z1", 3, id="lead.paused Z1 2", version=2, lead_id=f"{source} L2", reason="b"),
        said("lead.resumed", "Z1", 5),
        said("lead.paused", "Z2", 2, lead_id=f"{source} L9", reason="a"),
        said("lead.event.recorded", "V1", 2, lead_id=f"{source} L1", kind="auto_reply"),
        said("lead.event.recorded", "V1", 2, version=2, lead_id=f"{source} L1", kind="attempted", note="nobody there"),
        said("deal.registered", "D1", 0, partner_id="P1", currency="EUR", amount=10),
        said("deal.qualified", "D1", 1),
        said("deal.closed", "D1", 2, outcome="won", amount="12.50"),
        said("deal.reopened", "D1", 3, id=f"{source} reopened"),
        said("deal.closed", "D1", 4, outcome="lost"),
        said("deal.stage.entered", "S1", 1, opportunity_id=f"{source} D1", stage="demo"),
        said("deal.stage.entered", "S1", 2, id="deal.stage.entered S1 1", version=2, **stage),
        said("deal.stage.entered", "S2", 2, opportunity_id=f"{source} D9", stage="demo"),
        said("mdf.request.submitted", "R1", 0, **request),
        said("mdf.request.approved", "R1", 1, approved_amount=7),
        said("mdf.claim.submitted", "M1", 2, **claim),
        said("mdf.claim.approved", "M1", 3, approved_amount=5),
        said("mdf.claim.paid", "M1", 4, paid_amount=4),
        said("enablement.assigned", "E1", 0, **course),
        said("enablement.failed", "E1", 2),
        said("enablement.completed", "E1", 3, valid_until="2027-01-01"),
        said("enablement.due_changed", "E1", 1, due_on="2026-05-01"),
        said("compliance.result.recorded", "K1", **result),
        said("compliance.waiver.granted", "W1", valid_from="2026-03-01", valid_until="2026-03-31", **waiver),
        said("compliance.waiver.revoked", "W1", 3),
        said("transaction.recorded", "T1", net_amount=100, **sale),
        said("transaction.recorded", "T1", id="transaction.recorded T1 0", version=2, net_amount=99, **sale),
        said("cost.recorded", "X1", **cost),
    ]


def batch(events: list[dict[str, Any]]) -> Any:
    return read_batch(json.dumps(events))


async def facts(pool: asyncpg.Pool[asyncpg.Record], source: str) -> dict[str, list[str]]:
    """What the tables say of a source, but for when it became known."""
    found = {}
    for table in TABLES:
        rows = await pool.fetch(
            f"select (to_jsonb(t) - string_to_array('{KNOWLEDGE}', ', '))::text as row from {table} t"  # noqa: S608
            " where source_system = $1 order by source_id",
            source,
        )
        texts = [json.loads(row["row"].replace(source, "SOURCE")) for row in rows]
        found[table] = [
            json.dumps({name: value for name, value in one.items() if not name.endswith("_known_at")}, sort_keys=True)
            for one in texts
        ]
    return found


async def test_however_events_are_cut_ordered_and_repeated_the_same_facts_come_of_them(
    pool: asyncpg.Pool[asyncpg.Record],
) -> None:
    await pool.execute(CHECKED)
    await take(pool, "straight", batch(story("straight")), "key")
    expected = await facts(pool, "straight")
    assert [len(rows) for rows in expected.values()] == [2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]
    chance = Random(3)
    for round_ in range(12):
        source = f"round{round_}"
        events = story(source)
        events += chance.sample(events, 8)
        chance.shuffle(events)
        while events:
            size = chance.choice((1, 2, 3, 5, 8))
            await take(pool, source, batch(events[:size]), "key")
            del events[:size]
        assert await facts(pool, source) == expected
    async with pool.acquire() as conn:
        waiting = await waiting_events(conn)
    assert {(one.kind, one.waits_for, one.subjects, one.events) for one in waiting} == {
        ("leads", "lead.assigned", 1, 1),
        ("lead-pauses", "lead.assigned", 1, 1),
        ("opportunity-stages", "deal.registered", 1, 1),
    }


async def test_data_status_counts_what_came_as_events_and_how_far_it_reaches(
    pool: asyncpg.Pool[asyncpg.Record],
) -> None:
    """No file was ever imported: all that is known of the source is what it sent."""
    await pool.execute(CHECKED)
    await take(pool, "hub", batch(story("hub")), "key")
    await pool.execute("insert into api_key values ('k', 'hub-live', 'hub', decode(repeat('00', 32), 'hex'))")
    async with pool.acquire() as conn:
        found = {one.kind: one for one in await read_standing(conn, MORNING)}
        none = await read_standing(conn, datetime(2026, 2, 1, tzinfo=UTC))
    kinds = {KINDS[kind].table: one for kind, one in found.items() if one.source == "hub"}
    assert {table: one.facts for table, one in kinds.items()} == {
        table: len(rows) for table, rows in (await facts(pool, "hub")).items()
    }
    assert all(one.event_at is not None for one in kinds.values())
    reached = {table: one.through for table, one in kinds.items()}
    hours = {
        "opportunity": 4,
        "opportunity_reopening": 3,
        "lead_pause": 5,
        "lead_event": 2,
        "opportunity_stage": 2,
        "mdf_request": 1,
        "compliance_waiver": 3,
    }
    assert {table: reached[table] for table in hours} == {
        table: datetime(2026, 3, 2, hour, tzinfo=UTC) for table, hour in hours.items()
    }
    assert reached["partner_cost"] == datetime(2026, 3, 1, tzinfo=UTC)
    assert all(one.through is None for one in none), "what lies ahead makes no source look fresh"


AS_OF = (
    """
    select source_id, partner_id, contact_due_at,
           case when greatest(first_contact_at, first_contact_known_at) <= $1 then first_contact_at end,
           case when greatest(excluded_at, excluded_known_at) <= $1 then excluded_reason end
    from lead_as_of($1) where source_system = $2 order by 1
    """,
    """
    select source_id, case when greatest(closed_at, closed_known_at) <= $1 then outcome end,
           case when greatest(closed_at, closed_known_at) <= $1 then amount end
    from opportunity_as_of($1) where source_system = $2
    """,
    """
    select source_id, case when greatest(paid_at, paid_known_at) <= $1 then paid_amount end
    from mdf_claim_as_of($1) where source_system = $2
    """,
    """
    select source_id, lead_id, reason, paused_at,
           case when coalesce(resumed_known_at, resumed_at) <= $1 then resumed_at end
    from lead_pause_as_of($1) where source_system = $2
    """,
    "select source_id, kind, note from lead_event_as_of($1) where source_system = $2",
    "select source_id, opportunity_id, stage, entered_at from opportunity_stage_as_of($1) where source_system = $2",
    "select source_id, net_amount from partner_transaction_as_of($1) where source_system = $2",
    """
    select source_id, due_on, case when greatest(completed_at, completed_known_at) <= $1 then passed end
    from enablement_assignment_as_of($1) where source_system = $2
    """,
)
"""What readers see of each table, as of a moment and of one source."""


@pytest.mark.parametrize("order", ["as told", "backwards", "mixed"])
async def test_what_was_read_as_of_a_moment_reads_the_same_ever_after(
    pool: asyncpg.Pool[asyncpg.Record], order: str
) -> None:
    """Every event in a batch of its own; after each, all moments before are read again."""
    await pool.execute(CHECKED)
    events = story("crm")
    if order == "backwards":
        events.reverse()
    elif order == "mixed":
        Random(5).shuffle(events)
    seen: list[tuple[datetime, list[Any]]] = []

    async def read(moment: datetime) -> list[Any]:
        return [[tuple(row) for row in await pool.fetch(query, moment, "crm")] for query in AS_OF]

    for one in events:
        await take(pool, "crm", batch([one]), "key")
        for earlier, told in seen:
            assert await read(earlier) == told, (one, earlier)
        moment = await pool.fetchval("select clock_timestamp()")
        seen.append((moment, await read(moment)))
    assert len({str(told) for _, told in seen}) > 5


async def test_a_clock_that_was_set_back_loses_no_version(pool: asyncpg.Pool[asyncpg.Record]) -> None:
    await pool.execute(CHECKED)
    sale = [one for one in story("crm") if one["type"] == "transaction.recorded"]
    await take(pool, "crm", batch(sale[:1]), "key")
    await pool.execute("update partner_transaction set known_at = now() + interval '1 hour'")
    await take(pool, "crm", batch(sale[1:]), "key")
    row = await pool.fetchrow("select net_amount, amended_at > known_at as later from partner_transaction")
    assert row is not None
    assert tuple(row) == (99, True)
    assert await pool.fetchval("select net_amount from superseded.partner_transaction") == 100


async def test_a_lead_without_a_deadline_gets_that_of_the_policy_once_and_keeps_it(
    pool: asyncpg.Pool[asyncpg.Record],
) -> None:
    await pool.execute(CHECKED)
    await pool.execute(
        "insert into lead_policy (source_system, source_id, policy_version, effective_from, contact_within,"
        " contact_counts, known_at) values ('ops', 'p', 'v1', '2020-01-01', 120, 'elapsed', '2020-01-01Z')"
    )
    await take(pool, "crm", batch([event("lead.assigned", "L1", HOURS[1], partner_id="P1")]), "key")
    row = await pool.fetchrow("select policy_version, contact_due_at, amended_at from lead")
    due = datetime(2026, 3, 2, 3, tzinfo=UTC)
    assert row is not None
    assert tuple(row) == ("v1", due, None)
    # A policy that changes later, and what happens to the lead later, leave it as it was assigned.
    await pool.execute("update lead_policy set contact_within = 60")
    await take(pool, "crm", batch([event("lead.contacted", "L1", HOURS[2])]), "key")
    again = await pool.fetchrow("select policy_version, contact_due_at, amended_at from lead")
    assert again == row
    # Given to another partner by a correction it is another assignment, under the policy as it is now.
    moved = event("lead.assigned", "L1", HOURS[4], version=2, partner_id="P2")
    await take(pool, "crm", batch([moved]), "key")
    assert await pool.fetchval("select contact_due_at from lead") == due + timedelta(hours=2)


async def settled(pool: asyncpg.Pool[asyncpg.Record], kind: FactKind) -> int:
    async with pool.acquire() as conn:
        return await settle_waiting(conn, kind)


async def test_what_waits_for_a_fact_that_a_file_brings_is_settled_after_the_file(
    pool: asyncpg.Pool[asyncpg.Record],
) -> None:
    await pool.execute(CHECKED)
    claim: dict[str, Any] = {"partner_id": "P1", "claimed_amount": 5, "currency": "EUR", "request_id": "R1"}
    waiting = [
        event("lead.contacted", "L1"),
        event("lead.contacted", "L2"),
        event("mdf.claim.submitted", "M1", **claim),
    ]
    assert await take(pool, "crm", batch(waiting), "key") == [State.WAITING] * 3
    assert await settled(pool, FactKind.LEADS) == 0
    await pool.execute(
        "insert into lead (source_system, source_id, partner_id, assigned_at, known_at)"
        " values ('crm', 'L1', 'P1', '2026-03-01Z', '2026-03-01Z');"
        "insert into mdf_request (request_id, partner_id, requested_amount, currency, submitted_at, source_system,"
        " source_id, known_at) values ('R1', 'P1', 9, 'EUR', '2026-03-01Z', 'fund', 'R1', '2026-03-01Z')"
    )
    assert await settled(pool, FactKind.LEADS) == 1
    assert await pool.fetchval("select first_contact_at from lead") == datetime(2026, 3, 2, 12, tzinfo=UTC)
    assert await settled(pool, FactKind.MDF_REQUESTS) == 1
    assert await pool.fetchval("select claimed_amount from mdf_claim") == 5
    async with pool.acquire() as conn:
        (one,) = await waiting_events(conn)
    assert (one.kind, one.subjects) == ("leads", 1)


BERLIN = """
insert into business_calendar (calendar_id, time_zone, monday, tuesday, wednesday, thursday, friday, source_system,
                               source_id, known_at)
select 'berlin', 'Europe/Berlin', hours, hours, hours, hours, hours, 'hr', 'berlin', '2020-01-01Z'
from (select '{09:00-17:00}'::text[] as hours) h;
update partner set calendar_id = 'berlin' where partner_id = 'P1';
insert into lead_policy (source_system, source_id, policy_version, effective_from, contact_within, pauses, pause_limit,
                         known_at)
values ('ops', 'p', 'v1', '2020-01-01', 960, '{customer}', 480, '2020-01-01Z')
"""


def clock(day: int, hour: int) -> datetime:
    return datetime(2026, 3, day, hour, tzinfo=UTC)


async def test_in_whatever_order_a_pause_comes_it_moves_the_deadline_of_its_lead_alike(
    pool: asyncpg.Pool[asyncpg.Record],
) -> None:
    """Assigned on Friday 27 February 2026, 16:00 in Berlin (15:00 UTC), to be contacted within 16 opening hours: 1 on
    Friday, 8 on Monday, 7 on Tuesday, due at 16:00 there (15:00 UTC).

    Paused for the customer from Friday 16:30 to Monday 10:30: 30 minutes on Friday and 90 on Monday, so that it is due
    2 opening hours later: 1 on Tuesday, 1 on Wednesday 4 March, 10:00 there (09:00 UTC). Contacted on Monday at 12:00
    (11:00 UTC): 1 hour on Friday and 3 on Monday are 240 minutes, less the 120 that it stood still.
    """
    await pool.execute(CHECKED + BERLIN)
    chance = Random(7)
    for round_ in range(8):
        source = f"round{round_}"
        events = [
            event("lead.assigned", "L1", "2026-02-27T15:00:00Z", source=source, partner_id="P1"),
            event("lead.paused", "Z1", "2026-02-27T15:30:00Z", source=source, lead_id="L1", reason="customer"),
            event("lead.resumed", "Z1", "2026-03-02T09:30:00Z", source=source),
            event("lead.contacted", "L1", "2026-03-02T11:00:00Z", source=source),
        ]
        chance.shuffle(events)
        size = chance.choice((1, 1, 2, 4))
        for start in range(0, 4, size):
            await take(pool, source, batch(events[start : start + size]), "key")
        assert await deadline(pool, source) == clock(4, 9), events
        minutes = await pool.fetchrow(
            "select elapsed_minutes, business_minutes from lead_contact_time where source_system = $1"
            " order by stands_since desc limit 1",
            source,
        )
        # From Friday 15:00 to Monday 11:00 UTC: 68 hours.
        assert minutes is not None
        assert tuple(minutes) == (68 * 60, 120)


async def deadline(pool: asyncpg.Pool[asyncpg.Record], source: str, lead: str = "L1") -> datetime:
    found: datetime = await pool.fetchval(
        "select contact_due_at from lead where source_system = $1 and source_id = $2", source, lead
    )
    return found


async def test_a_pause_corrected_to_another_lead_moves_both_and_what_was_read_before_stays(
    pool: asyncpg.Pool[asyncpg.Record],
) -> None:
    """Both leads are assigned on Monday 2 March 2026 at 09:00 in Berlin (08:00 UTC): 8 opening hours that day and 8 on
    Tuesday, due at 17:00 there (16:00 UTC). A pause of 2 hours adds Wednesday from 9 to 11 (10:00 UTC)."""
    await pool.execute(CHECKED + BERLIN)
    leads = [event("lead.assigned", name, "2026-03-02T08:00:00Z", partner_id="P1") for name in ("L1", "L2")]
    await take(pool, "crm", batch(leads), "key")
    pause = event("lead.paused", "Z1", "2026-03-02T09:00:00Z", id="z", lead_id="L1", reason="customer")
    await take(pool, "crm", batch([pause]), "key")
    # Open, it counts to the policy's limit of 480 minutes: Wednesday, 17:00 in Berlin.
    assert await deadline(pool, "crm") == clock(4, 16)
    await take(pool, "crm", batch([event("lead.resumed", "Z1", "2026-03-02T11:00:00Z")]), "key")
    assert await deadline(pool, "crm") == clock(4, 10)
    # Its end has a moment of its own, and amends nothing of the pause.
    assert await pool.fetchval("select amended_at from lead_pause") is None
    between = await pool.fetchval("select clock_timestamp()")
    await take(pool, "crm", batch([pause | {"version": 2, "data": {"lead_id": "L2", "reason": "customer"}}]), "key")
    assert [await deadline(pool, "crm", name) for name in ("L1", "L2")] == [clock(3, 16), clock(4, 10)]
    then = "select contact_due_at from lead_as_of($1) order by source_id"
    assert [row[0] for row in await pool.fetch(then, between)] == [clock(4, 10), clock(3, 16)]


async def test_pauses_and_events_wait_for_the_lead_of_their_own_source(pool: asyncpg.Pool[asyncpg.Record]) -> None:
    await pool.execute(CHECKED)
    early = [
        event("lead.event.recorded", "V1", lead_id="L1", kind="attempted", actor="a"),
        event("lead.paused", "Z1", lead_id="L1", reason="customer"),
    ]
    assert await take(pool, "crm", batch(early), "key") == [State.WAITING] * 2
    await take(pool, "erp", batch([event("lead.assigned", "L1", source="erp", partner_id="P1")]), "key")
    assert await pool.fetchval("select count(*) from lead_pause") == 0
    # A file brings the lead of one of them, an event that of the other.
    await pool.execute(
        "insert into lead (source_system, source_id, partner_id, assigned_at, known_at)"
        " values ('crm', 'L1', 'P1', '2026-03-01Z', '2026-03-01Z')"
    )
    assert await settled(pool, FactKind.LEADS) == 2
    assert await pool.fetchval("select (select count(*) from lead_pause) + (select count(*) from lead_event)") == 2
    late = [event("lead.event.recorded", "V2", lead_id="L2", kind="closed")]
    assert await take(pool, "crm", batch(late), "key") == [State.WAITING]
    assert await take(pool, "crm", batch([event("lead.assigned", "L2", partner_id="P1")]), "key") == [State.NEW]
    assert await pool.fetchval("select kind from lead_event where lead_id = 'L2'") == "closed"
    assert await pool.fetchval("select count(*) from fact_subject where waits_for is not null") == 0


async def test_stages_wait_for_the_deal_of_their_own_source(pool: asyncpg.Pool[asyncpg.Record]) -> None:
    await pool.execute(CHECKED)
    deal: dict[str, Any] = {"partner_id": "P1", "currency": "EUR"}
    early = [event("deal.stage.entered", f"S{name}", opportunity_id=f"D{name}", stage="demo") for name in "123"]
    assert await take(pool, "crm", batch(early), "key") == [State.WAITING] * 3
    assert await take(pool, "crm", batch(early), "key") == [State.DUPLICATE] * 3
    await take(pool, "erp", batch([event("deal.registered", "D1", source="erp", **deal)]), "key")
    assert await pool.fetchval("select count(*) from opportunity_stage") == 0
    # An event brings the deal of one, a file that of another; the third is corrected to be of the first.
    await take(pool, "crm", batch([event("deal.registered", "D1", **deal)]), "key")
    assert await pool.fetch("select source_id, stage from opportunity_stage") == [("S1", "demo")]
    await pool.execute(
        "insert into opportunity (source_system, source_id, partner_id, currency, known_at)"
        " values ('crm', 'D2', 'P1', 'EUR', '2026-03-01Z')"
    )
    assert await settled(pool, FactKind.OPPORTUNITIES) == 1
    third = early[2] | {"version": 2, "data": {"opportunity_id": "D1", "stage": "proposal"}}
    assert await take(pool, "crm", batch([third]), "key") == [State.NEW]
    found = await pool.fetch("select source_id, opportunity_id, stage from opportunity_stage order by 1")
    assert found == [("S1", "D1", "demo"), ("S2", "D2", "demo"), ("S3", "D1", "proposal")]
    assert await pool.fetchval("select count(*) from fact_subject where waits_for is not null") == 0


async def test_nothing_of_a_batch_is_left_when_it_fails_in_its_last_step(pool: asyncpg.Pool[asyncpg.Record]) -> None:
    await pool.execute(CHECKED)
    await pool.execute(
        "create function fail() returns trigger language plpgsql as $$ begin raise check_violation; end $$;"
        "create trigger fail before insert on partner_cost for each statement execute function fail()"
    )
    with pytest.raises(EventsRefused, match="partner cost"):
        await take(pool, "crm", batch(story("crm")), "key")
    for table in (*TABLES, "fact_event", "fact_subject"):
        assert await pool.fetchval(f"select count(*) from {table}") == 0, table  # noqa: S608


async def test_one_id_in_two_batches_at_once_names_one_fact(pool: asyncpg.Pool[asyncpg.Record]) -> None:
    await pool.execute(CHECKED)
    batches = [[event("lead.contacted", f"L{number}", id="the one")] for number in range(4)]
    told = await asyncio.gather(*(take(pool, "crm", batch(one), "key") for one in batches), return_exceptions=True)
    taken = [one for one in told if not isinstance(one, BaseException)]
    assert taken == [[State.WAITING]]
    assert sum(isinstance(one, EventsRefused) for one in told) == 3
    assert await pool.fetchval("select count(*) from fact_event") == 1
