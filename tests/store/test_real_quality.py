"""The checks over the two real data sets: what is odd in them is flagged, and they are not drowned in false alarms."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from activities.measuring import Ask, measure_all
from cli.plan import read_plan
from judgement.quality import findings, told
from judgement.thresholds import judge
from models.evidence import CohortReading, Verdict
from models.metric import MetricName, MetricUse
from models.plan import RolloutPlan
from models.quality import Check, Finding, QualityBound, Severity
from store.enrolments import resolve
from store.intake import ImportReport
from store.pool import create_pool
from tests.real_data import ROOT, needs_real_data

pytestmark = needs_real_data

STEP = timedelta(days=56)


@pytest.fixture(scope="module")
async def real(real_database: str) -> AsyncIterator[asyncpg.Pool]:
    async with await create_pool(real_database, command_timeout=60) as pool:
        yield pool


async def readings(
    pool: asyncpg.Pool, plan: RolloutPlan, start: str, *moments: datetime
) -> list[tuple[datetime, CohortReading]]:
    """The plan's one metric of all its cohorts, as it was known at each of the moments."""
    async with pool.acquire() as conn:
        cohorts = await resolve(conn, plan.cohort_specs(), moment(start))
        windows = {one.metric: one.window for one in plan.metrics}
        found = [await measure_all(conn, [Ask(at, cohorts, windows)]) for at in moments]
    return [(at, one) for at, [measured] in zip(moments, found, strict=True) for one in measured.snapshot.readings]


async def one_by_one(
    pool: asyncpg.Pool, plan: RolloutPlan, start: str, *moments: datetime
) -> list[tuple[datetime, CohortReading]]:
    """The same with what the earlier of these looks found, as a rollout has it that looks at those moments."""
    before: dict[tuple[str, MetricName], list[tuple[datetime, float]]] = defaultdict(list)
    found = []
    async with pool.acquire() as conn:
        cohorts = await resolve(conn, plan.cohort_specs(), moment(start))
        windows = {one.metric: one.window for one in plan.metrics}
        for at in moments:
            [measured] = await measure_all(conn, [Ask(at, cohorts, windows, earlier=before)])
            for one in measured.snapshot.readings:
                found.append((at, one))
                if one.group.value is not None:
                    before[one.cohort, one.metric].append((at, one.group.value))
    return found


def moment(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=UTC)


def every(step: timedelta, first: str, last: str) -> list[datetime]:
    return [moment(first) + step * number for number in range((moment(last) - moment(first)) // step)]


def checked(plan: RolloutPlan, found: list[tuple[datetime, CohortReading]]) -> list[tuple[datetime, Finding]]:
    return [(at, one) for at, reading in found for one in findings(reading, plan.metrics[0], None, at)]


def alarms(found: list[tuple[datetime, Finding]]) -> Counter[tuple[str, str]]:
    return Counter((one.check.value, one.severity.value) for _, one in found if one.severity is not Severity.GREEN)


async def test_the_month_at_minus_60_percent_is_flagged_before_it_is_judged(
    real: asyncpg.Pool, resellers: list[ImportReport]
) -> None:
    """By hand: in 2011-11 sales less product cost are -60.4 % of sales; the months before lie between 3.2 and 4.5."""
    plan = read_plan(ROOT / "examples" / "plans" / "adventureworks-margin.yaml")
    found = await readings(real, plan, "2011-07-01", moment("2011-11-29"), moment("2011-12-02"), moment("2012-03-02"))
    flagged = [(at, one) for at, one in checked(plan, found) if one.check is Check.PLAUSIBILITY]
    odd = [(at, one) for at, one in flagged if one.severity is not Severity.GREEN]
    assert {at for at, _ in odd} == {moment("2011-12-02")}
    assert {told(one) for _, one in odd} == {
        "the ledger's margin of 2011-11 in USD is -60.4 %, usual 3.8: amber from 15 points from the usual month"
    }


async def test_owners_may_agree_that_such_a_month_is_not_to_be_trusted(
    real: asyncpg.Pool, resellers: list[ImportReport]
) -> None:
    """As it stands the pilot's quarter is a breach with a warning beside it; by an agreed bound it holds instead."""
    plan = read_plan(ROOT / "examples" / "plans" / "adventureworks-margin.yaml")
    at = moment("2011-12-02")
    [(_, pilot), *_] = await readings(real, plan, "2011-07-01", at)
    bounds = (QualityBound(check=Check.PLAUSIBILITY, amber=15, red=50),)
    default = judge(pilot, plan.metrics[0], None, (), at)
    strict = judge(pilot, plan.metrics[0].model_copy(update={"data_quality": bounds}), None, (), at)
    assert (default.untrusted, default.warning) == (False, True)
    assert (strict.untrusted, strict.verdict) == (True, Verdict.CANNOT_TELL)
    assert strict.reasons[0].startswith("data not to be trusted: the ledger's margin of 2011-11 in USD is -60.4 %")


async def test_the_quarter_with_that_month_lies_far_from_every_look_before_it(
    real: asyncpg.Pool, resellers: list[ImportReport]
) -> None:
    """A look every two weeks. The pilot's quarter stands at -19.18 %, the median of the eight looks before at 3.44:
    22.62 points, 11.3 spreads of 2. The plan has margin as a guardrail, which pauses with that beside it; an outcome
    is not judged, and nothing is stopped."""
    plan = read_plan(ROOT / "examples" / "plans" / "adventureworks-margin.yaml")
    looks = every(timedelta(days=14), "2011-07-01", "2011-12-16")
    found = await one_by_one(real, plan, "2011-07-01", *looks)
    band = [(at, reading, one) for at, reading in found for _, one in checked(plan, [(at, reading)])]
    odd = [(at, reading) for at, reading, one in band if one.check is Check.BAND and one.severity is not Severity.GREEN]
    assert {at for at, _ in odd} == {moment("2011-12-02")}
    [pilot] = [reading for _, reading in odd if reading.cohort == "pilot"]
    guardrail = plan.metrics[0]
    outcome = guardrail.model_copy(update={"use": MetricUse.OUTCOME})
    paused = judge(pilot, guardrail, None, (), moment("2011-12-02"))
    held = judge(pilot, outcome, None, (), moment("2011-12-02"))
    assert (paused.untrusted, paused.warning) == (False, True)
    assert (held.untrusted, held.verdict) == (True, Verdict.CANNOT_TELL)
    assert held.reasons[0].startswith(
        "data not to be trusted: -19.18 lies 11.3 spreads of 2.00 from 3.44, the median of 8 earlier looks"
    )


async def test_three_years_of_sales_warn_of_one_month_and_of_resellers_who_buy_no_more(
    real: asyncpg.Pool, resellers: list[ImportReport]
) -> None:
    """Every eight weeks, five cohorts. Orders come in on one day of a month, too seldom for anything to be missing."""
    plan = read_plan(ROOT / "examples" / "plans" / "adventureworks-margin.yaml")
    found = await readings(real, plan, "2011-07-01", *every(STEP, "2011-07-01", "2013-12-01"))
    assert len(found) == 75
    assert alarms(checked(plan, found)) == {("plausibility", "amber"): 10, ("drift", "amber"): 7}


async def test_six_years_of_requests_are_clean(real: asyncpg.Pool, cases: list[ImportReport]) -> None:
    """Every eight weeks, five cohorts: autumns with a third less are no holes, and nothing is red or amber."""
    plan = read_plan(ROOT / "examples" / "plans" / "boston311-follow-up.yaml")
    found = await readings(real, plan, "2014-01-06", *every(STEP, "2014-01-06", "2020-01-01"))
    assert len(found) == 195
    assert alarms(checked(plan, found)) == {}
    complete = [one for _, one in checked(plan, found) if one.check is Check.COMPLETENESS]
    assert sum("not enough" in one.found for one in complete) == 0


async def test_no_request_s_quarter_is_far_from_the_looks_before_it(
    real: asyncpg.Pool, cases: list[ImportReport]
) -> None:
    """A year of looks every four weeks, five cohorts; the first four of each say nothing yet."""
    plan = read_plan(ROOT / "examples" / "plans" / "boston311-follow-up.yaml")
    found = await one_by_one(real, plan, "2014-01-06", *every(timedelta(days=28), "2014-01-06", "2015-01-05"))
    band = [one for _, one in checked(plan, found) if one.check is Check.BAND]
    assert len(band) == 45
    assert {one.severity for one in band} == {Severity.GREEN}
