"""Lead acceptance: every state a lead can be in by the deadline of its acceptance, and what answers it."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

import pytest

from models.metric import MetricName
from store.metrics import read_rows
from store.quality import facts_behind
from tests.store.world import Q1, Q1_END, World, at, window

ACCEPTANCE = MetricName.LEAD_ACCEPTANCE
ASSIGNED, DUE = at("2026-01-05 09:00"), at("2026-01-05 17:00")


async def lead(world: World, partner: str = "a", assigned: str = "2026-01-05 09:00", **row: Any) -> str:
    """A lead to be accepted within eight hours and contacted within two days, unless said otherwise."""
    row.setdefault("accept_due_at", at(assigned) + timedelta(hours=8))
    row.setdefault("contact_due_at", at(assigned) + timedelta(hours=48))
    return await world.add("lead", partner_id=partner, assigned_at=at(assigned), **row)


async def accepted(world: World, hours: float, partner: str = "a", assigned: str = "2026-01-05 09:00") -> str:
    return await lead(world, partner, assigned, accepted_at=at(assigned) + timedelta(hours=hours))


async def part(world: World, name: str, partner: str = "a", as_of: datetime = Q1_END) -> float:
    return (await world.reading(ACCEPTANCE, partner, as_of=as_of)).parts[name]


async def test_every_state_is_told_apart_and_only_decided_leads_count(world: World) -> None:
    await accepted(world, 7)  # met
    await accepted(world, 8)  # met: the deadline itself is in time
    await accepted(world, 8.001)  # late
    await lead(
        world, rejected_at=at("2026-01-05 10:00"), rejected_reason="no capacity"
    )  # met: turned down is an answer
    await lead(world, rejected_at=at("2026-01-05 19:00"))  # late, and nobody says why
    await lead(world, first_contact_at=at("2026-01-05 12:00"))  # met: who calls has accepted
    await lead(world)  # open breach
    await lead(world, accept_due_at=Q1_END - timedelta(seconds=1))  # open breach
    await lead(world, accept_due_at=Q1_END)  # pending: not past its deadline yet
    await lead(world, accept_due_at=None)  # no SLA, though its contact has one
    await accepted(world, -1)  # invalid: answered before it was assigned
    for reason in ("recalled", "duplicate", "junk"):
        await lead(world, excluded_at=at("2026-01-05 10:00"), excluded_reason=reason)
    # 4 met of 4 + 2 late + 2 open breaches = 50 %. Without open breaches it would read 66.7, with the pending one 44.4.
    value = await world.value(ACCEPTANCE)
    assert (value.value, value.numerator, value.denominator) == (50.0, 4, 8)
    assert value.n_facts == 8
    assert value.parts == {
        "met": 4,
        "late": 2,
        "open_breach": 2,
        "pending": 1,
        "invalid": 1,
        "excluded": 4,
        "excluded_no_sla": 1,
        "excluded_reassigned": 0,
        "excluded_recalled": 1,
        "excluded_duplicate": 1,
        "excluded_junk": 1,
        "excluded_after_due": 0,
        "rejected": 2,
        "rejected_unexplained": 1,
        "contacted_unaccepted": 1,
        "met_backdated": 0,
        "met_early": 0,
        "open_breach_recent": 1,
        # Answered after 1, 3, 7, 8, 8.001 and 10 hours: the median lies between 7 and 8, and nine tenths of the way at
        # place 4.5 of 5, between 8.001 and 10.
        "answer_hours_median": pytest.approx(7.5),
        "answer_hours_p90": pytest.approx(9.0005),
    }


async def test_the_first_answer_counts_whichever_it_is(world: World) -> None:
    row: dict[str, Any] = {"accepted_at": at("2026-01-06 09:00"), "first_contact_at": at("2026-01-05 16:00")}
    await lead(world, "called first", **row)
    await lead(world, "thought better of it", accepted_at=at("2026-01-05 10:00"), rejected_at=at("2026-01-07"))
    await lead(world, "called late", accepted_at=at("2026-01-05 10:00"), first_contact_at=at("2026-01-20"))
    for partner, hours in (("called first", 7), ("thought better of it", 1), ("called late", 1)):
        reading = await world.reading(ACCEPTANCE, partner)
        assert (reading.parts["met"], reading.parts["answer_hours_median"]) == (1, hours), partner
    # Who accepted, or turned down, and called has not only called; and turned down is turned down, however late.
    assert await part(world, "contacted_unaccepted", "called first") == 0
    assert await part(world, "rejected", "thought better of it") == 1
    assert await part(world, "rejected_unexplained", "thought better of it") == 1


async def test_a_lead_that_is_accepted_is_accepted_whatever_becomes_of_its_contact(world: World) -> None:
    await accepted(world, 1)
    sla = await world.reading(MetricName.LEAD_FOLLOW_UP_SLA, "a")
    assert (await part(world, "met"), sla.parts["open_breach"]) == (1, 1)


async def test_the_window_takes_its_start_and_leaves_its_end(world: World) -> None:
    for assigned in ("2025-12-31 23:59:59.999999", "2026-01-01", "2026-03-31 23:59:59.999999", "2026-04-01"):
        await accepted(world, 1, assigned=assigned)
    read = await world.read(ACCEPTANCE, as_of=at("2026-06-01"))
    assert [row.facts for row in read.rows] == [2]


@pytest.mark.parametrize("answer", ["accepted", "rejected", "first_contact"])
async def test_an_answer_counts_only_from_when_it_is_known(world: World, answer: str) -> None:
    row: dict[str, Any] = {f"{answer}_at": at("2026-01-05 10:00"), f"{answer}_known_at": at("2026-01-07")}
    await lead(world, **row)
    assert await part(world, "pending", as_of=DUE) == 1
    assert await part(world, "open_breach", as_of=at("2026-01-06 23:59")) == 1
    assert await part(world, "met", as_of=at("2026-01-07")) == 1


async def test_an_answer_after_the_moment_has_not_happened(world: World) -> None:
    await accepted(world, 30)
    assert await part(world, "pending", as_of=DUE) == 1
    assert await part(world, "open_breach", as_of=DUE + timedelta(microseconds=1)) == 1
    assert await part(world, "late", as_of=ASSIGNED + timedelta(hours=30)) == 1


async def test_a_lead_known_later_or_assigned_after_the_moment_is_unknown(world: World) -> None:
    await lead(world, known_at=at("2026-02-01"))
    await lead(world, "b", assigned="2026-02-10")
    assert (await world.read(ACCEPTANCE, as_of=at("2026-01-31"))).rows == ()
    assert [row.partner_id for row in (await world.read(ACCEPTANCE, as_of=at("2026-02-01"))).rows] == ["a"]


async def test_taken_away_unanswered_in_time_releases_the_first_partner_but_not_after_the_deadline(
    world: World,
) -> None:
    await lead(world, "in_time", reassigned_at=DUE)
    await lead(world, "too_late", reassigned_at=DUE + timedelta(minutes=1))
    # Turned down and then given to somebody else: it was answered.
    await lead(world, "turned down", rejected_at=at("2026-01-05 11:00"), reassigned_at=at("2026-01-05 12:00"))
    # An answer after it was taken away is not this partner's.
    row: dict[str, Any] = {"reassigned_at": DUE + timedelta(hours=1), "accepted_at": DUE + timedelta(hours=2)}
    await lead(world, "gone", **row)
    # At the very moment it is.
    for answer in ("accepted", "rejected", "first_contact"):
        row = {"reassigned_at": DUE - timedelta(hours=1), f"{answer}_at": DUE - timedelta(hours=1)}
        await lead(world, f"{answer} as it goes", **row)
    # The second partner's row has its own clock.
    await accepted(world, 8, "second", "2026-01-05 17:01")
    for partner, state in (
        ("in_time", "excluded_reassigned"),
        ("too_late", "open_breach"),
        ("turned down", "met"),
        ("gone", "open_breach"),
        ("second", "met"),
        ("accepted as it goes", "met"),
        ("rejected as it goes", "met"),
        ("first_contact as it goes", "met"),
    ):
        assert await part(world, state, partner) == 1, partner


async def test_a_lead_is_taken_away_only_from_when_that_is_known(world: World) -> None:
    await lead(world, reassigned_at=at("2026-01-05 12:00"), reassigned_known_at=at("2026-01-05 15:00"))
    assert await part(world, "pending", as_of=at("2026-01-05 14:59")) == 1
    assert await part(world, "excluded_reassigned", as_of=at("2026-01-05 15:00")) == 1


async def test_an_exclusion_made_after_the_deadline_is_counted_apart(world: World) -> None:
    await lead(world, excluded_at=at("2026-01-20"), excluded_reason="junk", excluded_known_at=at("2026-01-22"))
    assert await part(world, "open_breach", as_of=at("2026-01-21")) == 1
    assert await part(world, "excluded_after_due", as_of=at("2026-01-21")) == 0
    after = (await world.reading(ACCEPTANCE, "a", as_of=at("2026-01-22"))).parts
    assert (after["open_breach"], after["excluded_junk"], after["excluded_after_due"]) == (0, 1, 1)


async def test_answers_written_down_days_later_are_counted_apart(world: World) -> None:
    answered = at("2026-01-05 12:00")
    for answer in ("accepted", "rejected", "first_contact"):
        for known in ("2026-01-08 12:00", "2026-01-08 12:01"):  # three days later, and a minute more
            row: dict[str, Any] = {f"{answer}_at": answered, f"{answer}_known_at": at(known)}
            await lead(world, **row)
    # Called within the deadline, which was known at once: it is met without the word that came late.
    await lead(world, accepted_at=answered, accepted_known_at=at("2026-02-01"), first_contact_at=at("2026-01-05 16:00"))
    # A lead that came with its answer, however late, was never seen without it.
    for answer in ("accepted", "rejected", "first_contact"):
        row = {"known_at": at("2026-02-01"), f"{answer}_known_at": at("2026-02-01")}
        await lead(world, **{f"{answer}_at": answered, **row})
    # Late either way: nothing is gained by it.
    await lead(world, accepted_at=at("2026-01-07"), accepted_known_at=at("2026-02-01"))
    parts = (await world.reading(ACCEPTANCE, "a")).parts
    assert (parts["met"], parts["late"], parts["met_backdated"]) == (10, 1, 3)


async def test_leads_answered_before_their_deadline_count_and_are_counted_apart(world: World) -> None:
    """Those that are not answered by then are pending, and in no sum. At the deadline itself it has not passed."""
    await accepted(world, 3)
    await lead(world)
    hour, minute = timedelta(hours=1), timedelta(minutes=1)
    for as_of, early, denominator in ((DUE - hour, 1, 1), (DUE, 1, 1), (DUE + minute, 0, 2)):
        reading = await world.reading(ACCEPTANCE, "a", as_of=as_of)
        assert (reading.parts["met_early"], reading.numerator, reading.denominator) == (early, 1, denominator)


async def test_a_breach_is_recent_for_a_day_in_which_an_answer_may_become_known(world: World) -> None:
    await lead(world)
    day, minute = timedelta(days=1), timedelta(minutes=1)
    for as_of, breaches, recent in ((DUE, 0, 0), (DUE + minute, 1, 1), (DUE + day, 1, 1), (DUE + day + minute, 1, 0)):
        parts = (await world.reading(ACCEPTANCE, "a", as_of=as_of)).parts
        assert (parts["open_breach"], parts["open_breach_recent"]) == (breaches, recent)


async def test_a_correction_counts_from_when_it_was_made_and_the_past_reads_as_it_stood(world: World) -> None:
    name = await accepted(world, 2)
    # It turns out that nobody accepted it before the next day.
    await world.amend("lead", name, "2026-01-20", accepted_at=at("2026-01-06 09:00"))
    before = await world.reading(ACCEPTANCE, "a", as_of=at("2026-01-19"))
    after = await world.reading(ACCEPTANCE, "a", as_of=at("2026-01-20"))
    assert (before.parts["met"], before.parts["answer_hours_median"]) == (1, 2)
    assert (after.parts["met"], after.parts["late"], after.parts["answer_hours_median"]) == (0, 1, 24)
    # And it never was a lead of this partner's.
    await world.add("partner", partner_id="b")
    await world.amend("lead", name, "2026-02-01", partner_id="b")
    owners = [
        [row.partner_id for row in (await world.read(ACCEPTANCE, as_of=at(moment))).rows]
        for moment in ("2026-01-31", "2026-02-01")
    ]
    assert owners == [["a"], ["b"]]


async def test_what_was_restated_lately_can_be_read_as_it_was_told_before(world: World) -> None:
    name = await accepted(world, 20)
    await world.amend("lead", name, "2026-03-30", accepted_at=at("2026-01-05 10:00"))
    as_of = at("2026-04-01")
    read = [
        (await read_rows(world.conn, ACCEPTANCE, [["a"]], window=Q1, as_of=as_of, as_told=told))[0][0].numerator
        for told in (False, True)
    ]
    assert read == [1, 0]


async def test_without_any_answer_there_is_no_time_to_answer(world: World) -> None:
    await lead(world)
    assert "answer_hours_median" not in (await world.value(ACCEPTANCE)).parts
    await accepted(world, 2, "b")
    await accepted(world, 4, "c")
    # It is the whole group's, in every partner's row.
    assert [row.parts["answer_hours_median"] for row in (await world.read(ACCEPTANCE)).rows] == [3, 3, 3]
    assert (await world.value(ACCEPTANCE)).parts["answer_hours_p90"] == pytest.approx(3.8)


async def test_a_group_is_the_ratio_of_sums(world: World) -> None:
    await accepted(world, 1, "small")
    await accepted(world, 1, "large")
    for _ in range(8):
        await accepted(world, 48, "large")
    # 2 of 10; the mean of 100 % and 11.1 % would read 55.6.
    assert (await world.value(ACCEPTANCE)).value == 20.0


async def test_only_pending_leads_or_none_with_a_deadline_are_no_value(world: World) -> None:
    await lead(world, accept_due_at=Q1_END)
    await lead(world, accept_due_at=None, accepted_at=at("2026-01-05 10:00"))
    value = await world.value(ACCEPTANCE)
    assert (value.value, value.reason, value.n_facts) == (None, "nothing_decided", 0)
    assert (value.parts["pending"], value.parts["excluded_no_sla"]) == (1, 1)


async def test_data_reach_to_the_latest_lead_assigned_or_contacted_that_is_known(world: World) -> None:
    assert (await world.read(ACCEPTANCE, "a")).data_through is None
    await lead(world, "other", "2026-02-01 09:00", first_contact_at=at("2026-02-01 14:00"))
    await lead(world, "other", "2026-02-02 09:00", known_at=at("2026-02-20"))
    for moment, through in (
        ("2026-02-01 10:00", "2026-02-01 09:00"),
        ("2026-02-10", "2026-02-01 14:00"),
        ("2026-03-01", "2026-02-02 09:00"),
    ):
        assert (await world.read(ACCEPTANCE, "a", as_of=at(moment))).data_through == at(through)


async def test_data_reach_as_far_as_was_known_at_the_moment_also_of_what_was_said_anew(world: World) -> None:
    contact: dict[str, Any] = {"first_contact_at": at("2026-02-01 14:00"), "first_contact_known_at": at("2026-02-03")}
    await lead(world, assigned="2026-02-01 09:00", **contact)
    contact = {"first_contact_at": at("2026-03-01 14:00"), "first_contact_known_at": at("2026-03-03")}
    await lead(world, assigned="2026-03-01 09:00", source_id="anew", **contact)
    row = {"assigned_at": at("2026-03-01 10:00"), "first_contact_at": at("2026-03-01 13:00")}
    await world.amend("lead", "anew", "2026-03-05", **row)
    for moment, through in (
        ("2026-02-01 09:00", "2026-02-01 09:00"),
        ("2026-02-02", "2026-02-01 09:00"),
        ("2026-02-03", "2026-02-01 14:00"),
        ("2026-03-01 09:00", "2026-03-01 09:00"),
        ("2026-03-02", "2026-03-01 09:00"),
        ("2026-03-03", "2026-03-01 14:00"),
        ("2026-03-04 23:59:59.999999", "2026-03-01 14:00"),
        ("2026-03-05", "2026-03-01 13:00"),
    ):
        assert (await world.read(ACCEPTANCE, as_of=at(moment))).data_through == at(through), moment


async def test_the_facts_behind_it_are_the_leads_unanswered_or_late_the_oldest_first(world: World) -> None:
    late = await accepted(world, 9)
    opened = await lead(world, assigned="2026-01-04 09:00")
    await accepted(world, 1)
    await lead(world, excluded_at=DUE, excluded_reason="junk")
    await lead(world, reassigned_at=DUE)
    await lead(world, accept_due_at=Q1_END)
    found = await facts_behind(world.conn, ACCEPTANCE, ["a"], Q1, each=3)
    assert found == {"a": (f"lead {opened}", f"lead {late}")}


@pytest.mark.parametrize("seed", range(4))
async def test_agrees_with_the_definition_written_a_second_time(world: World, seed: int) -> None:
    rng = random.Random(seed)

    def moment(chance: float = 1.0) -> datetime | None:
        # Whole days, so that equal instants and windows' ends are hit often.
        return at("2026-01-01") + timedelta(days=rng.randint(-3, 15)) if rng.random() < chance else None

    def event(name: str, chance: float) -> dict[str, datetime | None]:
        happened = moment(chance)
        return {f"{name}_at": happened, f"{name}_known_at": happened and moment(0.5)}

    as_of, during = at("2026-01-08"), window("2026-01-01", "2026-01-06")
    expected: dict[str, int] = {}
    for _ in range(400):
        row: dict[str, Any] = {"assigned_at": moment(), "accept_due_at": moment(0.9), "known_at": moment()}
        row |= event("accepted", 0.4) | event("rejected", 0.2) | event("first_contact", 0.3)
        row |= event("reassigned", 0.2) | event("excluded", 0.2)
        row["excluded_reason"] = row["excluded_at"] and "junk"
        await world.add("lead", partner_id="a", **row)
        for name in _states(row, as_of, during.start, during.end):
            expected[name] = expected.get(name, 0) + 1
    parts = (await world.reading(ACCEPTANCE, "a", during=during, as_of=as_of)).parts
    assert {name: parts[name] for name in expected} == expected
    assert set(expected) >= {"met", "late", "open_breach", "pending", "invalid", "excluded_reassigned", "rejected"}


def _states(row: dict[str, Any], as_of: datetime, start: datetime, end: datetime) -> list[str]:
    """The state of a lead, and what else it counts among; nothing for one that is not there."""

    def happened(name: str) -> datetime | None:
        when, known = row[f"{name}_at"], row[f"{name}_known_at"]
        return when if when and when <= as_of and (known is None or known <= as_of) else None

    assigned, due = row["assigned_at"], row["accept_due_at"]
    if not start <= assigned < end or assigned > as_of or row["known_at"] > as_of:
        return []
    if happened("excluded"):
        return ["excluded", "excluded_junk"]
    if due is None:
        return ["excluded", "excluded_no_sla"]
    away = happened("reassigned")
    said = {name: happened(name) for name in ("accepted", "rejected", "first_contact")}
    words = {name: when for name, when in said.items() if when and (away is None or when <= away)}
    if not words:
        if away and away <= due:
            return ["excluded", "excluded_reassigned"]
        return ["open_breach" if due < as_of else "pending"]
    answered = min(words.values())
    if answered < assigned:
        return ["invalid"]
    also = ["rejected"] * ("rejected" in words) + ["contacted_unaccepted"] * (set(words) == {"first_contact"})
    return ["met" if answered <= due else "late", *also]
