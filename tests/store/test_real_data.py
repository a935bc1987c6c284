"""Two real data sets through the example mappings: metrics agree with sums by hand and with the city's own flag."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import asyncpg
import pytest

from judgement.values import group_value
from models.evidence import GroupValue, Window
from models.metric import MetricName
from store.intake import ImportReport
from store.metrics import read_metric
from store.pool import create_pool
from tests.real_data import CASES_FILE, SALES_FILE, load, needs_real_data

LATE = datetime(2030, 1, 1, tzinfo=UTC)

pytestmark = needs_real_data


@pytest.fixture(scope="module")
async def real(real_database: str) -> AsyncIterator[asyncpg.Pool]:
    async with await create_pool(real_database, command_timeout=60) as pool:
        yield pool


async def measured(
    pool: asyncpg.Pool, metric: MetricName, source: str, start: datetime, end: datetime, as_of: datetime
) -> GroupValue:
    async with pool.acquire() as conn:
        found = await conn.fetch("select partner_id from partner where source_system = $1", source)
        partners = [row["partner_id"] for row in found]
        window = Window(start=start, end=end)
        return group_value(
            metric, (await read_metric(conn, metric, partner_ids=partners, window=window, as_of=as_of)).rows
        )


def lines(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


async def test_every_row_of_the_sales_goes_in_and_a_second_time_nothing_changes(
    resellers: list[ImportReport], real_database: str
) -> None:
    assert [report.inserted for report in resellers] == [701, 60_855, 60_855, 60_855]
    again = await load(real_database, "adventureworks/transactions", SALES_FILE)
    assert (again.inserted, again.updated, again.unchanged) == (0, 0, 60_855)


async def test_the_margin_agrees_with_sums_made_by_hand(real: asyncpg.Pool, resellers: list[ImportReport]) -> None:
    revenue = product = freight = Decimal(0)
    for line in lines(SALES_FILE):
        if "2012-01-01" <= line["OrderDate"] < "2013-01-01":
            revenue += Decimal(line["SalesAmount"])
            product += Decimal(line["TotalProductCost"])
            freight += Decimal(line["Freight"])
    year = datetime(2012, 1, 1, tzinfo=UTC), datetime(2013, 1, 1, tzinfo=UTC)
    value = await measured(real, MetricName.CONTRIBUTION_MARGIN, "adventureworks", *year, LATE)
    assert value.parts["net_revenue"] == pytest.approx(float(revenue), abs=0.01)
    assert value.parts["product_cost"] == pytest.approx(float(product), abs=0.01)
    assert value.parts["freight_cost"] == pytest.approx(float(freight), abs=0.01)
    assert value.value == pytest.approx(float(100 * (revenue - product - freight) / revenue), abs=1e-9)


async def test_the_margin_of_all_years_is_that_of_the_whole_file(
    real: asyncpg.Pool, resellers: list[ImportReport]
) -> None:
    years = datetime(2010, 1, 1, tzinfo=UTC), datetime(2015, 1, 1, tzinfo=UTC)
    value = await measured(real, MetricName.CONTRIBUTION_MARGIN, "adventureworks", *years, LATE)
    # Without freight it is the 0.58 percent that a spreadsheet gives for sales less product cost.
    before_freight = 100 * (1 - value.parts["product_cost"] / value.parts["net_revenue"])
    assert (value.n_facts, value.n_partners, round(before_freight, 2)) == (60_855, 635, 0.58)
    assert value.parts["net_revenue"] == pytest.approx(80_450_596.98, abs=0.01)


async def test_yesterdays_sales_are_not_known_yet(real: asyncpg.Pool, resellers: list[ImportReport]) -> None:
    """An as-of read in the past sees what was known then: a line becomes known the day after the order."""
    month = datetime(2012, 1, 1, tzinfo=UTC), datetime(2012, 2, 1, tzinfo=UTC)
    days = Counter(line["OrderDate"] for line in lines(SALES_FILE))
    busiest = max((day for day in days if day.startswith("2012-01")), key=days.__getitem__)
    morning = datetime.fromisoformat(f"{busiest}T09:00:00+00:00")
    seen = await measured(real, MetricName.CONTRIBUTION_MARGIN, "adventureworks", *month, morning)
    assert seen.n_facts == sum(count for day, count in days.items() if "2012-01-01" <= day < busiest)


async def test_the_sla_agrees_with_the_citys_own_flag_on_every_case(
    real: asyncpg.Pool, cases: list[ImportReport]
) -> None:
    assert [(report.inserted, report.rejected) for report in cases] == [(24, 0), (46_638, 0)]
    flags = Counter(line["on_time"] for line in lines(CASES_FILE) if line["sla_target_dt"])
    ever = datetime(2012, 1, 1, tzinfo=UTC), datetime(2020, 1, 2, tzinfo=UTC)
    value = await measured(real, MetricName.LEAD_FOLLOW_UP_SLA, "boston311", *ever, LATE)
    parts = value.parts
    # The ten cases closed before they were opened are in neither sum; the city calls them on time.
    assert (parts["invalid"], parts["excluded_no_sla"], parts["pending"]) == (10, 18_825, 0)
    assert (parts["met"], parts["late"] + parts["open_breach"]) == (flags["ONTIME"] - 10, flags["OVERDUE"])
    assert value.denominator == 27_803
    assert value.value == pytest.approx(100 * 23_431 / 27_803, abs=1e-9)


async def test_each_case_has_the_state_of_its_flag(real: asyncpg.Pool, cases: list[ImportReport]) -> None:
    """Not only the sums: case by case, with the deadlines as moments across changes of daylight saving."""
    from store.metrics import _LEAD_STATES

    found = await real.fetch(
        _LEAD_STATES + "select lead_id, state from lead_state",  # noqa: S608
        [
            row["partner_id"]
            for row in await real.fetch("select partner_id from partner where source_system = 'boston311'")
        ],
        datetime(2012, 1, 1, tzinfo=UTC),
        datetime(2020, 1, 2, tzinfo=UTC),
        LATE,
    )
    states = {row["lead_id"]: row["state"] for row in found}
    agreeing = Counter(
        (states[case["case_enquiry_id"]] == "met") == (case["on_time"] == "ONTIME")
        for case in lines(CASES_FILE)
        if case["sla_target_dt"] and states[case["case_enquiry_id"]] != "invalid"
    )
    assert agreeing == {True: 27_803}


async def test_read_as_of_then_a_quarter_has_pending_cases_and_a_better_number(
    real: asyncpg.Pool, cases: list[ImportReport]
) -> None:
    quarter = datetime(2015, 1, 1, tzinfo=UTC), datetime(2015, 4, 1, tzinfo=UTC)
    then = await measured(real, MetricName.LEAD_FOLLOW_UP_SLA, "boston311", *quarter, quarter[1])
    now = await measured(real, MetricName.LEAD_FOLLOW_UP_SLA, "boston311", *quarter, LATE)
    assert then.parts["pending"] > 0 == now.parts["pending"]
    assert then.value is not None
    assert now.value is not None
    assert then.value > now.value
    assert then.parts["open_breach"] <= now.parts["open_breach"] + now.parts["late"]
