"""A fact is the fold of its events: in whatever order they came, however often, whatever versions lie between."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.events.folding import BASES, COLUMNS, Fact, Happening, fold, taken_back
from store.events.types import DATA, EVENTS
from store.intake.kinds import KINDS, FactKind

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
SAID: dict[str, list[dict[str, Any]]] = {
    "lead.assigned": [{"partner_id": "P1"}, {"partner_id": "P2", "class": "hot"}],
    "lead.rejected": [{"rejected_reason": "a"}, {}],
    "lead.recalled": [{"excluded_reason": "junk"}, {"excluded_reason": "recalled"}],
    "lead.paused": [{"lead_id": "L1", "reason": "a"}, {"lead_id": "L2", "reason": "b"}],
    "lead.event.recorded": [{"lead_id": "L1", "kind": "attempted"}, {"lead_id": "L1", "kind": "closed", "note": "a"}],
    "deal.registered": [{"partner_id": "P1", "currency": "EUR", "origin": "partner", "amount": "1"}],
    "deal.qualified": [{}, {"amount": "2"}],
    "deal.closed": [{"outcome": "won", "amount": "3"}, {"outcome": "lost"}],
    "deal.stage.entered": [{"opportunity_id": "D1", "stage": "a"}, {"opportunity_id": "D2", "stage": "b"}],
    "mdf.request.approved": [{"approved_amount": "4", "approver": "a"}, {"approved_amount": "5"}],
    "mdf.claim.approved": [{"approved_amount": "4", "late_waived_by": "a"}],
    "mdf.claim.paid": [{"paid_amount": "4"}, {"paid_amount": "5"}],
    "enablement.assigned": [{"partner_id": "P1", "due_on": "2026-04-01"}],
    "enablement.due_changed": [{"due_on": "2026-05-01"}, {"due_on": "2026-06-01"}],
    "enablement.completed": [{"valid_until": "2027-01-01"}, {}],
    "enablement.waived": [{"waived_by": "a"}],
}


def happened(type_: str, hour: int = 0, *, id: str = "", version: int = 1, **data: Any) -> Happening:
    """An event so many hours after the begin."""
    at = (BEGIN + timedelta(hours=hour)).isoformat()
    return Happening(type_, at, version, id or f"{type_} {hour} {data}", data or SAID.get(type_, [{}])[0])


def types_of(kind: FactKind) -> list[str]:
    return [name for name, (of, _) in DATA.items() if of is kind]


def one_event(draw: st.DrawFn, types: list[str], id: str) -> list[Happening]:
    """An event of one of these types, and its corrections; equal moments are frequent."""
    type_ = draw(st.sampled_from(types))
    found = []
    for version in draw(st.sets(st.integers(1, 3), min_size=1)):
        data = draw(st.sampled_from(SAID.get(type_, [{}])))
        found.append(happened(type_, draw(st.integers(0, 4)), id=id, version=version, **data))
    return found


@st.composite
def histories(draw: st.DrawFn) -> tuple[FactKind, list[Happening]]:
    """Events of one fact."""
    kind = draw(st.sampled_from(list(BASES)))
    numbers = range(draw(st.integers(1, 8)))
    return kind, [one for number in numbers for one in one_event(draw, types_of(kind), f"e{number}")]


@st.composite
def with_one_that_goes(draw: st.DrawFn) -> tuple[FactKind, list[Happening]]:
    """Events of one fact, among them one called `gone`, which is not the one that the fact begins with."""
    kind = draw(st.sampled_from([one for one in BASES if len(types_of(one)) > 1]))
    numbers = range(draw(st.integers(0, 7)))
    others = [one_event(draw, types_of(kind), f"e{number}") for number in numbers]
    others.insert(
        draw(st.integers(0, len(others))),
        one_event(draw, [name for name in types_of(kind) if name != BASES[kind].type], "gone"),
    )
    return kind, [one for event in others for one in event]


@given(histories(), st.randoms(use_true_random=False))
def test_the_order_and_the_repetition_of_events_make_no_difference(history: Any, chance: Any) -> None:
    kind, events = history
    other = events + chance.choices(events, k=3)
    chance.shuffle(other)
    assert fold(kind, "s", other) == fold(kind, "s", events)


@given(histories())
def test_only_the_highest_version_of_an_event_says_anything(history: Any) -> None:
    kind, events = history
    highest = {one.event_id: max(two.version for two in events if two.event_id == one.event_id) for one in events}
    assert fold(kind, "s", events) == fold(kind, "s", [one for one in events if one.version == highest[one.event_id]])


@given(histories())
def test_a_fact_begins_with_the_event_it_needs_and_has_every_column(history: Any) -> None:
    kind, events = history
    highest = {one.event_id: one for one in sorted(events, key=lambda one: one.version)}
    begun = BASES[kind].type in {one.type for one in highest.values()}
    facts = fold(kind, "s", events)
    assert (facts is not None) is begun
    for fact in facts or ():
        assert set(fact.columns) == set(COLUMNS[fact.kind])


@given(histories())
def test_what_a_stored_row_says_survives_being_folded_again(history: Any) -> None:
    """The row of a file is folded with every event that comes: once more must not change it."""
    kind, events = history
    later = [one for one in events if one.type != BASES[kind].type]
    row = {**dict.fromkeys(COLUMNS[kind]), "assigned_at": BEGIN.isoformat(), "due_on": "2026-04-01"}
    row["paused_at"] = at(2)
    once = fold(kind, "s", later, row)
    assert once is not None
    assert fold(kind, "s", later, once[0].columns) == once


def column(events: list[Happening], name: str, kind: FactKind = FactKind.LEADS) -> Any:
    """The same of every order of the events."""
    found = [fold(kind, "s", list(order)) for order in permutations(events)]
    assert all(one == found[0] for one in found)
    assert found[0] is not None
    return found[0][0].columns[name]


def at(hour: int) -> str:
    return (BEGIN + timedelta(hours=hour)).isoformat()


def test_of_several_contacts_the_first_counts() -> None:
    lead = [happened("lead.assigned"), happened("lead.contacted", 5), happened("lead.contacted", 3)]
    assert column(lead, "first_contact_at") == at(3)


def test_a_clock_goes_on_when_it_is_first_told_to_and_never_before_it_stopped() -> None:
    pause = [happened("lead.paused", 3), happened("lead.resumed", 7), happened("lead.resumed", 5)]
    assert column(pause, "resumed_at", FactKind.LEAD_PAUSES) == at(5)
    early = happened("lead.resumed", 1, id="r")
    assert column([*pause, early], "resumed_at", FactKind.LEAD_PAUSES) == at(3)
    # The moment it was given instead goes with it when it is corrected, also where a file brought the pause.
    corrected = happened("lead.resumed", 4, id="r", version=2)
    assert column([*pause, early, corrected], "resumed_at", FactKind.LEAD_PAUSES) == at(4)
    stored: dict[str, Any] = {"lead_id": "L1", "paused_at": at(3), "reason": "a", "resumed_at": at(3)}
    facts = fold(FactKind.LEAD_PAUSES, "s", [early, corrected], stored)
    assert facts is not None
    assert facts[0].columns["resumed_at"] == at(4)


def test_of_several_decisions_the_last_counts_and_takes_its_amount_along() -> None:
    request = [
        happened("mdf.request.submitted", partner_id="P1", requested_amount="9", currency="EUR"),
        happened("mdf.request.approved", 2, approved_amount="9", approver="a"),
        happened("mdf.request.rejected", 3, approver="b"),
    ]
    assert [column(request, name, FactKind.MDF_REQUESTS) for name in ("decision", "approved_amount", "approver")] == [
        "rejected",
        None,
        "b",
    ]


def test_a_reopened_deal_is_open_and_its_undone_close_stands_beside_it() -> None:
    """Won at 2, reopened at 3, lost at 5, reopened at 6: two closes undone, and the deal open."""
    deal = [
        happened("deal.registered", 0),
        happened("deal.closed", 2, outcome="won", amount="3"),
        happened("deal.reopened", 3, id="r1"),
        happened("deal.closed", 5, outcome="lost"),
        happened("deal.reopened", 6, id="r2"),
    ]
    assert column(deal, "closed_at", FactKind.OPPORTUNITIES) is None
    facts = fold(FactKind.OPPORTUNITIES, "s", deal)
    assert facts is not None
    undone = [(one.source_id, one.columns["closed_at"], one.columns["outcome"]) for one in facts[1:]]
    assert undone == [("r1", at(2), "won"), ("r2", at(5), "lost")]
    again = column([*deal[:3], happened("deal.closed", 9, outcome="won", amount="7")], "amount", FactKind.OPPORTUNITIES)
    assert again == "7"


def test_reopening_what_was_not_closed_undoes_a_close_of_no_length() -> None:
    facts = fold(FactKind.OPPORTUNITIES, "s", [happened("deal.registered"), happened("deal.reopened", 3, id="r")])
    row = {"opportunity_id": "s", "closed_at": at(3), "reopened_at": at(3), "outcome": "cancelled", "amount": None}
    assert facts is not None
    assert facts[1] == Fact(FactKind.OPPORTUNITY_REOPENINGS, "r", row)


def test_an_event_of_a_deal_that_a_file_brought_makes_it_no_more_idle_than_the_file_says() -> None:
    stored = {"partner_id": "P1", "currency": "EUR", "registered_at": at(0), "last_activity_at": at(9)}

    def active(*events: Happening) -> Any:
        facts = fold(FactKind.OPPORTUNITIES, "s", events, stored)
        assert facts is not None
        return facts[0].columns["last_activity_at"]

    assert active(happened("deal.qualified", 3)) == at(9)
    assert active(happened("deal.qualified", 11)) == at(11)
    # A moment that an event had written goes with it when it is corrected.
    assert active(happened("deal.qualified", 9, id="q"), happened("deal.qualified", 3, id="q", version=2)) == at(3)


@given(with_one_that_goes())
def test_an_event_that_is_taken_back_leaves_the_fact_that_the_others_make(history: Any) -> None:
    kind, events = history
    gone = "gone"
    back = [one._replace(version=9, retracted=True) for one in events if one.event_id == gone][:1]
    others = [one for one in events if one.event_id != gone]
    found, expected = fold(kind, "s", [*back, *events]), fold(kind, "s", others) if others else None
    undone = [fact for fact in found or () if fact.source_id == gone]
    assert [fact for fact in found or () if fact not in undone] == list(expected or ())
    # A reopening that was taken back has left a row: it undid nothing.
    assert len(undone) == (back[0].type == "deal.reopened" and found is not None)
    for fact in undone:
        assert (fact.columns["outcome"], fact.columns["closed_at"]) == ("cancelled", fact.columns["reopened_at"])
    assert taken_back([*back, *events]) is (not others)


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ([("failed", 1), ("failed", 2)], (at(2), False)),
        ([("failed", 1), ("completed", 2)], (at(2), True)),
        ([("completed", 1), ("failed", 2)], (at(1), True)),
        ([("completed", 1), ("completed", 2)], (at(1), True)),
    ],
    ids=str,
)
def test_the_first_pass_counts_whatever_failed(results: list[tuple[str, int]], expected: tuple[str, bool]) -> None:
    course = [happened("enablement.assigned"), *(happened(f"enablement.{name}", hour) for name, hour in results)]
    found = [column(course, name, FactKind.ENABLEMENT) for name in ("completed_at", "passed")]
    assert tuple(found) == expected


def test_a_certificate_that_expired_counted_until_the_day_before() -> None:
    course = [happened("enablement.assigned"), happened("enablement.completed", 1, valid_until="2027-01-01")]
    assert column([*course, happened("enablement.expired", 24)], "valid_until", FactKind.ENABLEMENT) == "2026-03-02"
    # One that nobody holds cannot expire.
    assert column([course[0], happened("enablement.expired", 24)], "valid_until", FactKind.ENABLEMENT) is None


def test_a_day_moved_twice_is_in_force_as_moved_last() -> None:
    moved = [happened("enablement.due_changed", hour, due_on=f"2026-0{hour}-01") for hour in (5, 6)]
    course = [happened("enablement.assigned", due_on="2026-04-01"), *moved]
    found = [column(course, name, FactKind.ENABLEMENT) for name in ("due_on", "previous_due_on", "due_changed_at")]
    assert found == ["2026-06-01", "2026-05-01", at(6)]


def test_a_claim_that_is_paid_is_no_longer_taken_back() -> None:
    claim = [
        happened("mdf.claim.submitted", partner_id="P1", claimed_amount="9", currency="EUR"),
        happened("mdf.claim.withdrawn", 1),
        happened("mdf.claim.paid", 2, paid_amount="9"),
    ]
    assert column(claim, "withdrawn_at", FactKind.MDF_CLAIMS) is None
    assert column(claim[:2], "withdrawn_at", FactKind.MDF_CLAIMS) == at(1)


def test_every_type_writes_columns_that_its_kind_has() -> None:
    assert set(EVENTS) == set(DATA)
    for kind, columns in COLUMNS.items():
        assert set(columns) <= set(KINDS[kind].by_name), kind
