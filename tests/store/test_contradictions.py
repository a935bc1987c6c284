"""Facts that contradict each other: each case worked out by hand, beside the nearest one that is right.

The moment is 1 April 2026 unless a test says otherwise. Of every contradiction there is a case that is found, one that
is not, what is found as of the moment before it was known, and once it is put right.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from models.contradiction import MEANINGS, Contradiction
from models.metric import CATALOGUE
from store.contradictions import Finding, find, read_by
from store.intake.kinds import KINDS, FactKind
from tests.store.world import Q1_END, World, at, day

ROOT = Path(__file__).parents[2]
C = Contradiction
Told = dict[str, tuple[str, str]]
"""By source id what is found, and what was expected."""


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


async def claim(world: World, name: str, **more: Any) -> str:
    """Claimed 100 dollars on 2 February, approved in full the day after, paid on the 10th."""
    row: dict[str, Any] = {
        "source_id": name,
        "partner_id": "p1",
        "claimed_amount": 100,
        "submitted_at": at("2026-02-02 09:00"),
        "decision": "approved",
        "approved_amount": 100,
        "decided_at": at("2026-02-03 09:00"),
        "paid_amount": 100,
        "paid_at": at("2026-02-10 09:00"),
    }
    row |= more
    if row["decision"] is None:
        row |= {"decided_at": None, "approved_amount": None}
    if row["paid_at"] is None:
        row["paid_amount"] = None
    return await world.add("mdf_claim", **row)


async def request(world: World, name: str, **more: Any) -> str:
    """Asked for 100 dollars on 5 January, approved in full on the 10th."""
    row: dict[str, Any] = {
        "request_id": name,
        "partner_id": "p1",
        "requested_amount": 100,
        "submitted_at": at("2026-01-05 09:00"),
        "decision": "approved",
        "approved_amount": 100,
        "decided_at": at("2026-01-10 09:00"),
    }
    row |= more
    if row["decision"] is None:
        row |= {"decided_at": None, "approved_amount": None}
    return await world.add("mdf_request", **row)


async def fund(world: World, name: str, partner: str, deadline: str | None = None) -> None:
    """A budget of the first quarter, and the partner's allocation of it."""
    closes = day(deadline) if deadline else None
    period = {"period_start": day("2026-01-01"), "period_end": day("2026-04-01"), "claim_deadline": closes}
    await world.add("mdf_budget", budget_id=f"{name}-fund", **period)
    await world.add("mdf_allocation", allocation_id=name, budget_id=f"{name}-fund", partner_id=partner, amount=1000)


async def sale(world: World, name: str, partner: str = "p1", **more: Any) -> str:
    row: dict[str, Any] = {
        "source_id": name,
        "partner_id": partner,
        "transaction_date": day("2026-02-10"),
        "net_amount": 100,
    }
    return await world.add("partner_transaction", **row | more)


async def back(world: World, name: str, of: str, partner: str = "p1", **more: Any) -> str:
    """A return of a fifth of a sale, ten days after it."""
    said: dict[str, Any] = {
        "kind": "return",
        "original_id": of,
        "net_amount": -20,
        "transaction_date": day("2026-02-20"),
    }
    return await sale(world, name, partner, **said | more)


async def course(world: World, name: str, **more: Any) -> str:
    """Assigned on 2 February for the end of the month, passed on the 20th."""
    row: dict[str, Any] = {
        "source_id": name,
        "partner_id": "p1",
        "person_id": "ann",
        "course_id": "basics",
        "assigned_at": at("2026-02-02 09:00"),
        "due_on": day("2026-02-28"),
        "completed_at": at("2026-02-20 09:00"),
    }
    return await world.add("enablement_assignment", **row | more)


async def _claims_paid_unapproved(world: World) -> Told:
    await claim(world, "right")
    await claim(world, "unpaid", decision=None, paid_at=None)
    await claim(world, "undecided", decision=None)
    await claim(world, "rejected", decision="rejected", approved_amount=None)
    # Approved, but that is not known yet.
    await claim(world, "later", decided_known_at=at("2026-05-01"))
    return {
        "undecided": ("paid 100 USD on 2026-02-10, and not decided", "approved"),
        "rejected": ("paid 100 USD on 2026-02-10, and rejected", "approved"),
        "later": ("paid 100 USD on 2026-02-10, and not decided", "approved"),
    }


async def _claims_overpaid(world: World) -> Told:
    await request(world, "half", copay_share="0.5")
    await claim(world, "right", paid_amount=100)
    await claim(world, "above approval", approved_amount=80, paid_amount="80.01")
    # Of 100 claimed, half is the partner's: 50 is what is due, whatever was approved.
    await claim(world, "co-pay", request_id="half", paid_amount=51)
    await claim(world, "after co-pay", request_id="half", paid_amount=50)
    await claim(world, "above claim", decision=None, paid_amount=101)
    return {
        "above approval": ("paid 80.01 USD", "at most 80"),
        "co-pay": ("paid 51 USD", "at most 50"),
        "above claim": ("paid 101 USD", "at most 100"),
    }


async def _claims_of_another_partner(world: World) -> Told:
    await request(world, "r1")
    await claim(world, "right", request_id="r1")
    await claim(world, "without", partner_id="p2")
    await claim(world, "other", request_id="r1", partner_id="p2")
    return {"other": ("request r1, of partner p1", "a request of partner p2")}


async def _claims_without_approved_request(world: World) -> Told:
    await request(world, "yes")
    await request(world, "no", decision="rejected", approved_amount=None)
    await request(world, "open", decision=None)
    await claim(world, "right", request_id="yes")
    await claim(world, "paid", request_id="no")
    await claim(world, "owed", request_id="open", paid_at=None)
    await request(world, "turned down in May", decision="rejected", decided_known_at=at("2026-05-01"))
    await claim(world, "paid alone", request_id="turned down in May", decision=None)
    # Handed in only, taken back, and turned down: no money goes anywhere.
    await claim(world, "handed in", request_id="no", decision=None, paid_at=None)
    await claim(world, "taken back", request_id="no", paid_at=None, withdrawn_at=at("2026-02-05"))
    await claim(world, "turned down", request_id="no", decision="rejected", approved_amount=None, paid_at=None)
    return {
        "paid": ("request no is rejected", "an approved request"),
        "owed": ("request open is not decided", "an approved request"),
        "paid alone": ("request turned down in May is not decided", "an approved request"),
    }


async def _claims_late(world: World) -> Told:
    """The deadline's whole day is in time."""
    await fund(world, "a1", "p1", "2026-02-01")
    await fund(world, "a2", "p1")
    await request(world, "r1", allocation_id="a1")
    await claim(world, "in time", request_id="r1", submitted_at=at("2026-02-01 23:59"))
    await claim(world, "late", request_id="r1", submitted_at=at("2026-02-02 00:00"))
    await claim(world, "late, owed", request_id="r1", paid_at=None)
    await claim(world, "late, paid", request_id="r1", decision=None)
    await claim(world, "taken back", request_id="r1", paid_at=None, withdrawn_at=at("2026-02-05"))
    await claim(world, "let pass", request_id="r1", late_waived_by="ann")
    await claim(world, "turned down", request_id="r1", decision="rejected", approved_amount=None, paid_at=None)
    told_of = ("handed in on 2026-02-02", "by 2026-02-01, or who let it pass")
    return {"late": told_of, "late, owed": told_of, "late, paid": told_of}


async def _claims_out_of_order(world: World) -> Told:
    """Handed in on 2 February, 09:00: what is dated a day before is wrong, and less than that a day's midnight."""
    await claim(world, "right")
    await claim(world, "same day", decided_at=at("2026-02-02"), paid_at=at("2026-02-02"))
    await claim(world, "a minute less", decided_at=at("2026-02-01 09:01"))
    await claim(world, "decided", decided_at=at("2026-02-01 09:00"))
    await claim(world, "paid", paid_at=at("2026-02-02 09:00"))
    order = "handed in, then decided, then paid"
    return {
        "decided": ("handed in 2026-02-02 09:00, decided 2026-02-01 09:00, paid 2026-02-10 09:00", order),
        "paid": ("handed in 2026-02-02 09:00, decided 2026-02-03 09:00, paid 2026-02-02 09:00", order),
    }


async def _claims_approved_above_claimed(world: World) -> Told:
    await claim(world, "right")
    await claim(world, "more", approved_amount="100.01")
    await claim(world, "only said", decision="rejected", approved_amount=200)
    return {"more": ("approved 100.01 USD", "at most 100, as claimed")}


async def _requests_of_another_partner(world: World) -> Told:
    await fund(world, "a1", "p1")
    await request(world, "right", allocation_id="a1")
    await request(world, "unallocated", partner_id="p2")
    await request(world, "other", allocation_id="a1", partner_id="p2")
    return {"other": ("allocation a1, of partner p1", "an allocation of partner p2")}


async def _requests_approved_above_asked(world: World) -> Told:
    await request(world, "right")
    await request(world, "more", approved_amount="100.01")
    await request(world, "only said", decision="rejected", approved_amount=200)
    return {"more": ("approved 100.01 USD", "at most 100, as asked")}


async def _requests_out_of_order(world: World) -> Told:
    """Handed in on 5 January, 09:00."""
    await request(world, "right", released_at=at("2026-02-01"))
    await request(world, "same day", decided_at=at("2026-01-05"))
    await request(world, "decided", decided_at=at("2026-01-04 09:00"))
    await request(world, "released", decision=None, released_at=at("2026-01-01"))
    return {
        "decided": ("handed in 2026-01-05 09:00, decided 2026-01-04 09:00", "handed in first"),
        "released": ("handed in 2026-01-05 09:00, released 2026-01-01 00:00", "handed in first"),
    }


async def _requests_paid_above_approved(world: World) -> Told:
    """60 and 50 are 110 of 100; 40 euros more are another currency, and what is not paid is no payment."""
    for name in ("over", "under"):
        await request(world, name)
        await claim(world, f"{name} 1", request_id=name, paid_amount=60)
    await claim(world, "over 2", request_id="over", paid_amount=50)
    await claim(world, "under 2", request_id="under", paid_amount=40)
    await claim(world, "under 3", request_id="under", paid_at=None)
    await claim(world, "under 4", request_id="under", paid_amount=40, currency="EUR")
    return {"over": ("paid 110 USD", "at most 100, as approved")}


async def _shares_below_one(world: World) -> Told:
    """0.3 and 0.5 are 0.8, and 0.6 alone is 0.6; three thirds are one but for rounding; influence is no share."""
    await sale(world, "whole")
    for name, partner, share in (("a1", "p1", "0.3"), ("a2", "p2", "0.5"), ("b1", "p1", "0.4"), ("b2", "p2", "0.6")):
        await sale(world, name, partner, transaction_id=name[0], credit_share=share)
    for number in (1, 2, 3):
        await sale(world, f"t{number}", f"p{number}", transaction_id="t", credit_share="0.33333333")
    await sale(world, "alone", credit_share="0.6")
    await sale(world, "influenced", attribution="influenced", credit_share="0.6")
    return {
        "a1": ("transaction a: 0.3 + 0.5", "1 together"),
        "alone": ("transaction alone: 0.6", "1 together"),
    }


async def _returns_of_another_partner(world: World) -> Told:
    await sale(world, "s1", "p1", transaction_id="s", credit_share="0.5")
    await sale(world, "s2", "p2", transaction_id="s", credit_share="0.5")
    await back(world, "right", "s", "p2")
    await back(world, "other", "s", "p3")
    # Sold before there was this source: nothing is known of it.
    await back(world, "unknown", "long ago", "p3")
    return {"other": ("sale s, of partner p1, p2", "a sale of partner p3")}


async def _returns_before_sale(world: World) -> Told:
    """Sold on 10 February."""
    await sale(world, "s")
    await back(world, "same day", "s", transaction_date=day("2026-02-10"))
    await back(world, "before", "s", transaction_date=day("2026-02-09"))
    await back(world, "unknown", "long ago", transaction_date=day("2026-01-01"))
    return {"before": ("dated 2026-02-09", "from 2026-02-10 on, when s was sold")}


async def _returned_more_than_sold(world: World) -> Told:
    """Of 100 all may come back and one for rounding; of a half share of 100, that is 50, 60 percent of 100 may not."""
    await sale(world, "s")
    await back(world, "all", "s", net_amount=-80)
    await back(world, "credit", "s", net_amount=-21, kind="credit")
    await sale(world, "t", credit_share="0.5")
    await back(world, "t back", "t", net_amount=-100, credit_share="0.6")
    await back(world, "unknown", "long ago", net_amount=-500)
    return {"t back": ("60 USD taken back of sale t", "at most 50, as sold")}


async def _net_not_list_less_discount(world: World) -> Told:
    await sale(world, "right", list_amount=120, discount_amount=20)
    await sale(world, "rounded", list_amount=121, discount_amount=20)
    await sale(world, "net alone", list_amount=None, discount_amount=20)
    await sale(world, "wrong", list_amount="121.01", discount_amount=20)
    await sale(world, "returned", kind="return", net_amount=-100, list_amount=-120, discount_amount=-20)
    # Of a return all three are negative, or list value is added where it is to be taken away.
    await sale(world, "signs", kind="return", net_amount=-100, list_amount=120, discount_amount=20)
    await sale(world, "credit", kind="credit", net_amount=-100, list_amount=120, discount_amount=20)
    return {
        "wrong": ("net 100 USD", "101.01, list 121.01 less discount 20"),
        "signs": ("net -100 USD", "100, list 120 less discount 20"),
    }


async def cost(world: World, name: str, of: str | None, partner: str = "p1", **more: Any) -> str:
    said: dict[str, Any] = {"transaction_id": of, "amount": 70, "recognised_on": day("2026-02-10")}
    return await world.add("partner_cost", source_id=name, partner_id=partner, **said | more)


async def _costs_of_another_partner(world: World) -> Told:
    await sale(world, "s")
    await cost(world, "right", "s")
    await cost(world, "of nothing", None, "p2")
    await cost(world, "of another system's", "unknown", "p2")
    await cost(world, "other", "s", "p2")
    return {"other": ("transaction s, of partner p1", "a transaction of partner p2")}


async def _costs_of_another_share(world: World) -> Told:
    await sale(world, "s", credit_share="0.5")
    await cost(world, "right", "s", credit_share="0.5")
    await cost(world, "wrong", "s")
    await cost(world, "freight", "s", kind="freight", credit_share="0.25")
    await cost(world, "paid to one alone", "s", kind="commission")
    return {
        "wrong": ("share 1", "0.5, as of transaction s"),
        "freight": ("share 0.25", "0.5, as of transaction s"),
    }


async def _deals_closed_too_early(world: World) -> Told:
    async def deal(name: str, qualified: str | None, registered: str = "2026-01-01") -> None:
        closes = {"closed_at": at("2026-02-10 09:00"), "outcome": "lost"}
        begins = {"qualified_at": at(qualified) if qualified else None, "registered_at": at(registered)}
        await world.add("opportunity", source_id=name, partner_id="p1", **begins, **closes)

    await deal("right", "2026-01-05")
    await deal("at once", "2026-02-10 09:00")
    await deal("qualified after", "2026-02-10 09:01")
    await deal("registered that day", None, "2026-02-10 20:00")
    await deal("registered after", None, "2026-02-11 09:00")
    await world.add("opportunity", source_id="open", partner_id="p1", qualified_at=at("2026-03-01"))
    return {
        "qualified after": ("closed 2026-02-10 09:00", "not before 2026-02-10 09:01, when it was qualified"),
        "registered after": ("closed 2026-02-10 09:00", "not before 2026-02-11 09:00, when it was registered"),
    }


async def lead(world: World, name: str, **more: Any) -> str:
    said: dict[str, Any] = {"source_id": name, "partner_id": "p1", "assigned_at": at("2026-02-10 09:00")}
    return await world.add("lead", **said | more)


async def _leads_before_assignment(world: World) -> Told:
    early, late = at("2026-02-10 08:59"), at("2026-02-10 09:00")
    await lead(world, "right", accepted_at=late, first_contact_at=late)
    await lead(world, "contacted", first_contact_at=early, accepted_at=late)
    await lead(world, "answered", rejected_at=early)
    await lead(world, "accepted", accepted_at=early)
    await lead(world, "taken away", reassigned_at=early)
    await lead(world, "several", accepted_at=early, reassigned_at=early, first_contact_at=late)
    await lead(world, "taken out", first_contact_at=early, excluded_at=late, excluded_reason="junk")
    expected = "not before 2026-02-10 09:00, when it was assigned"
    return {
        "contacted": ("contacted 2026-02-10 08:59", expected),
        "answered": ("turned down 2026-02-10 08:59", expected),
        "accepted": ("accepted 2026-02-10 08:59", expected),
        "taken away": ("taken away 2026-02-10 08:59", expected),
        "several": ("accepted 2026-02-10 08:59, taken away 2026-02-10 08:59", expected),
    }


async def _leads_without_partner(world: World) -> Told:
    """The first day is 10 February and the first one no longer the 20th, in some zone: a day is left on either side."""
    days = {"active_from": day("2026-02-10"), "active_to": day("2026-02-20")}
    await world.add("partner", partner_id="p1", **days)
    for name, moment in (
        ("much before", "2026-02-08 23:59"),
        ("before", "2026-02-09 00:00"),
        ("after", "2026-02-20 23:59"),
        ("much after", "2026-02-21 00:00"),
    ):
        await lead(world, name, assigned_at=at(moment))
    await lead(world, "always there", partner_id="p2")
    out = {"excluded_at": at("2026-03-02"), "excluded_reason": "junk"}
    await lead(world, "taken out", assigned_at=at("2026-03-01"), **out)
    return {
        "much before": ("assigned 2026-02-08 23:59", "from 2026-02-10 on, the partner's first day"),
        "much after": ("assigned 2026-02-21 00:00", "before 2026-02-20, when the partner left"),
    }


async def _people_of_another_partner(world: World) -> Told:
    await world.add("partner", partner_id="p1")
    for name, partner in (("ann", "p1"), ("bob", "p2"), ("dot", "p1")):
        await world.add("person", person_id=name, partner_id=partner)
    await world.add("person", person_id="cid")
    # Dot moved, and what was assigned at the old place stays there.
    await world.amend("person", "dot", "2026-03-01", partner_id="p2")
    for person in ("ann", "bob", "cid", "dot"):
        await course(world, f"of {person}", person_id=person)
    return {"of bob": ("person bob, of partner p2", "a person of partner p1")}


async def _courses_unknown(world: World) -> Told:
    await world.add("person", person_id="ann")
    said = {"course_id": "basics", "version": 1, "effective_from": day("2026-01-01")}
    await world.add("enablement_course", source_id="a course", **said)
    await course(world, "right", course_version=1)
    await course(world, "newest")
    await course(world, "unknown", course_id="advanced")
    await course(world, "unknown version", course_version=2)
    return {
        "unknown": ("course advanced", "a course that is known"),
        "unknown version": ("course basics, version 2", "a course that is known"),
    }


async def _assigned_after_due(world: World) -> Told:
    """The whole due day is in time; moved to March, what counts is March, and February again before that was known."""
    await world.add("person", person_id="ann")
    late = at("2026-03-01 00:00")
    await course(world, "right", assigned_at=at("2026-02-28 23:59"))
    await course(world, "after", assigned_at=late)
    moved = {"due_on": day("2026-03-15"), "previous_due_on": day("2026-02-28"), "due_changed_at": late}
    await course(world, "moved", assigned_at=late, **moved)
    await course(world, "moved, not known yet", assigned_at=late, **moved, due_changed_known_at=at("2026-05-01"))
    told_of = ("assigned 2026-03-01 00:00", "by 2026-02-28, when it was due")
    return {"after": told_of, "moved, not known yet": told_of}


async def _completed_before_assigned(world: World) -> Told:
    await world.add("person", person_id="ann")
    early = at("2026-02-01 09:00")
    await course(world, "right")
    await course(world, "same day", completed_at=at("2026-02-01 09:01"))
    await course(world, "before", completed_at=early)
    await course(world, "credit", completed_at=early, prior_credit=True)
    await course(world, "failed", completed_at=early, passed=False)
    told_of = ("passed 2026-02-01 09:00", "prior credit, or not before 2026-02-02 09:00, when it was assigned")
    return {"before": told_of}


async def _certificates_lapsed_at_once(world: World) -> Told:
    """Passed on 20 February: lapsed that day, it was valid until the 19th."""
    await world.add("person", person_id="ann")
    await course(world, "right", valid_until=day("2027-02-20"))
    await course(world, "lapsed that day", valid_until=day("2026-02-19"))
    await course(world, "lapsed", valid_until=day("2026-02-18"))
    await course(world, "failed", valid_until=day("2026-02-18"), passed=False)
    return {"lapsed": ("valid until 2026-02-18", "not before 2026-02-20, when it was passed")}


async def rule(world: World) -> None:
    said = {"severity": "high", "weight": 7, "effective_from": day("2026-01-10")}
    await world.add("compliance_check", source_id="a check", check_id="c1", version=1, **said)


async def result(world: World, name: str, assessed: str, **more: Any) -> None:
    said: dict[str, Any] = {"check_id": "c1", "version": 1, "outcome": "pass", "assessed_at": at(assessed)}
    await world.add("compliance_result", source_id=name, partner_id="p1", **said | more)


async def _results_lapsed_at_once(world: World) -> Told:
    await rule(world)
    await result(world, "right", "2026-02-10 09:00", valid_until=day("2026-02-10"))
    await result(world, "in another zone", "2026-02-10 09:00", valid_until=day("2026-02-09"))
    await result(world, "lapsed", "2026-02-10 09:00", valid_until=day("2026-02-08"))
    return {"lapsed": ("check c1: valid until 2026-02-08", "not before 2026-02-10, when it was assessed")}


async def _results_before_version(world: World) -> Told:
    """In force from 10 January on, in some zone from the afternoon of the 9th."""
    await rule(world)
    await result(world, "right", "2026-01-10")
    await result(world, "in another zone", "2026-01-09")
    await result(world, "before", "2026-01-08 23:59")
    told_of = ("check c1, version 1: assessed 2026-01-08", "from 2026-01-10 on, when that came into force")
    return {"before": told_of}


async def _waivers_of_unknown_checks(world: World) -> Told:
    await rule(world)
    said = {"approved_by": "ann", "reason": "x", "valid_from": day("2026-01-01"), "valid_until": day("2026-12-31")}
    for name, check, revoked in (("right", "c1", None), ("unknown", "c9", None), ("revoked", "c9", at("2026-02-01"))):
        row = {"source_id": name, "partner_id": "p1", "check_id": check, "revoked_at": revoked}
        await world.add("compliance_waiver", **row, **said)
    return {"unknown": ("check c9", "a check that is known")}


CASES: dict[Contradiction, Callable[[World], Awaitable[Told]]] = {
    C.SHARES_BELOW_ONE: _shares_below_one,
    C.RETURN_OF_ANOTHER_PARTNER: _returns_of_another_partner,
    C.RETURN_BEFORE_SALE: _returns_before_sale,
    C.RETURNED_MORE_THAN_SOLD: _returned_more_than_sold,
    C.NET_NOT_LIST_LESS_DISCOUNT: _net_not_list_less_discount,
    C.COST_OF_ANOTHER_PARTNER: _costs_of_another_partner,
    C.COST_OF_ANOTHER_SHARE: _costs_of_another_share,
    C.DEAL_CLOSED_TOO_EARLY: _deals_closed_too_early,
    C.LEAD_BEFORE_ASSIGNMENT: _leads_before_assignment,
    C.LEAD_WITHOUT_PARTNER: _leads_without_partner,
    C.REQUEST_OF_ANOTHER_PARTNER: _requests_of_another_partner,
    C.REQUEST_APPROVED_ABOVE_ASKED: _requests_approved_above_asked,
    C.REQUEST_OUT_OF_ORDER: _requests_out_of_order,
    C.REQUEST_PAID_ABOVE_APPROVED: _requests_paid_above_approved,
    C.CLAIM_OF_ANOTHER_PARTNER: _claims_of_another_partner,
    C.CLAIM_PAID_UNAPPROVED: _claims_paid_unapproved,
    C.CLAIM_OVERPAID: _claims_overpaid,
    C.CLAIM_APPROVED_ABOVE_CLAIMED: _claims_approved_above_claimed,
    C.CLAIM_WITHOUT_APPROVED_REQUEST: _claims_without_approved_request,
    C.CLAIM_LATE: _claims_late,
    C.CLAIM_OUT_OF_ORDER: _claims_out_of_order,
    C.PERSON_OF_ANOTHER_PARTNER: _people_of_another_partner,
    C.COURSE_UNKNOWN: _courses_unknown,
    C.ASSIGNED_AFTER_DUE: _assigned_after_due,
    C.COMPLETED_BEFORE_ASSIGNED: _completed_before_assigned,
    C.CERTIFICATE_LAPSED_AT_ONCE: _certificates_lapsed_at_once,
    C.RESULT_LAPSED_AT_ONCE: _results_lapsed_at_once,
    C.RESULT_BEFORE_VERSION: _results_before_version,
    C.WAIVER_OF_UNKNOWN_CHECK: _waivers_of_unknown_checks,
}


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
