"""Rollouts that judge a change, on real servers: the pilot's slump pauses, the market's does not."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from dataclasses import replace
from datetime import date

import asyncpg
import pytest
from temporalio.testing import WorkflowEnvironment

from audit.findings import Gap
from models.canonical import canonical
from models.command import Verb
from models.evidence import MetricAssessment, Verdict
from models.log import EntryKind
from models.metric import MetricName
from models.rollout import HoldKind, PauseCause, Status
from store.evidence import read_assessment
from tests.audit.exhibits import rewritten
from tests.audit.lived import borne_out, exported, report_on
from tests.facts import seed_facts, slump, stumble
from tests.plans import CONTROL, PILOT, WAVE_1, judged_by_change, make_plan
from tests.workflows.live import FACTS_FROM, FACTS_TO, Live, running

SLUMP = date(2026, 1, 10)


@pytest.fixture
async def lively(pool: asyncpg.Pool[asyncpg.Record]) -> asyncpg.Pool[asyncpg.Record]:
    await seed_facts(pool, FACTS_FROM, FACTS_TO)
    await stumble(pool)
    return pool


async def to_pilot(live: Live) -> None:
    await live.confirm_all()
    await live.decide("sponsor")
    await live.until_phase("pilot")


async def whole_sla(pool: asyncpg.Pool[asyncpg.Record], live: Live) -> MetricAssessment:
    """What the rollout found last of the pilot's SLA, as the store keeps it."""
    async with pool.acquire() as conn:
        whole = await read_assessment(conn, live.plan.id)
    assert whole is not None
    [item] = [one for one in whole.items if one.metric is MetricName.LEAD_FOLLOW_UP_SLA]
    return item


async def said(live: Live) -> str:
    """All that stands in the history's payloads."""
    history = (await live.handle.fetch_history()).to_json()
    return b"".join(b64decode(one) for one in re.findall(r'"data": "([^"]+)"', history)).decode()


@pytest.mark.parametrize("method", [1, 2])
async def test_a_pilot_that_falls_behind_is_paused_and_told_by_whom(
    time_skipping: WorkflowEnvironment, lively: asyncpg.Pool[asyncpg.Record], method: int
) -> None:
    """By the method of its plan, and so it is judged anew from what was written down."""
    await slump(lively, PILOT[:9], SLUMP, FACTS_TO)
    async with running(time_skipping, lively, make_plan(**judged_by_change(method=method))) as live:
        await to_pilot(live)
        view = await live.until_status(Status.PAUSED)
        assert view.pause is not None
        assert (view.pause.cause, view.pause.metrics) == (PauseCause.GUARDRAIL, (MetricName.LEAD_FOLLOW_UP_SLA,))
        assert len(view.pause.partners) == 5
        assert set(view.pause.partners) <= set(PILOT[:9])
        assert view.pause.leads
        item = await whole_sla(lively, live)
        assert item.change is not None
        assert item.change.method == method
        assert (item.change.pause_error is None) is (method == 1)
        assert item.change.matured_through is not None
        assert item.change.sentence in view.pause.detail
        assert item.change.sentence in view.sentence
        letter = await lively.fetchval("select body from notice where kind = 'paused' limit 1")
        assert item.change.sentence in letter
        assert all(name in letter for name in view.pause.partners)
        [paused] = [one for one in await live.log() if one.kind is EntryKind.PAUSE]
        assert paused.detail["partners"] == list(view.pause.partners)
        kept = await lively.fetchval("select plan from rollout where rollout_id = $1", live.plan.id)
        assert kept["metrics"][0]["change"]["method"] == method
        history = await said(live)
        assert item.change.sentence in history
        assert '"matured_through"' not in history
        async with lively.acquire() as conn:
            await borne_out(live, conn)


async def test_a_market_that_falls_as_a_whole_pauses_nobody(
    time_skipping: WorkflowEnvironment, lively: asyncpg.Pool[asyncpg.Record]
) -> None:
    """Every third day everybody is late, enrolled or not: the pilot goes on, and its change is met in the end."""
    await slump(lively, (*PILOT, *CONTROL), SLUMP, FACTS_TO, every=3)
    async with running(time_skipping, lively, make_plan(**judged_by_change(margin="15pp"))) as live:
        await to_pilot(live)
        await live.days(14)
        await live.ask(Verb.REVIEW, "sponsor")
        await live.until_phase("validate", within_days=80)
        assert [one for one in await live.log() if one.kind is EntryKind.PAUSE] == []
        item = await whole_sla(lively, live)
        assert (item.verdict, item.by_change) == (Verdict.MET, Verdict.MET)
        assert item.value is not None
        assert item.value < 75
        async with lively.acquire() as conn:
            await borne_out(live, conn)


async def test_a_pilot_of_which_nothing_can_be_told_yet_neither_pauses_nor_advances(
    time_skipping: WorkflowEnvironment, lively: asyncpg.Pool[asyncpg.Record]
) -> None:
    await slump(lively, PILOT[:9], SLUMP, FACTS_TO)
    async with running(time_skipping, lively, make_plan(**judged_by_change(maturity="6d"))) as live:
        await to_pilot(live)
        await live.days(12)
        view = await live.view()
        assert (view.phase, view.pause) == ("pilot", None)
        assert view.assessment is not None
        found = {one.metric: one.verdict for one in view.assessment.items}
        assert found[MetricName.LEAD_FOLLOW_UP_SLA] is Verdict.NO_EVIDENCE
        assert HoldKind.OUTCOME not in {one.kind for one in view.holds}
        async with lively.acquire() as conn:
            await borne_out(live, conn)


async def test_a_wave_is_judged_from_its_own_enrolment_on_and_beside_the_control_cohort(
    time_skipping: WorkflowEnvironment, lively: asyncpg.Pool[asyncpg.Record]
) -> None:
    """The pilot does as before all the way; the first wave falls behind as soon as it is enrolled."""
    wide = {"margin": "15pp", "pass_risk": 0.2}
    async with running(time_skipping, lively, make_plan(**judged_by_change(**wide))) as live:
        await to_pilot(live)
        await live.days(14)
        await live.ask(Verb.REVIEW, "sponsor")
        await live.until_phase("validate", within_days=40)
        await live.decide("sponsor", "finance_owner")
        view = await live.until_phase("scale", 1)
        await slump(lively, WAVE_1, view.programme_now.date(), FACTS_TO, every=2)
        await live.ask(Verb.REVIEW, "sponsor")
        view = await live.until_status(Status.PAUSED)
        assert view.pause is not None
        assert set(view.pause.partners) <= set(WAVE_1)
        assert len(view.pause.partners) == 5
        async with lively.acquire() as conn:
            whole = await read_assessment(conn, live.plan.id)
        assert whole is not None
        found = {one.cohort: one for one in whole.items if one.metric is MetricName.LEAD_FOLLOW_UP_SLA}
        assert (found["pilot"].by_change, found["wave-one"].by_change) == (Verdict.MET, Verdict.NOT_MET)
        pilot, wave = found["pilot"].change, found["wave-one"].change
        assert pilot is not None
        assert wave is not None
        assert pilot.since is not None
        assert wave.since is not None
        assert pilot.since < wave.since
        async with lively.acquire() as conn:
            await borne_out(live, conn)


async def test_without_a_control_cohort_whoever_is_not_enrolled_yet_is_compared_also_by_an_auditor(
    time_skipping: WorkflowEnvironment, lively: asyncpg.Pool[asyncpg.Record]
) -> None:
    """The store knows who is enrolled; the bundle only who was enrolled by which entry of the log."""
    changes = judged_by_change(margin="15pp", pass_risk=0.2)
    changes["metrics"][0] |= {"on_breach": "warn"}
    cohorts = {name: one for name, one in changes["cohorts"].items() if name != "control"}
    async with running(time_skipping, lively, make_plan(**changes | {"cohorts": cohorts})) as live:
        await to_pilot(live)
        await live.days(14)
        await live.ask(Verb.REVIEW, "sponsor")
        await live.until_phase("validate", within_days=40)
        item = await whole_sla(lively, live)
        assert item.change is not None
        assert item.by_change is Verdict.MET
        async with lively.acquire() as conn:
            await borne_out(live, conn)
            sample = await exported(live, conn)
    # Where the log's sizes do not go together with whom it names, nobody is accused and nothing is passed.
    report = report_on(rewritten(sample, {"wave-two 12 partners": "wave-two 13 partners"}))
    assert report.wrong == ()
    [gap] = [one for one in report.findings if one.gap is Gap.VERDICTS]
    assert "the log does not tell with whom it was compared: lead_follow_up_sla of pilot" in gap.what


async def test_a_pause_that_rests_on_how_often_is_borne_out_by_looks_of_which_there_is_only_a_list(
    time_skipping: WorkflowEnvironment, lively: asyncpg.Pool[asyncpg.Record]
) -> None:
    """Quiet looks of the watch leave a verdict in the store, and no evidence: an auditor is told that."""
    await slump(lively, PILOT, SLUMP, FACTS_TO)
    plan = make_plan()
    sla, *rest = (one.model_dump(mode="json") for one in plan.metrics)
    tolerant = make_plan(metrics=[sla | {"tolerance": {"in_a_row": 3}}, *rest])
    async with running(time_skipping, lively, tolerant) as live:
        await to_pilot(live)
        await live.until_status(Status.PAUSED)
        async with lively.acquire() as conn:
            sample = await exported(live, conn)
    report = report_on(sample)
    assert report.wrong == ()
    [gap] = [one for one in report.findings if one.gap is Gap.LOOKS]
    assert "count earlier looks of which there is no evidence here: lead_follow_up_sla of pilot" in gap.what
    assert report.proven.judged == report.proven.assessments
    assert sample.looks is not None
    without = report_on(replace(sample, looks=None))
    assert without.wrong == ()
    [gap] = [one for one in without.findings if one.gap is Gap.VERDICTS]
    assert "the looks before it, which it counts, are not in the bundle" in gap.what
    # Looks that say otherwise than the assessment counted are no mere gap.
    lines = [json.loads(line) for line in sample.looks.splitlines()]
    others = [line | ({"verdict": "met", "beyond": False} if line["beyond"] else {}) for line in lines]
    forged = replace(sample, looks=b"".join(canonical(one) + b"\n" for one in others))
    assert any("is stated with another verdict" in one.what for one in report_on(forged).wrong)
