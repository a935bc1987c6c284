"""What the catalogue says of a metric is what the store gives: every part, both sides, how far data reach, no value."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from models.metric import CATALOGUE, MetricName, NoValue
from tests.store.world import World, at, day

every_metric = pytest.mark.parametrize("metric", MetricName)


async def _sales(world: World) -> None:
    amounts: dict[str, Any] = {"list_amount": 110, "net_amount": 100, "transaction_date": day("2026-02-01")}
    await world.add("partner_transaction", partner_id="a", **amounts)
    await world.add("partner_cost", partner_id="a", amount=60, recognised_on=day("2026-02-01"))


async def _deals(world: World) -> None:
    row: dict[str, Any] = {"qualified_at": at("2026-02-01"), "closed_at": at("2026-02-11"), "outcome": "won"}
    await world.add("opportunity", partner_id="a", amount=100, **row)


async def _checks(world: World) -> None:
    check: dict[str, Any] = {"check_id": "audit", "version": 1, "severity": "high", "weight": 7}
    await world.add("compliance_check", effective_from=day("2020-01-01"), **check)
    row: dict[str, Any] = {"check_id": "audit", "version": 1, "outcome": "pass", "assessed_at": at("2026-02-01")}
    await world.add("compliance_result", partner_id="a", **row)


async def _funds(world: World) -> None:
    period: dict[str, Any] = {"period_start": day("2026-01-01"), "period_end": day("2026-04-01")}
    await world.add("mdf_budget", budget_id="budget", **period)
    await world.add("mdf_allocation", allocation_id="fund", budget_id="budget", partner_id="a", amount=1000)
    row: dict[str, Any] = {"decision": "approved", "decided_at": at("2026-01-10"), "approved_amount": 900}
    row |= {"requested_amount": 900, "submitted_at": at("2026-01-05")}
    await world.add("mdf_request", request_id="r", partner_id="a", allocation_id="fund", **row)


async def _courses(world: World) -> None:
    person = await world.add("person", partner_id="a")
    row: dict[str, Any] = {"course_id": "basics", "assigned_at": at("2026-01-01"), "due_on": day("2026-02-28")}
    await world.add("enablement_assignment", partner_id="a", person_id=person, completed_at=at("2026-02-01"), **row)


async def _leads(world: World) -> None:
    row: dict[str, Any] = {"assigned_at": at("2026-02-01"), "contact_due_at": at("2026-02-02")}
    row |= {"accept_due_at": at("2026-02-01 16:00")}
    lead = await world.add("lead", partner_id="a", first_contact_at=at("2026-02-01 12:00"), **row)
    await world.conn.execute(
        "insert into lead_contact_time (source_system, source_id, partner_id, assigned_at, first_contact_at,"
        " elapsed_minutes, business_minutes) select source_system, source_id, partner_id, assigned_at,"
        " first_contact_at, 720, 180 from lead where source_id = $1",
        lead,
    )


async def _partners(world: World) -> None:
    await world.add("partner", partner_id="a", active_to=day("2026-03-01"))


SOME_FACTS: dict[MetricName, Callable[[World], Coroutine[Any, Any, None]]] = {
    MetricName.CONTRIBUTION_MARGIN: _sales,
    MetricName.PIPELINE_VELOCITY: _deals,
    MetricName.COMPLIANCE_SCORE: _checks,
    MetricName.MDF_SPEND: _funds,
    MetricName.ENABLEMENT_COMPLETION: _courses,
    MetricName.LEAD_FOLLOW_UP_SLA: _leads,
    MetricName.PARTNER_CHURN: _partners,
    MetricName.DISCOUNT_LEAKAGE: _sales,
    MetricName.CERTIFIED_PARTNERS: _courses,
    MetricName.LEAD_ACCEPTANCE: _leads,
}
"""One partner with facts enough for every part of a metric to show."""


@every_metric
async def test_every_part_the_catalogue_names_is_there_and_no_other(world: World, metric: MetricName) -> None:
    await SOME_FACTS[metric](world)
    parts = CATALOGUE[metric].parts
    reading, group = await world.reading(metric, "a"), await world.value(metric, "a")
    assert set(reading.parts) == {part.name for part in parts if not part.derived}
    assert set(group.parts) == {part.name for part in parts}


@every_metric
async def test_a_value_comes_with_both_sides_what_it_rests_on_and_how_far_its_data_reach(
    world: World, metric: MetricName
) -> None:
    await SOME_FACTS[metric](world)
    group, reach = await world.value(metric, "a"), (await world.read(metric, "a")).data_through
    assert None not in (group.value, group.numerator, group.denominator, reach)
    assert (group.reason, group.n_partners, group.n_facts) == (None, 1, 1)


@every_metric
async def test_a_metric_without_a_value_says_why_and_it_is_one_of_its_reasons(world: World, metric: MetricName) -> None:
    await world.add("partner", partner_id="a", active_from=day("2026-02-01"))
    group = await world.value(metric, "a")
    assert (group.value, group.n_facts) == (None, 0)
    assert NoValue(group.reason or "") in CATALOGUE[metric].no_value


@every_metric
async def test_every_table_a_metric_reads_is_a_table_of_facts(world: World, metric: MetricName) -> None:
    known = {row["table_name"] for row in await world.conn.fetch(_TABLES)}
    assert set(CATALOGUE[metric].reads) <= known


_TABLES = "select table_name from information_schema.tables where table_schema = 'superseded'"
