"""Facts for the tests of boundaries: each counts one, and says no more than it must unless a test says otherwise."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tests.store.world import World, at, day

DAY = timedelta(days=1)
BEFORE = at("2026-01-05")
"""When most things happen: early in the quarter."""


async def lead(world: World, partner: str = "a", assigned: datetime = BEFORE, **row: Any) -> None:
    """To be accepted in eight hours and contacted in a day, and both done after one, unless said otherwise."""
    hour = assigned + timedelta(hours=1)
    row = {"accept_due_at": assigned + 8 * (hour - assigned), "contact_due_at": assigned + DAY, **row}
    row = {"accepted_at": hour, "first_contact_at": hour, **row}
    await world.add("lead", partner_id=partner, assigned_at=assigned, **row)


async def untouched(world: World, **row: Any) -> None:
    await lead(world, **{"accepted_at": None, "first_contact_at": None, **row})


async def said_anew(world: World, partner: str = "a", assigned: datetime = BEFORE, **row: Any) -> None:
    """A lead that says something else from July on."""
    await lead(world, partner, assigned, source_id=f"lead of {partner}", **row)
    await world.amend("lead", f"lead of {partner}", "2026-07-01", contact_due_at=None)


async def deal(world: World, partner: str = "a", closed: datetime = BEFORE, **row: Any) -> str:
    """Won for 1 after ten days."""
    row = {"qualified_at": closed - 10 * DAY, "outcome": "won", "amount": 1, **row}
    return await world.add("opportunity", partner_id=partner, closed_at=closed, **row)


async def undone(world: World, **row: Any) -> None:
    """Won for 1 on 5 January and opened again on 1 March; the deal itself says that it is open."""
    await open_deal(world, source_id="deal", qualified_at=at("2026-01-01"))
    row = {"closed_at": BEFORE, "reopened_at": at("2026-03-01"), "outcome": "won", "amount": 1, **row}
    await world.add("opportunity_reopening", opportunity_id="deal", **row)


async def open_deal(world: World, **row: Any) -> None:
    await world.add("opportunity", partner_id="a", **row)


async def reopened(world: World, **row: Any) -> None:
    """Won for 1 on 5 January, and opened again on the 20th."""
    row = {"reopened_at": at("2026-01-20"), **row}
    undone = {"closed_at": BEFORE, "outcome": "won", "amount": 1}
    await world.add("opportunity_reopening", opportunity_id=await deal(world), **undone, **row)


async def sale(world: World, partner: str = "a", on: datetime = BEFORE, **row: Any) -> None:
    """A line of 1 without a discount."""
    amounts = {"net_amount": 1, "list_amount": 1}
    await world.add("partner_transaction", partner_id=partner, transaction_date=on.date(), **amounts, **row)


async def shared(world: World, partner: str = "a", on: datetime = BEFORE, share: str = "0.6", **other: Any) -> None:
    """A transaction that credits 0.6 to each of two partners."""
    line = {"transaction_id": f"of {partner}", "credit_share": "0.6"}
    await sale(world, partner, on, **line)
    await sale(
        world, f"other {partner}", on, **{**line, "credit_share": share, "source_id": f"other {partner}", **other}
    )


async def cost(world: World, partner: str = "a", on: datetime = BEFORE, **row: Any) -> None:
    await world.add("partner_cost", partner_id=partner, recognised_on=on.date(), amount=1, **row)


async def claim(world: World, partner: str = "a", paid: datetime | None = BEFORE, **row: Any) -> None:
    """Of 1, and paid without a request."""
    row = {"submitted_at": at("2025-12-01"), "paid_amount": None if paid is None else 1, **row}
    await world.add("mdf_claim", partner_id=partner, claimed_amount=1, paid_at=paid, **row)


async def fund(world: World, **budget: Any) -> str:
    """An accrual of 1 for the first quarter: all of it counts from its first moment on."""
    period = {"period_start": day("2026-01-01"), "period_end": day("2026-04-01"), "fund_type": "accrual"}
    budget_id = await world.add("mdf_budget", **{**period, **budget})
    return await world.add("mdf_allocation", budget_id=budget_id, partner_id="a", amount=1)


async def reserved(world: World, budget: dict[str, Any] | None = None, **row: Any) -> None:
    """A request for 1, approved on 5 January."""
    row = {"decision": "approved", "decided_at": BEFORE, "approved_amount": 1, "submitted_at": BEFORE, **row}
    await world.add(
        "mdf_request", partner_id="a", allocation_id=await fund(world, **budget or {}), requested_amount=1, **row
    )


async def settled(world: World, partner: str, paid: datetime) -> None:
    """Paid on a request whose period is over."""
    budget_id = await world.add("mdf_budget", period_start=day("2025-10-01"), period_end=day("2026-01-01"))
    fund_id = await world.add("mdf_allocation", budget_id=budget_id, partner_id=partner, amount=1)
    row = {
        "decision": "approved",
        "decided_at": at("2025-12-10"),
        "approved_amount": 1,
        "submitted_at": at("2025-12-01"),
    }
    asked = await world.add("mdf_request", partner_id=partner, allocation_id=fund_id, requested_amount=1, **row)
    await claim(world, partner, paid, request_id=asked)


async def course(world: World, partner: str = "a", assigned: datetime = BEFORE, **row: Any) -> None:
    """Due by the end of the quarter, of a person of its own."""
    person = await world.add("person", partner_id=partner, **row.pop("person", {}))
    row = {"course_id": "basics", "due_on": day("2026-03-31"), "assigned_at": assigned, **row}
    await world.add("enablement_assignment", partner_id=partner, person_id=person, **row)


async def passed(world: World, **row: Any) -> None:
    await course(world, **{"completed_at": at("2026-01-10"), **row})


async def passed_for(world: World, **of_partner: Any) -> None:
    """Of a partner that comes or goes."""
    await partner(world, **of_partner)
    await passed(world)


async def checked_at(world: World, **of_partner: Any) -> None:
    await partner(world, **of_partner)
    await checked(world)


async def check(world: World, **row: Any) -> None:
    row = {"check_id": "insured", "version": 1, "severity": "high", "weight": 7, "critical": False, **row}
    await world.add("compliance_check", **{"effective_from": day("2020-01-01"), **row})


async def result(world: World, partner: str = "a", on: datetime = BEFORE, **row: Any) -> None:
    said = {"check_id": "insured", "version": 1, "outcome": "inconclusive", "assessed_at": on}
    await world.add("compliance_result", partner_id=partner, **{**said, **row})


async def checked(world: World, of_check: dict[str, Any] | None = None, **row: Any) -> None:
    await check(world, **of_check or {})
    await result(world, **row)


async def waived(world: World, **row: Any) -> None:
    await check(world)
    row = {"valid_from": day("2026-01-01"), "valid_until": day("2026-03-31"), **row}
    said = {"check_id": "insured", "approved_by": "legal", "reason": "moving"}
    await world.add("compliance_waiver", partner_id="a", **said, **row)


async def partner(world: World, **row: Any) -> None:
    await world.add("partner", partner_id="a", **row)
