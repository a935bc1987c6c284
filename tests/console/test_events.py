"""Events over HTTP: taken whole or not at all, once, in any order, from whoever may send them."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from store.events.keys import add_key
from tests.console.conftest import NOON, Sender, assigned, event, problem, refused

AT_NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


async def test_a_batch_becomes_facts_with_the_moments_of_its_events(sender: Sender) -> None:
    due = "2026-03-03T12:00:00+01:00"
    states = await sender.states(
        assigned("L1", contact_due_at=due, **{"class": "hot"}),
        event("lead.accepted", "L1", "2026-03-02T13:00:00Z"),
        event("lead.contacted", "L1", "2026-03-02T14:00:00+02:00"),
    )
    assert states == ["new", "new", "new"]
    lead = await sender.row("lead", "L1")
    assert (lead["source_system"], lead["partner_id"], lead["class"]) == ("crm", "P1", "hot")
    assert (lead["assigned_at"], lead["accepted_at"]) == (AT_NOON, AT_NOON + timedelta(hours=1))
    assert lead["first_contact_at"] == AT_NOON
    assert lead["contact_due_at"] == datetime(2026, 3, 3, 11, tzinfo=UTC)
    # It became known now, not when it happened.
    assert lead["known_at"] > datetime(2026, 6, 1, tzinfo=UTC)
    assert lead["first_contact_known_at"] == lead["known_at"]


async def test_the_same_batch_again_changes_nothing_and_says_so(sender: Sender) -> None:
    batch = (assigned("L1"), event("lead.contacted", "L1"))
    assert await sender.states(*batch, batch[0]) == ["new", "new", "duplicate"]
    before, lead = await sender.rows(), await sender.row("lead", "L1")
    told = await sender.send(*batch)
    assert told.json()["taken"] == 0
    assert [one["state"] for one in told.json()["events"]] == ["duplicate", "duplicate"]
    assert (await sender.rows(), await sender.row("lead", "L1")) == (before, lead)


async def test_the_same_thing_said_in_other_words_is_a_duplicate(sender: Sender) -> None:
    deal = event("deal.registered", "D1", partner_id="P1", currency="EUR", amount=10.50)
    same = event("deal.registered", "D1", "2026-03-02T13:00:00+01:00", currency="EUR", partner_id="P1", amount="10.5")
    assert await sender.states(deal, same | {"traceparent": "00-1-2-3"}) == ["new", "duplicate"]


async def test_an_event_that_comes_too_early_waits_for_the_one_it_needs(sender: Sender) -> None:
    assert await sender.states(event("lead.contacted", "L1")) == ["waiting"]
    assert await sender.pool.fetchval("select count(*) from lead") == 0
    seen = await sender.client.get(
        "/v1/events/crm/lead.contacted L1", headers={"authorization": f"Bearer {sender.key}"}
    )
    assert seen.json()["waits_for"] == "lead.assigned"
    assert seen.json()["versions"][0]["state"] == "waiting"
    assert await sender.states(assigned("L1", "2026-03-01T00:00:00Z")) == ["new"]
    assert (await sender.row("lead", "L1"))["first_contact_at"] == AT_NOON


async def test_a_claim_waits_for_its_request_whoever_sends_that(sender: Sender) -> None:
    claim = event("mdf.claim.submitted", "M1", partner_id="P1", claimed_amount=5, currency="EUR", request_id="R1")
    paid = event("mdf.claim.paid", "M1", paid_amount=4)
    assert await sender.states(claim, paid) == ["waiting", "waiting"]
    async with sender.pool.acquire() as conn:
        other = await add_key(conn, "fund-live", "fund")
    requested = event("mdf.request.submitted", "R1", source="fund", partner_id="P1", requested_amount=9, currency="EUR")
    told = await sender.send_raw(json.dumps([requested]).encode(), authorization=f"Bearer {other}")
    assert told.status_code == 200, told.text
    assert (await sender.row("mdf_claim", "M1"))["paid_amount"] == 4


async def test_the_same_version_with_other_content_is_a_conflict_that_shows_both(sender: Sender) -> None:
    await sender.states(assigned("L1"))
    (error,) = await refused(sender, 409, assigned("L2"), assigned("L1", partner_id="P2"))
    assert error["event"] == 1
    assert error["field"] == "version"
    digests = [word for text in (error["found"], error["allowed"]) for word in text.split() if "sha256:" in word]
    assert len({digest.strip(",") for digest in digests}) == 2


async def test_an_id_never_comes_to_mean_another_fact_or_another_type(sender: Sender) -> None:
    await sender.states(assigned("L1", id="e"))
    for other in (assigned("L2", id="e", version=2), event("lead.contacted", "L1", id="e", version=2)):
        (error,) = await refused(sender, 409, other)
        assert error["field"] == "id"


async def test_a_correction_supersedes_and_what_was_known_before_stays_known_as_of_then(sender: Sender) -> None:
    await sender.states(assigned("L1"), event("lead.contacted", "L1", "2026-03-02T18:00:00Z"))
    first = await sender.row("lead", "L1")
    assert await sender.states(event("lead.contacted", "L1", "2026-03-02T15:00:00Z", version=2)) == ["new"]
    second = await sender.row("lead", "L1")
    assert second["first_contact_at"] == AT_NOON + timedelta(hours=3)
    assert second["known_at"] == first["known_at"]
    assert second["amended_at"] > first["known_at"]
    # A later first version of what is corrected already is kept, and of no effect.
    assert await sender.states(event("lead.contacted", "L1", "2026-03-02T16:00:00Z", version=1, id="other")) == ["new"]
    assert await sender.states(
        event("lead.accepted", "L1", version=3), event("lead.accepted", "L1", "2026-03-02T13:00:00Z", version=2)
    ) == ["new", "superseded"]
    assert (await sender.row("lead", "L1"))["accepted_at"] == AT_NOON
    before = await sender.pool.fetchval(
        "select first_contact_at from lead_as_of($1) where source_id = 'L1'",
        second["amended_at"] - timedelta(microseconds=1),
    )
    assert before == AT_NOON + timedelta(hours=6)


async def test_a_change_of_a_lead_keeps_its_moment_and_amends_nothing(sender: Sender) -> None:
    """Otherwise every contact would cost a copy of the lead."""
    await sender.states(assigned("L1"))
    await sender.states(event("lead.contacted", "L1"))
    lead = await sender.row("lead", "L1")
    assert lead["amended_at"] is None
    assert lead["first_contact_known_at"] > lead["known_at"]
    assert await sender.pool.fetchval("select count(*) from superseded.lead") == 0


async def test_events_go_on_with_a_lead_that_a_file_brought(sender: Sender) -> None:
    await sender.pool.execute(
        "insert into lead (source_system, source_id, partner_id, class, assigned_at, accepted_at, first_contact_at,"
        " known_at) values ('crm', 'L1', 'P2', 'hot', '2026-03-01Z', '2026-03-01Z', '2026-03-02 11:00Z', '2026-03-03Z')"
    )
    early, late = "2026-03-02T10:00:00Z", "2026-03-02T18:00:00Z"
    assert await sender.states(event("lead.contacted", "L1", late)) == ["new"]
    lead = await sender.row("lead", "L1")
    # The file's contact was the first one, and stays it.
    assert lead["first_contact_at"] == AT_NOON - timedelta(hours=1)
    assert await sender.states(event("lead.contacted", "L1", early, version=2)) == ["new"]
    assert (await sender.row("lead", "L1"))["first_contact_at"] == AT_NOON - timedelta(hours=2)
    lead = await sender.row("lead", "L1")
    assert (lead["partner_id"], lead["class"], lead["accepted_at"].day) == ("P2", "hot", 1)


async def test_a_stage_without_its_deal_or_its_name_takes_nothing_of_its_batch(sender: Sender) -> None:
    deal = event("deal.registered", "D1", partner_id="P1", currency="EUR")
    for field in ("opportunity_id", "stage", "level"):
        stage = event("deal.stage.entered", "S1", **{"opportunity_id": "D1", "stage": "demo", field: ""})
        (error,) = await refused(sender, 422, deal, stage)
        assert (error["event"], error["field"]) == (1, f"data.{field}")
    assert await sender.pool.fetchval("select count(*) from fact_event") == 0
    stage = event("deal.stage.entered", "S1", opportunity_id="D1", stage="demo")
    assert await sender.states(stage, deal) == ["new", "new"]
    assert (await sender.row("opportunity_stage", "S1"))["stage"] == "demo"


async def test_an_unknown_name_is_refused_with_the_name_and_the_event(sender: Sender) -> None:
    errors = await refused(
        sender,
        422,
        assigned("L1"),
        assigned("L2", partner_id="Nobody & Sons"),
        event("enablement.assigned", "E1", partner_id="P1", person_id="H9", course_id="c", due_on="2026-04-01"),
        event("compliance.result.recorded", "K1", partner_id="P1", check_id="C1", check_version=2, outcome="pass"),
        event("mdf.request.submitted", "R1", partner_id="P1", requested_amount=1, currency="EUR", allocation_id="A9"),
    )
    found = [(one["event"], one["field"], one["found"]) for one in errors]
    assert found == [
        (1, "data.partner_id", "'Nobody & Sons'"),
        (2, "data.person_id", "'H9'"),
        (3, "data.check_version", "'C1 2'"),
        (4, "data.allocation_id", "'A9'"),
    ]
    assert [one["allowed"].removesuffix(" that is known; import it first") for one in errors] == [
        "a partner",
        "a person",
        "a check",
        "an allocation",
    ]


async def test_whatever_is_wrong_with_a_batch_is_told_at_once(sender: Sender) -> None:
    """Fields that cannot be read, names that nobody knows and moments that cannot be: each in another event, all in one
    answer, in the order of the events. What was taken before is no mistake when it comes again."""
    taken = assigned("L1")
    await sender.states(taken)
    ahead = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    bad = [
        taken,
        assigned("L2", partner_id="Nobody"),
        assigned("L3", contact_due_at="tomorrow"),
        assigned("L4", ahead),
        assigned("L5", version=2) | {"retracted": True},
        assigned("L6", NOON, contact_due_at="2026-03-02T11:00:00Z"),
    ]
    fields = [
        (1, "data.partner_id"),
        (2, "data.contact_due_at"),
        (3, "time"),
        (4, "retracted"),
        (5, "data.contact_due_at"),
    ]
    assert [(one["event"], one["field"]) for one in await refused(sender, 422, *bad)] == fields
    # Without the one that cannot be read, and without those that are wrong by themselves.
    errors = await refused(sender, 422, *bad[:2], *bad[3:])
    assert [(one["event"], one["field"]) for one in errors] == [
        (1, "data.partner_id"),
        (2, "time"),
        (3, "retracted"),
        (4, "data.contact_due_at"),
    ]
    errors = await refused(sender, 422, taken, bad[1], bad[5])
    assert [(one["event"], one["field"]) for one in errors] == [(1, "data.partner_id"), (2, "data.contact_due_at")]
    # Of another sender's events nothing is looked up.
    errors = await refused(sender, 422, bad[2], assigned("L7", partner_id="Nobody") | {"source": "other"})
    assert [(one["event"], one["field"]) for one in errors] == [(0, "data.contact_due_at")]


async def test_revenue_is_not_credited_twice(sender: Sender) -> None:
    def line(subject: str, partner: str, share: float) -> dict[str, Any]:
        return event(
            "transaction.recorded",
            subject,
            partner_id=partner,
            kind="sale",
            transaction_date="2026-03-01",
            net_amount=100,
            currency="EUR",
            transaction_id="T1",
            credit_share=share,
        )

    await sender.states(line("T1-P1", "P1", 0.5))
    (error,) = await refused(sender, 422, line("T1-P2", "P2", 0.6))
    assert (error["field"], "1.1" in error["found"]) == ("data.credit_share", True)
    assert await sender.states(line("T1-P2", "P2", 0.5)) == ["new"]


async def test_a_key_that_another_fact_has_is_a_conflict(sender: Sender) -> None:
    async with sender.pool.acquire() as conn:
        other = await add_key(conn, "fund-live", "fund")
    requested = event("mdf.request.submitted", "R1", partner_id="P1", requested_amount=9, currency="EUR")
    await sender.states(requested)
    body = json.dumps([requested | {"source": "fund"}]).encode()
    told = problem(await sender.send_raw(body, authorization=f"Bearer {other}"), 409)
    assert (told["errors"][0]["field"], told["errors"][0]["found"]) == ("request_id", "R1")


WRONG_FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"time": "2026-03-02T12:00:00"}, "time"),
    ({"time": "yesterday"}, "time"),
    ({"time": 1772452800}, "time"),
    ({"time": "2026-02-30T12:00:00Z"}, "time"),
    ({"time": "9999-12-31T23:59:59-12:00"}, "time"),
    ({"specversion": "0.3"}, "specversion"),
    ({"version": 0}, "version"),
    ({"version": 2**31}, "version"),
    ({"version": 10**30}, "version"),
    ({"version": 1.5}, "version"),
    ({"version": True}, "version"),
    ({"id": ""}, "id"),
    ({"id": " padded "}, "id"),
    ({"id": "nul\x00"}, "id"),
    ({"subject": None}, "subject"),
    ({"subject": "x" * 201}, "subject"),
    ({"type": "lead.sold"}, "type"),
    ({"datacontenttype": "text/xml"}, "datacontenttype"),
    ({"data_base64": "e30="}, "data_base64"),
    ({"data": []}, "data"),
    ({"data": {"contact_due_at": None}}, "data.partner_id"),
    ({"data": {"partner_id": "P1", "contact_due_at": None, "partnr": 1}}, "data.partnr"),
    ({"data": {"partner_id": 7, "contact_due_at": None}}, "data.partner_id"),
    ({"data": {"partner_id": "P\x001", "contact_due_at": None}}, "data.partner_id"),
]


async def test_what_an_event_must_not_say_is_refused_by_its_field(sender: Sender) -> None:
    before = await sender.rows()
    for change, field in WRONG_FIELDS:
        told = problem(await sender.send(assigned("L1"), assigned("L2") | change), 422)
        assert [(one["event"], one["field"]) for one in told["errors"]] == [(1, field)], (change, told)
    assert await sender.rows() == before


async def test_batches_about_the_same_facts_wait_in_a_line_and_lose_nothing(sender: Sender) -> None:
    """Twelve at once, each about all of the leads in an order of its own, and slow enough to meet."""
    leads = [f"L{number}" for number in range(4)]
    await sender.states(*map(assigned, leads))
    await sender.pool.execute(
        "create function dawdle() returns trigger language plpgsql as $$"
        " begin perform pg_sleep(0.02); return null; end $$;"
        "create trigger dawdle after update on lead for each statement execute function dawdle()"
    )

    async def one(number: int) -> list[str]:
        order = leads[number % 4 :] + leads[: number % 4]
        if number % 2:
            order.reverse()
        hour = (number * 7 + 8) % 12
        batch = [event("lead.contacted", lead, f"2026-03-02T{hour:02}:00:00Z", id=f"{number} {lead}") for lead in order]
        return await sender.states(*batch)

    told = await asyncio.gather(*map(one, range(12)))
    assert told == [["new"] * 4] * 12
    for lead in leads:
        versions = await sender.pool.fetch(
            "with versions as ("
            "  select source_id, first_contact_at, amended_at, known_at from superseded.lead union all"
            "  select source_id, first_contact_at, amended_at, known_at from lead"
            ") select first_contact_at from versions where source_id = $1 order by coalesce(amended_at, known_at)",
            lead,
        )
        # Each knew of all contacts before it: the first one never becomes a later one, not even for a moment.
        hours = [row["first_contact_at"].hour for row in versions if row["first_contact_at"]]
        assert hours == sorted(hours, reverse=True)
        assert hours[-1] == 0
    assert await sender.pool.fetchval("select count(*) from fact_event") == 13 * 4


async def test_claims_and_their_request_at_the_same_time_always_find_each_other(sender: Sender) -> None:
    def claim(number: int) -> dict[str, Any]:
        more: dict[str, Any] = {
            "partner_id": "P1",
            "claimed_amount": 5,
            "currency": "EUR",
            "request_id": f"R{number % 3}",
        }
        return event("mdf.claim.submitted", f"M{number}", **more)

    def request(number: int) -> dict[str, Any]:
        more: dict[str, Any] = {"partner_id": "P1", "requested_amount": 9, "currency": "EUR"}
        return event("mdf.request.submitted", f"R{number}", **more)

    batches = [(claim(n), claim(n + 6)) for n in range(6)] + [(request(n),) for n in (2, 1, 0)]
    for _ in range(3):
        await asyncio.gather(*(sender.states(*batch) for batch in batches))
    assert await sender.pool.fetchval("select count(*) from mdf_claim") == 12
    assert await sender.pool.fetchval("select count(*) from fact_subject where waits_for is not null") == 0


async def test_pauses_and_their_leads_at_the_same_time_always_find_each_other(sender: Sender) -> None:
    def pause(number: int) -> dict[str, Any]:
        return event("lead.paused", f"Z{number}", lead_id=f"L{number % 3}", reason="customer")

    def note(number: int) -> dict[str, Any]:
        return event("lead.event.recorded", f"V{number}", lead_id=f"L{number % 3}", kind="attempted")

    batches = [(pause(n), note(n + 1)) for n in range(6)] + [(assigned(f"L{n}"),) for n in (2, 1, 0)]
    for _ in range(3):
        await asyncio.gather(*(sender.states(*batch) for batch in batches))
    assert await sender.pool.fetchval("select count(*) from lead_pause") == 6
    assert await sender.pool.fetchval("select count(*) from lead_event") == 6
    assert await sender.pool.fetchval("select count(*) from fact_subject where waits_for is not null") == 0


async def test_an_event_is_never_changed_or_deleted(sender: Sender) -> None:
    await sender.states(assigned("L1"))
    for statement in ("update fact_event set subject = 'x'", "delete from fact_event", "truncate fact_event"):
        with pytest.raises(asyncpg.RestrictViolationError):
            await sender.pool.execute(statement)


async def test_the_moments_of_an_event_are_refused_when_they_lie_far_ahead(sender: Sender) -> None:
    ahead = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    (error,) = await refused(sender, 422, assigned("L1", ahead))
    assert error["field"] == "time"
    assert NOON not in error["found"]
