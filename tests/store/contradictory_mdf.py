"""Requests and claims that contradict each other or what they belong to, each beside the nearest one that is right.

What is found of them is worked out by hand, as of 1 April 2026.
"""

from __future__ import annotations

from typing import Any

from tests.store.world import World, at, day

Told = dict[str, tuple[str, str]]
"""By source id what is found, and what was expected."""


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


async def claims_paid_unapproved(world: World) -> Told:
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


async def claims_overpaid(world: World) -> Told:
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


async def claims_of_another_partner(world: World) -> Told:
    await request(world, "r1")
    await claim(world, "right", request_id="r1")
    await claim(world, "without", partner_id="p2")
    await claim(world, "other", request_id="r1", partner_id="p2")
    return {"other": ("request r1, of partner p1", "a request of partner p2")}


async def claims_without_approved_request(world: World) -> Told:
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


async def claims_late(world: World) -> Told:
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


async def claims_out_of_order(world: World) -> Told:
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


async def claims_approved_above_claimed(world: World) -> Told:
    await claim(world, "right")
    await claim(world, "more", approved_amount="100.01")
    await claim(world, "only said", decision="rejected", approved_amount=200)
    return {"more": ("approved 100.01 USD", "at most 100, as claimed")}


async def requests_of_another_partner(world: World) -> Told:
    await fund(world, "a1", "p1")
    await request(world, "right", allocation_id="a1")
    await request(world, "unallocated", partner_id="p2")
    await request(world, "other", allocation_id="a1", partner_id="p2")
    return {"other": ("allocation a1, of partner p1", "an allocation of partner p2")}


async def requests_approved_above_asked(world: World) -> Told:
    await request(world, "right")
    await request(world, "more", approved_amount="100.01")
    await request(world, "only said", decision="rejected", approved_amount=200)
    return {"more": ("approved 100.01 USD", "at most 100, as asked")}


async def requests_out_of_order(world: World) -> Told:
    """Handed in on 5 January, 09:00."""
    await request(world, "right", released_at=at("2026-02-01"))
    await request(world, "same day", decided_at=at("2026-01-05"))
    await request(world, "decided", decided_at=at("2026-01-04 09:00"))
    await request(world, "released", decision=None, released_at=at("2026-01-01"))
    return {
        "decided": ("handed in 2026-01-05 09:00, decided 2026-01-04 09:00", "handed in first"),
        "released": ("handed in 2026-01-05 09:00, released 2026-01-01 00:00", "handed in first"),
    }


async def requests_paid_above_approved(world: World) -> Told:
    """60 and 50 are 110 of 100; 40 euros more are another currency, and what is not paid is no payment."""
    for name in ("over", "under"):
        await request(world, name)
        await claim(world, f"{name} 1", request_id=name, paid_amount=60)
    await claim(world, "over 2", request_id="over", paid_amount=50)
    await claim(world, "under 2", request_id="under", paid_amount=40)
    await claim(world, "under 3", request_id="under", paid_at=None)
    await claim(world, "under 4", request_id="under", paid_amount=40, currency="EUR")
    return {"over": ("paid 110 USD", "at most 100, as approved")}
