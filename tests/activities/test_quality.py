"""Through the activities: untrusted data judge nothing, restated facts are new evidence, and who moved it is said."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import pytest

from judgement.assessment import assess
from models.evidence import Assessment, Baseline, MetricAssessment, Verdict
from models.metric import MetricName, MetricUse
from models.plan_metric import OnBreach
from models.quality import Check, Severity
from models.rollout import CohortMembers
from models.work import FetchRequest
from store.evidence import read_evidence, read_measured, seal
from tests.activities.setting import DAY, MARGIN, PILOT_COHORT, SLA, START, Pool, Setting
from tests.activities.whole import WholeEffects, WholeMetrics
from tests.facts import seed_facts, slump
from tests.plans import CONTROL, PILOT, WAVE_1, WAVE_2, make_plan, plan_data

LATER = START + 35 * DAY


@pytest.fixture
def metrics(pool: Pool) -> WholeMetrics:
    return WholeMetrics(pool)


async def rollout(pool: Pool, *, control: bool = True, **plan: Any) -> Setting:
    """A rollout whose cohorts are frozen, on half a year of facts."""
    await seed_facts(pool, date(2025, 9, 1), date(2026, 5, 1))
    data = plan_data(**plan)
    if not control:
        del data["cohorts"]["control"]
    setting = await Setting(pool, make_plan(**data)).register()
    await WholeEffects.of_the_store(pool).resolve_cohorts(setting.resolving())
    return setting


async def baselines(setting: Setting, metrics: WholeMetrics) -> tuple[Baseline, ...]:
    """Of every cohort, over the four weeks before the start."""
    cohorts = tuple(CohortMembers(name=one.name, partners=one.partners) for one in setting.plan.cohort_specs())
    request = setting.fetching(START, *cohorts).model_copy(update={"purpose": "baseline"})
    found = await metrics.fetch_metrics(request)
    return tuple(
        Baseline(
            cohort=one.cohort,
            metric=one.metric,
            window=one.window,
            value=one.group.value,
            reason=one.group.reason,
            n_partners=one.group.n_partners,
            n_facts=one.group.n_facts,
            definition_version=one.definition_version,
            evidence_digest=found.digest,
        )
        for one in found.readings
    )


async def judged(
    setting: Setting, metrics: WholeMetrics, request: FetchRequest, frozen: tuple[Baseline, ...] = ()
) -> Assessment:
    """What the store keeps of an assessment, which is all of it."""
    snapshot = await metrics.fetch_metrics(request)
    said = await metrics.assess_thresholds(setting.assessing(snapshot.digest, baselines=frozen))
    async with setting.pool.acquire() as conn:
        kept = await read_evidence(conn, said.digest)
    assert kept is not None
    return Assessment.model_validate_json(json.dumps(kept.body))


def of(assessment: Assessment, check: Check, metric: int = 0) -> list[tuple[Severity, str]]:
    return [(one.severity, one.found) for one in assessment.items[metric].quality if one.check is check]


# Data in doubt.


async def test_a_month_booked_wrongly_pauses_and_does_not_stop(pool: Pool, metrics: WholeMetrics) -> None:
    """Sales of 100 at a cost of 70 a week, until in February they are booked at 160: the ledger's month is at -60 %,
    where it usually is at 30, and so is the pilot. Had the owners agreed that a month may be so far off, it would
    stop."""
    loss = {"condition": "the margin is eaten up", "metric": "contribution_margin", "unless": ">= 0"}
    setting = await rollout(pool, stop_conditions=[loss])
    await pool.execute("update partner_cost set amount = 160 where recognised_on >= '2026-02-01'")
    found = await judged(setting, metrics, setting.fetching(START + 28 * DAY))
    item = found.items[1]
    assert (item.value, item.verdict, item.on_breach, found.stop) == (-60.0, Verdict.NOT_MET, OnBreach.PAUSE, ())
    assert item.use is MetricUse.GUARDRAIL
    assert [one.split(":")[0] for one in item.reasons[:2]] == ["stop condition fulfilled", "data in doubt"]
    async with pool.acquire() as conn:
        measured = await read_measured(conn, setting.key, found.snapshot_digest)
    assert measured is not None
    metrics_agreed = plan_data()["metrics"]
    metrics_agreed[1]["data_quality"] = [{"check": "plausibility", "amber": 100}]
    sure = assess(make_plan(stop_conditions=[loss], metrics=metrics_agreed), measured.snapshot, (), {})
    assert [one.value for one in sure.stop] == [-60.0]


# Red data.


async def cut_off(pool: Pool, start: date, end: date, share: float = 1.0) -> None:
    """So much of every day's leads never came."""
    await pool.execute(
        "delete from lead where assigned_at >= $1::date and assigned_at < $2::date"
        " and abs(hashtext(source_id)) % 100 < 100 * $3::float8",
        start,
        end,
        share,
    )


async def test_a_feed_that_lost_most_of_its_leads_is_no_evidence_although_the_newest_are_current(
    pool: Pool, metrics: WholeMetrics
) -> None:
    """Two of the four weeks lack nine of ten leads; what is left is all in time."""
    setting = await rollout(pool)
    await cut_off(pool, date(2026, 2, 9), date(2026, 2, 23), 0.9)
    found = await judged(setting, metrics, setting.fetching(START + 28 * DAY))
    item = found.items[0]
    assert item.data_current
    assert (item.verdict, item.untrusted) == (Verdict.NO_EVIDENCE, True)
    assert "data not to be trusted: source test: 4" in item.reasons[0]
    assert "% of what is usual is missing, in 2 of 4 weeks" in item.reasons[0]
    assert found.items[1].verdict is Verdict.MET, "the sales are another source's business"


async def test_a_source_that_tells_at_the_ends_of_quarters_alone_lacks_nothing_in_between(
    pool: Pool, metrics: WholeMetrics
) -> None:
    """Leads come in the last five weeks of a quarter. On 9 February the newest is 40 days old, which is agreed; of the
    thirteen weeks before there were five with any. A quarter earlier the rest of them was empty as well, and the one
    before. On 16 March the next should have come for two weeks: now it is missing."""
    data = plan_data()
    data["metrics"][0] |= {"window": "91d", "freshness": "90d"}
    await seed_facts(pool, date(2025, 5, 1), date(2026, 1, 1))
    setting = await Setting(pool, make_plan(**data)).register()
    await WholeEffects.of_the_store(pool).resolve_cohorts(setting.resolving())
    await pool.execute(
        "delete from lead where assigned_at < date_trunc('quarter', assigned_at, 'UTC') + interval '3 months - 35 days'"
    )
    usual, late = [
        of(await judged(setting, metrics, setting.fetching(START + days * DAY)), Check.COMPLETENESS) for days in (7, 42)
    ]
    assert usual == [(Severity.GREEN, "source test: not enough regular history to tell what is usual")]
    assert [severity for severity, _ in late] == [Severity.RED]


async def test_a_breach_on_data_that_are_not_whole_is_none_and_does_not_count(
    pool: Pool, metrics: WholeMetrics
) -> None:
    setting = await rollout(pool)
    await slump(pool, PILOT, date(2026, 2, 2), date(2026, 3, 2))
    request = setting.fetching(START + 28 * DAY)
    assert (await judged(setting, metrics, request)).items[0].verdict is Verdict.NOT_MET
    await pool.execute("truncate judged_reading")
    await cut_off(pool, date(2026, 2, 9), date(2026, 2, 23), 0.9)
    again = (await judged(setting, metrics, request)).items[0]
    assert (again.verdict, again.beyond_threshold) == (Verdict.NO_EVIDENCE, True)
    assert again.breaches.in_all == 0
    assert await pool.fetchval("select beyond from judged_reading where metric = 'lead_follow_up_sla'") is None


async def test_a_baseline_on_red_data_has_no_value_and_the_reason(pool: Pool, metrics: WholeMetrics) -> None:
    setting = await rollout(pool)
    await cut_off(pool, date(2026, 1, 12), date(2026, 1, 26))
    frozen = {(one.cohort, one.metric): one for one in await baselines(setting, metrics)}
    assert frozen["pilot", SLA].value is None
    assert (frozen["pilot", SLA].reason or "").startswith("data not to be trusted: source test: 50 % of what is usual")
    assert frozen["pilot", MARGIN].value == pytest.approx(30.0)
    async with pool.acquire() as conn:
        kept = await read_measured(conn, setting.key, frozen["pilot", SLA].evidence_digest)
    assert kept is not None
    assert kept.snapshot.readings[0].group.reason == frozen["pilot", SLA].reason, "no way back to it from the store"


async def test_bounds_of_the_plan_decide_what_is_red(pool: Pool, metrics: WholeMetrics) -> None:
    lenient = [
        {**one, "data_quality": [{"check": "completeness", "amber": 20}]} if one["metric"] == SLA else one
        for one in plan_data()["metrics"]
    ]
    setting = await rollout(pool, metrics=lenient)
    await cut_off(pool, date(2026, 2, 9), date(2026, 2, 23), 0.9)
    item = (await judged(setting, metrics, setting.fetching(START + 28 * DAY))).items[0]
    assert (item.verdict, item.warning, item.untrusted) == (Verdict.MET, True, False)


# What is missing of the costs, and of one cohort alone: where the plan has it checked.


def checking(metric: str, check: str) -> dict[str, Any]:
    bounds = [{"check": check, "amber": 5, "red": 25}]
    return {
        "metrics": [
            one | ({"data_quality": bounds} if one["metric"] == metric else {}) for one in plan_data()["metrics"]
        ]
    }


@pytest.mark.parametrize("agreed", [True, False])
async def test_revenue_whose_costs_did_not_come_is_no_margin(pool: Pool, metrics: WholeMetrics, agreed: bool) -> None:
    """Of four weeks two have no cost: 100 sold for 70 and 100 sold for nothing are a margin of 65 % instead of 30.
    Every week has 48 lines of cost, so that 96 of 192 are missing."""
    setting = await rollout(pool, **(checking(MARGIN, "costs") if agreed else {}))
    await pool.execute("delete from partner_cost where recognised_on >= '2026-02-05' and recognised_on < '2026-02-19'")
    item = (await judged(setting, metrics, setting.fetching(START + 28 * DAY))).items[1]
    assert item.value == pytest.approx(65.0)
    found = [(one.severity, one.found) for one in item.quality if one.check is Check.COSTS]
    if agreed:
        assert item.verdict is Verdict.NO_EVIDENCE
        told = "product costs of source test: 50 % of what is usual is missing, in 2 of 4 weeks"
        assert found == [(Severity.RED, told)]
    else:
        assert (item.verdict, found) == (Verdict.MET, [])


@pytest.mark.parametrize("agreed", [True, False])
async def test_what_a_source_lacks_of_the_pilot_alone_is_little_of_the_source(
    pool: Pool, metrics: WholeMetrics, agreed: bool
) -> None:
    """The pilot's 84 leads a week fall to less than a tenth in two of four weeks: a quarter of what the source tells,
    far above the half below which its week is short."""
    setting = await rollout(pool, **(checking(SLA, "cohort") if agreed else {}))
    await pool.execute(
        "delete from lead where partner_id = any ($1) and assigned_at >= '2026-02-09Z' and assigned_at < '2026-02-23Z'"
        " and abs(hashtext(source_id)) % 100 < 95",
        PILOT,
    )
    item = (await judged(setting, metrics, setting.fetching(START + 28 * DAY))).items[0]
    found = [one.severity for one in item.quality if one.check is Check.COHORT]
    assert of_source(item) == [Severity.GREEN]
    if agreed:
        assert (item.verdict, found) == (Verdict.NO_EVIDENCE, [Severity.RED])
        assert item.reasons[0].startswith("data not to be trusted: the partners of pilot: 4")
    else:
        assert (item.verdict, found) == (Verdict.MET, [])


def of_source(item: MetricAssessment) -> list[Severity]:
    return [one.severity for one in item.quality if one.check is Check.COMPLETENESS]


# Restatement.


async def test_restated_facts_lead_to_a_new_assessment_and_the_old_one_stays(pool: Pool, metrics: WholeMetrics) -> None:
    """A correction, as an import makes it: a third of the pilot's leads were contacted days later than was said."""
    setting = await rollout(pool)
    at = START + 28 * DAY
    first = await judged(setting, metrics, setting.fetching(at))
    assert first.items[0].verdict is Verdict.MET
    known = at + timedelta(hours=1)
    await pool.execute(
        "update lead set first_contact_at = assigned_at + interval '3 days', amended_at = $2"
        " where partner_id = any ($1) and assigned_at between $3 and $4",
        PILOT[:4],
        known,
        at - 20 * DAY,
        at - 4 * DAY,
    )
    # What was known then is read as it was known then: the same evidence.
    assert (await judged(setting, metrics, setting.fetching(at))).digest == first.digest
    second = await judged(setting, metrics, setting.fetching(known))
    assert (second.digest, second.snapshot_digest) != (first.digest, first.snapshot_digest)
    ((severity, found),) = of(second, Check.RESTATEMENT)
    assert severity is Severity.RED
    assert found == "64 facts of the window were restated in the last 7 days; as they stood before the value was 100.00"
    assert second.items[0].verdict is Verdict.CANNOT_TELL
    async with pool.acquire() as conn:
        kept = await read_evidence(conn, first.digest)
    assert kept is not None
    assert Assessment.model_validate_json(json.dumps(kept.body)) == first
    # A week later it has settled, and is a breach like any other.
    third = await judged(setting, metrics, setting.fetching(known + 8 * DAY))
    assert (of(third, Check.RESTATEMENT), third.items[0].verdict) == ([], Verdict.NOT_MET)


# Comparison.


async def test_the_control_cohort_stands_beside_the_pilot_with_its_own_baseline(
    pool: Pool, metrics: WholeMetrics
) -> None:
    """All are at 100 % before. Then the pilot follows up late on 7 of 28 days, the control on 14: it fell less."""
    setting = await rollout(pool)
    frozen = await baselines(setting, metrics)
    await slump(pool, PILOT, date(2026, 2, 2), date(2026, 2, 9))
    await slump(pool, CONTROL, date(2026, 2, 2), date(2026, 2, 16))
    request = setting.fetching(START + 28 * DAY)
    found = (await judged(setting, metrics, request, frozen)).items[0]
    assert found.comparison is not None
    assert (found.comparison.cohort, found.comparison.partners) == ("control", 12)
    assert found.value == pytest.approx(75.0)
    assert (found.comparison.value, found.comparison.baseline) == (pytest.approx(50.0), pytest.approx(100.0))
    assert found.comparison.difference == pytest.approx(25.0)
    async with pool.acquire() as conn:
        kept = await read_measured(conn, setting.key, (await metrics.fetch_metrics(request)).digest)
    assert kept is not None
    assert [one.cohort for one in kept.snapshot.readings] == ["pilot", "pilot"]
    rows = {(one.cohort, one.metric): one.partners for one in kept.rows}
    assert [one.partner_id for one in rows["control", SLA]] == list(CONTROL)
    assert kept.snapshot.comparison[0].window == kept.snapshot.readings[0].window
    whole = kept.snapshot
    written = seal(whole.as_of, whole.readings, kept.rows, whole.comparison).written
    assert written is not None
    assert written["rows"] == [one.model_dump(mode="json") for one in kept.rows]
    assert seal(whole.as_of, whole.readings, kept.rows, whole.comparison).snapshot.digest == whole.digest
    other = whole.comparison[0].model_copy(update={"cohort": "others"})
    assert seal(whole.as_of, whole.readings, kept.rows, (other, *whole.comparison[1:])).snapshot.digest != whole.digest
    assert seal(whole.as_of, whole.readings, kept.rows).snapshot.digest != whole.digest


async def test_without_a_control_cohort_whoever_is_not_enrolled_yet_is_compared(
    pool: Pool, metrics: WholeMetrics
) -> None:
    setting = await rollout(pool, control=False)
    frozen = await baselines(setting, metrics)
    effects = WholeEffects.of_the_store(pool)
    await effects.enrol_partners(setting.enrolling(at=START))
    wave = CohortMembers(name="wave-one", partners=WAVE_1)
    await effects.enrol_partners(setting.enrolling(wave, phase="scale", wave=1, at=START + 20 * DAY))

    async def compared(days: int, *cohorts: CohortMembers) -> set[str]:
        snapshot = await metrics.fetch_metrics(setting.fetching(START + days * DAY, *cohorts))
        async with pool.acquire() as conn:
            kept = await read_measured(conn, setting.key, snapshot.digest)
        assert kept is not None
        return {row.partner_id for one in kept.rows if one.cohort == "not enrolled" for row in one.partners}

    assert await compared(10) == {*WAVE_1, *WAVE_2}
    # By then the first wave is enrolled, whether it is measured or not.
    assert await compared(28) == await compared(28, PILOT_COHORT, wave) == {*WAVE_2}
    found = (await judged(setting, metrics, setting.fetching(START + 10 * DAY), frozen)).items[1]
    assert found.comparison is not None
    assert found.comparison.baseline == pytest.approx(30.0)
    assert found.comparison.difference == pytest.approx(0.0)


async def test_what_stands_in_a_history_has_neither_rows_nor_findings(pool: Pool, metrics: WholeMetrics) -> None:
    setting = await rollout(pool)
    frozen = await baselines(setting, metrics)
    await slump(pool, PILOT, date(2026, 2, 2), date(2026, 3, 2))
    snapshot = await metrics.fetch_metrics(setting.fetching(START + 28 * DAY))
    assert (snapshot.comparison, {one.quality.sources for one in snapshot.readings}) == ((), {()})
    said = await metrics.assess_thresholds(setting.assessing(snapshot.digest, baselines=frozen))
    assert {(one.quality, one.contributions) for one in said.items} == {((), ())}
    assert said.items[0].comparison is not None
    assert len(said.model_dump_json()) < 1400 * len(said.items)


# Who moved it.


async def test_a_breach_names_who_made_it_with_their_leads_and_all_parts_add_up(
    pool: Pool, metrics: WholeMetrics
) -> None:
    """P003 is late on every day of four weeks, P007 on one week of them: 28 and 7 of 336 leads."""
    setting = await rollout(pool, metrics=[{**one, "thresholds": [">= -5pp"]} for one in plan_data()["metrics"]])
    frozen = await baselines(setting, metrics)
    await slump(pool, ("P003",), date(2026, 2, 1), date(2026, 3, 2))
    await slump(pool, ("P007",), date(2026, 2, 2), date(2026, 2, 9))
    found = await judged(setting, metrics, setting.fetching(START + 28 * DAY), frozen)
    item = found.items[0]
    assert item.verdict is Verdict.NOT_MET
    assert item.value is not None
    assert item.baseline is not None
    first, second, *_ = item.contributions
    assert (first.partner_id, second.partner_id) == ("P003", "P007")
    assert first.facts == ("lead P003-20260202", "lead P003-20260203", "lead P003-20260204")
    assert first.change < second.change < 0
    assert item.reasons[-1].startswith(
        f"of {item.value - item.baseline:+.2f} since the baseline P003 {first.change:+.2f}"
    )
    assert "lead P007-20260202" in item.reasons[-1]
    async with pool.acquire() as conn:
        kept = await read_measured(conn, setting.key, found.snapshot_digest)
    assert kept is not None
    assert sum(one.change for one in item.contributions) == pytest.approx(item.value - item.baseline)


async def test_a_margin_that_falls_names_the_transactions(pool: Pool, metrics: WholeMetrics) -> None:
    setting = await rollout(pool)
    frozen = await baselines(setting, metrics)
    await pool.execute(
        "update partner_cost set amount = 99 where partner_id = any ($1) and recognised_on >= '2026-02-02'", PILOT
    )
    item: MetricAssessment = (await judged(setting, metrics, setting.fetching(START + 28 * DAY), frozen)).items[1]
    assert item.verdict is Verdict.NOT_MET
    assert item.contributions[0].facts[0].startswith(f"transaction T{item.contributions[0].partner_id}2026")
    assert "(transaction T" in item.reasons[-1]


async def test_what_is_a_breach_by_itself_names_whose_it_is_and_by_which_fact(
    pool: Pool, metrics: WholeMetrics
) -> None:
    """There is no baseline, and of the money no value: nobody makes up a part of a change."""
    asked = {"window": "28d", "freshness": "60d", "minimum_sample": {"partners": 1, "facts": 1}}
    guards = [
        {"metric": "mdf_spend", "thresholds": ["<= 110"], **asked},
        {"metric": "compliance_score", "thresholds": [">= 1"], **asked},
    ]
    rest = [one for one in plan_data()["not_measured"] if one["metric"] not in ("mdf_spend", "compliance_score")]
    setting = await rollout(pool, metrics=[*plan_data()["metrics"], *guards], not_measured=rest)
    told = START + 8 * DAY
    await pool.execute(
        "insert into mdf_claim (source_system, source_id, partner_id, claimed_amount, approved_amount, currency,"
        " decision, decided_at, submitted_at, known_at) values ('t', '17', $1, 50, 50, 'USD', 'approved', $2, $2, $2)",
        PILOT[0],
        told,
    )
    await pool.execute(
        "insert into compliance_check (source_system, source_id, check_id, version, severity, weight, critical,"
        " effective_from, known_at)"
        " values ('t', 'c', 'sanctions', 1, 'critical', 10, true, '2025-01-01', '2025-01-01Z')"
    )
    for partner, outcome in ((PILOT[1], "fail"), (PILOT[2], "pass")):
        await pool.execute(
            "insert into compliance_result (source_system, source_id, partner_id, check_id, version, outcome,"
            " assessed_at, known_at) values ('t', $1, $1, 'sanctions', 1, $2, $3, $3)",
            partner,
            outcome,
            told,
        )
    items = {one.metric: one for one in (await judged(setting, metrics, setting.fetching(START + 28 * DAY))).items}
    spend, score = items[MetricName.MDF_SPEND], items[MetricName.COMPLIANCE_SCORE]
    assert spend.verdict is score.verdict is Verdict.NOT_MET
    assert f"a breach by itself of {PILOT[0]} (unbudgeted claim 17)" in spend.reasons
    assert f"a breach by itself of {PILOT[1]} (failed critical check sanctions)" in score.reasons


async def test_the_watch_s_own_look_needs_no_rows(pool: Pool, metrics: WholeMetrics) -> None:
    """Without what stands behind it an assessment says the same of every metric."""
    setting = await rollout(pool)
    frozen = await baselines(setting, metrics)
    request = setting.fetching(START + 28 * DAY)
    whole = await judged(setting, metrics, request, frozen)
    async with pool.acquire() as conn:
        kept = await read_measured(conn, setting.key, whole.snapshot_digest)
    assert kept is not None
    plain = assess(setting.plan, kept.snapshot, frozen, {})
    assert [one.verdict for one in plain.items] == [one.verdict for one in whole.items]
    assert all(one.comparison is None for one in plain.items)


async def test_a_source_that_begins_today_is_not_a_silent_one(pool: Pool, metrics: WholeMetrics) -> None:
    """Volumes are counted by whole days: of today they know nothing."""
    setting = await rollout(pool)
    noon = START + timedelta(hours=12)
    await pool.execute(
        "insert into lead"
        " (source_system, source_id, partner_id, assigned_at, contact_due_at, first_contact_at, known_at)"
        " select 'new-crm', id, id, $2::timestamptz + interval '9 hours', $2 + interval '33 hours',"
        " $2 + interval '10 hours', $2 + interval '10 hours' from unnest($1::text[]) id",
        list(PILOT[:6]),
        START,
    )
    snapshot = await metrics.fetch_metrics(setting.fetching(noon))
    async with pool.acquire() as conn:
        measured = await read_measured(conn, setting.key, snapshot.digest)
    assert measured is not None
    (reading,) = (one for one in measured.snapshot.readings if one.metric is SLA)
    told = {one.source: one for one in reading.quality.sources}
    assert told["new-crm"].partners == 6
    assert told["new-crm"].through == START.date()
