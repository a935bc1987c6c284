"""The lives of leads, courses, checks, sales and deals: what is read before and after every step, then and later."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from models.metric import MetricName
from store.intake import FactKind
from tests.store.life import Life, Look
from tests.store.world import World, day

Start = Callable[[Look], Life]
PARTNERS, LEADS = FactKind.PARTNERS, FactKind.LEADS


@pytest.fixture
async def start(world: World, tmp_path: Path) -> Callable[[Look], Awaitable[Life]]:
    async def begin(look: Look) -> Life:
        life = Life(world, tmp_path, look)
        for partner in "ab":
            await life.tell(PARTNERS, partner, "2025-12-01", name=f"Partner {partner}")
        return life

    return begin


def lead_states(world: World) -> Look:
    """The states that the leads of both partners are in."""

    async def look(as_of: datetime) -> dict[str, str]:
        found = {}
        for partner in "ab":
            for row in (await world.read(MetricName.LEAD_FOLLOW_UP_SLA, partner, as_of=as_of)).rows:
                counts = {"excluded", "excluded_after_due", "met_backdated"}
                states = [name for name, count in row.parts.items() if count == 1 and "hours" not in name]
                found[partner] = next((name for name in states if name not in counts), "none")
        return found

    return look


HALF = {"assigned_at": "2026-01-05T09:00Z", "accept_due_at": "2026-01-05T13:00Z", "contact_due_at": "2026-01-07T09:00Z"}


async def test_a_lead_is_assigned_accepted_contacted_and_corrected(world: World, start: Any) -> None:
    life = await start(lead_states(world))
    assert await life.tell(LEADS, "1", "2026-01-05 10:00", partner_id="a", **HALF) == {"a": "pending"}
    assert await life.tell(LEADS, "1", "2026-01-05 12:00", accepted_at="2026-01-05T11:30Z") == {"a": "pending"}
    # Called in time, but nobody told until the deadline had passed: until then it is a breach.
    assert await life.at("2026-01-07 09:00:01") == {"a": "open_breach"}
    assert await life.tell(LEADS, "1", "2026-01-07 10:00", first_contact_at="2026-01-06T15:00Z") == {"a": "met"}
    # It was an automatic reply; the call came too late.
    assert await life.tell(LEADS, "1", "2026-01-10", first_contact_at="2026-01-08T15:00Z") == {"a": "late"}
    assert await world.conn.fetchval("select accepted_at from lead_as_of('2026-01-05T11:00Z')") is None
    await life.is_remembered()


async def test_a_lead_turned_down_goes_to_another_partner_whose_clock_starts_anew(world: World, start: Any) -> None:
    life = await start(lead_states(world))
    await life.tell(LEADS, "1", "2026-01-05 10:00", partner_id="a", **HALF)
    rejected = {"rejected_at": "2026-01-05T12:00Z", "rejected_reason": "no capacity"}
    assert await life.tell(LEADS, "1", "2026-01-05 12:00", **rejected) == {"a": "excluded_rejected"}
    given = {"assigned_at": "2026-01-06T09:00Z", "contact_due_at": "2026-01-08T09:00Z"}
    await life.tell(LEADS, "1", "2026-01-06 09:00", reassigned_at="2026-01-06T09:00Z")
    states = await life.tell(LEADS, "1b", "2026-01-06 09:01", partner_id="b", **given)
    assert states == {"a": "excluded_reassigned", "b": "pending"}
    assert await life.at("2026-01-09") == {"a": "excluded_reassigned", "b": "open_breach"}
    # Nobody had turned it down: it was taken away after the deadline, and the breach stays the first partner's.
    taken = {"rejected_at": "", "rejected_reason": "", "reassigned_at": "2026-01-07T10:00Z"}
    assert await life.tell(LEADS, "1", "2026-01-12", **taken) == {"a": "open_breach", "b": "open_breach"}
    await life.is_remembered()


@pytest.mark.parametrize("reason", ["recalled", "duplicate", "junk"])
async def test_a_lead_taken_out_is_out_from_when_it_is_known(world: World, start: Any, reason: str) -> None:
    life = await start(lead_states(world))
    await life.tell(LEADS, "1", "2026-01-05 10:00", partner_id="a", **HALF)
    out = {"excluded_at": "2026-01-06T10:00Z", "excluded_reason": reason}
    assert await life.tell(LEADS, "1", "2026-01-06 12:00", **out) == {"a": f"excluded_{reason}"}
    # Taken back: it had been in all along, and is late by now.
    assert await life.tell(LEADS, "1", "2026-01-10", excluded_at="", excluded_reason="") == {"a": "open_breach"}
    await life.is_remembered()


async def test_what_happened_to_a_lead_is_kept_event_by_event(world: World, start: Any) -> None:
    async def look(as_of: datetime) -> list[tuple[str, str | None]]:
        rows = await world.conn.fetch("select kind, actor from lead_event_as_of($1) where at <= $1 order by at", as_of)
        return [(row[0], row[1]) for row in rows]

    life = await start(look)
    await life.tell(LEADS, "1", "2026-01-05 10:00", partner_id="a", **HALF)
    for n, (kind, actor) in enumerate([("assigned", "router"), ("auto_reply", "mailer"), ("attempted", "Kim")]):
        when = f"2026-01-05 1{n}:30"
        told = {"lead_id": "1", "kind": kind, "at": f"{when}", "actor": actor}
        await life.tell(FactKind.LEAD_EVENTS, f"e{n}", when, **told)
    seen = await life.tell(FactKind.LEAD_EVENTS, "e2", "2026-01-06", kind="contacted", actor="Lee")
    assert seen == [("assigned", "router"), ("auto_reply", "mailer"), ("contacted", "Lee")]
    await life.is_remembered()


def course_state(world: World) -> Look:
    """The states of all assignments of partner a: those in the denominator and those that are not."""
    names = ("completed", "overdue", "expired", "failed", "not_due", "waived", "withdrawn", "assigned_after_due")

    async def look(as_of: datetime) -> list[str]:
        rows = (await world.read(MetricName.ENABLEMENT_COMPLETION, "a", as_of=as_of)).rows
        return [name for name in names for _ in range(int(rows[0].parts.get(name) or 0))] if rows else []

    return look


COURSE = {"partner_id": "a", "person_id": "kim", "course_id": "basics"}
TAUGHT = FactKind.ENABLEMENT


async def learner(start: Any, world: World, validity: str = "30") -> Life:
    life: Life = await start(course_state(world))
    await life.tell(FactKind.PEOPLE, "kim", "2025-12-01", partner_id="a")
    given = {"course_id": "basics", "version": "1", "validity_days": validity, "effective_from": "2025-01-01"}
    await life.tell(FactKind.ENABLEMENT_COURSES, "basics/1", "2025-12-01", **given)
    return life


async def test_a_course_is_completed_lapses_and_is_taken_again(world: World, start: Any) -> None:
    life = await learner(start, world)
    first = {**COURSE, "assigned_at": "2026-01-01T08:00Z", "due_on": "2026-01-20"}
    assert await life.tell(TAUGHT, "1", "2026-01-01 09:00", **first) == ["not_due"]
    assert await life.at("2026-01-20 23:59") == ["not_due"]
    assert await life.at("2026-01-21 00:00") == ["overdue"]
    failed = {"completed_at": "2026-01-22T10:00Z", "passed": "false", "score": "41.5"}
    assert await life.tell(TAUGHT, "1", "2026-01-22 12:00", **failed) == ["failed"]
    passed = {"completed_at": "2026-01-25T10:00Z", "passed": "true", "score": "88"}
    assert await life.tell(TAUGHT, "1", "2026-01-25 12:00", **passed) == ["completed"]
    # No day of its own: valid for the 30 days of the course, the last one included.
    assert await life.at("2026-02-24 23:59") == ["completed"]
    assert await life.at("2026-02-25 00:00") == ["expired"]
    again = {**COURSE, "assigned_at": "2026-02-25T08:00Z", "due_on": "2026-03-10"}
    assert await life.tell(TAUGHT, "2", "2026-02-25 09:00", **again) == ["expired", "not_due"]
    assert await life.tell(TAUGHT, "2", "2026-03-01", completed_at="2026-02-28T10:00Z") == ["completed"]
    # The course turns out to be valid for ten days only.
    assert await life.tell(FactKind.ENABLEMENT_COURSES, "basics/1", "2026-03-20", validity_days="10") == ["expired"]
    # A certificate that gives its own last day is above that.
    assert await life.tell(TAUGHT, "2", "2026-03-21", valid_until="2026-12-31") == ["completed"]
    await life.is_remembered()


async def test_a_course_of_a_newer_version_keeps_older_certificates_as_they_were(world: World, start: Any) -> None:
    life = await learner(start, world)
    first = {**COURSE, "assigned_at": "2026-01-01T08:00Z", "due_on": "2026-01-20", "completed_at": "2026-01-10T08:00Z"}
    assert await life.tell(TAUGHT, "1", "2026-01-10 09:00", **first) == ["completed"]
    newer = {"course_id": "basics", "version": "2", "validity_days": "5", "effective_from": "2026-01-12"}
    assert await life.tell(FactKind.ENABLEMENT_COURSES, "basics/2", "2026-01-12", **newer) == ["completed"]
    assert await life.at("2026-01-25") == ["completed"]
    assert await life.tell(TAUGHT, "1", "2026-01-26", course_version="2") == ["expired"]
    await life.is_remembered()


async def test_an_assignment_is_waived_withdrawn_or_moved_from_when_that_is_known(world: World, start: Any) -> None:
    life = await learner(start, world)
    given = {**COURSE, "assigned_at": "2026-01-01T08:00Z", "due_on": "2026-01-20"}
    await life.tell(TAUGHT, "1", "2026-01-01 09:00", **given)
    moved = {"due_on": "2026-02-10", "previous_due_on": "2026-01-20", "due_changed_at": "2026-01-22T08:00Z"}
    assert await life.at("2026-01-22 08:00") == ["overdue"]
    assert await life.tell(TAUGHT, "1", "2026-01-22 09:00", **moved) == ["not_due"]
    waived = {"waived_at": "2026-02-11T08:00Z", "waived_by": "lead"}
    assert await life.tell(TAUGHT, "1", "2026-02-11 09:00", **waived) == ["waived"]
    assert await life.tell(TAUGHT, "1", "2026-02-12", waived_at="", waived_by="") == ["overdue"]
    # Withdrawn, but only after it was due: too late to make it disappear. Then it turns out to have been before.
    assert await life.tell(TAUGHT, "1", "2026-02-13", withdrawn_at="2026-02-13T00:00Z") == ["overdue"]
    assert await life.tell(TAUGHT, "1", "2026-02-14", withdrawn_at="2026-02-10T00:00Z") == ["withdrawn"]
    await life.is_remembered()


RESULTS, WAIVERS, CHECKS = FactKind.COMPLIANCE_RESULTS, FactKind.COMPLIANCE_WAIVERS, FactKind.COMPLIANCE_CHECKS


async def test_a_check_fails_is_waived_repaired_and_lapses(world: World, start: Any) -> None:
    async def look(as_of: datetime) -> tuple[float | None, float]:
        rows = (await world.read(MetricName.COMPLIANCE_SCORE, "a", as_of=as_of)).rows
        return (rows[0].numerator, rows[0].parts.get("critical_failed", 0)) if rows else (None, 0)

    life = await start(look)
    for name, severity, weight in (("audit", "critical", "10"), ("training", "low", "2")):
        of = {"check_id": name, "version": "1", "severity": severity, "weight": weight, "validity_days": "60"}
        critical = "true" if severity == "critical" else "false"
        await life.tell(CHECKS, f"{name}/1", "2025-12-01", **of, critical=critical, effective_from="2025-01-01")
    base = {"partner_id": "a", "version": "1"}
    await life.tell(RESULTS, "t", "2026-01-02", **base, check_id="training", outcome="pass", assessed_at="2026-01-02")
    # Only 2 of 12 of the weight is assessed: no score.
    assert (await life.at("2026-01-03"))[0] is None
    audit = {**base, "check_id": "audit"}
    seen = await life.tell(RESULTS, "1", "2026-01-05", **audit, outcome="inconclusive", assessed_at="2026-01-05")
    assert seen == (None, 0)
    seen = await life.tell(RESULTS, "2", "2026-01-10", **audit, outcome="fail", assessed_at="2026-01-10")
    assert seen == (pytest.approx(100 * 2 / 12), 1)
    let = {"partner_id": "a", "check_id": "audit", "approved_by": "legal", "reason": "new owner"}
    until = {"valid_from": "2026-01-12", "valid_until": "2026-02-10"}
    assert await life.tell(WAIVERS, "w", "2026-01-12", **let, **until) == (100, 0)
    assert await life.tell(WAIVERS, "w", "2026-01-20", revoked_at="2026-01-20") == (pytest.approx(100 * 2 / 12), 1)
    partial = {"outcome": "partial", "value": "0.5", "assessed_at": "2026-02-01"}
    assert await life.tell(RESULTS, "3", "2026-02-01", **audit, **partial) == (pytest.approx(100 * 7 / 12), 0)
    # Assessed again under a version that weighs less; then that was a mistake, and it does not apply at all.
    lighter = {"check_id": "audit", "version": "2", "severity": "high", "weight": "2", "effective_from": "2026-02-01"}
    await life.tell(CHECKS, "audit/2", "2026-02-05", **lighter)
    passed = {"version": "2", "outcome": "pass", "assessed_at": "2026-02-06", "valid_until": "2026-03-10"}
    assert await life.tell(RESULTS, "4", "2026-02-06", **{**audit, **passed}) == (100, 0)
    assert await life.tell(RESULTS, "4", "2026-02-20", outcome="fail") == (50, 0)
    assert await life.tell(RESULTS, "4", "2026-02-21", outcome="not_applicable") == (100, 0)
    # 60 days after 2 January the training has lapsed, and nothing is left.
    assert (await life.at("2026-03-03 23:59"))[0] == 100
    assert (await life.at("2026-03-04 00:00"))[0] is None
    await life.is_remembered()


async def test_a_check_of_critical_severity_is_critical_unless_its_source_says_otherwise(
    world: World, start: Any
) -> None:
    async def look(as_of: datetime) -> float:
        rows = (await world.read(MetricName.COMPLIANCE_SCORE, "a", as_of=as_of)).rows
        return rows[0].parts.get("critical_failed") or 0 if rows else 0

    life = await start(look)
    for severity in ("critical", "high"):
        of = {"check_id": severity, "version": "1", "severity": severity, "weight": "4"}
        await life.tell(CHECKS, severity, "2025-12-01", **of, effective_from="2025-01-01")
        failed = {"partner_id": "a", "check_id": severity, "version": "1", "outcome": "fail"}
        await life.tell(RESULTS, severity, "2026-01-02", **failed, assessed_at="2026-01-02")
    assert await life.at("2026-01-03") == 1
    # A source that grades otherwise says so, cell by cell.
    assert await life.tell(CHECKS, "critical", "2026-01-04", critical="false") == 0
    assert await life.tell(CHECKS, "high", "2026-01-05", critical="true") == 1
    assert await life.tell(CHECKS, "critical", "2026-01-06", critical="") == 2
    await life.is_remembered()


SALES, COSTS = FactKind.TRANSACTIONS, FactKind.COSTS


async def test_a_sale_is_shared_costed_returned_credited_and_its_rebate_accrued(world: World, start: Any) -> None:
    async def look(as_of: datetime) -> list[tuple[float | None, float | None]]:
        value = [await world.value(MetricName.CONTRIBUTION_MARGIN, one, as_of=as_of) for one in "ab"]
        return [(one.numerator, one.denominator) for one in value]

    life = await start(look)
    rates = {"currency": "EUR", "reporting_currency": "USD", "month": "2026-02"}
    await life.tell(FactKind.FX_RATES, "eur", "2026-02-01", **rates, rate="1.5")
    sold = {"kind": "sale", "transaction_date": "2026-02-03", "currency": "EUR", "net_amount": "1000", "deal_id": "d"}
    shared = {**sold, "transaction_id": "t"}
    await life.tell(SALES, "t-a", "2026-02-04", **shared, partner_id="a", credit_share="0.6")
    # 600 and 400 euro at 1.5, once their product cost is known.
    await life.tell(SALES, "t-b", "2026-02-04", **shared, partner_id="b", credit_share="0.4")
    cost = {"kind": "product", "amount": "500", "currency": "EUR", "recognised_on": "2026-02-03", "transaction_id": "t"}
    await life.tell(COSTS, "c-a", "2026-02-05", **cost, partner_id="a", credit_share="0.6")
    seen = await life.tell(COSTS, "c-b", "2026-02-05", **cost, partner_id="b", credit_share="0.4")
    assert seen == [(450, 900), (300, 600)]
    back = {
        "kind": "return",
        "transaction_date": "2026-02-20",
        "currency": "USD",
        "net_amount": "-100",
        "original_id": "t",
    }
    assert await life.tell(SALES, "r", "2026-02-20", **back, partner_id="a") == [(350, 800), (300, 600)]
    credit = {**back, "kind": "credit", "net_amount": "-50"}
    assert await life.tell(SALES, "k", "2026-02-21", **credit, partner_id="a") == [(300, 750), (300, 600)]
    # Booked in March, earned in February; its run closes later.
    rebate = {
        "kind": "rebate",
        "amount": "60",
        "currency": "USD",
        "recognised_on": "2026-03-08",
        "earned_period": "2026-02",
    }
    assert await life.tell(COSTS, "x", "2026-03-08", **rebate, partner_id="a") == [(240, 750), (300, 600)]
    await life.tell(FactKind.REBATE_RUNS, "feb", "2026-03-10", earned_period="2026-02", closed_at="2026-03-10")
    # The rate was wrong: 600 x 2 - 150 - 600 - 60 of 600 x 2 - 150, and 800 - 400 of 800.
    assert await life.tell(FactKind.FX_RATES, "eur", "2026-03-15", rate="2") == [(390, 1050), (400, 800)]
    # And so was the amount: 1100 in all.
    await life.tell(SALES, "t-a", "2026-03-20", net_amount="1100")
    assert await life.tell(SALES, "t-b", "2026-03-20", net_amount="1100") == [(510, 1170), (480, 880)]
    await life.is_remembered()


DEALS = FactKind.OPPORTUNITIES


async def test_a_deal_goes_through_its_stages_is_won_reopened_and_lost(world: World, start: Any) -> None:
    async def look(as_of: datetime) -> tuple[list[str], float | None, dict[str, float | None]]:
        stages = "select stage from opportunity_stage_as_of($1) where entered_at <= $1 order by entered_at"
        value = await world.value(MetricName.PIPELINE_VELOCITY, "a", as_of=as_of)
        parts = {name: value.parts.get(name) for name in ("won", "lost", "open")} if value.parts else {}
        return [row[0] for row in await world.conn.fetch(stages, as_of)], value.value, parts

    life = await start(look)
    opened = {"partner_id": "a", "registered_at": "2026-01-02", "qualified_at": "2026-01-05", "currency": "USD"}
    assert (await life.tell(DEALS, "d", "2026-01-05", **opened))[2]["open"] == 1
    for stage, when in (("qualified", "2026-01-05"), ("proposal", "2026-01-12"), ("won", "2026-01-15")):
        told = {"opportunity_id": "d", "stage": stage, "entered_at": f"{when}"}
        await life.tell(FactKind.OPPORTUNITY_STAGES, f"d/{stage}", when, **told)
    won = {"closed_at": "2026-01-15", "outcome": "won", "amount": "1000"}
    # 1 deal, all won, 1000 in 10 days.
    assert (await life.tell(DEALS, "d", "2026-01-15", **won))[1] == 100
    undone = {"opportunity_id": "d", **won, "reopened_at": "2026-02-01"}
    # An export first says that it is open, then how it had been closed.
    await life.tell(DEALS, "d", "2026-02-01", closed_at="", outcome="", amount="")
    seen = await life.tell(FactKind.OPPORTUNITY_REOPENINGS, "d/1", "2026-02-01", **undone)
    assert seen[2]["open"] == 1
    lost = {"closed_at": "2026-02-20", "outcome": "lost"}
    assert await life.tell(DEALS, "d", "2026-02-20", **lost) == (
        ["qualified", "proposal", "won"],
        0,
        {"won": 0, "lost": 1, "open": 0},
    )
    # A stage was wrong from the beginning: it had only been verbal.
    seen = await life.tell(FactKind.OPPORTUNITY_STAGES, "d/won", "2026-02-21", stage="verbal")
    assert seen[0] == ["qualified", "proposal", "verbal"]
    # And so was the outcome: it counts for nothing.
    assert (await life.tell(DEALS, "d", "2026-03-01", outcome="cancelled"))[1] is None
    await life.is_remembered()


async def test_a_partner_is_what_it_was_known_to_be(world: World, start: Any) -> None:
    async def look(as_of: datetime) -> tuple[str | None, str | None, Any]:
        row = await world.conn.fetchrow("select * from partner_as_of($1) where partner_id = 'a'", as_of)
        return (row["tier"], row["calendar_id"], row["active_to"]) if row else (None, None, None)

    life = await start(look)
    hours = {"time_zone": "Europe/Berlin", "monday": "09:00-17:00"}
    for name in ("north", "south"):
        await life.tell(FactKind.CALENDARS, name, "2025-12-01", **hours)
    assert await life.tell(PARTNERS, "a", "2026-01-05", tier="silver", calendar_id="north") == ("silver", "north", None)
    assert await life.tell(PARTNERS, "a", "2026-02-05", tier="gold", calendar_id="south") == ("gold", "south", None)
    left = await life.tell(PARTNERS, "a", "2026-03-05", active_to="2026-03-31")
    assert left == ("gold", "south", day("2026-03-31"))
    await life.is_remembered()
