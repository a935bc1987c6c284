"""The facts named of who moved a number are such as the metric counts against it, worked out by hand."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from models.evidence import Window
from models.metric import MetricName
from store.quality import facts_behind
from tests.store.world import Q1, Q1_END, World, at, day

SLA, MARGIN, VELOCITY = MetricName.LEAD_FOLLOW_UP_SLA, MetricName.CONTRIBUTION_MARGIN, MetricName.PIPELINE_VELOCITY
SCORE, MDF, COMPLETION = MetricName.COMPLIANCE_SCORE, MetricName.MDF_SPEND, MetricName.ENABLEMENT_COMPLETION
LEAKAGE = MetricName.DISCOUNT_LEAKAGE


async def named(world: World, metric: MetricName, as_of: datetime = Q1_END, each: int = 20) -> list[str]:
    found = await facts_behind(world.conn, metric, ["a"], Window(start=Q1.start, end=as_of), each=each)
    return [one.split(" ", 1)[1] if metric not in (MDF, SCORE) else one for one in found.get("a", ())]


async def test_of_leads_those_that_are_late_or_overdue(world: World) -> None:
    """One was turned down in time and nobody called: it waits for the vendor. One was turned down after its deadline,
    one in time but called all the same, too late."""
    assigned, due, late = at("2026-02-01"), at("2026-02-03"), at("2026-02-05")
    leads: dict[str, dict[str, Any]] = {
        "met": {"first_contact_at": at("2026-02-02")},
        "late": {"first_contact_at": late},
        "overdue": {},
        "turned down": {"rejected_at": at("2026-02-02")},
        "turned down late": {"rejected_at": late},
        "turned down and called": {"rejected_at": at("2026-02-02"), "first_contact_at": late},
        "given away": {"reassigned_at": at("2026-02-02"), "first_contact_at": late},
        "junk": {"excluded_at": late, "excluded_reason": "junk"},
    }
    for name, row in leads.items():
        await world.add("lead", partner_id="a", source_id=name, assigned_at=assigned, contact_due_at=due, **row)
    missed = ["late", "overdue", "turned down and called", "turned down late"]
    assert await named(world, SLA) == missed
    # Of 5 leads 1 was met in time.
    value = await world.value(SLA)
    assert (value.numerator, value.denominator) == (1, 1 + len(missed))


async def test_of_assignments_those_the_metric_counts_as_not_completed(world: World) -> None:
    assigned, due, past = at("2025-12-01"), day("2026-02-28"), at("2026-01-15")
    await world.add(
        "enablement_course", course_id="yearly", version=1, validity_days=30, effective_from=day("2025-01-01")
    )
    await world.add("person", person_id="gone", partner_id="a", active_to=day("2026-03-01"))
    rows: dict[str, dict[str, Any]] = {
        "overdue": {},
        "failed": {"completed_at": past, "passed": False},
        "lapsed": {"completed_at": past, "valid_until": day("2026-03-01")},
        # 30 days from 15 January: to 14 February.
        "lapsed by the course": {"completed_at": past, "course_id": "yearly"},
        "completed": {"completed_at": past},
        "not due": {"due_on": day("2026-04-30")},
        # Until the change is known it is due on 28 February; from then on it is not due yet.
        "moved": {"due_on": day("2026-06-30"), "previous_due_on": due, "due_changed_at": at("2026-03-20")},
        "waived": {"waived_at": past, "waived_by": "lead"},
        "withdrawn": {"withdrawn_at": past},
        "withdrawn too late": {"withdrawn_at": at("2026-03-10")},
        "made too late": {"assigned_at": at("2026-03-05")},
        "of who left": {"person_id": "gone"},
        # Taken again by the same person and passed: the older one stands no more.
        "first try": {"person_id": "p", "completed_at": past, "passed": False},
        "second try": {"person_id": "p", "assigned_at": at("2026-02-01"), "completed_at": at("2026-02-20")},
    }
    await world.add("person", person_id="p", partner_id="a")
    for name, row in rows.items():
        person = row.get("person_id") or await world.add("person", partner_id="a")
        fact = {"course_id": "basics", "assigned_at": assigned, "due_on": due, **row, "person_id": person}
        await world.add("enablement_assignment", partner_id="a", source_id=name, **fact)
    missing = ["failed", "lapsed", "lapsed by the course", "overdue", "withdrawn too late"]
    assert await named(world, COMPLETION) == missing
    # Completed are one, and the second try.
    value = await world.value(COMPLETION)
    assert (value.numerator, value.denominator) == (2, 2 + len(missing))
    assert "moved" in await named(world, COMPLETION, at("2026-03-10"))


async def test_of_checks_those_that_apply_and_are_not_passed_by_a_result_in_date(world: World) -> None:
    await world.add("partner", partner_id="a", tier="gold")
    checks: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "light": ({"weight": 2}, {"outcome": "fail"}),
        "heavy": ({"weight": 7}, {"outcome": "partial", "value": 0.5}),
        "critical": ({"weight": 4, "critical": True}, {"outcome": "fail"}),
        "critical in part": ({"weight": 10, "critical": True}, {"outcome": "partial", "value": 0.1}),
        "silent": ({"weight": 7}, {"outcome": "inconclusive"}),
        "passed": ({}, {"outcome": "pass"}),
        "not for them": ({}, {"outcome": "not_applicable"}),
        "waived": ({}, {"outcome": "fail"}),
        "waived once": ({}, {"outcome": "fail"}),
        # Assessed on 10 January; its 30 days end on 9 February.
        "lapsed": ({"validity_days": 30}, {"outcome": "fail"}),
        "in grace": ({"validity_days": 30, "grace_days": 60}, {"outcome": "fail"}),
        "retired": ({"retired_on": day("2026-03-01")}, {"outcome": "fail"}),
        "for silver": ({"tiers": ["silver"]}, {"outcome": "fail"}),
        "repaired": ({}, {"outcome": "fail"}),
    }
    for name, (check, result) in checks.items():
        row = {"version": 1, "severity": "high", "weight": 4, "effective_from": day("2025-01-01"), **check}
        await world.add("compliance_check", check_id=name, source_id=name, **row)
        fact: dict[str, Any] = {"check_id": name, "version": 1, "assessed_at": at("2026-01-10"), **result}
        await world.add("compliance_result", partner_id="a", **fact)
    again: dict[str, Any] = {"version": 1, "assessed_at": at("2026-02-10"), "outcome": "pass"}
    await world.add("compliance_result", partner_id="a", check_id="repaired", **again)
    for name, until in (("waived", "2026-04-01"), ("waived once", "2026-03-31")):
        dates = {"valid_from": day("2026-01-15"), "valid_until": day(until), "approved_by": "legal", "reason": "asked"}
        await world.add("compliance_waiver", partner_id="a", check_id=name, **dates)
    # On 1 April at midnight the one waiver is in its last day and the other over.
    assert await named(world, SCORE) == [
        "failed critical check critical",
        *(f"check {name}" for name in ("critical in part", "heavy", "silent", "in grace", "waived once", "light")),
    ]


async def test_of_deals_the_largest_lost_in_one_currency_and_none_that_is_open_again(world: World) -> None:
    await world.add("fx_rate", currency="JPY", month=day("2026-02-01"), rate="0.0067")
    lost: dict[str, Any] = {"outcome": "lost", "qualified_at": at("2026-01-01"), "closed_at": at("2026-02-10")}
    deals: dict[str, dict[str, Any]] = {
        "small": {**lost, "amount": 500},
        # 100,000 yen are 670 dollars.
        "middling": {**lost, "amount": 100_000, "currency": "JPY"},
        "large": {**lost, "amount": 900},
        "without a rate": {**lost, "amount": 10_000, "currency": "EUR"},
        "open again": {**lost, "amount": 5000},
        "slow": {**lost, "outcome": "won", "amount": 1, "qualified_at": at("2025-06-01")},
        "quick": {**lost, "outcome": "won", "amount": 1},
        "influenced": {**lost, "amount": 7000, "origin": "influenced"},
    }
    for name, row in deals.items():
        await world.add("opportunity", partner_id="a", source_id=name, **row)
    undone = {"closed_at": at("2026-02-10"), "reopened_at": at("2026-03-01"), "outcome": "lost"}
    await world.add("opportunity_reopening", opportunity_id="open again", **undone)
    assert await named(world, VELOCITY) == ["large", "middling", "small", "without a rate", "slow", "quick"]
    assert (await world.value(VELOCITY)).parts["opportunities"] == 6
    assert "open again" in await named(world, VELOCITY, at("2026-02-28"))


async def test_of_transactions_those_that_leave_least_in_one_currency(world: World) -> None:
    """Left are 100 - 90 = 10 dollars, 100 - 60 = 40, and 10,000 - 7,000 = 3,000 yen, which are 20.1."""
    await world.add("fx_rate", currency="JPY", month=day("2026-02-01"), rate="0.0067")
    for name, currency, sold, spent in (
        ("thin", "USD", 100, 90),
        ("rich", "USD", 100, 60),
        ("yen", "JPY", 10_000, 7_000),
        ("without a rate", "EUR", 100, 99),
    ):
        row: dict[str, Any] = {"partner_id": "a", "currency": currency, "transaction_id": name}
        given = {"list_amount": sold, "net_amount": spent}
        await world.add(
            "partner_transaction", transaction_date=day("2026-02-10"), **row, **{**given, "net_amount": sold}
        )
        await world.add("partner_cost", amount=spent, recognised_on=day("2026-02-12"), **row)
    assert await named(world, MARGIN) == ["thin", "yen", "rich", "without a rate"]


async def test_of_sales_those_most_was_given_away_of_in_one_currency(world: World) -> None:
    """Given away are 10 dollars, 40 dollars, and 3,000 yen, which are 20.1."""
    await world.add("fx_rate", currency="JPY", month=day("2026-02-01"), rate="0.0067")
    for name, currency, listed, sold in (
        ("little", "USD", 100, 90),
        ("much", "USD", 100, 60),
        ("yen", "JPY", 10_000, 7_000),
        ("without a rate", "EUR", 100, 1),
    ):
        row: dict[str, Any] = {"currency": currency, "list_amount": listed, "net_amount": sold}
        await world.add(
            "partner_transaction", partner_id="a", source_id=name, transaction_date=day("2026-02-10"), **row
        )
    assert await named(world, LEAKAGE) == ["much", "yen", "little", "without a rate"]


async def test_of_funds_what_is_unbudgeted_comes_first_then_the_largest_that_is_committed(world: World) -> None:
    """A request that nobody claimed of yet is committed as much as a claim; what was taken back, handed in twice, given
    back or not claimed in time is not."""
    await world.add("fx_rate", currency="JPY", month=day("2026-02-01"), rate="0.0067")
    period = {"period_start": day("2026-01-01"), "period_end": day("2026-04-01")}
    await world.add(
        "mdf_budget", budget_id="now", fund_type="discretionary", claim_deadline=day("2026-04-30"), **period
    )
    await world.add("mdf_allocation", allocation_id="own", budget_id="now", partner_id="a", amount=100_000)
    await world.add("mdf_allocation", allocation_id="other", budget_id="now", partner_id="b", amount=100_000)
    requests: dict[str, dict[str, Any]] = {
        "open": {"requested_amount": 4000},
        "given back": {"requested_amount": 9000, "released_at": at("2026-03-01")},
        "claimed": {"requested_amount": 9000},
        "of another": {"requested_amount": 100, "allocation_id": "other"},
    }
    for name, row in requests.items():
        dates = {"submitted_at": at("2026-01-10"), "decided_at": at("2026-02-01"), "decision": "approved"}
        fact = {"allocation_id": "own", "approved_amount": row["requested_amount"], **dates, **row}
        await world.add("mdf_request", request_id=name, partner_id="a", **fact)
    approved: dict[str, Any] = {
        "submitted_at": at("2026-02-10"),
        "decision": "approved",
        "decided_at": at("2026-02-20"),
    }
    claims: dict[str, dict[str, Any]] = {
        "owed": {"claimed_amount": 3000},
        # 500,000 yen are 3,350 dollars.
        "in yen": {"claimed_amount": 500_000, "currency": "JPY"},
        "taken back": {"claimed_amount": 8000, "withdrawn_at": at("2026-03-01")},
        "first": {"claimed_amount": 200, "invoice_ref": "R-1"},
        "again": {"claimed_amount": 7000, "invoice_ref": "r-1", "submitted_at": at("2026-02-11")},
        "of nothing": {"claimed_amount": 50, "request_id": None},
    }
    for name, row in claims.items():
        fact = {"request_id": "claimed", "approved_amount": row["claimed_amount"], **approved, **row}
        await world.add("mdf_claim", partner_id="a", source_id=name, **fact)
    assert await named(world, MDF) == [
        "unbudgeted request of another",
        "unbudgeted claim of nothing",
        "request open",
        "claim in yen",
        "claim owed",
        "claim first",
    ]
    assert (await world.value(MDF)).parts["unbudgeted"] == 150
    # A month after the deadline nobody can claim any more.
    assert "request open" not in await named(world, MDF, at("2026-05-01"))
