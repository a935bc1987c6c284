"""Two real data sets through the example mappings: metrics agree with sums by hand and with the city's own flag."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import fmean, median, quantiles

import asyncpg
import pytest

from judgement.values import group_value
from models.evidence import GroupValue, PartnerReading, Window
from models.metric import MetricName
from store.intake import ImportReport
from store.metrics import _LEADS, read_metric
from store.pool import Connection, create_pool
from tests.examples.by_hand import Ledger, Requests
from tests.real_data import CASES_FILE, SALES_FILE, load, needs_real_data

LATE = datetime(2030, 1, 1, tzinfo=UTC)
YEARS = datetime(2010, 1, 1, tzinfo=UTC), datetime(2015, 1, 1, tzinfo=UTC)

pytestmark = needs_real_data


@pytest.fixture(scope="module")
async def real(real_database: str) -> AsyncIterator[asyncpg.Pool]:
    async with await create_pool(real_database, command_timeout=60) as pool:
        yield pool


async def measured(
    pool: asyncpg.Pool, metric: MetricName, source: str, start: datetime, end: datetime, as_of: datetime
) -> GroupValue:
    return group_value(metric, await rows_of(pool, metric, source, start, end, as_of))


async def rows_of(
    pool: asyncpg.Pool, metric: MetricName, source: str, start: datetime, end: datetime, as_of: datetime
) -> tuple[PartnerReading, ...]:
    """Each partner by itself."""
    async with pool.acquire() as conn:
        partners = await everybody(conn, source)
        window = Window(start=start, end=end)
        return (await read_metric(conn, metric, partner_ids=partners, window=window, as_of=as_of)).rows


async def everybody(conn: asyncpg.Pool | Connection, source: str) -> list[str]:
    return [
        row["partner_id"] for row in await conn.fetch("select partner_id from partner where source_system = $1", source)
    ]


def lines(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _month(text: str) -> tuple[datetime, datetime]:
    start = datetime.fromisoformat(f"{text}-01T00:00:00+00:00")
    return start, (start + timedelta(days=31)).replace(day=1)


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
    value = await measured(real, MetricName.CONTRIBUTION_MARGIN, "adventureworks", *YEARS, LATE)
    # Without freight it is the 0.58 percent that a spreadsheet gives for sales less product cost.
    before_freight = 100 * (1 - value.parts["product_cost"] / value.parts["net_revenue"])
    assert (value.n_facts, value.n_partners, round(before_freight, 2)) == (60_855, 635, 0.58)
    assert value.parts["net_revenue"] == pytest.approx(80_450_596.98, abs=0.01)


async def test_ratio_of_sums_mean_and_median_of_the_resellers_are_three_numbers(
    real: asyncpg.Pool, resellers: list[ImportReport]
) -> None:
    """Sales less product cost over sales, of all 60,855 lines: 0.58 percent as one ratio of sums, 1.01 as the mean of
    the 635 resellers' own, -0.25 as their median."""
    whole = Ledger("2010-01-01", "2015-01-01")
    by_hand = (whole.margin, fmean(whole.margins()), median(whole.margins()))
    assert (whole.lines, len(whole.margins()), [round(one, 2) for one in by_hand]) == (60_855, 635, [0.58, 1.01, -0.25])

    rows = await rows_of(real, MetricName.CONTRIBUTION_MARGIN, "adventureworks", *YEARS, LATE)
    own = [100 * (1 - row.parts["product_cost"] / row.parts["net_revenue"]) for row in rows]
    value = group_value(MetricName.CONTRIBUTION_MARGIN, rows)
    assert (value.parts["cm1"], fmean(own), median(own)) == pytest.approx(by_hand, abs=1e-9)

    # The program's own margin is less freight, too; mean and median of it stand beside the value.
    less = whole.margins(less_freight=True)
    ratio = float(100 * (whole.sales - whole.product - whole.freight) / whole.sales)
    assert [round(one, 2) for one in (ratio, fmean(less), median(less))] == [-1.92, -1.49, -2.75]
    beside = (value.value, value.parts["mean_of_partners"], value.parts["median_of_partners"])
    assert beside == pytest.approx((ratio, fmean(less), median(less)), abs=1e-9)


@pytest.mark.parametrize(("month", "margin"), [("2011-10", 3.85), ("2011-11", -60.41), ("2011-12", 2.33)])
async def test_the_month_at_minus_sixty_percent_stands_between_two_ordinary_ones(
    real: asyncpg.Pool, resellers: list[ImportReport], month: str, margin: float
) -> None:
    """What a plausibility check must see: the facts say it, sold below cost, and the metric does not smooth it away."""
    start, end = _month(month)
    by_hand = Ledger(f"{start:%Y-%m-%d}", f"{end:%Y-%m-%d}")
    value = await measured(real, MetricName.CONTRIBUTION_MARGIN, "adventureworks", start, end, LATE)
    assert round(by_hand.margin, 2) == margin
    assert (value.n_facts, value.n_partners) == (by_hand.lines, len(by_hand.by_reseller))
    assert value.parts["cm1"] == pytest.approx(by_hand.margin, abs=1e-9)


@pytest.mark.parametrize(
    ("start", "end", "leakage"),
    [
        ("2010-01-01", "2015-01-01", 0.65),
        ("2012-01-01", "2012-07-01", 0.21),
        ("2012-07-01", "2013-01-01", 0.54),
        ("2013-01-01", "2013-07-01", 1.16),
    ],
)
async def test_discount_leakage_agrees_with_sums_made_by_hand(
    real: asyncpg.Pool, resellers: list[ImportReport], start: str, end: str, leakage: float
) -> None:
    """Discount over list value; it rose from 0.21 to 1.16 percent in the year in which the margin broke down."""
    by_hand = Ledger(start, end)
    days = datetime.fromisoformat(f"{start}T00:00:00+00:00"), datetime.fromisoformat(f"{end}T00:00:00+00:00")
    value = await measured(real, MetricName.DISCOUNT_LEAKAGE, "adventureworks", *days, LATE)
    assert round(by_hand.leakage, 2) == leakage
    assert value.value == pytest.approx(by_hand.leakage, abs=1e-9)
    assert (value.n_facts, value.parts["lines_without_list"]) == (by_hand.lines, 0)
    assert value.numerator == pytest.approx(float(by_hand.discount), abs=0.01)


async def test_resellers_of_whom_no_leaving_is_known_are_none_lost(
    real: asyncpg.Pool, resellers: list[ImportReport]
) -> None:
    """The file has 701 resellers and no day on which one left, though 66 of them never bought: churn is what the list
    of partners says, and silence is no leaving."""
    value = await measured(real, MetricName.PARTNER_CHURN, "adventureworks", *YEARS, LATE)
    assert (value.value, value.denominator, value.n_facts) == (0.0, 701, 701)


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
    """Not only the sums: case by case, with the deadlines as moments across changes of daylight saving. Which are not
    looked at one by one counts as met."""
    areas = await everybody(real, "boston311")
    found = await real.fetch(
        _LEADS + "select lead_id, state from lead_state",  # noqa: S608
        [0] * len(areas),
        areas,
        datetime(2012, 1, 1, tzinfo=UTC),
        datetime(2020, 1, 2, tzinfo=UTC),
        LATE,
    )
    states = {row["lead_id"]: row["state"] for row in found}
    assert 0 < len(states) < 27_803
    agreeing = Counter(
        (states.get(case["case_enquiry_id"], "met") == "met") == (case["on_time"] == "ONTIME")
        for case in lines(CASES_FILE)
        if case["sla_target_dt"] and states.get(case["case_enquiry_id"]) != "invalid"
    )
    assert agreeing == {True: 27_803}


async def test_the_states_add_up_to_the_whole_file(real: asyncpg.Pool, cases: list[ImportReport]) -> None:
    """Of 46,638 requests 18,825 have no deadline and 10 were closed before they were opened. Of the 27,803 others
    23,431 were closed by it, 1,056 after it and 3,316 never: the flag calls the first on time and the rest overdue."""
    ever = datetime(2012, 1, 1, tzinfo=UTC), datetime(2020, 1, 2, tzinfo=UTC)
    parts = (await measured(real, MetricName.LEAD_FOLLOW_UP_SLA, "boston311", *ever, LATE)).parts
    states = ("met", "late", "open_breach", "pending", "invalid", "excluded_no_sla")
    assert [parts[name] for name in states] == [23_431, 1_056, 3_316, 0, 10, 18_825]
    assert sum(parts[name] for name in states) == 46_638


async def test_hours_to_first_contact_are_those_counted_by_hand(real: asyncpg.Pool, cases: list[ImportReport]) -> None:
    ever = datetime(2012, 1, 1, tzinfo=UTC), datetime(2020, 1, 2, tzinfo=UTC)
    parts = (await measured(real, MetricName.LEAD_FOLLOW_UP_SLA, "boston311", *ever, LATE)).parts
    hours = Requests().hours()
    assert len(hours) == 23_431 + 1_056
    # Between two cases the percentiles are a straight line, in both.
    assert parts["contact_hours_median"] == pytest.approx(median(hours), abs=1e-9)
    assert parts["contact_hours_p90"] == pytest.approx(quantiles(hours, n=10, method="inclusive")[8], abs=1e-9)


@pytest.mark.parametrize("moment", ["2014-07-01", "2016-11-06", "2018-03-11"])
async def test_every_area_has_its_states_by_hand_as_of_any_moment(
    real: asyncpg.Pool, cases: list[ImportReport], moment: str
) -> None:
    """A request never answered past its deadline is a breach, a pending one is neither; two of the moments are days on
    which the clock was turned."""
    as_of = datetime.fromisoformat(f"{moment}T12:00:00+00:00")
    begin = as_of.replace(year=as_of.year - 1)
    rows = await rows_of(real, MetricName.LEAD_FOLLOW_UP_SLA, "boston311", begin, as_of, as_of)
    requests = Requests()
    expected = {area or "Area not recorded": requests.states(area, begin, as_of) for area in requests.areas}
    names = ("met", "late", "open_breach", "pending", "invalid")
    found = {row.partner_id: Counter({name: int(row.parts[name]) for name in names}) for row in rows}
    assert {area: counted for area, counted in found.items() if counted.total()} == {
        area: counted for area, counted in expected.items() if counted.total()
    }
    together = sum(found.values(), Counter[str]())
    assert min(together[name] for name in ("met", "late", "open_breach", "pending")) > 0


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
