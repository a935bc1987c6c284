"""Lead follow-up SLA: every state a lead can be in, and what nobody could have known yet."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

import pytest

from models.metric import MetricName
from store.metrics import read_drivers
from tests.store.world import Q1, Q1_END, World, at, window

SLA = MetricName.LEAD_FOLLOW_UP_SLA


async def lead(world: World, partner: str = "a", assigned: str = "2026-01-05 09:00", **row: Any) -> str:
    """A lead due after 24 hours, unless said otherwise."""
    row.setdefault("contact_due_at", at(assigned) + timedelta(hours=24))
    return await world.add("lead", partner_id=partner, assigned_at=at(assigned), **row)


async def contacted(world: World, hours: float, partner: str = "a", assigned: str = "2026-01-05 09:00") -> str:
    return await lead(world, partner, assigned, first_contact_at=at(assigned) + timedelta(hours=hours))


async def test_every_state_is_told_apart_and_only_decided_leads_count(world: World) -> None:
    await contacted(world, 23)  # met
    await contacted(world, 24)  # met: the deadline itself is in time
    await contacted(world, 24.001)  # late
    await lead(world, contact_due_at=Q1_END - timedelta(seconds=1))  # open breach
    await lead(world, contact_due_at=Q1_END)  # pending: not past its deadline yet
    await lead(world, contact_due_at=Q1_END + timedelta(days=1))  # pending
    await lead(world, contact_due_at=None)  # no SLA
    await contacted(world, -1)  # invalid: contacted before it was assigned
    for reason in ("recalled", "duplicate", "junk"):
        await lead(world, excluded_at=at("2026-01-05 10:00"), excluded_reason=reason)
    # 2 met of 2 + 1 late + 1 open breach = 50 %. Without open breaches it would read 66.7, with pending 33.3.
    value = await world.value(SLA)
    assert value.value == 50.0
    assert value.n_facts == 4
    assert value.parts == {
        "met": 2,
        "late": 1,
        "open_breach": 1,
        "pending": 2,
        "invalid": 1,
        "excluded": 4,
        "excluded_no_sla": 1,
        "excluded_reassigned": 0,
        "excluded_rejected": 0,
        "excluded_recalled": 1,
        "excluded_duplicate": 1,
        "excluded_junk": 1,
        "excluded_after_due": 0,
        "met_backdated": 0,
        "met_early": 0,
        "open_breach_recent": 1,
        # Contacted after 23, 24 and 24.001 hours; the 90th percentile lies 0.8 of the way from the second to the third.
        "contact_hours_median": pytest.approx(24.0),
        "contact_hours_p90": pytest.approx(24.0008),
    }


async def test_the_window_takes_its_start_and_leaves_its_end(world: World) -> None:
    for assigned in ("2025-12-31 23:59:59.999999", "2026-01-01", "2026-03-31 23:59:59.999999", "2026-04-01"):
        await contacted(world, 1, assigned=assigned)
    read = await world.read(SLA, as_of=at("2026-06-01"))
    assert [row.facts for row in read.rows] == [2]


async def test_a_contact_counts_only_from_when_it_is_known(world: World) -> None:
    await lead(world, first_contact_at=at("2026-01-05 10:00"), first_contact_known_at=at("2026-02-01"))
    assert (await world.reading(SLA, "a", as_of=at("2026-01-05 12:00"))).parts["pending"] == 1
    assert (await world.reading(SLA, "a", as_of=at("2026-01-31"))).parts["open_breach"] == 1
    assert (await world.reading(SLA, "a", as_of=at("2026-02-01"))).parts["met"] == 1


async def test_a_contact_after_the_moment_has_not_happened(world: World) -> None:
    await contacted(world, 30)
    due = at("2026-01-06 09:00")
    assert (await world.reading(SLA, "a", as_of=due)).parts["pending"] == 1
    assert (await world.reading(SLA, "a", as_of=due + timedelta(hours=1))).parts["open_breach"] == 1
    assert (await world.reading(SLA, "a", as_of=due + timedelta(hours=6))).parts["late"] == 1


async def test_a_lead_known_later_is_unknown(world: World) -> None:
    await lead(world, known_at=at("2026-02-01"))
    assert (await world.read(SLA, as_of=at("2026-01-31"))).rows == ()
    assert (await world.reading(SLA, "a", as_of=at("2026-02-01"))).parts["open_breach"] == 1


async def test_a_lead_assigned_after_the_moment_is_not_there_even_if_announced(world: World) -> None:
    await lead(world, assigned="2026-02-10")
    assert (await world.read(SLA, as_of=at("2026-02-09"))).rows == ()


async def test_taken_away_in_time_releases_the_first_partner_but_not_after_the_deadline(world: World) -> None:
    due = at("2026-01-06 09:00")
    await lead(world, "in_time", reassigned_at=due)
    await lead(world, "too_late", reassigned_at=due + timedelta(minutes=1))
    # The second partner's row has its own clock.
    await lead(world, "second", "2026-01-06 09:01", first_contact_at=at("2026-01-07 09:00"))
    assert (await world.reading(SLA, "in_time")).parts["excluded_reassigned"] == 1
    assert (await world.reading(SLA, "too_late")).parts["open_breach"] == 1
    assert (await world.reading(SLA, "second")).parts["met"] == 1


async def test_turned_down_in_time_a_lead_waits_for_the_vendor_and_after_the_deadline_it_is_a_breach(
    world: World,
) -> None:
    due = at("2026-01-06 09:00")
    await lead(world, "in_time", rejected_at=due, rejected_known_at=at("2026-01-08"), rejected_reason="no capacity")
    await lead(world, "too_late", rejected_at=due + timedelta(minutes=1))
    # Who turned it down and called all the same has called in time.
    await lead(world, "called", rejected_at=at("2026-01-05 10:00"), first_contact_at=at("2026-01-05 11:00"))
    assert (await world.reading(SLA, "in_time", as_of=at("2026-01-07"))).parts["open_breach"] == 1
    after = await world.reading(SLA, "in_time", as_of=at("2026-01-08"))
    assert (after.denominator, after.parts["excluded_rejected"], after.parts["excluded"]) == (0, 1, 1)
    assert (await world.reading(SLA, "too_late")).parts["open_breach"] == 1
    assert (await world.reading(SLA, "called")).parts["met"] == 1


async def test_an_automatic_reply_is_no_contact(world: World) -> None:
    lead_id = await lead(world)
    await world.add("lead_event", lead_id=lead_id, kind="auto_reply", at=at("2026-01-05 09:01"))
    # The lead's own row says what counts: nobody has called, so the deadline passed without a contact.
    reading = await world.reading(SLA, "a")
    assert (reading.parts["open_breach"], "contact_hours_median" in reading.parts) == (1, False)


async def test_a_lead_that_was_accepted_is_still_to_be_contacted(world: World) -> None:
    await lead(world, accept_due_at=at("2026-01-05 13:00"), accepted_at=at("2026-01-05 10:00"))
    await lead(world, "late to accept", accept_due_at=at("2026-01-05 13:00"), first_contact_at=at("2026-01-06 09:00"))
    # Accepting has its own deadline, which is not this one.
    assert (await world.reading(SLA, "a")).parts["open_breach"] == 1
    assert (await world.reading(SLA, "late to accept")).parts["met"] == 1


async def test_percentiles_are_those_of_all_leads_contacted_met_or_late(world: World) -> None:
    for hours in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 100):
        await contacted(world, hours, "a" if hours < 6 else "b")
    await lead(world)  # an open breach has no hours
    await contacted(world, -1)  # nor has one that is invalid
    # Of eleven in order the sixth is the median, 6 hours, and the tenth is nine tenths of the way, 10 hours.
    value = await world.value(SLA)
    assert (value.parts["contact_hours_median"], value.parts["contact_hours_p90"]) == (6, 10)
    assert (value.parts["met"], value.parts["late"]) == (10, 1)


async def test_a_lead_is_taken_away_only_from_when_that_is_known(world: World) -> None:
    await lead(world, reassigned_at=at("2026-01-05 12:00"), reassigned_known_at=at("2026-01-05 15:00"))
    assert (await world.reading(SLA, "a", as_of=at("2026-01-05 14:59"))).parts["pending"] == 1
    assert (await world.reading(SLA, "a", as_of=at("2026-01-05 15:00"))).parts["excluded_reassigned"] == 1


async def test_a_contact_after_the_lead_was_taken_away_is_not_this_partners(world: World) -> None:
    await lead(
        world,
        contact_due_at=at("2026-01-06 09:00"),
        reassigned_at=at("2026-01-06 12:00"),
        first_contact_at=at("2026-01-07 12:00"),
    )
    assert (await world.reading(SLA, "a")).parts["open_breach"] == 1


async def test_an_exclusion_made_after_the_deadline_is_counted_apart(world: World) -> None:
    await lead(world, excluded_at=at("2026-01-20"), excluded_reason="junk", excluded_known_at=at("2026-01-22"))
    assert (await world.reading(SLA, "a", as_of=at("2026-01-21"))).parts["open_breach"] == 1
    after = await world.reading(SLA, "a", as_of=at("2026-01-22"))
    assert (after.parts["open_breach"], after.parts["excluded_junk"], after.parts["excluded_after_due"]) == (0, 1, 1)


async def test_the_clock_starts_when_the_partner_gets_the_lead_not_when_it_came_in(world: World) -> None:
    # Lay at the vendor for four days; 24 hours from the assignment, contacted after 20.
    await lead(
        world, created_at=at("2026-01-01 09:00"), accepted_at=at("2026-01-06"), first_contact_at=at("2026-01-06 05:00")
    )
    reading = await world.reading(SLA, "a")
    assert (reading.parts["met"], reading.parts["contact_hours_median"]) == (1, 20)


async def test_each_lead_keeps_the_deadline_it_was_given_whatever_the_calendar_says_later(world: World) -> None:
    # Assigned on a Friday evening: under the first policy the weekend counts, under the second it does not.
    friday = "2026-01-09 18:00"
    for version, due in (("2025", "2026-01-10 18:00"), ("2026", "2026-01-12 18:00")):
        row: dict[str, Any] = {"policy_version": version, "contact_due_at": at(due)}
        await lead(world, version, friday, first_contact_at=at("2026-01-12 10:00"), **row)
    assert (await world.reading(SLA, "2025")).parts["late"] == 1
    assert (await world.reading(SLA, "2026")).parts["met"] == 1


async def test_contacts_written_down_days_later_are_counted_apart(world: World) -> None:
    contact = "2026-01-05 12:00"
    for known in ("2026-01-08 12:00", "2026-01-08 12:01"):  # three days later, and a minute more
        await lead(world, first_contact_at=at(contact), first_contact_known_at=at(known))
    # A lead that came with its contact, however late, was never seen without it.
    came_late: dict[str, Any] = {"known_at": at("2026-02-01"), "first_contact_known_at": at("2026-02-01")}
    await lead(world, first_contact_at=at(contact), **came_late)
    # Late either way: nothing is gained by it.
    await lead(world, first_contact_at=at("2026-01-07"), first_contact_known_at=at("2026-02-01"))
    parts = (await world.reading(SLA, "a")).parts
    assert (parts["met"], parts["late"], parts["met_backdated"]) == (3, 1, 1)


async def test_leads_met_before_their_deadline_count_and_are_counted_apart(world: World) -> None:
    """Those that are not met by then are pending, and in no sum: who reads the number before the deadline sees the good
    half. At the deadline itself it has not passed."""
    await contacted(world, 3)
    await lead(world)
    due = at("2026-01-06 09:00")
    for as_of, early, denominator in (
        (due - timedelta(hours=1), 1, 1),
        (due, 1, 1),
        (due + timedelta(minutes=1), 0, 2),
    ):
        reading = await world.reading(SLA, "a", as_of=as_of)
        assert (reading.parts["met_early"], reading.numerator, reading.denominator) == (early, 1, denominator)


async def test_a_breach_is_recent_for_a_day_in_which_a_contact_may_become_known(world: World) -> None:
    """Contacted an hour before its deadline, which the feed tells 20 hours after it. It is a breach until then."""
    due = at("2026-01-06 09:00")
    told = due + timedelta(hours=20)
    await lead(world, first_contact_at=due - timedelta(hours=1), first_contact_known_at=told)
    await lead(world)
    minute = timedelta(minutes=1)
    for as_of, breaches, recent in ((due, 0, 0), (due + minute, 2, 2), (told - minute, 2, 2), (told, 1, 1)):
        parts = (await world.reading(SLA, "a", as_of=as_of)).parts
        assert (parts["open_breach"], parts["open_breach_recent"]) == (breaches, recent)
    day = due + timedelta(days=1)
    for as_of, recent in ((day, 1), (day + minute, 0)):
        assert (await world.reading(SLA, "a", as_of=as_of)).parts["open_breach_recent"] == recent
    # Late is late, however lately.
    await contacted(world, 25, "late")
    assert (await world.reading(SLA, "late", as_of=due + timedelta(hours=2))).parts["open_breach_recent"] == 0


async def test_without_any_contact_there_is_no_time_to_contact(world: World) -> None:
    await lead(world)
    assert "contact_hours_median" not in (await world.value(SLA)).parts
    await contacted(world, 2, "b")
    await contacted(world, 4, "c")
    # It is the whole group's, in every partner's row.
    assert [row.parts["contact_hours_median"] for row in (await world.read(SLA)).rows] == [3, 3, 3]
    assert (await world.value(SLA)).parts["contact_hours_p90"] == pytest.approx(3.8)


async def test_the_hour_that_comes_twice_is_two_hours(world: World) -> None:
    # Berlin turned its clock back on 26 October 2025: 02:30 came at 00:30 and at 01:30 UTC.
    during = window("2025-10-01", "2025-11-01")
    due = at("2025-10-26 02:30+02:00")
    for contact, state in (("2025-10-26 02:30+02:00", "met"), ("2025-10-26 02:30+01:00", "late")):
        await lead(world, state, "2025-10-25 02:30+02:00", contact_due_at=due, first_contact_at=at(contact))
        assert (await world.reading(SLA, state, during=during)).parts[state] == 1
    assert (await world.reading(SLA, "late", during=during)).parts["contact_hours_median"] == 25


async def test_a_deadline_over_a_clock_change_is_an_instant(world: World) -> None:
    # Berlin went from +01:00 to +02:00 on 29 March: 24 hours after 09:00 on the 28th is 10:00 on the 29th.
    await lead(
        world,
        assigned="2026-03-28 09:00+01:00",
        contact_due_at=at("2026-03-29 10:00+02:00"),
        first_contact_at=at("2026-03-29 08:00+00:00"),
    )
    assert (await world.reading(SLA, "a")).parts["met"] == 1


async def test_a_group_is_the_ratio_of_sums(world: World) -> None:
    await contacted(world, 1, "small")
    await contacted(world, 1, "large")
    for _ in range(8):
        await contacted(world, 48, "large")
    # 2 of 10; the mean of 100 % and 11.1 % would read 55.6.
    assert (await world.value(SLA)).value == 20.0


async def test_only_pending_leads_are_no_value(world: World) -> None:
    await lead(world, contact_due_at=Q1_END)
    value = await world.value(SLA)
    assert (value.value, value.reason, value.n_facts) == (None, "nothing_decided", 0)


async def test_partners_not_asked_for_and_without_leads_have_no_row(world: World) -> None:
    await contacted(world, 1, "a")
    await contacted(world, 1, "b")
    await world.add("partner", partner_id="idle")
    read = await world.read(SLA, "a", "idle")
    assert [row.partner_id for row in read.rows] == ["a"]


async def test_data_through_is_the_latest_event_known_of_any_partner(world: World) -> None:
    assert (await world.read(SLA, "a")).data_through is None
    await contacted(world, 5, "other", "2026-02-01 09:00")
    await lead(world, "other", "2026-02-02 09:00", known_at=at("2026-02-20"))
    assert (await world.read(SLA, "a", as_of=at("2026-02-01 10:00"))).data_through == at("2026-02-01 09:00")
    assert (await world.read(SLA, "a", as_of=at("2026-02-10"))).data_through == at("2026-02-01 14:00")
    assert (await world.read(SLA, "a", as_of=at("2026-03-01"))).data_through == at("2026-02-02 09:00")


async def test_drivers_name_the_worst_partner_first_and_five_of_its_leads_at_most(world: World) -> None:
    await contacted(world, 1, "good")
    await contacted(world, 30, "middling", "2026-01-10")
    opened = await lead(world, "middling", "2026-02-10")
    worst = [await lead(world, "worst", f"2026-01-{day:02}") for day in range(10, 17)]
    ids = ("good", "middling", "worst")
    [found] = await read_drivers(world.conn, [ids], window=Q1, as_of=Q1_END)
    assert [driver.lead_id for driver in found[:5]] == worst[:5]
    assert [(driver.partner_id, driver.state) for driver in found[5:]] == [
        ("middling", "open_breach"),
        ("middling", "late"),
    ]
    assert (found[5].lead_id, found[5].due_at) == (opened, at("2026-02-11"))
    [first_three] = await read_drivers(world.conn, [ids], window=Q1, as_of=Q1_END, limit=3)
    assert first_three == found[:3]
    during = window("2026-02-01", "2026-03-01")
    [alone] = await read_drivers(world.conn, [ids], window=during, as_of=Q1_END)
    assert [driver.lead_id for driver in alone] == [opened]


@pytest.mark.parametrize("seed", range(3))
async def test_agrees_with_the_definition_written_a_second_time(world: World, seed: int) -> None:
    rng = random.Random(seed)

    def moment(chance: float = 1.0) -> datetime | None:
        # Whole days, so that equal instants and windows' ends are hit often.
        return at("2026-01-01") + timedelta(days=rng.randint(-3, 15)) if rng.random() < chance else None

    as_of, during = at("2026-01-08"), window("2026-01-01", "2026-01-06")
    expected: dict[str, int] = {}
    for _ in range(400):
        contact, excluded = moment(0.7), moment(0.2)
        row = {
            "assigned_at": moment(),
            "contact_due_at": moment(0.9),
            "known_at": moment(),
            "first_contact_at": contact,
            "first_contact_known_at": contact and moment(0.5),
            "excluded_at": excluded,
            "excluded_known_at": excluded and moment(0.5),
            "excluded_reason": excluded and "junk",
        }
        await world.add("lead", partner_id="a", **row)
        state = _state(row, as_of, during.start, during.end)
        expected[state] = expected.get(state, 0) + 1
    parts = (await world.reading(SLA, "a", during=during, as_of=as_of)).parts
    del expected["elsewhere"]
    assert {name: parts[name] for name in expected} == expected
    assert set(expected) >= {"met", "late", "open_breach", "pending", "invalid", "excluded"}


def _state(row: dict[str, Any], as_of: datetime, start: datetime, end: datetime) -> str:
    def happened(name: str) -> datetime | None:
        when, known = row[f"{name}_at"], row[f"{name}_known_at"]
        return when if when and when <= as_of and (known is None or known <= as_of) else None

    assigned, due = row["assigned_at"], row["contact_due_at"]
    if not start <= assigned < end or assigned > as_of or row["known_at"] > as_of:
        return "elsewhere"
    if happened("excluded") or due is None:
        return "excluded"
    contact = happened("first_contact")
    if contact is None:
        return "open_breach" if due < as_of else "pending"
    if contact < assigned:
        return "invalid"
    return "met" if contact <= due else "late"
