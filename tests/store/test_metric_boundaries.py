"""What counts changes at one instant: at which, and on which side of it, for every metric and each of its moments.

A window takes its start and leaves its end. What happens at a moment has happened by it, and what becomes known at a
moment is known by it. A deadline, and the last day of anything, is in time to its end: late is what comes after. The
number of a part is read a microsecond before the instant, at it, and a microsecond after.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pytest

from models.metric import MetricName
from tests.store.world import Q1, World, at, day

JUST = timedelta(microseconds=1)
DAY = timedelta(days=1)
LATER = at("2026-06-01")
T = at("2026-02-10 12:00")
MIDNIGHT = at("2026-02-10")
"""Where dates begin and end."""
BEFORE = at("2026-01-05")

MARGIN, VELOCITY, SLA = MetricName.CONTRIBUTION_MARGIN, MetricName.PIPELINE_VELOCITY, MetricName.LEAD_FOLLOW_UP_SLA
MDF, ENABLEMENT = MetricName.MDF_SPEND, MetricName.ENABLEMENT_COMPLETION
COMPLIANCE, ACCEPTANCE = MetricName.COMPLIANCE_SCORE, MetricName.LEAD_ACCEPTANCE
CHURN, LEAKAGE, CERTIFIED = MetricName.PARTNER_CHURN, MetricName.DISCOUNT_LEAKAGE, MetricName.CERTIFIED_PARTNERS


async def part(world: World, metric: MetricName, name: str, partner: str, as_of: datetime) -> float:
    """Nothing where nothing is known of the partner."""
    rows = (await world.read(metric, partner, as_of=as_of)).rows
    return rows[0].parts.get(name, 0) if rows else 0


async def lead(world: World, partner: str = "a", assigned: datetime = BEFORE, **row: Any) -> None:
    """To be accepted in eight hours and contacted in a day, and both done after one, unless said otherwise."""
    hour = assigned + timedelta(hours=1)
    row = {"accept_due_at": assigned + 8 * (hour - assigned), "contact_due_at": assigned + DAY, **row}
    row = {"accepted_at": hour, "first_contact_at": hour, **row}
    await world.add("lead", partner_id=partner, assigned_at=assigned, **row)


async def untouched(world: World, **row: Any) -> None:
    await lead(world, **{"accepted_at": None, "first_contact_at": None, **row})


async def deal(world: World, partner: str = "a", closed: datetime = BEFORE, **row: Any) -> str:
    """Won for 1 after ten days."""
    row = {"qualified_at": closed - 10 * DAY, "outcome": "won", "amount": 1, **row}
    return await world.add("opportunity", partner_id=partner, closed_at=closed, **row)


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


async def course(world: World, partner: str = "a", assigned: datetime = BEFORE, **row: Any) -> None:
    """Due by the end of the quarter, of a person of its own."""
    person = await world.add("person", partner_id=partner, **row.pop("person", {}))
    row = {"course_id": "basics", "due_on": day("2026-03-31"), "assigned_at": assigned, **row}
    await world.add("enablement_assignment", partner_id=partner, person_id=person, **row)


async def passed(world: World, **row: Any) -> None:
    await course(world, **{"completed_at": at("2026-01-10"), **row})


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


class Placed(NamedTuple):
    """A fact that counts one in a part if it lies in the window; dates lie in it by their days."""

    metric: MetricName
    part: str
    add: Callable[..., Awaitable[Any]]
    dated: bool = False


PLACED = (
    Placed(SLA, "met", lead),
    Placed(ACCEPTANCE, "met", lead),
    Placed(VELOCITY, "won", deal),
    Placed(VELOCITY, "lost", lambda world, name, moment: deal(world, name, moment, outcome="lost")),
    Placed(VELOCITY, "cancelled", lambda world, name, moment: deal(world, name, moment, outcome="cancelled")),
    Placed(MARGIN, "mdf", claim),
    Placed(MARGIN, "net_revenue", sale, dated=True),
    Placed(MARGIN, "product_cost", cost, dated=True),
    Placed(LEAKAGE, "lines", sale, dated=True),
    Placed(MDF, "paid_in_window", claim),
    Placed(MDF, "unbudgeted", claim),
    Placed(ENABLEMENT, "assigned_in_window", course),
    Placed(COMPLIANCE, "assessed_in_window", result),
)


@pytest.mark.parametrize("placed", PLACED, ids=lambda placed: f"{placed.metric}-{placed.part}")
async def test_a_window_takes_its_start_and_leaves_its_end(world: World, placed: Placed) -> None:
    step = DAY if placed.dated else JUST
    moments = {"before": Q1.start - step, "start": Q1.start, "last": Q1.end - step, "end": Q1.end}
    if placed.metric is COMPLIANCE:
        await check(world)
    for name, moment in moments.items():
        await placed.add(world, name, moment)
    found = {name: await part(world, placed.metric, placed.part, name, LATER) for name in moments}
    assert found == {"before": 0, "start": 1, "last": 1, "end": 0}


@pytest.mark.parametrize(
    ("came", "left", "counted"),
    [
        # By the parts at_start, lost, joined and left_before. A window of churn holds who was there at its very start.
        ("2025-12-31", None, (1, 0, 0, 0)),
        ("2026-01-01", None, (1, 0, 0, 0)),
        ("2026-01-02", None, (0, 0, 1, 0)),
        ("2026-03-31", None, (0, 0, 1, 0)),
        ("2026-04-01", None, (0, 0, 0, 0)),
        ("2020-01-01", "2025-12-31", (0, 0, 0, 1)),
        ("2020-01-01", "2026-01-01", (0, 0, 0, 1)),
        ("2020-01-01", "2026-01-02", (1, 1, 0, 0)),
        # At the stroke of the end: a partner all the window through, and lost in it.
        ("2020-01-01", "2026-04-01", (1, 1, 0, 0)),
        ("2020-01-01", "2026-04-02", (1, 0, 0, 0)),
    ],
)
async def test_churn_at_the_start_and_at_the_end_of_its_window(
    world: World, came: str, left: str | None, counted: tuple[int, ...]
) -> None:
    await partner(world, active_from=day(came), active_to=left and day(left))
    parts = (await world.reading(CHURN, "a", as_of=LATER)).parts
    assert tuple(parts[name] for name in ("at_start", "lost", "joined", "left_before")) == counted


class Turn(NamedTuple):
    """A part, and what is counted in it just before an instant, at it, and just after."""

    metric: MetricName
    part: str
    counted: tuple[int, int, int]
    add: Callable[..., Awaitable[Any]]
    said: dict[str, Any]
    moment: datetime = T


COMES, GOES = (0, 1, 1), (1, 0, 0)
PASSES, EXPIRES = (0, 0, 1), (1, 1, 0)
"""A deadline is met at its very moment; what comes after is late."""

LAST = day("2026-02-09")
"""The last day before `MIDNIGHT`."""
FROM = MIDNIGHT.date()

HAPPENS = (
    Turn(SLA, "pending", COMES, untouched, {"assigned": T}),
    Turn(SLA, "met", COMES, lead, {"first_contact_at": T, "contact_due_at": T}),
    Turn(SLA, "late", COMES, lead, {"first_contact_at": T}),
    Turn(SLA, "open_breach", PASSES, untouched, {"contact_due_at": T}),
    Turn(SLA, "excluded_junk", COMES, lead, {"excluded_at": T, "excluded_reason": "junk"}),
    Turn(SLA, "excluded_reassigned", COMES, untouched, {"reassigned_at": T, "contact_due_at": T}),
    Turn(SLA, "excluded_rejected", COMES, untouched, {"rejected_at": T, "contact_due_at": T}),
    Turn(ACCEPTANCE, "pending", COMES, untouched, {"assigned": T}),
    Turn(ACCEPTANCE, "met", COMES, untouched, {"accepted_at": T, "accept_due_at": T}),
    Turn(ACCEPTANCE, "met", COMES, untouched, {"first_contact_at": T, "accept_due_at": T}),
    Turn(ACCEPTANCE, "rejected", COMES, untouched, {"rejected_at": T, "accept_due_at": T}),
    Turn(ACCEPTANCE, "open_breach", PASSES, untouched, {"accept_due_at": T}),
    Turn(ACCEPTANCE, "excluded_junk", COMES, lead, {"excluded_at": T, "excluded_reason": "junk"}),
    Turn(ACCEPTANCE, "excluded_reassigned", COMES, untouched, {"reassigned_at": T, "accept_due_at": T}),
    Turn(VELOCITY, "won", COMES, deal, {"closed": T}),
    Turn(VELOCITY, "unqualified", GOES, open_deal, {"qualified_at": T}),
    Turn(VELOCITY, "stale_open", PASSES, open_deal, {"qualified_at": T - 60 * DAY}),
    Turn(VELOCITY, "stale_open", GOES, open_deal, {"qualified_at": T - 90 * DAY, "last_activity_at": T}),
    Turn(VELOCITY, "won", GOES, reopened, {"reopened_at": T}),
    Turn(VELOCITY, "open", COMES, reopened, {"reopened_at": T}),
    Turn(MARGIN, "mdf", COMES, claim, {"paid": T}),
    Turn(MARGIN, "net_revenue", COMES, sale, {"on": MIDNIGHT}, MIDNIGHT),
    Turn(MARGIN, "product_cost", COMES, cost, {"on": MIDNIGHT}, MIDNIGHT),
    Turn(MDF, "paid_in_window", COMES, claim, {"paid": T}),
    Turn(MDF, "allocations", PASSES, fund, {"period_start": FROM}, MIDNIGHT),
    Turn(MDF, "reserved", COMES, reserved, {"decided_at": T}),
    Turn(MDF, "reserved", GOES, reserved, {"released_at": T}),
    Turn(MDF, "reserved", GOES, reserved, {"budget": {"claim_deadline": LAST}}, MIDNIGHT),
    Turn(ENABLEMENT, "not_due", COMES, course, {"assigned": T}),
    Turn(ENABLEMENT, "completed", COMES, course, {"completed_at": T}),
    Turn(ENABLEMENT, "overdue", COMES, course, {"due_on": LAST}, MIDNIGHT),
    Turn(ENABLEMENT, "expired", COMES, passed, {"due_on": day("2026-01-31"), "valid_until": LAST}, MIDNIGHT),
    Turn(ENABLEMENT, "waived", COMES, course, {"waived_at": T, "waived_by": "lead"}),
    Turn(ENABLEMENT, "withdrawn", COMES, course, {"withdrawn_at": T}),
    Turn(ENABLEMENT, "overdue", GOES, course, {"previous_due_on": day("2026-01-31"), "due_changed_at": T}),
    Turn(ENABLEMENT, "completed", COMES, passed, {"person": {"active_from": FROM}}, MIDNIGHT),
    Turn(ENABLEMENT, "completed", GOES, passed, {"person": {"active_to": FROM}}, MIDNIGHT),
    Turn(COMPLIANCE, "inconclusive", COMES, checked, {"on": T}),
    Turn(COMPLIANCE, "inconclusive", GOES, checked, {"valid_until": LAST}, MIDNIGHT),
    Turn(COMPLIANCE, "inconclusive", COMES, checked, {"of_check": {"effective_from": FROM}}, MIDNIGHT),
    Turn(COMPLIANCE, "inconclusive", GOES, checked, {"of_check": {"retired_on": FROM}}, MIDNIGHT),
    Turn(COMPLIANCE, "waived", COMES, waived, {"valid_from": FROM}, MIDNIGHT),
    Turn(COMPLIANCE, "waived", GOES, waived, {"valid_until": LAST}, MIDNIGHT),
    Turn(COMPLIANCE, "waived", GOES, waived, {"revoked_at": T}),
    Turn(CHURN, "joined", COMES, partner, {"active_from": FROM}, MIDNIGHT),
    Turn(CHURN, "lost", COMES, partner, {"active_to": FROM}, MIDNIGHT),
    Turn(CERTIFIED, "certified_people", COMES, passed, {"completed_at": T}),
    Turn(CERTIFIED, "certified_people", GOES, passed, {"valid_until": LAST}, MIDNIGHT),
    Turn(CERTIFIED, "certified_people", COMES, passed, {"person": {"active_from": FROM}}, MIDNIGHT),
    Turn(CERTIFIED, "certified_people", GOES, passed, {"person": {"active_to": FROM}}, MIDNIGHT),
)
BECOMES_KNOWN = (
    Turn(SLA, "met", COMES, lead, {"known_at": T}),
    Turn(SLA, "met", COMES, lead, {"first_contact_known_at": T}),
    Turn(SLA, "excluded_junk", COMES, lead, {"excluded_at": BEFORE, "excluded_known_at": T, "excluded_reason": "junk"}),
    Turn(SLA, "excluded_reassigned", COMES, untouched, {"reassigned_at": BEFORE, "reassigned_known_at": T}),
    Turn(SLA, "excluded_rejected", COMES, untouched, {"rejected_at": BEFORE, "rejected_known_at": T}),
    Turn(ACCEPTANCE, "met", COMES, lead, {"known_at": T}),
    Turn(ACCEPTANCE, "met", COMES, untouched, {"accepted_at": BEFORE, "accepted_known_at": T}),
    Turn(ACCEPTANCE, "met", COMES, untouched, {"first_contact_at": BEFORE, "first_contact_known_at": T}),
    Turn(ACCEPTANCE, "rejected", COMES, untouched, {"rejected_at": BEFORE, "rejected_known_at": T}),
    Turn(ACCEPTANCE, "excluded_reassigned", COMES, untouched, {"reassigned_at": BEFORE, "reassigned_known_at": T}),
    Turn(VELOCITY, "won", COMES, deal, {"known_at": T}),
    Turn(VELOCITY, "won", COMES, deal, {"closed_known_at": T}),
    Turn(VELOCITY, "won", GOES, reopened, {"reopened_known_at": T}),
    Turn(MARGIN, "net_revenue", COMES, sale, {"known_at": T}),
    Turn(MARGIN, "product_cost", COMES, cost, {"known_at": T}),
    Turn(MARGIN, "mdf", COMES, claim, {"known_at": T}),
    Turn(MARGIN, "mdf", COMES, claim, {"paid_known_at": T}),
    Turn(LEAKAGE, "lines", COMES, sale, {"known_at": T}),
    Turn(MDF, "unbudgeted", COMES, claim, {"known_at": T}),
    Turn(MDF, "unbudgeted", COMES, claim, {"paid_known_at": T}),
    Turn(MDF, "reserved", COMES, reserved, {"known_at": T}),
    Turn(MDF, "reserved", COMES, reserved, {"decided_known_at": T}),
    Turn(MDF, "reserved", GOES, reserved, {"released_at": BEFORE, "released_known_at": T}),
    Turn(MDF, "allocations", COMES, fund, {"known_at": T}),
    Turn(ENABLEMENT, "completed", COMES, passed, {"known_at": T}),
    Turn(ENABLEMENT, "completed", COMES, passed, {"completed_known_at": T}),
    Turn(ENABLEMENT, "waived", COMES, course, {"waived_at": BEFORE, "waived_known_at": T, "waived_by": "lead"}),
    Turn(ENABLEMENT, "withdrawn", COMES, course, {"withdrawn_at": BEFORE, "withdrawn_known_at": T}),
    Turn(COMPLIANCE, "inconclusive", COMES, checked, {"known_at": T}),
    Turn(COMPLIANCE, "inconclusive", COMES, checked, {"of_check": {"known_at": T}}),
    Turn(COMPLIANCE, "waived", COMES, waived, {"known_at": T}),
    Turn(COMPLIANCE, "waived", GOES, waived, {"revoked_at": BEFORE, "revoked_known_at": T}),
    Turn(CERTIFIED, "certified_people", COMES, passed, {"known_at": T}),
    Turn(CERTIFIED, "certified_people", COMES, passed, {"completed_known_at": T}),
)


def named(turn: Turn) -> str:
    return f"{turn.metric}-{turn.part}-{'-'.join(turn.said)}"


async def told(world: World, turn: Turn) -> None:
    """The fact, and nothing that would otherwise be there by itself."""
    await turn.add(world, **turn.said)
    if not await world.conn.fetchval("select exists (select from partner)"):
        await partner(world)


@pytest.mark.parametrize("turn", [*HAPPENS, *BECOMES_KNOWN], ids=named)
async def test_what_counts_changes_at_the_very_moment(world: World, turn: Turn) -> None:
    await told(world, turn)
    moments = (turn.moment - JUST, turn.moment, turn.moment + JUST)
    found = [await part(world, turn.metric, turn.part, "a", moment) for moment in moments]
    assert tuple(found) == turn.counted


class Corrected(NamedTuple):
    """A fact that counts one until it is said anew, and what is said then."""

    metric: MetricName
    part: str
    add: Callable[..., Awaitable[Any]]
    table: str
    now: dict[str, Any]


CORRECTED = (
    Corrected(SLA, "met", lead, "lead", {"contact_due_at": BEFORE}),
    Corrected(ACCEPTANCE, "met", lead, "lead", {"accept_due_at": BEFORE}),
    Corrected(VELOCITY, "won", deal, "opportunity", {"outcome": "lost"}),
    Corrected(MARGIN, "net_revenue", sale, "partner_transaction", {"net_amount": 0}),
    Corrected(MARGIN, "product_cost", cost, "partner_cost", {"amount": 0}),
    Corrected(LEAKAGE, "list_value", sale, "partner_transaction", {"list_amount": 0, "net_amount": 0}),
    Corrected(MDF, "unbudgeted", claim, "mdf_claim", {"paid_amount": 0}),
    Corrected(MDF, "reserved", reserved, "mdf_request", {"approved_amount": 0}),
    Corrected(ENABLEMENT, "completed", passed, "enablement_assignment", {"passed": False}),
    Corrected(COMPLIANCE, "inconclusive", checked, "compliance_result", {"outcome": "pass"}),
    Corrected(CHURN, "at_start", partner, "partner", {"active_from": day("2026-02-01")}),
    Corrected(CERTIFIED, "certified_people", passed, "enablement_assignment", {"passed": False}),
)


@pytest.mark.parametrize("corrected", CORRECTED, ids=lambda one: f"{one.metric}-{one.table}")
async def test_a_correction_counts_from_the_very_moment_it_is_known(world: World, corrected: Corrected) -> None:
    await corrected.add(world)
    [source_id] = [row["source_id"] for row in await world.conn.fetch(f"select source_id from {corrected.table}")]  # noqa: S608
    await world.amend(corrected.table, source_id, T.isoformat(), **corrected.now)
    moments = (T - JUST, T, T + JUST)
    found = [await part(world, corrected.metric, corrected.part, "a", moment) for moment in moments]
    assert found == [1, 0, 0]


async def test_a_certificate_that_ends_with_its_course_ends_at_that_midnight(world: World) -> None:
    # Passed on 10 January and valid for 30 days: 9 February is the last one.
    lasts = {"course_id": "basics", "version": 1, "effective_from": day("2020-01-01"), "validity_days": 30}
    await world.add("enablement_course", **lasts)
    await passed(world)
    for metric, name in ((ENABLEMENT, "completed"), (CERTIFIED, "certified_people")):
        moments = (MIDNIGHT - JUST, MIDNIGHT)
        assert [await part(world, metric, name, "a", moment) for moment in moments] == [1, 0]
