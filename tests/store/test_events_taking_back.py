"""Events that are taken back: what they said never happened, and a reading of before still sees it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any, TypeAlias

import asyncpg
import pytest

from store.events import EventsConflict, EventsRefused, State, read_batch, take, waiting_events
from store.events.folding import BASES
from store.events.reading import read_event
from store.events.types import DATA
from tests.console.conftest import CHECKED, event

HOURS = [f"2026-03-02T{hour:02}:00:00Z" for hour in range(12)]
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


async def send(pool: Pool, *events: dict[str, Any]) -> list[State]:
    return await take(pool, "crm", read_batch(json.dumps(events)), "key")


def again(one: dict[str, Any]) -> dict[str, Any]:
    """The same event, taken back."""
    return one | {"version": one.get("version", 1) + 1, "retracted": True}


async def row(pool: Pool, table: str, name: str) -> asyncpg.Record:
    found = await pool.fetchrow(f"select * from {table} where source_id = $1", name)  # noqa: S608
    assert found is not None
    return found


LEAD = event("lead.assigned", "L1", HOURS[0], partner_id="P1", contact_due_at=HOURS[6])
CONTACT = event("lead.contacted", "L1", HOURS[3])


async def test_a_contact_that_never_was_is_none_from_then_on_and_was_one_before(pool: Pool) -> None:
    """An automatic reply, taken for a call."""
    await pool.execute(CHECKED)
    await send(pool, LEAD, CONTACT)
    before = await row(pool, "lead", "L1")
    assert await send(pool, again(CONTACT)) == [State.NEW]
    lead = await row(pool, "lead", "L1")
    assert (lead["first_contact_at"], lead["first_contact_known_at"]) == (None, None)
    seen = "select first_contact_at from lead_as_of($1) where source_id = 'L1'"
    assert await pool.fetchval(seen, lead["amended_at"] - timedelta(microseconds=1)) == before["first_contact_at"]
    assert await pool.fetchval(seen, lead["amended_at"]) is None
    # A call that follows counts, and so does the event itself when it turns out to have been right.
    assert await send(pool, event("lead.contacted", "L1", HOURS[5], id="call")) == [State.NEW]
    assert (await row(pool, "lead", "L1"))["first_contact_at"].hour == 5
    assert await send(pool, CONTACT | {"version": 3}) == [State.NEW]
    assert (await row(pool, "lead", "L1"))["first_contact_at"].hour == 3
    async with pool.acquire() as conn:
        taken = await read_event(conn, "crm", CONTACT["id"])
    assert taken is not None
    assert [(one.version, one.retracted) for one in taken.versions] == [(3, False), (2, True), (1, False)]


REQUEST = event(
    "mdf.request.submitted", "R1", HOURS[0], partner_id="P1", requested_amount=9, currency="EUR", allocation_id=None
)
CLAIM = event("mdf.claim.submitted", "M1", HOURS[1], partner_id="P1", claimed_amount=9, currency="EUR")
COURSE = event(
    "enablement.assigned", "E1", HOURS[0], partner_id="P1", person_id="H1", course_id="c", due_on="2026-04-01"
)
DEAL = event("deal.registered", "D1", HOURS[0], partner_id="P1", currency="EUR")
WAIVER = event(
    "compliance.waiver.granted",
    "W1",
    partner_id="P1",
    check_id="C1",
    approved_by="a",
    reason="b",
    valid_from="2026-03-01",
    valid_until="2026-03-31",
)
PAUSE = event("lead.paused", "Z1", HOURS[1], lead_id="L1", reason="a")
BEGINNINGS = (LEAD, PAUSE, REQUEST, CLAIM, COURSE, DEAL, WAIVER)
MISTAKES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("lead", event("lead.accepted", "L1", HOURS[2])),
    ("lead", event("lead.rejected", "L1", HOURS[2], rejected_reason="busy")),
    ("lead", event("lead.reassigned", "L1", HOURS[2])),
    ("lead", event("lead.recalled", "L1", HOURS[2], excluded_reason="duplicate")),
    ("lead_pause", event("lead.resumed", "Z1", HOURS[2])),
    ("opportunity", event("deal.qualified", "D1", HOURS[2], amount=3)),
    ("opportunity", event("deal.closed", "D1", HOURS[2], outcome="won", amount=3)),
    ("mdf_request", event("mdf.request.approved", "R1", HOURS[2], approved_amount=3)),
    ("mdf_request", event("mdf.request.rejected", "R1", HOURS[2], approver="a")),
    ("mdf_request", event("mdf.request.released", "R1", HOURS[2], released_reason="expired")),
    ("mdf_claim", event("mdf.claim.approved", "M1", HOURS[2], approved_amount=3, late_waived_by="a")),
    ("mdf_claim", event("mdf.claim.rejected", "M1", HOURS[2])),
    ("mdf_claim", event("mdf.claim.paid", "M1", HOURS[2], paid_amount=3)),
    ("mdf_claim", event("mdf.claim.withdrawn", "M1", HOURS[2])),
    ("enablement_assignment", event("enablement.due_changed", "E1", HOURS[2], due_on="2026-05-01")),
    ("enablement_assignment", event("enablement.completed", "E1", HOURS[2], score=88.5)),
    ("enablement_assignment", event("enablement.failed", "E1", HOURS[2], score="41")),
    ("enablement_assignment", event("enablement.waived", "E1", HOURS[2], waived_by="a")),
    ("enablement_assignment", event("enablement.withdrawn", "E1", HOURS[2])),
    ("compliance_waiver", event("compliance.waiver.revoked", "W1", HOURS[2])),
)


async def without_mistakes(pool: Pool, said: Callable[[str], str]) -> None:
    """Each mistake is made, and taken back, in a fact of its own kind; all else the fact says must be as before."""
    for table, mistake in MISTAKES:
        told = f"select to_jsonb(t) - array[{said(mistake['type'])}] from {table} t where source_id = $1"  # noqa: S608
        before = await pool.fetchval(told, mistake["subject"])
        assert before is not None
        await send(pool, mistake)
        assert await pool.fetchval(told, mistake["subject"]) != before, mistake["type"]
        assert await send(pool, again(mistake)) == [State.NEW]
        assert await pool.fetchval(told, mistake["subject"]) == before, mistake["type"]


async def test_a_fact_is_what_it_was_without_what_is_taken_back(pool: Pool) -> None:
    await pool.execute(CHECKED)
    await send(pool, *BEGINNINGS)
    await without_mistakes(pool, lambda _: "'amended_at', 'recorded_at'")


async def test_so_is_a_fact_that_a_file_brought(pool: Pool) -> None:
    await pool.execute(CHECKED)
    await send(pool, *BEGINNINGS)
    # The facts stand as a file would have brought them: no event begins them.
    await pool.execute("alter table fact_event disable trigger all")
    await pool.execute("delete from fact_event")
    # Of a deal the file's own amount and last activity are written over, and what a row said before is no event.
    lost = "'amended_at', 'recorded_at', 'last_activity_at', 'amount'"
    await without_mistakes(pool, lambda type_: lost if type_.startswith("deal.") else "'amended_at', 'recorded_at'")


def test_whatever_changes_a_fact_can_be_taken_back() -> None:
    begin = {one.type for one in BASES.values()}
    tried = {mistake["type"] for _, mistake in MISTAKES}
    assert tried == set(DATA) - begin - {"lead.contacted", "deal.reopened", "enablement.expired"}


async def test_a_deal_whose_reopening_is_taken_back_is_closed_as_before(pool: Pool) -> None:
    await pool.execute(CHECKED)
    won = event("deal.closed", "D1", HOURS[2], outcome="won", amount=3)
    reopened = event("deal.reopened", "D1", HOURS[4])
    await send(pool, DEAL, won, reopened)
    assert (await row(pool, "opportunity", "D1"))["outcome"] is None
    await send(pool, again(reopened))
    deal = await row(pool, "opportunity", "D1")
    assert (deal["outcome"], deal["closed_at"].hour, deal["last_activity_at"].hour) == ("won", 2, 2)
    # The row of what was undone stays, and says that it undid nothing: no fact vanishes.
    undone = await row(pool, "opportunity_reopening", reopened["id"])
    assert (undone["outcome"], undone["closed_at"], undone["amount"]) == ("cancelled", undone["reopened_at"], None)


async def test_in_whatever_order_an_event_and_its_taking_back_come_nothing_of_it_is_left(pool: Pool) -> None:
    await pool.execute(CHECKED)
    chance = Random(7)
    for number in range(8):
        name = f"L{number}"
        base = event("lead.assigned", name, HOURS[0], partner_id="P1")
        call, reply = (
            event("lead.contacted", name, HOURS[5], id=f"call {name}"),
            event("lead.contacted", name, HOURS[2]),
        )
        events = [base, call, reply, again(reply)]
        chance.shuffle(events)
        while events:
            size = chance.choice((1, 2, 3))
            await send(pool, *events[:size])
            del events[:size]
        assert (await row(pool, "lead", name))["first_contact_at"].hour == 5


async def test_what_waits_for_a_fact_that_never_was_waits_no_more_when_it_is_taken_back(pool: Pool) -> None:
    """A contact of a lead whose name was misspelt."""
    await pool.execute(CHECKED)
    assert await send(pool, event("lead.contacted", "L-typo", HOURS[2])) == [State.WAITING]
    assert await send(pool, again(event("lead.contacted", "L-typo", HOURS[2]))) == [State.NEW]
    async with pool.acquire() as conn:
        assert await waiting_events(conn) == ()
    # It was right after all: the lead comes, and the contact counts from when it is said again.
    await send(pool, event("lead.contacted", "L-typo", HOURS[2]) | {"version": 3})
    await send(pool, event("lead.assigned", "L-typo", HOURS[0], partner_id="P1"))
    assert (await row(pool, "lead", "L-typo"))["first_contact_at"].hour == 2


async def test_an_event_that_begins_a_fact_is_not_taken_back(pool: Pool) -> None:
    await pool.execute(CHECKED)
    await send(pool, LEAD)
    with pytest.raises(EventsRefused) as refused:
        await send(pool, CONTACT, again(LEAD))
    [problem] = refused.value.problems
    assert (problem.event, problem.field, problem.found) == (1, "retracted", "true, of lead.assigned")
    assert await pool.fetchval("select count(*) from fact_event") == 1


def test_the_first_version_of_an_event_takes_nothing_back() -> None:
    with pytest.raises(ValueError, match="a version above 1"):
        read_batch(json.dumps([CONTACT | {"retracted": True}]))


async def test_a_taking_back_and_a_correction_of_one_version_contradict_each_other(pool: Pool) -> None:
    await pool.execute(CHECKED)
    await send(pool, LEAD, CONTACT, again(CONTACT))
    assert await send(pool, again(CONTACT)) == [State.DUPLICATE]
    with pytest.raises(EventsConflict):
        await send(pool, CONTACT | {"version": 2})
