"""Facts that contradict each other, as they are worked out by hand in `contradictory_facts`.

The moment is 1 April 2026 unless a test says otherwise. Of every contradiction there is a case that is found, one that
is not, what is found as of the moment before it was known, and once it is put right.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from models.contradiction import MEANINGS, Contradiction
from models.metric import CATALOGUE
from store.contradictions import Finding, find, read_by
from store.intake.kinds import KINDS, FactKind
from tests.store.contradictory_facts import CASES, back, cost, course, sale
from tests.store.contradictory_mdf import Told, claim
from tests.store.world import Q1_END, World, at, day

ROOT = Path(__file__).parents[2]
C = Contradiction


async def look(world: World, one: Contradiction, as_of: str | None = None, **asked: Any) -> Finding:
    return await find(world.conn, one, at(as_of) if as_of else Q1_END, **asked)


async def told(world: World, one: Contradiction, as_of: str | None = None) -> Told:
    found = await look(world, one, as_of, limit=100)
    assert found.facts == len(found.first)
    return {fact.source_id: (fact.found, fact.expected) for fact in found.first}


def test_each_has_a_meaning_a_kind_of_facts_a_metric_that_rests_on_it_and_a_statement() -> None:
    assert list(MEANINGS) == list(Contradiction)
    kinds = [FactKind(meaning.kind) for meaning in MEANINGS.values()]
    assert kinds == sorted(kinds, key=list(KINDS).index), "in the order in which facts are imported"
    for one, meaning in MEANINGS.items():
        named = {metric for metric in CATALOGUE if f"`{metric}`" in meaning.moves}
        assert named, one
        assert all(CATALOGUE[metric].framework for metric in named), "others come and go; who reads the facts is told"
        assert read_by(one), one
        assert re.search(r"\b(lower|higher|either direction|another window)\b", meaning.moves), one
    files = {path.stem for path in (ROOT / "store" / "sql" / "contradictions").glob("*.sql")}
    assert files == {one.replace("-", "_") for one in Contradiction}


def test_the_documents_have_each_with_what_it_means() -> None:
    text = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    rows = [f"| `{one}` | {meaning.says} | {meaning.moves} |" for one, meaning in MEANINGS.items()]
    assert [row for row in rows if row not in text] == []


@pytest.mark.parametrize("one", Contradiction)
async def test_what_is_wrong_is_found_and_what_is_just_right_is_not(world: World, one: Contradiction) -> None:
    expected = await CASES[one](world)
    assert await told(world, one) == expected
    # Before any of it was known there was nothing; people and partners are known all along, and their facts are not.
    assert await told(world, one, "1999-12-31") == {}


PUT_RIGHT: dict[Contradiction, tuple[str, str, dict[str, Any]]] = {
    C.SHARES_BELOW_ONE: ("partner_transaction", "alone", {"credit_share": 1}),
    C.RETURN_OF_ANOTHER_PARTNER: ("partner_transaction", "other", {"original_id": None}),
    C.RETURN_BEFORE_SALE: ("partner_transaction", "before", {"transaction_date": day("2026-02-10")}),
    C.RETURNED_MORE_THAN_SOLD: ("partner_transaction", "t back", {"credit_share": "0.5"}),
    C.NET_NOT_LIST_LESS_DISCOUNT: ("partner_transaction", "wrong", {"list_amount": 120}),
    C.COST_OF_ANOTHER_PARTNER: ("partner_cost", "other", {"partner_id": "p1"}),
    C.COST_OF_ANOTHER_SHARE: ("partner_cost", "wrong", {"credit_share": "0.5"}),
    C.DEAL_CLOSED_TOO_EARLY: ("opportunity", "qualified after", {"qualified_at": at("2026-02-01")}),
    C.LEAD_BEFORE_ASSIGNMENT: ("lead", "contacted", {"first_contact_at": at("2026-02-10 10:00")}),
    C.LEAD_WITHOUT_PARTNER: ("lead", "much after", {"assigned_at": at("2026-02-19")}),
    C.REQUEST_OF_ANOTHER_PARTNER: ("mdf_request", "other", {"allocation_id": None}),
    C.REQUEST_APPROVED_ABOVE_ASKED: ("mdf_request", "more", {"requested_amount": 200}),
    C.REQUEST_OUT_OF_ORDER: ("mdf_request", "decided", {"decided_at": at("2026-01-06")}),
    C.REQUEST_PAID_ABOVE_APPROVED: ("mdf_request", "over", {"approved_amount": 110}),
    C.CLAIM_OF_ANOTHER_PARTNER: ("mdf_claim", "other", {"partner_id": "p1"}),
    C.CLAIM_PAID_UNAPPROVED: ("mdf_claim", "rejected", {"decision": "approved", "approved_amount": 100}),
    C.CLAIM_OVERPAID: ("mdf_claim", "above approval", {"paid_amount": 80}),
    C.CLAIM_APPROVED_ABOVE_CLAIMED: ("mdf_claim", "more", {"approved_amount": 100}),
    C.CLAIM_WITHOUT_APPROVED_REQUEST: ("mdf_claim", "paid", {"request_id": "yes"}),
    C.CLAIM_LATE: ("mdf_claim", "late", {"late_waived_by": "ann"}),
    C.CLAIM_OUT_OF_ORDER: ("mdf_claim", "paid", {"paid_at": at("2026-02-10")}),
    C.PERSON_OF_ANOTHER_PARTNER: ("person", "bob", {"partner_id": None}),
    C.COURSE_UNKNOWN: ("enablement_assignment", "unknown", {"course_id": "basics"}),
    C.ASSIGNED_AFTER_DUE: ("enablement_assignment", "after", {"due_on": day("2026-03-01")}),
    C.COMPLETED_BEFORE_ASSIGNED: ("enablement_assignment", "before", {"prior_credit": True}),
    C.CERTIFICATE_LAPSED_AT_ONCE: ("enablement_assignment", "lapsed", {"valid_until": None}),
    C.RESULT_LAPSED_AT_ONCE: ("compliance_result", "lapsed", {"valid_until": None}),
    C.RESULT_BEFORE_VERSION: ("compliance_result", "before", {"assessed_at": at("2026-01-10")}),
    C.WAIVER_OF_UNKNOWN_CHECK: ("compliance_waiver", "unknown", {"check_id": "c1"}),
}
"""By contradiction the table, a fact of it that was found, and what it says from 15 March on."""


@pytest.mark.parametrize("one", Contradiction)
async def test_what_is_put_right_is_found_no_more_and_still_as_of_before(world: World, one: Contradiction) -> None:
    before = await CASES[one](world)
    table, name, says = PUT_RIGHT[one]
    await world.amend(table, name, "2026-03-15", **says)
    after = await told(world, one)
    gone = before.keys() - after.keys()
    assert gone == ({"of bob"} if table == "person" else {name})
    assert after == {source_id: before[source_id] for source_id in before.keys() - gone}
    # What was only said before is a version of the past, and stays what was known then.
    assert gone <= (await told(world, one, "2026-03-14 23:59")).keys()


OTHER_SIDE: list[tuple[Contradiction, str, str, dict[str, Any]]] = [
    (C.RETURN_OF_ANOTHER_PARTNER, "partner_transaction", "s2", {"partner_id": "p3"}),
    (C.RETURN_BEFORE_SALE, "partner_transaction", "s", {"transaction_date": day("2026-02-09")}),
    (C.RETURNED_MORE_THAN_SOLD, "partner_transaction", "t", {"credit_share": "0.6"}),
    (C.COST_OF_ANOTHER_PARTNER, "partner_transaction", "s", {"partner_id": "p2"}),
    (C.COST_OF_ANOTHER_SHARE, "partner_transaction", "s", {"credit_share": 1}),
    (C.LEAD_WITHOUT_PARTNER, "partner", "p1", {"active_to": day("2026-02-21")}),
    (C.REQUEST_OF_ANOTHER_PARTNER, "mdf_allocation", "a1", {"partner_id": "p2"}),
    (C.REQUEST_PAID_ABOVE_APPROVED, "mdf_claim", "over 2", {"paid_amount": 40}),
    (C.CLAIM_OF_ANOTHER_PARTNER, "mdf_request", "r1", {"partner_id": "p2"}),
    (C.CLAIM_OVERPAID, "mdf_request", "half", {"copay_share": 0}),
    (C.CLAIM_WITHOUT_APPROVED_REQUEST, "mdf_request", "no", {"decision": "approved", "approved_amount": 100}),
    (C.CLAIM_LATE, "mdf_request", "r1", {"allocation_id": None}),
    (C.CLAIM_LATE, "mdf_allocation", "a1", {"budget_id": "a2-fund"}),
    (C.CLAIM_LATE, "mdf_budget", "a1-fund", {"claim_deadline": day("2026-02-02")}),
    (C.PERSON_OF_ANOTHER_PARTNER, "person", "bob", {"partner_id": "p1"}),
    (C.COURSE_UNKNOWN, "enablement_course", "a course", {"course_id": "advanced"}),
    (C.COURSE_UNKNOWN, "enablement_course", "a course", {"version": 2}),
    (C.RESULT_BEFORE_VERSION, "compliance_check", "a check", {"effective_from": day("2026-01-09")}),
    (C.WAIVER_OF_UNKNOWN_CHECK, "compliance_check", "a check", {"check_id": "c9"}),
]
"""Contradictions between two facts, and what the other one says from 15 March on."""


@pytest.mark.parametrize(
    ("one", "table", "name", "says"), OTHER_SIDE, ids=lambda one: one if isinstance(one, str) else ""
)
async def test_a_correction_of_the_other_side_counts_from_when_it_is_known(
    world: World, one: Contradiction, table: str, name: str, says: dict[str, Any]
) -> None:
    before = await CASES[one](world)
    await world.amend(table, name, "2026-03-15", **says)
    after = await told(world, one)
    assert before.keys() - after.keys(), "one of those that were found is right"
    assert (await told(world, one, "2026-03-14 23:59")).keys() == before.keys()


LEARNT_LATER: list[tuple[Contradiction, str, str, str]] = [
    (C.DEAL_CLOSED_TOO_EARLY, "opportunity", "qualified after", "closed"),
    (C.LEAD_BEFORE_ASSIGNMENT, "lead", "contacted", "first_contact"),
    (C.LEAD_BEFORE_ASSIGNMENT, "lead", "answered", "rejected"),
    (C.LEAD_BEFORE_ASSIGNMENT, "lead", "accepted", "accepted"),
    (C.LEAD_BEFORE_ASSIGNMENT, "lead", "taken away", "reassigned"),
    (C.LEAD_BEFORE_ASSIGNMENT, "lead", "taken out", "excluded"),
    (C.LEAD_WITHOUT_PARTNER, "lead", "taken out", "excluded"),
    (C.REQUEST_APPROVED_ABOVE_ASKED, "mdf_request", "more", "decided"),
    (C.REQUEST_OUT_OF_ORDER, "mdf_request", "decided", "decided"),
    (C.REQUEST_OUT_OF_ORDER, "mdf_request", "released", "released"),
    (C.REQUEST_PAID_ABOVE_APPROVED, "mdf_claim", "over 2", "paid"),
    (C.REQUEST_PAID_ABOVE_APPROVED, "mdf_request", "over", "decided"),
    (C.CLAIM_PAID_UNAPPROVED, "mdf_claim", "undecided", "paid"),
    (C.CLAIM_PAID_UNAPPROVED, "mdf_claim", "right", "decided"),
    (C.CLAIM_OVERPAID, "mdf_claim", "co-pay", "paid"),
    (C.CLAIM_OVERPAID, "mdf_claim", "above approval", "decided"),
    (C.CLAIM_APPROVED_ABOVE_CLAIMED, "mdf_claim", "more", "decided"),
    (C.CLAIM_WITHOUT_APPROVED_REQUEST, "mdf_claim", "owed", "decided"),
    (C.CLAIM_WITHOUT_APPROVED_REQUEST, "mdf_claim", "paid alone", "paid"),
    (C.CLAIM_WITHOUT_APPROVED_REQUEST, "mdf_claim", "taken back", "withdrawn"),
    (C.CLAIM_WITHOUT_APPROVED_REQUEST, "mdf_request", "yes", "decided"),
    (C.CLAIM_LATE, "mdf_claim", "late, owed", "decided"),
    (C.CLAIM_LATE, "mdf_claim", "late, paid", "paid"),
    (C.CLAIM_LATE, "mdf_claim", "taken back", "withdrawn"),
    (C.CLAIM_OUT_OF_ORDER, "mdf_claim", "decided", "decided"),
    (C.CLAIM_OUT_OF_ORDER, "mdf_claim", "paid", "paid"),
    (C.ASSIGNED_AFTER_DUE, "enablement_assignment", "moved", "due_changed"),
    (C.COMPLETED_BEFORE_ASSIGNED, "enablement_assignment", "before", "completed"),
    (C.CERTIFICATE_LAPSED_AT_ONCE, "enablement_assignment", "lapsed", "completed"),
    (C.WAIVER_OF_UNKNOWN_CHECK, "compliance_waiver", "revoked", "revoked"),
]
"""Contradictions that hang on something that happens to a fact: the table, the fact, and what happens."""


@pytest.mark.parametrize(("one", "table", "name", "what"), LEARNT_LATER)
async def test_what_is_known_later_has_not_happened_yet(
    world: World, one: Contradiction, table: str, name: str, what: str
) -> None:
    """It is known from 20 April on; with it things are as they were without a delay, and before they are not."""
    before = await CASES[one](world)
    late = f"update {table} set {what}_known_at = '2026-04-20Z' where source_id = $1"  # noqa: S608
    assert await world.conn.execute(late, name) == "UPDATE 1"
    for as_of in (None, "2026-04-19 23:59"):
        assert (await told(world, one, as_of)).keys() != before.keys()
    assert (await told(world, one, "2026-04-20")).keys() == before.keys()


async def test_where_no_course_is_known_yet_none_is_missing(world: World) -> None:
    await world.add("person", person_id="ann")
    await course(world, "any")
    later = {"known_at": at("2026-04-20"), "effective_from": day("2026-01-01")}
    await world.add("enablement_course", course_id="advanced", version=1, **later)
    assert (await look(world, C.COURSE_UNKNOWN)).facts == 0
    assert (await look(world, C.COURSE_UNKNOWN, "2026-04-20")).facts == 1


async def test_a_sale_that_is_not_known_yet_is_nobodys(world: World) -> None:
    await sale(world, "s", known_at=at("2026-04-20"))
    await cost(world, "c", "s", "p2")
    await back(world, "r", "s", "p2")
    for one in (C.COST_OF_ANOTHER_PARTNER, C.RETURN_OF_ANOTHER_PARTNER):
        assert (await look(world, one)).facts == 0
        assert (await look(world, one, "2026-04-20")).facts == 1


async def test_all_are_counted_by_source_and_the_first_few_are_named(world: World) -> None:
    for name in ("c", "a", "b"):
        await claim(world, name, decision=None)
        await claim(world, name, decision=None, source_system="fund")
    found = await look(world, C.CLAIM_PAID_UNAPPROVED, limit=4)
    assert (found.facts, dict(found.sources)) == (6, {"fund": 3, "test": 3})
    assert [(one.source, one.source_id) for one in found.first] == [
        ("fund", "a"),
        ("fund", "b"),
        ("fund", "c"),
        ("test", "a"),
    ]
    some = await look(world, C.CLAIM_PAID_UNAPPROVED, sources=["test"], limit=0)
    assert (some.facts, some.first) == (3, ())
