"""Facts that contradict each other, each beside the nearest one that is right, and what is found of them by hand.

The moment is 1 April 2026.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from models.contradiction import Contradiction
from tests.store import contradictory_mdf as mdf
from tests.store.contradictory_mdf import Told
from tests.store.world import World, at, day

C = Contradiction


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
    C.REQUEST_OF_ANOTHER_PARTNER: mdf.requests_of_another_partner,
    C.REQUEST_APPROVED_ABOVE_ASKED: mdf.requests_approved_above_asked,
    C.REQUEST_OUT_OF_ORDER: mdf.requests_out_of_order,
    C.REQUEST_PAID_ABOVE_APPROVED: mdf.requests_paid_above_approved,
    C.CLAIM_OF_ANOTHER_PARTNER: mdf.claims_of_another_partner,
    C.CLAIM_PAID_UNAPPROVED: mdf.claims_paid_unapproved,
    C.CLAIM_OVERPAID: mdf.claims_overpaid,
    C.CLAIM_APPROVED_ABOVE_CLAIMED: mdf.claims_approved_above_claimed,
    C.CLAIM_WITHOUT_APPROVED_REQUEST: mdf.claims_without_approved_request,
    C.CLAIM_LATE: mdf.claims_late,
    C.CLAIM_OUT_OF_ORDER: mdf.claims_out_of_order,
    C.PERSON_OF_ANOTHER_PARTNER: _people_of_another_partner,
    C.COURSE_UNKNOWN: _courses_unknown,
    C.ASSIGNED_AFTER_DUE: _assigned_after_due,
    C.COMPLETED_BEFORE_ASSIGNED: _completed_before_assigned,
    C.CERTIFICATE_LAPSED_AT_ONCE: _certificates_lapsed_at_once,
    C.RESULT_LAPSED_AT_ONCE: _results_lapsed_at_once,
    C.RESULT_BEFORE_VERSION: _results_before_version,
    C.WAIVER_OF_UNKNOWN_CHECK: _waivers_of_unknown_checks,
}
"""What makes the facts, and says what is found of them."""
