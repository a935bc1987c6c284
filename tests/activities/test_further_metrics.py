"""Guardrails beside the framework's six, from a plan that names them to a verdict; no code of a rollout knows them."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from models.evidence import MetricAssessment, Verdict
from models.metric import CATALOGUE, MetricName, in_words
from models.plan import RolloutPlan
from models.quality import Check, Severity
from tests.activities.setting import DAY, START, Pool, Setting
from tests.activities.stays import ACCEPTANCE as GUARDED
from tests.activities.test_quality import judged as kept
from tests.activities.whole import WholeMetrics
from tests.facts import seed_facts
from tests.plans import PILOT, make_plan, plan_data

CHURN, LEAKAGE = MetricName.PARTNER_CHURN, MetricName.DISCOUNT_LEAKAGE
CERTIFIED, ACCEPTANCE = MetricName.CERTIFIED_PARTNERS, MetricName.LEAD_ACCEPTANCE


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


async def judged(setting: Setting, days: int = 90) -> dict[MetricName, MetricAssessment]:
    found = await kept(setting, WholeMetrics(setting.pool), setting.fetching(days=days))
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
    assert f"no value: {in_words('low_coverage')}" in items[LEAKAGE].reasons


# Acceptance.


@pytest.fixture
async def answering(pool: Pool) -> Setting:
    """Leads of every day at eight, to be accepted within eight hours and accepted after one; called after four."""
    await seed_facts(pool, date(2025, 9, 1), date(2026, 4, 1))
    answers = "accept_due_at = assigned_at + interval '8 hours', accepted_at = assigned_at + interval '1 hour'"
    await pool.execute(f"update lead set {answers}")  # noqa: S608
    return await Setting(pool, make_plan(metrics=[*plan_data()["metrics"], GUARDED])).register()


async def seen(setting: Setting) -> MetricAssessment:
    return (await judged(setting, 28))[ACCEPTANCE]


async def test_leads_accepted_in_time_are_met_whatever_the_contact(answering: Setting) -> None:
    item = await seen(answering)
    # Of twelve partners 28 leads each.
    assert (item.verdict, item.value, item.n_facts) == (Verdict.MET, 100.0, 12 * 28)


async def test_leads_nobody_answers_are_not_met_and_name_their_partners_and_leads(answering: Setting) -> None:
    unanswered = "update lead set accepted_at = null, first_contact_at = null where partner_id = any($1)"
    await answering.pool.execute(unanswered, PILOT[:3])
    item = await seen(answering)
    # A quarter: 9 of 12 are left.
    assert (item.verdict, item.value) == (Verdict.NOT_MET, 75.0)
    assert set(item.partners) == set(PILOT[:3])


async def test_a_source_without_leads_for_a_week_is_no_evidence_of_acceptance(answering: Setting) -> None:
    await answering.pool.execute("delete from lead where assigned_at >= $1", START - 8 * DAY)
    assert (await seen(answering)).verdict is Verdict.NO_EVIDENCE


async def test_answers_that_were_written_down_days_later_take_a_pass_away(answering: Setting) -> None:
    later = "update lead set accepted_known_at = accepted_at + interval '4 days', first_contact_at = null"
    await answering.pool.execute(f"{later} where partner_id = any($1)", PILOT[:6])
    item = await seen(answering)
    # Those of the last four days are not known yet, and breaches: 312 of 336 are in time, of which 6 x 24 came later.
    backdated = [one.severity for one in item.quality if one.check is Check.BACKDATING]
    assert item.value == pytest.approx(100 * 312 / 336)
    assert (item.verdict, backdated) == (Verdict.CANNOT_TELL, [Severity.RED])


# What their data are checked for.


def checked(metric: MetricName, limit: str, *bounds: dict[str, Any]) -> RolloutPlan:
    agreed = CATALOGUE[metric].defaults
    added = {"metric": metric.value, "window": agreed.window, "thresholds": [limit], "freshness": agreed.freshness}
    sample = {"partners": 5, "facts": 5}
    return make_plan(
        metrics=[*plan_data()["metrics"], {**added, "minimum_sample": sample, "data_quality": list(bounds)}]
    )


async def quality_of(
    pool: Pool, metric: MetricName, limit: str, *bounds: dict[str, Any]
) -> tuple[Verdict, dict[Check, tuple[Severity, tuple[str, ...]]]]:
    setting = await Setting(pool, checked(metric, limit, *bounds)).register()
    found = (await judged(setting))[metric]
    return found.verdict, {one.check: (one.severity, one.sources) for one in found.quality}


SHOP: dict[str, Any] = {"check": "freshness", "red": 21}


@pytest.mark.parametrize("bounds", [(), (SHOP,)], ids=["signed before", "agreed"])
async def test_a_silent_source_of_revenue_is_no_evidence_of_leakage_where_that_is_agreed(
    pool: Pool, bounds: tuple[dict[str, Any], ...]
) -> None:
    """Half of the pilot sells by a shop that has told nothing for 30 days; what there is has 4 of 104 given away."""
    await seed_facts(pool, date(2025, 9, 1), date(2026, 4, 1))
    await pool.execute("update partner_transaction set list_amount = 104")
    shop = PILOT[:6]
    await pool.execute("delete from partner_transaction where partner_id = any($1) and known_at >= $2", shop, _ago(30))
    await pool.execute("update partner_transaction set source_system = 'shop' where partner_id = any($1)", shop)
    verdict, found = await quality_of(pool, LEAKAGE, "<= 5", *bounds)
    assert verdict is (Verdict.NO_EVIDENCE if bounds else Verdict.MET)
    assert (Check.FRESHNESS in found) is bool(bounds)


@pytest.mark.parametrize("agreed", [False, True], ids=["signed before", "agreed"])
async def test_revenue_lines_that_did_not_come_are_no_evidence_of_leakage_where_that_is_agreed(
    pool: Pool, agreed: bool
) -> None:
    """Of two weeks of the window no line came, of anybody; each week before and after has one of each partner."""
    await seed_facts(pool, date(2025, 6, 1), date(2026, 4, 1))
    await pool.execute("update partner_transaction set list_amount = 104")
    lost = "delete from partner_transaction where known_at >= $1 and known_at < $2"
    await pool.execute(lost, _ago(28), _ago(14))
    bounds = ({"check": "completeness", "amber": 1, "red": 10},) if agreed else ()
    verdict, found = await quality_of(pool, LEAKAGE, "<= 5", *bounds)
    assert verdict is (Verdict.NO_EVIDENCE if agreed else Verdict.MET)
    # 2 of the 12 whole weeks of 90 days.
    assert found.get(Check.COMPLETENESS) == ((Severity.RED, ("test",)) if agreed else None)


@pytest.mark.parametrize("bounds", [(), ({"check": "freshness", "red": 45},)], ids=["signed before", "agreed"])
async def test_a_silent_source_of_courses_is_no_evidence_of_certified_partners_where_that_is_agreed(
    pool: Pool, bounds: tuple[dict[str, Any], ...]
) -> None:
    """Each partner has two people, certified 50 days ago: half of them by another source, which told of a course of
    somebody else ten days ago."""
    await seed_facts(pool, date(2026, 1, 1), date(2026, 1, 2))
    await pool.execute(
        "insert into person (person_id, partner_id, source_system, source_id, known_at)"
        " select id || n, id, 'lms', id || n, '2020-01-01Z' from unnest($1::text[]) id, generate_series(1, 2) n",
        list(PILOT),
    )
    await pool.execute(
        "insert into enablement_assignment (source_system, source_id, person_id, partner_id, course_id, assigned_at,"
        " due_on, completed_at, passed, known_at) select case when p.partner_id = any ($2) then 'old' else 'lms' end,"
        " p.person_id, p.person_id, p.partner_id, 'basics', $1::timestamptz, $4,"
        " case when p.partner_id = any ($2) then $1 else $3::timestamptz end, true, $1 from person p",
        _ago(50),
        list(PILOT[:6]),
        _ago(10),
        _ago(0).date(),
    )
    verdict, found = await quality_of(pool, CERTIFIED, ">= 90", *bounds)
    assert verdict is (Verdict.NO_EVIDENCE if bounds else Verdict.MET)
    assert (Check.FRESHNESS in found) is bool(bounds)


@pytest.mark.parametrize("bounds", [(), ({"check": "freshness", "red": 100},)], ids=["signed before", "agreed"])
async def test_a_list_of_partners_nobody_keeps_is_no_evidence_of_churn_though_another_is_kept(
    pool: Pool, bounds: tuple[dict[str, Any], ...]
) -> None:
    """Half of the partners are of a list that was last confirmed 102 days ago, the others' changed ten days ago."""
    await seed_facts(pool, date(2026, 1, 1), date(2026, 1, 2))
    await pool.execute("update partner set source_system = 'old' where partner_id = any($1)", PILOT[:6])
    change = "update partner set tier = 'silver', amended_at = $1 where source_system = 'test'"
    await pool.execute(change, _ago(10))
    await pool.execute(
        "insert into intake_run (seconds, kind, source, origin, outcome, rows_read, rows_unchanged, imported_at)"
        " values (0, 'partners', 'old', 'file', 'taken', 6, 6, $1)",
        _ago(102),
    )
    verdict, found = await quality_of(pool, CHURN, "<= 10", *bounds)
    assert verdict is (Verdict.NO_EVIDENCE if bounds else Verdict.MET)
    assert (Check.FRESHNESS in found) is bool(bounds)
    # Confirmed again, unchanged: nobody has left, and that is evidence.
    if bounds:
        await pool.execute("update intake_run set imported_at = $1", _ago(99))
        assert (await quality_of(pool, CHURN, "<= 10", *bounds))[0] is Verdict.MET


def _ago(days: int) -> datetime:
    return START - days * DAY
