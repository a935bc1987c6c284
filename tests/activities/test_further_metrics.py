"""Guardrails beside the framework's six, from a plan that names them to a verdict; no code of a rollout knows them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from models.evidence import Assessment, Verdict
from models.metric import CATALOGUE, MetricName
from models.plan import RolloutPlan
from tests.activities.setting import DAY, START, Pool, Setting
from tests.activities.whole import WholeMetrics
from tests.facts import seed_facts
from tests.plans import PILOT, make_plan, plan_data

CHURN, LEAKAGE = MetricName.PARTNER_CHURN, MetricName.DISCOUNT_LEAKAGE


def with_further() -> RolloutPlan:
    """The base plan, and both of them as the catalogue begins with, but for a sample that twelve partners reach."""
    added: list[dict[str, Any]] = []
    for metric, limits in ((CHURN, ["<= 10"]), (LEAKAGE, ["<= 5"])):
        agreed = CATALOGUE[metric].defaults
        sample = {"partners": 5, "facts": 10}
        added.append(
            {"metric": metric.value, "window": agreed.window, "thresholds": limits, "minimum_sample": sample}
            | {"freshness": agreed.freshness}
        )
    return make_plan(metrics=[*plan_data()["metrics"], *added])


@pytest.fixture
async def further(pool: Pool) -> Setting:
    """Sales of 100 at list prices of 104, and a list of partners that was changed five days ago."""
    await seed_facts(pool, date(2025, 12, 1), date(2026, 4, 1))
    await pool.execute("update partner_transaction set list_amount = 104")
    await pool.execute("update partner set tier = 'silver', amended_at = $1", START - 5 * DAY)
    return await Setting(pool, with_further()).register()


async def judged(setting: Setting) -> dict[MetricName, Any]:
    metrics = WholeMetrics(setting.pool)
    snapshot = await metrics.fetch_metrics(setting.fetching(days=90))
    found: Assessment = await metrics.assess_thresholds(setting.assessing(snapshot.digest))
    return {item.metric: item for item in found.items}


async def test_within_their_limits_they_are_met(further: Setting) -> None:
    items = await judged(further)
    # Nobody of twelve has left; 4 of 104 is 3.85 percent.
    assert [items[metric].verdict for metric in (CHURN, LEAKAGE)] == [Verdict.MET, Verdict.MET]
    assert [items[metric].value for metric in (CHURN, LEAKAGE)] == [0.0, pytest.approx(400 / 104)]


async def test_beyond_them_they_are_not_met_and_name_those_behind_it(further: Setting) -> None:
    left = START.date() - timedelta(days=10)
    await further.pool.execute("update partner set active_to = $2 where partner_id = any($1)", PILOT[3:5], left)
    await further.pool.execute("update partner_transaction set list_amount = 130 where partner_id = $1", PILOT[7])
    items = await judged(further)
    # 2 of 12 is 16.7 percent; 11 x 4 + 30 of 11 x 104 + 130 is 5.81 percent.
    churn, leakage = items[CHURN], items[LEAKAGE]
    assert (churn.verdict, churn.value) == (Verdict.NOT_MET, pytest.approx(200 / 12))
    assert churn.partners == tuple(PILOT[3:5])
    assert (leakage.verdict, leakage.value) == (Verdict.NOT_MET, pytest.approx(7400 / 1274))
    assert leakage.partners[0] == PILOT[7]


async def test_prices_nobody_knows_and_a_list_nobody_keeps_are_no_evidence(further: Setting) -> None:
    await further.pool.execute("update partner_transaction set list_amount = null")
    await further.pool.execute("update partner set amended_at = null")
    items = await judged(further)
    assert [items[metric].verdict for metric in (CHURN, LEAKAGE)] == [Verdict.NO_EVIDENCE, Verdict.NO_EVIDENCE]
    assert "no value: low_coverage" in items[LEAKAGE].reasons
