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
from tests.store.boundary_facts import (
    BEFORE,
    DAY,
    check,
    checked,
    checked_at,
    claim,
    cost,
    course,
    deal,
    fund,
    lead,
    open_deal,
    partner,
    passed,
    passed_for,
    reopened,
    reserved,
    result,
    said_anew,
    sale,
    settled,
    shared,
    undone,
    untouched,
    waived,
)
from tests.store.world import Q1, World, at, day

JUST = timedelta(microseconds=1)
LATER = at("2026-06-01")
T = at("2026-02-10 12:00")
MIDNIGHT = at("2026-02-10")
"""Where dates begin and end."""

MARGIN, VELOCITY, SLA = MetricName.CONTRIBUTION_MARGIN, MetricName.PIPELINE_VELOCITY, MetricName.LEAD_FOLLOW_UP_SLA
MDF, ENABLEMENT = MetricName.MDF_SPEND, MetricName.ENABLEMENT_COMPLETION
COMPLIANCE, ACCEPTANCE = MetricName.COMPLIANCE_SCORE, MetricName.LEAD_ACCEPTANCE
CHURN, LEAKAGE, CERTIFIED = MetricName.PARTNER_CHURN, MetricName.DISCOUNT_LEAKAGE, MetricName.CERTIFIED_PARTNERS


async def part(world: World, metric: MetricName, name: str, partner: str, as_of: datetime) -> float:
    """Nothing where nothing is known of the partner."""
    rows = (await world.read(metric, partner, as_of=as_of)).rows
    return rows[0].parts.get(name, 0) if rows else 0


class Placed(NamedTuple):
    """A fact that counts one in a part if it lies in the window; dates lie in it by their days."""

    metric: MetricName
    part: str
    add: Callable[..., Awaitable[Any]]
    dated: bool = False


PLACED = (
    Placed(SLA, "met", lead),
    Placed(SLA, "met", said_anew),
    Placed(ACCEPTANCE, "met", lead),
    Placed(VELOCITY, "won", deal),
    Placed(VELOCITY, "lost", lambda world, name, moment: deal(world, name, moment, outcome="lost")),
    Placed(VELOCITY, "cancelled", lambda world, name, moment: deal(world, name, moment, outcome="cancelled")),
    Placed(MARGIN, "mdf", claim),
    Placed(MARGIN, "net_revenue", sale, dated=True),
    Placed(MARGIN, "product_cost", cost, dated=True),
    Placed(MARGIN, "over_credited", shared, dated=True),
    Placed(LEAKAGE, "lines", sale, dated=True),
    Placed(MDF, "paid_in_window", claim),
    Placed(MDF, "paid_in_window", settled),
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


COMES, GOES, NEVER = (0, 1, 1), (1, 0, 0), (0, 0, 0)
PASSES, EXPIRES = (0, 0, 1), (1, 1, 0)
"""A deadline is met at its very moment; what comes after is late."""

LAST = day("2026-02-09")
"""The last day before `MIDNIGHT`."""
FROM = MIDNIGHT.date()

IN_TIME: dict[str, Any] = {"contact_due_at": T, "reassigned_at": LATER}
"""Due at that moment, and of a lead that is looked at by itself, because it is given away one day."""

HAPPENS = (
    Turn(SLA, "pending", COMES, said_anew, {"assigned": T, "accepted_at": None, "first_contact_at": None}),
    Turn(SLA, "met", COMES, lead, {"first_contact_at": T, **IN_TIME}),
    Turn(SLA, "met_early", EXPIRES, lead, {"contact_due_at": T}),
    Turn(SLA, "met_early", EXPIRES, lead, IN_TIME),
    Turn(SLA, "excluded_after_due", NEVER, lead, {"contact_due_at": T, "excluded_at": T, "excluded_reason": "junk"}),
    Turn(
        ACCEPTANCE, "excluded_after_due", NEVER, lead, {"accept_due_at": T, "excluded_at": T, "excluded_reason": "junk"}
    ),
    Turn(ACCEPTANCE, "met_backdated", NEVER, untouched, {"rejected_at": T, "accept_due_at": T}),
    Turn(ACCEPTANCE, "met_backdated", NEVER, untouched, {"first_contact_at": T, "accept_due_at": T}),
    Turn(VELOCITY, "won", COMES, undone, {"closed_at": T}),
    Turn(VELOCITY, "won", GOES, undone, {"reopened_at": T}),
    Turn(MARGIN, "over_credited", COMES, shared, {"on": MIDNIGHT}, MIDNIGHT),
    Turn(MARGIN, "cost_lines", NEVER, cost, {"kind": "rebate", "earned_period": day("2025-12-01")}),
    Turn(MARGIN, "over_credited", NEVER, shared, {"share": "0.400001"}),
    Turn(LEAKAGE, "over_credited", NEVER, shared, {"share": "0.400001"}),
    Turn(ENABLEMENT, "early", GOES, passed, {"due_on": LAST}, MIDNIGHT),
    Turn(ENABLEMENT, "completed", COMES, passed_for, {"active_from": FROM}, MIDNIGHT),
    Turn(ENABLEMENT, "completed", GOES, passed_for, {"active_to": FROM}, MIDNIGHT),
    Turn(ENABLEMENT, "not_begun", GOES, passed_for, {"active_from": FROM}, MIDNIGHT),
    Turn(ENABLEMENT, "not_begun", NEVER, passed_for, {"active_to": FROM}, MIDNIGHT),
    Turn(COMPLIANCE, "inconclusive", COMES, checked_at, {"active_from": FROM}, MIDNIGHT),
    Turn(COMPLIANCE, "inconclusive", GOES, checked_at, {"active_to": FROM}, MIDNIGHT),
    Turn(CERTIFIED, "certified_people", COMES, passed_for, {"active_from": FROM}, MIDNIGHT),
    Turn(CERTIFIED, "certified_people", GOES, passed_for, {"active_to": FROM}, MIDNIGHT),
    Turn(CERTIFIED, "certified_people", COMES, passed, {"assigned": T, "completed_at": T}),
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
    Turn(SLA, "met", COMES, said_anew, {"known_at": T}),
    Turn(VELOCITY, "won", COMES, undone, {"closed_known_at": T}),
    Turn(VELOCITY, "won", GOES, undone, {"reopened_at": at("2026-01-20"), "reopened_known_at": T}),
    Turn(MARGIN, "over_credited", COMES, shared, {"known_at": T}),
    Turn(LEAKAGE, "over_credited", COMES, shared, {"known_at": T}),
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
    """A fact that counts one until it is said anew, and what is said then; `then`: a part in which it counts since."""

    metric: MetricName
    part: str
    add: Callable[..., Awaitable[Any]]
    table: str
    now: dict[str, Any]
    then: str | None = None


CORRECTED = (
    Corrected(SLA, "met", lead, "lead", {"contact_due_at": BEFORE}, "late"),
    Corrected(ACCEPTANCE, "met", lead, "lead", {"accept_due_at": BEFORE}, "late"),
    Corrected(VELOCITY, "won", deal, "opportunity", {"outcome": "lost"}, "lost"),
    Corrected(MARGIN, "net_revenue", sale, "partner_transaction", {"net_amount": 0}),
    Corrected(MARGIN, "product_cost", cost, "partner_cost", {"amount": 0}),
    Corrected(LEAKAGE, "list_value", sale, "partner_transaction", {"list_amount": 0, "net_amount": 0}),
    Corrected(MDF, "unbudgeted", claim, "mdf_claim", {"paid_amount": 0}),
    Corrected(MDF, "reserved", reserved, "mdf_request", {"approved_amount": 0}),
    Corrected(ENABLEMENT, "completed", passed, "enablement_assignment", {"passed": False}, "not_due"),
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
    if corrected.then is not None:
        assert [await part(world, corrected.metric, corrected.then, "a", moment) for moment in moments] == [0, 1, 1]


@pytest.mark.parametrize("metric", [MARGIN, LEAKAGE])
async def test_shares_are_added_up_as_they_were_known_at_the_very_moment(world: World, metric: MetricName) -> None:
    # Beside our 0.6 the other partner has 0.4; 0.6 from T on, which is 1.2 together;
    # 0.4 again ten days later, and 0.6 for good a day after that.
    await shared(world, share="0.4", known_at=BEFORE)
    again = T + 10 * DAY
    await world.amend("partner_transaction", "other a", T.isoformat(), credit_share="0.6")
    for moment, share in ((again, "0.4"), (again + DAY, "0.6")):
        await world.amend("partner_transaction", "other a", moment.isoformat(), credit_share=share)
    moments = (T - JUST, T, again - JUST, again, again + DAY)
    assert [await part(world, metric, "over_credited", "a", moment) for moment in moments] == [0, 1, 1, 0, 1]


@pytest.mark.parametrize("metric", [MARGIN, LEAKAGE])
async def test_a_share_that_was_corrected_since_is_known_from_its_very_moment(world: World, metric: MetricName) -> None:
    await shared(world, known_at=T)
    await world.amend("partner_transaction", "other a", "2026-03-01", credit_share="0.4")
    moments = (T - JUST, T, at("2026-03-01") - JUST, at("2026-03-01"))
    assert [await part(world, metric, "over_credited", "a", moment) for moment in moments] == [0, 1, 1, 0]


@pytest.mark.parametrize(
    ("start", "end", "counted"),
    [
        ("2025-10-01", "2026-01-01", 0),  # over at the stroke at which the window begins
        ("2025-10-01", "2026-01-02", 1),
        ("2026-03-31", "2026-06-30", 1),
        ("2026-04-01", "2026-07-01", 0),  # begins at the stroke at which it ends
    ],
)
async def test_an_allocation_counts_whose_period_shares_a_moment_with_the_window(
    world: World, start: str, end: str, counted: int
) -> None:
    await fund(world, period_start=day(start), period_end=day(end))
    assert await part(world, MDF, "allocations", "a", LATER) == counted


async def test_a_close_stands_that_is_not_known_to_be_undone_whatever_else_nobody_knows_yet(world: World) -> None:
    """Closed twice, and both were undone; of the second close nobody knows at first."""
    # Won for 1 on 5 January, and opened again on the 20th, which is known on 5 February.
    await undone(world, reopened_at=at("2026-01-20"), reopened_known_at=at("2026-02-05"))
    # Lost on the 25th, which is known on 1 March, and opened again on the 10th.
    second = {"closed_at": at("2026-01-25"), "closed_known_at": at("2026-03-01"), "reopened_at": at("2026-03-10")}
    await world.add("opportunity_reopening", opportunity_id="deal", outcome="lost", amount=None, **second)
    for moment, won, lost in (("2026-01-30", 1, 0), ("2026-02-05", 0, 0), ("2026-03-01", 0, 1), ("2026-03-10", 0, 0)):
        assert await part(world, VELOCITY, "won", "a", at(moment)) == won, moment
        assert await part(world, VELOCITY, "lost", "a", at(moment)) == lost, moment


async def test_a_deal_that_is_known_to_be_open_again_has_no_close_before_that(world: World) -> None:
    """Closed twice, and both were undone; that the first was is known last. From the day on that the second is known to
    be undone the deal is known to be open, whatever is not known of how it came to be closed a second time: it is not
    won once more as it was at first."""
    # Won for 1 on 5 January, and opened again on the 20th, which is known on 1 March.
    await undone(world, reopened_at=at("2026-01-20"), reopened_known_at=at("2026-03-01"))
    # Lost on the 25th, and opened again on 10 February.
    second = {"closed_at": at("2026-01-25"), "reopened_at": at("2026-02-10")}
    await world.add("opportunity_reopening", opportunity_id="deal", outcome="lost", amount=None, **second)
    said = [("2026-01-24", 1, 0, 0), ("2026-01-25", 0, 1, 0), ("2026-02-10", 0, 0, 1), ("2026-03-01", 0, 0, 1)]
    for moment, *expected in said:
        found = [await part(world, VELOCITY, name, "a", at(moment)) for name in ("won", "lost", "open")]
        assert found == expected, moment


async def test_business_hours_are_those_of_leads_from_the_very_start_of_the_window(world: World) -> None:
    await lead(world, assigned=Q1.start, source_id="first")
    await world.conn.execute(
        "insert into lead_contact_time (source_system, source_id, partner_id, assigned_at, first_contact_at,"
        " elapsed_minutes, business_minutes, stands_since)"
        " select source_system, source_id, partner_id, assigned_at, first_contact_at, 60, 30, known_at from lead"
    )
    # 30 minutes.
    assert await part(world, SLA, "contact_business_hours_median", "a", LATER) == 0.5


async def test_a_certificate_that_ends_with_its_course_ends_at_that_midnight(world: World) -> None:
    # Passed on 10 January and valid for 30 days: 9 February is the last one.
    lasts = {"course_id": "basics", "version": 1, "effective_from": day("2020-01-01"), "validity_days": 30}
    await world.add("enablement_course", **lasts)
    await passed(world)
    for metric, name in ((ENABLEMENT, "completed"), (CERTIFIED, "certified_people")):
        moments = (MIDNIGHT - JUST, MIDNIGHT)
        assert [await part(world, metric, name, "a", moment) for moment in moments] == [1, 0]
