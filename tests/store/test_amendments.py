"""Facts that are amended later: a read as of a moment sees what was known then, for every metric."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import timedelta
from itertools import pairwise
from typing import Any

import asyncpg
import pytest

from models.metric import MetricName
from store.intake.kinds import KINDS
from store.metrics import _METRIC
from tests.store.world import World, at, day

TABLES = sorted(spec.table for spec in KINDS.values())
BEFORE, FROM_THEN_ON = "2026-04-09 23:59", "2026-04-10"


async def values(world: World, metric: MetricName) -> tuple[float | None, float | None]:
    """The value before the amendment became known, and from then on."""
    before = await world.value(metric, "a", as_of=at(BEFORE))
    after = await world.value(metric, "a", as_of=at(FROM_THEN_ON))
    return before.value, after.value


async def test_an_invoice_corrected_later_reads_as_it_stood(world: World) -> None:
    await world.add(
        "partner_cost", partner_id="a", amount=50, kind="product", recognised_on=day("2026-02-01"), source_id="cost"
    )
    await world.add(
        "partner_transaction", partner_id="a", net_amount=100, transaction_date=day("2026-02-01"), source_id="sale"
    )
    # 50 of 100; then the invoice turns out to be one of 200: 150 of 200.
    await world.amend("partner_transaction", "sale", FROM_THEN_ON, net_amount=200)
    assert await values(world, MetricName.CONTRIBUTION_MARGIN) == (50.0, 75.0)


async def test_a_cost_moved_to_another_quarter_leaves_this_one_only_from_then_on(world: World) -> None:
    await world.add("partner_transaction", partner_id="a", net_amount=100, transaction_date=day("2026-02-01"))
    for amount, name in ((50, "stays"), (10, "moves")):
        row: dict[str, Any] = {"kind": "product", "recognised_on": day("2026-02-01"), "source_id": name}
        await world.add("partner_cost", partner_id="a", amount=amount, **row)
    await world.amend("partner_cost", "moves", FROM_THEN_ON, recognised_on=day("2026-04-02"))
    # 40 of 100; then 50 of 100.
    assert await values(world, MetricName.CONTRIBUTION_MARGIN) == (40.0, 50.0)


async def test_a_rate_corrected_later_converts_as_it_stood(world: World) -> None:
    await world.add("fx_rate", currency="EUR", month=day("2026-02-01"), rate=1, source_id="rate")
    for amount, currency in ((100, "EUR"), (100, "USD")):
        await world.add(
            "partner_transaction",
            partner_id="a",
            net_amount=amount,
            transaction_date=day("2026-02-01"),
            currency=currency,
        )
    await world.add("partner_cost", partner_id="a", amount=150, kind="product", recognised_on=day("2026-02-01"))
    await world.amend("fx_rate", "rate", FROM_THEN_ON, rate=2)
    # 100 x 1 + 100 - 150 = 50 of 200; then 100 x 2 + 100 - 150 = 150 of 300.
    assert await values(world, MetricName.CONTRIBUTION_MARGIN) == (25.0, 50.0)


async def test_the_worth_of_a_deal_corrected_later_reads_as_it_stood(world: World) -> None:
    await world.add(
        "opportunity",
        partner_id="a",
        qualified_at=at("2026-02-01"),
        closed_at=at("2026-02-11"),
        outcome="won",
        amount=100,
        source_id="deal",
    )
    await world.amend("opportunity", "deal", FROM_THEN_ON, amount=70)
    # One deal won in ten days: 10 a day, then 7.
    assert await values(world, MetricName.PIPELINE_VELOCITY) == (10.0, 7.0)


async def test_a_result_taken_back_reads_as_it_stood(world: World) -> None:
    check: dict[str, Any] = {"check_id": "audit", "version": 1, "severity": "high", "weight": 7}
    await world.add("compliance_check", effective_from=day("2020-01-01"), **check)
    row: dict[str, Any] = {"check_id": "audit", "version": 1, "assessed_at": at("2026-02-01"), "source_id": "result"}
    await world.add("compliance_result", partner_id="a", outcome="pass", **row)
    await world.amend("compliance_result", "result", FROM_THEN_ON, outcome="fail")
    assert await values(world, MetricName.COMPLIANCE_SCORE) == (100.0, 0.0)


async def test_a_partner_is_judged_by_the_tier_it_had(world: World) -> None:
    await world.add("partner", partner_id="a", tier="silver")
    for name, tiers, outcome in (("for_all", None, "pass"), ("for_gold", ["gold"], "fail")):
        check: dict[str, Any] = {"check_id": name, "version": 1, "severity": "high", "weight": 7, "tiers": tiers}
        await world.add("compliance_check", effective_from=day("2020-01-01"), **check)
        row: dict[str, Any] = {"check_id": name, "version": 1, "assessed_at": at("2026-02-01")}
        await world.add("compliance_result", partner_id="a", outcome=outcome, **row)
    await world.amend("partner", "a", FROM_THEN_ON, tier="gold")
    # As silver 7 of 7; as gold 7 of 14.
    assert await values(world, MetricName.COMPLIANCE_SCORE) == (100.0, 50.0)


async def test_an_allocation_cut_later_reads_as_it_stood(world: World) -> None:
    period: dict[str, Any] = {"period_start": day("2026-01-01"), "period_end": day("2026-04-01")}
    await world.add("mdf_budget", budget_id="budget", **period)
    await world.add("mdf_allocation", allocation_id="fund", budget_id="budget", partner_id="a", amount=1000)
    row: dict[str, Any] = {"decision": "approved", "decided_at": at("2026-01-10"), "submitted_at": at("2026-01-05")}
    amounts = {"requested_amount": 500, "approved_amount": 500}
    await world.add("mdf_request", partner_id="a", allocation_id="fund", request_id="request", **amounts, **row)
    await world.amend("mdf_allocation", "fund", FROM_THEN_ON, amount=500)
    # The period is over: 500 of 1000, then 500 of 500.
    assert await values(world, MetricName.MDF_SPEND) == (50.0, 100.0)
    await world.amend("mdf_request", "request", "2026-04-20", approved_amount=100)
    assert (await world.value(MetricName.MDF_SPEND, as_of=at("2026-04-20"))).value == 20.0


async def test_a_completion_put_right_later_reads_as_it_stood(world: World) -> None:
    person = await world.add("person", partner_id="a")
    row: dict[str, Any] = {"course_id": "basics", "assigned_at": at("2026-01-01"), "due_on": day("2026-02-28")}
    done = {"completed_at": at("2026-02-01"), "source_id": "done"}
    await world.add("enablement_assignment", partner_id="a", person_id=person, **row, **done)
    await world.amend("enablement_assignment", "done", FROM_THEN_ON, passed=False)
    assert await values(world, MetricName.ENABLEMENT_COMPLETION) == (100.0, 0.0)


async def test_somebody_who_is_found_to_have_left_was_there_until_that_was_known(world: World) -> None:
    person = await world.add("person", partner_id="a")
    row: dict[str, Any] = {"course_id": "basics", "assigned_at": at("2026-01-01"), "due_on": day("2026-02-28")}
    await world.add("enablement_assignment", partner_id="a", person_id=person, **row)
    await world.amend("person", person, FROM_THEN_ON, active_to=day("2026-02-01"))
    assert await values(world, MetricName.ENABLEMENT_COMPLETION) == (0.0, None)


async def test_a_deadline_moved_later_reads_as_it_stood(world: World) -> None:
    row: dict[str, Any] = {"assigned_at": at("2026-02-01"), "first_contact_at": at("2026-02-03"), "source_id": "lead"}
    await world.add("lead", partner_id="a", contact_due_at=at("2026-02-02"), **row)
    await world.amend("lead", "lead", FROM_THEN_ON, contact_due_at=at("2026-02-04"))
    assert await values(world, MetricName.LEAD_FOLLOW_UP_SLA) == (0.0, 100.0)


async def test_a_lead_given_to_another_partner_by_correction_was_the_first_ones_until_then(world: World) -> None:
    await world.add("partner", partner_id="b")
    row: dict[str, Any] = {"assigned_at": at("2026-02-01"), "source_id": "lead"}
    await world.add("lead", partner_id="a", contact_due_at=at("2026-02-02"), **row)
    await world.amend("lead", "lead", FROM_THEN_ON, partner_id="b")
    rows = [
        [row.partner_id for row in (await world.read(MetricName.LEAD_FOLLOW_UP_SLA, "a", "b", as_of=at(moment))).rows]
        for moment in (BEFORE, FROM_THEN_ON)
    ]
    assert rows == [["a"], ["b"]]


async def test_each_of_several_versions_stands_in_its_own_time(world: World) -> None:
    row: dict[str, Any] = {"qualified_at": at("2026-02-01"), "closed_at": at("2026-02-11"), "outcome": "won"}
    await world.add("opportunity", partner_id="a", amount=100, source_id="deal", known_at=at("2026-02-12"), **row)
    await world.amend("opportunity", "deal", "2026-03-01", amount=200)
    await world.amend("opportunity", "deal", "2026-03-10", amount=300)
    moments = ("2026-02-11", "2026-02-12", "2026-02-28", "2026-03-01", "2026-03-09", "2026-03-10", "2027-01-01")
    read = [(await world.value(MetricName.PIPELINE_VELOCITY, "a", as_of=at(moment))).value for moment in moments]
    assert read == [None, 10, 10, 20, 20, 30, 30]


async def test_a_row_changed_without_a_new_moment_is_rewritten_for_the_past_too(world: World) -> None:
    """That is how wrongly loaded history is put right."""
    row: dict[str, Any] = {"qualified_at": at("2026-02-01"), "closed_at": at("2026-02-11"), "outcome": "won"}
    await world.add("opportunity", partner_id="a", amount=100, source_id="deal", **row)
    await world.conn.execute("update opportunity set amount = 70")
    assert await values(world, MetricName.PIPELINE_VELOCITY) == (7.0, 7.0)


# The list of partners has no events of its own: how far it reaches is tested with its metric.
@pytest.mark.parametrize("metric", [metric for metric in MetricName if metric is not MetricName.PARTNER_CHURN])
async def test_how_far_facts_reach_is_told_as_it_was_known(world: World, metric: MetricName) -> None:
    """Every fact was of 1 February; on 10 April each turns out to be of 1 March."""
    first, corrected = "2026-02-01", "2026-03-01"
    await FACTS_OF[metric](world, first)
    for table, columns in TIMES.items():
        for column in columns:
            moved = "+ interval '28 days'" if column not in ("transaction_date", "recognised_on") else "+ 28"
            await world.conn.execute(
                f"update {table} set {column} = {column} {moved}, amended_at = $1 where {column} is not null",  # noqa: S608
                at(FROM_THEN_ON),
            )
    reach = [(await world.read(metric, as_of=at(moment))).data_through for moment in (BEFORE, FROM_THEN_ON)]
    # A business date is covered to its end.
    more = timedelta(days=1) if FACTS_OF[metric] is _sales else timedelta(0)
    assert reach == [at(first) + more, at(corrected) + more]


TIMES = {
    "partner_transaction": ["transaction_date"],
    "partner_cost": ["recognised_on"],
    "opportunity": ["qualified_at", "closed_at"],
    "opportunity_reopening": ["reopened_at"],
    "compliance_result": ["assessed_at"],
    "mdf_request": ["submitted_at"],
    "mdf_claim": ["submitted_at"],
    "enablement_assignment": ["assigned_at", "completed_at"],
    "lead": ["assigned_at", "first_contact_at"],
}


async def _sales(world: World, moment: str) -> None:
    await world.add("partner_transaction", partner_id="a", net_amount=100, transaction_date=day(moment))
    await world.add("partner_cost", partner_id="a", amount=50, recognised_on=day(moment))


async def _deals(world: World, moment: str) -> None:
    await world.add("opportunity", partner_id="a", qualified_at=at(moment))


async def _results(world: World, moment: str) -> None:
    check: dict[str, Any] = {"check_id": "audit", "version": 1, "severity": "high", "weight": 7}
    await world.add("compliance_check", effective_from=day("2020-01-01"), **check)
    row: dict[str, Any] = {"check_id": "audit", "version": 1, "outcome": "pass"}
    await world.add("compliance_result", partner_id="a", assessed_at=at(moment), **row)


async def _claims(world: World, moment: str) -> None:
    await world.add("mdf_request", request_id="r", partner_id="a", requested_amount=1, submitted_at=at(moment))
    await world.add("mdf_claim", partner_id="a", request_id="r", claimed_amount=1, submitted_at=at(moment))


async def _courses(world: World, moment: str) -> None:
    person = await world.add("person", partner_id="a")
    row: dict[str, Any] = {"course_id": "basics", "assigned_at": at(moment), "due_on": day("2026-03-31")}
    await world.add("enablement_assignment", partner_id="a", person_id=person, **row)


async def _leads(world: World, moment: str) -> None:
    await world.add("lead", partner_id="a", assigned_at=at(moment), contact_due_at=at("2026-03-31"))


FACTS_OF: dict[MetricName, Callable[[World, str], Coroutine[Any, Any, None]]] = {
    MetricName.CONTRIBUTION_MARGIN: _sales,
    MetricName.PIPELINE_VELOCITY: _deals,
    MetricName.COMPLIANCE_SCORE: _results,
    MetricName.MDF_SPEND: _claims,
    MetricName.ENABLEMENT_COMPLETION: _courses,
    MetricName.LEAD_FOLLOW_UP_SLA: _leads,
    MetricName.DISCOUNT_LEAKAGE: _sales,
    MetricName.CERTIFIED_PARTNERS: _courses,
    MetricName.LEAD_ACCEPTANCE: _leads,
}


async def test_every_table_of_facts_keeps_what_it_said_before(facts_pool: asyncpg.Pool) -> None:
    """Also one that a later migration adds, and every column that it adds."""
    for table in TABLES:
        kept = {row[0] for row in await facts_pool.fetch(_COLUMNS, f"superseded.{table}")}
        assert kept == {row[0] for row in await facts_pool.fetch(_COLUMNS, table)} | {"superseded_at"}, table
        assert await facts_pool.fetch(f"select * from {table}_as_of(now())") == []  # noqa: S608
        triggers = "select count(*) from pg_trigger where tgrelid = $1::text::regclass and tgname like '%superseded'"
        assert await facts_pool.fetchval(triggers, table) == 1, table


_COLUMNS = "select attname from pg_attribute where attrelid = $1::text::regclass and attnum > 0 and not attisdropped"


def test_no_metric_reads_a_table_of_facts_past_what_was_known() -> None:
    """Every table is read as of the moment. How far data reach looks at the tables themselves; so do the credits of a
    line, which a test in test_metric_margin.py holds to what was known, and the SLA, held by test_sla_reference.py."""
    themselves = {"credited as (": {"partner_transaction"}, "tally as (": {"lead"}}
    for metric, sql in _METRIC.items():
        words = sql.replace("(", " ").replace(",", " ").split()
        read = {table for before, table in pairwise(words) if before in ("from", "join")}
        allowed = set().union(*(tables for part, tables in themselves.items() if part in sql))
        assert read & set(TABLES) <= allowed, metric
