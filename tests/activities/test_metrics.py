"""Measuring and judging on PostgreSQL: as of a moment, once, kept whole, and counted."""

from __future__ import annotations

import asyncio
import json
from datetime import date, timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.measuring import Ask, measure, measure_all, summary
from judgement.assessment import summary_of
from models.base import digest_json
from models.evidence import Assessment, Baseline, Snapshot, Verdict
from models.rollout import CohortMembers
from store.evidence import read_evidence, read_snapshot
from tests.activities.setting import DAY, MARGIN, PILOT_COHORT, SLA, START, Pool, Setting
from tests.activities.whole import WholeMetrics
from tests.facts import silence, slump
from tests.plans import PILOT, WAVE_1, make_plan, plan_data


@pytest.fixture
def metrics(pool: Pool) -> WholeMetrics:
    return WholeMetrics(pool)


async def stored(setting: Setting, digest: str) -> Snapshot:
    async with setting.pool.acquire() as conn:
        found = await read_snapshot(conn, setting.key, digest)
    assert found is not None
    return found


def with_sla(**changes: Any) -> list[dict[str, Any]]:
    return [{**one, **changes} if one["metric"] == "lead_follow_up_sla" else one for one in plan_data()["metrics"]]


# Measuring.


async def test_a_snapshot_measures_every_metric_of_every_cohort(setting: Setting, metrics: WholeMetrics) -> None:
    wave = CohortMembers(name="wave-one", partners=WAVE_1)
    snapshot = await metrics.fetch_metrics(setting.fetching(START, PILOT_COHORT, wave))
    assert [(one.cohort, one.metric) for one in snapshot.readings] == [
        ("pilot", SLA),
        ("pilot", MARGIN),
        ("wave-one", SLA),
        ("wave-one", MARGIN),
    ]
    # 28 leads of 12 partners, all contacted in time except those not due yet; four sales of 100 at a cost of 70.
    sla, margin = snapshot.readings[:2]
    assert (sla.group.value, sla.group.n_partners) == (100.0, 12)
    assert margin.group.value == pytest.approx(30.0)
    assert (sla.window.start, sla.window.end) == (START - 28 * DAY, START)


async def test_late_leads_and_who_is_behind_them_stand_in_the_reading(setting: Setting, metrics: WholeMetrics) -> None:
    await slump(setting.pool, PILOT[:7], date(2026, 1, 12), date(2026, 2, 1))
    snapshot = await metrics.fetch_metrics(setting.fetching())
    sla = (await stored(setting, snapshot.digest)).readings[0]
    # 20 days of 7 partners late, of 28 days of 12 partners.
    assert sla.group.value == pytest.approx(100 * (336 - 140) / 336)
    assert [one.partner_id for one in sla.top_partners] == list(PILOT[:5])
    assert len(sla.leads) == 10
    assert {lead.partner_id for lead in sla.leads} <= set(PILOT[:7])


async def test_what_became_known_later_is_unknown(setting: Setting, metrics: WholeMetrics) -> None:
    before = await metrics.fetch_metrics(setting.fetching())
    await setting.pool.execute(
        "insert into lead (source_system, source_id, partner_id, assigned_at, contact_due_at, known_at) "
        "select 'late', id, id, $2::timestamptz - interval '9 days', $2 - interval '8 days', $2 + interval '1 hour' "
        "from unnest($1::text[]) id",
        PILOT,
        START,
    )
    assert await metrics.fetch_metrics(setting.fetching()) == before
    after = await metrics.fetch_metrics(setting.fetching(START + timedelta(hours=1)))
    assert (await stored(setting, after.digest)).readings[0].group.parts["open_breach"] == 12


async def test_the_same_facts_are_the_same_evidence(setting: Setting, metrics: WholeMetrics) -> None:
    found = await asyncio.gather(*(metrics.fetch_metrics(setting.fetching()) for _ in range(3)))
    assert len({one.digest for one in found}) == 1
    assert await setting.pool.fetchval("select count(*) from evidence") == 1
    await slump(setting.pool, PILOT[:1], date(2026, 1, 12), date(2026, 2, 1))
    assert (await metrics.fetch_metrics(setting.fetching())).digest != found[0].digest


async def test_evidence_is_kept_whole_and_found_by_the_beginning_of_its_digest(
    setting: Setting, metrics: WholeMetrics
) -> None:
    snapshot = await metrics.fetch_metrics(setting.fetching())
    async with setting.pool.acquire() as conn:
        kept = await read_evidence(conn, snapshot.digest)
        assert kept is not None
        assert await read_evidence(conn, snapshot.digest.removeprefix("sha256:")[:8]) == kept
        assert await read_evidence(conn, snapshot.digest, setting.key) == kept
        assert await read_evidence(conn, snapshot.digest, setting.key.model_copy(update={"chain_id": "x"})) is None
        assert await read_evidence(conn, "%") is None
    assert (kept.kind, kept.purpose, kept.as_of, kept.key) == ("snapshot", "pilot", START, setting.key)
    assert summary(await stored(setting, snapshot.digest)) == snapshot
    rows = {(one["cohort"], one["metric"]): one["partners"] for one in kept.body["rows"]}
    assert [one["partner_id"] for one in rows["pilot", "lead_follow_up_sla"]] == list(PILOT)
    assert sum(one["denominator"] for one in rows["pilot", "lead_follow_up_sla"]) == (
        snapshot.readings[0].group.denominator
    )


async def test_the_history_holds_a_summary_of_a_few_hundred_bytes_a_reading(
    setting: Setting, metrics: WholeMetrics
) -> None:
    await slump(setting.pool, PILOT, date(2026, 1, 12), date(2026, 2, 1))
    snapshot = await metrics.fetch_metrics(setting.fetching())
    assert len(snapshot.model_dump_json()) < 600 * len(snapshot.readings)


async def test_partners_without_facts_give_a_reason(setting: Setting, metrics: WholeMetrics) -> None:
    await setting.pool.execute(
        "insert into partner (partner_id, name, source_system, source_id, known_at) values ('new', 'n', 't', 'n', $1)",
        START - DAY,
    )
    nobody = CohortMembers(name="pilot", partners=("new",))
    snapshot = await metrics.fetch_metrics(setting.fetching(START, nobody))
    assert [(one.group.value, one.group.reason) for one in snapshot.readings] == [(None, "no_data"), (None, "no_data")]
    assessment = await metrics.assess_thresholds(setting.assessing(snapshot.digest))
    assert {item.verdict for item in assessment.items} == {Verdict.NO_EVIDENCE}


async def test_no_cohort_measures_nothing_and_judges_nothing(setting: Setting, metrics: WholeMetrics) -> None:
    request = setting.fetching().model_copy(update={"cohorts": ()})
    assessment = await metrics.assess_thresholds(setting.assessing((await metrics.fetch_metrics(request)).digest))
    assert assessment.items == ()


async def test_a_rollout_that_is_not_registered_keeps_no_evidence(pool: Pool, metrics: WholeMetrics) -> None:
    with pytest.raises(ApplicationError) as caught:
        await metrics.fetch_metrics(Setting(pool).fetching())
    assert caught.value.type == "StoreRefused"


# Judging.


async def test_an_assessment_judges_the_stored_snapshot_and_is_kept(setting: Setting, metrics: WholeMetrics) -> None:
    await slump(setting.pool, PILOT, date(2026, 1, 12), date(2026, 2, 1))
    snapshot = await metrics.fetch_metrics(setting.fetching())
    assessment = await metrics.assess_thresholds(setting.assessing(snapshot.digest))
    assert [item.verdict for item in assessment.items] == [Verdict.NOT_MET, Verdict.MET]
    assert assessment.items[0].partners == PILOT[:5]
    assert len(assessment.items[0].leads) == 10
    async with setting.pool.acquire() as conn:
        kept = await read_evidence(conn, assessment.digest)
    assert kept is not None
    assert (kept.kind, kept.purpose) == ("assessment", "pilot")
    assert summary_of(Assessment.model_validate_json(json.dumps(kept.body))) == assessment
    body = {name: kept.body[name] for name in kept.body if name not in ("digest", "evidence_id")}
    assert digest_json(body) == assessment.digest


async def test_judging_again_is_the_same_and_counts_once(pool: Pool, setting: Setting) -> None:
    metrics = WholeMetrics(pool)
    await slump(pool, PILOT, date(2026, 1, 12), date(2026, 2, 1))
    request = setting.assessing((await metrics.fetch_metrics(setting.fetching())).digest)
    found = await asyncio.gather(*(metrics.assess_thresholds(request) for _ in range(3)))
    assert found[0] == found[1] == found[2] == await metrics.assess_thresholds(request)
    assert await pool.fetchval("select count(*) from judged_reading") == 2
    assert found[0].items[0].breaches.in_all == 1


async def days(setting: Setting, metrics: WholeMetrics, *numbers: int, since: int = 0) -> list[Verdict]:
    """The SLA's verdict on these days after the start, read and judged one after the other."""
    found = []
    for number in numbers:
        snapshot = await metrics.fetch_metrics(setting.fetching(START + number * DAY, days=3))
        request = setting.assessing(snapshot.digest, since=START + since * DAY)
        found.append((await metrics.assess_thresholds(request)).items[0].verdict)
    return found


@pytest.fixture
async def tolerant(setting: Setting) -> Setting:
    """A rollout that tolerates two breaches in a row, whose SLA is beyond from day 2 to day 20."""
    plan = make_plan(id="tolerant", metrics=with_sla(tolerance={"in_a_row": 2}))
    await slump(setting.pool, PILOT, date(2026, 1, 30), date(2026, 2, 22))
    return await Setting(setting.pool, plan).register()


async def test_breaches_are_counted_over_the_readings_in_the_store(tolerant: Setting, metrics: WholeMetrics) -> None:
    tell, no = Verdict.CANNOT_TELL, Verdict.NOT_MET
    assert await days(tolerant, metrics, 3, 4, 5, 6) == [tell, tell, no, no]


async def test_the_count_begins_where_it_is_told(tolerant: Setting, metrics: WholeMetrics) -> None:
    await days(tolerant, metrics, 3, 4)
    assert await days(tolerant, metrics, 5, since=5) == [Verdict.CANNOT_TELL]


async def test_a_source_cut_off_does_not_end_a_run_of_breaches(tolerant: Setting, metrics: WholeMetrics) -> None:
    await days(tolerant, metrics, 3, 4)
    await tolerant.pool.execute("create table lead_away as table lead")
    await silence(tolerant.pool, date(2025, 1, 1), date(2027, 1, 1))
    assert await days(tolerant, metrics, 5) == [Verdict.NO_EVIDENCE]
    await tolerant.pool.execute("insert into lead select * from lead_away")
    assert await days(tolerant, metrics, 6) == [Verdict.NOT_MET]


async def test_nothing_said_for_longer_than_agreed_is_blind_until_something_is(
    setting: Setting, metrics: WholeMetrics
) -> None:
    """Tolerates two looks in a row without evidence, which the store counts as what they were: the third, and each one
    after it, is blind."""
    tolerance = {"no_evidence_in_a_row": 2}
    blind = await Setting(setting.pool, make_plan(id="blind", metrics=with_sla(tolerance=tolerance))).register()
    await setting.pool.execute("create table lead_away as table lead")
    await silence(setting.pool, date(2025, 1, 1), date(2027, 1, 1))
    none, no = Verdict.NO_EVIDENCE, Verdict.NOT_MET
    assert await days(blind, metrics, 3, 4, 5, 6) == [none, none, no, no]
    kept = "select verdict, beyond from judged_reading where metric = 'lead_follow_up_sla' and rollout_id = 'blind'"
    assert {tuple(row) for row in await setting.pool.fetch(kept)} == {("no evidence", None)}
    await setting.pool.execute("insert into lead select * from lead_away")
    assert await days(blind, metrics, 7) == [Verdict.MET]


async def test_met_is_said_after_so_many_looks_of_the_store_as_are_agreed(
    setting: Setting, metrics: WholeMetrics
) -> None:
    patient = await Setting(
        setting.pool, make_plan(id="patient", metrics=with_sla(tolerance={"met_in_a_row": 3}))
    ).register()
    tell, met = Verdict.CANNOT_TELL, Verdict.MET
    assert await days(patient, metrics, 3, 4, 5, 6) == [tell, tell, met, met]
    assert await days(patient, metrics, 7, since=6) == [tell]


async def test_an_earlier_snapshot_is_judged_as_it_was_then(tolerant: Setting, metrics: WholeMetrics) -> None:
    snapshot = await metrics.fetch_metrics(tolerant.fetching(START + 3 * DAY, days=3))
    request = tolerant.assessing(snapshot.digest, since=START)
    first = await metrics.assess_thresholds(request)
    await days(tolerant, metrics, 4, 5, 6)
    assert await metrics.assess_thresholds(request) == first


async def test_chains_count_by_themselves(tolerant: Setting, metrics: WholeMetrics) -> None:
    await days(tolerant, metrics, 3, 4)
    again = await Setting(tolerant.pool, tolerant.plan, "chain-2").register()
    assert await days(again, metrics, 5) == [Verdict.CANNOT_TELL]


async def test_a_baseline_is_the_one_that_was_frozen(setting: Setting, metrics: WholeMetrics) -> None:
    plan = make_plan(id="relative", metrics=with_sla(thresholds=[">= -5%"]))
    relative = await Setting(setting.pool, plan).register()
    before = (await metrics.fetch_metrics(relative.fetching())).readings[0]
    frozen = Baseline(
        cohort="pilot",
        metric=SLA,
        window=before.window,
        value=before.group.value,
        n_partners=12,
        n_facts=before.group.n_facts,
        definition_version=1,
        evidence_digest="sha256:0",
    )
    await slump(setting.pool, PILOT, date(2026, 2, 1), date(2026, 3, 15))
    snapshots = [await metrics.fetch_metrics(relative.fetching(START + day * DAY)) for day in (20, 30, 40)]
    for snapshot in snapshots:
        assessment = await metrics.assess_thresholds(relative.assessing(snapshot.digest, baselines=[frozen]))
        assert (assessment.items[0].baseline, assessment.items[0].verdict) == (100.0, Verdict.NOT_MET)
    without = await metrics.assess_thresholds(relative.assessing(snapshots[0].digest))
    assert without.items[0].verdict is Verdict.CANNOT_TELL


async def test_unknown_evidence_is_refused_for_good(setting: Setting, metrics: WholeMetrics) -> None:
    with pytest.raises(ApplicationError, match="no evidence sha256:1") as caught:
        await metrics.assess_thresholds(setting.assessing("sha256:1"))
    assert (caught.value.type, caught.value.non_retryable) == ("UnknownEvidence", True)


async def test_evidence_of_another_rollout_is_unknown(setting: Setting, metrics: WholeMetrics) -> None:
    other = await Setting(setting.pool, make_plan(id="other-plan"), "chain-2").register()
    snapshot = await metrics.fetch_metrics(setting.fetching())
    with pytest.raises(ApplicationError) as caught:
        await metrics.assess_thresholds(other.assessing(snapshot.digest))
    assert caught.value.type == "UnknownEvidence"


async def test_another_plan_is_refused(setting: Setting, metrics: WholeMetrics) -> None:
    snapshot = await metrics.fetch_metrics(setting.fetching())
    with pytest.raises(ApplicationError) as caught:
        await metrics.assess_thresholds(setting.assessing(snapshot.digest, plan_digest="sha256:other"))
    assert (caught.value.type, caught.value.non_retryable) == ("WrongPlan", True)


@pytest.mark.parametrize(
    "change",
    [
        "jsonb_set(body, '{snapshot,readings,0,group,value}', '99')",
        "jsonb_set(body, '{rows,0,partners,0,numerator}', '99')",
    ],
)
async def test_changed_evidence_is_noticed(setting: Setting, metrics: WholeMetrics, change: str) -> None:
    await slump(setting.pool, PILOT, date(2026, 1, 12), date(2026, 2, 1))
    snapshot = await metrics.fetch_metrics(setting.fetching())
    async with setting.pool.acquire() as conn:
        await conn.execute("alter table evidence disable trigger evidence_append_only")
        await conn.execute(f"update evidence set body = {change}")  # noqa: S608
    with pytest.raises(ApplicationError) as caught:
        await metrics.assess_thresholds(setting.assessing(snapshot.digest))
    assert (caught.value.type, caught.value.non_retryable) == ("EvidenceChanged", True)


async def test_a_plan_that_is_changed_in_the_store_is_another_plan(setting: Setting, metrics: WholeMetrics) -> None:
    snapshot = await metrics.fetch_metrics(setting.fetching())
    await metrics.assess_thresholds(setting.assessing(snapshot.digest))
    await setting.pool.execute("update rollout set plan = jsonb_set(plan, '{title}', '\"Another\"')")
    with pytest.raises(ApplicationError) as caught:
        await metrics.assess_thresholds(setting.assessing(snapshot.digest))
    assert caught.value.type == "WrongPlan"


async def test_what_is_measured_together_is_the_evidence_that_each_ask_is_alone(setting: Setting) -> None:
    await slump(setting.pool, PILOT[:7], date(2026, 1, 12), date(2026, 2, 1))
    wave = CohortMembers(name="wave-one", partners=(*WAVE_1, PILOT[0]))
    asks = (
        Ask(START, (PILOT_COHORT, wave), {SLA: 28 * DAY, MARGIN: 28 * DAY}),
        Ask(START, (PILOT_COHORT,), {MARGIN: 28 * DAY, SLA: 7 * DAY}),
        Ask(START - 3 * DAY, (wave,), {SLA: 28 * DAY}),
        Ask(START, (), {SLA: 28 * DAY}),
    )
    async with setting.pool.acquire() as conn:
        alone = [await measure(conn, *ask) for ask in asks]
        together = await measure_all(conn, asks)
    assert together == tuple(alone)
    assert len({one.snapshot.digest for one in together}) == len(asks)


async def test_more_rollouts_are_measured_by_no_more_statements(setting: Setting) -> None:
    seen: list[str] = []
    windows = {SLA: 28 * DAY, MARGIN: 28 * DAY}
    asks = [Ask(START, (CohortMembers(name="pilot", partners=(partner,)),), windows) for partner in WAVE_1]
    async with setting.pool.acquire() as conn:
        with conn.query_logger(lambda query: seen.append(query.query)):
            await measure_all(conn, asks)
    # Two metrics, each with one statement of all that is counted for its checks. Who is late is read with the SLA.
    assert sum("group_no" in query for query in seen) == 4
    assert sum("as what" in query for query in seen) == 2
    assert sum("'partner_cost'" in query and "fresh" in query for query in seen) == 1


async def test_without_windows_those_of_the_plan_are_measured(setting: Setting, metrics: WholeMetrics) -> None:
    asked = setting.fetching()
    of_the_plan = {metric.metric: metric.window for metric in setting.plan.metrics}
    found = await metrics.fetch_metrics(asked.model_copy(update={"windows": {}}))
    assert {one.metric: one.window.end - one.window.start for one in found.readings} == of_the_plan
    assert found == await metrics.fetch_metrics(asked.model_copy(update={"windows": of_the_plan}))


async def test_nothing_is_measured_by_a_plan_that_is_not_registered(setting: Setting, metrics: WholeMetrics) -> None:
    nobody = setting.key.model_copy(update={"chain_id": "chain-9"})
    with pytest.raises(ApplicationError) as refused:
        await metrics.fetch_metrics(setting.fetching().model_copy(update={"key": nobody, "windows": {}}))
    assert refused.value.type == "UnknownRollout"
