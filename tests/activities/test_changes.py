"""Changes on PostgreSQL: measured of matured days since enrolment, beside comparable partners, and judged alike by the
rollout's own look and by the watch's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from temporalio.testing import WorkflowEnvironment

from activities import measuring
from activities.delivery import Delivery
from activities.looking import Looker
from activities.maturing import stretches
from activities.measuring import Ask, measure_all
from activities.watching import WatchActivities
from judgement.changes import UNMEASURED
from models.brief import AssessmentBrief
from models.command import ReportBreach
from models.evidence import Assessment, Baseline, MetricAssessment, Verdict
from models.quality import Check, Severity
from models.rollout import CohortMembers
from models.work import FetchRequest, TickRequest
from store import enrolments, rollouts
from store.evidence import Measured, read_assessment, read_measured, seal
from store.metrics import read_planned, read_sla
from tests.activities.mailbox import Mailbox, workflow_of
from tests.activities.setting import DAY, PILOT_COHORT, SLA, START, Pool, Setting
from tests.activities.whole import WholeEffects, WholeMetrics
from tests.facts import seed_facts, silence, slump, stumble
from tests.plans import CONTROL, PILOT, WAVE_1, judged_by_change, make_plan

WAVE = CohortMembers(name="wave-one", partners=WAVE_1)
SINCE, TO = START.date(), date(2026, 6, 1)


class Frozen(Setting):
    """A rollout with frozen cohorts, baselines measured at the start, and its pilot enrolled then."""

    baselines: tuple[Baseline, ...] = ()

    async def begin(self, *enrolled: CohortMembers) -> Frozen:
        await self.register()
        await WholeEffects.of_the_store(self.pool).resolve_cohorts(self.resolving())
        async with self.pool.acquire() as conn:
            everybody = await enrolments.frozen_cohorts(conn, self.key)
        windows = {one.metric: self.plan.phases.baseline_window for one in self.plan.metrics}
        request = FetchRequest(key=self.key, purpose="baseline", as_of=START, cohorts=everybody, windows=windows)
        snapshot = await WholeMetrics(self.pool).fetch_metrics(request)
        async with self.pool.acquire() as conn:
            self.baselines = await rollouts.baselines_from(conn, self.key, snapshot.digest)
        for cohort in enrolled:
            await self.enrol(cohort)
        return self

    async def enrol(self, cohort: CohortMembers, at: datetime = START) -> None:
        async with self.pool.acquire() as conn, conn.transaction():
            await enrolments.enrol(conn, self.enrolling(cohort, at=at, phase="scale" if at > START else "pilot"))

    async def look(self, days: float, *cohorts: CohortMembers) -> Assessment:
        """The rollout's own look, whole as the store keeps it."""
        metrics, as_of = WholeMetrics(self.pool), START + days * DAY
        snapshot = await metrics.fetch_metrics(self.fetching(as_of, *cohorts))
        found = await metrics.assess_thresholds(self.assessing(snapshot.digest, START, self.baselines))
        async with self.pool.acquire() as conn:
            whole = await read_assessment(conn, self.key.rollout_id, found.digest)
        assert whole is not None
        return whole

    async def sla(self, days: float, cohort: str = "pilot", *cohorts: CohortMembers) -> MetricAssessment:
        found = await self.look(days, *cohorts)
        return next(one for one in found.items if (one.cohort, one.metric) == (cohort, SLA))

    async def measured(self, digest: str) -> Measured:
        async with self.pool.acquire() as conn:
            found = await read_measured(conn, self.key, digest)
        assert found is not None
        return found


@pytest.fixture
async def lively(pool: Pool) -> Pool:
    """Eight months of facts in which everybody misses some deadlines."""
    await seed_facts(pool, date(2025, 11, 1), TO)
    await stumble(pool)
    return pool


@pytest.fixture
async def frozen(lively: Pool) -> Frozen:
    return await Frozen(lively, make_plan(**judged_by_change())).begin(PILOT_COHORT)


# What is found.


async def test_a_slump_of_the_pilot_alone_is_not_met_and_says_who_drives_it(frozen: Frozen) -> None:
    await slump(frozen.pool, PILOT[:9], SINCE, TO)
    item = await frozen.sla(30)
    assert (item.verdict, item.by_change, item.by_thresholds) == (Verdict.NOT_MET, Verdict.NOT_MET, None)
    assert item.change is not None
    assert item.change.matured_through == datetime(2026, 2, 27, tzinfo=UTC)
    assert (item.change.partners, item.change.compared, item.change.method) == (12, 12, 2)
    assert item.change.estimate is not None
    assert item.change.estimate < -50
    assert item.interval is not None
    assert item.interval == item.change.interval
    assert item.reasons[0] == item.change.sentence
    assert item.reasons[1].startswith("furthest from them: ")
    assert len(item.partners) == 5
    assert set(item.partners) <= set(PILOT[:9])
    assert item.leads
    assert not item.beyond_threshold


async def test_a_slump_of_the_whole_market_is_nobody_s_fault(frozen: Frozen) -> None:
    await slump(frozen.pool, (*PILOT[:9], *CONTROL[:9]), SINCE, TO)
    item = await frozen.sla(30)
    assert item.value is not None
    assert item.value < 40
    assert item.verdict is not Verdict.NOT_MET
    assert item.partners == ()


async def test_who_does_as_before_is_met_once_it_can_be_told(frozen: Frozen) -> None:
    assert (await frozen.sla(60)).verdict is Verdict.MET


@pytest.mark.parametrize("days", [0, 4, 11.9])
async def test_what_has_not_matured_is_no_evidence_however_bad_it_looks(frozen: Frozen, days: float) -> None:
    await slump(frozen.pool, PILOT, SINCE, TO)
    item = await frozen.sla(days)
    assert (item.verdict, item.by_change) == (Verdict.NO_EVIDENCE, Verdict.NO_EVIDENCE)


async def test_only_days_that_have_matured_are_judged(frozen: Frozen) -> None:
    await slump(frozen.pool, PILOT, date(2026, 2, 27), TO)
    before, after = await frozen.sla(30), await frozen.sla(31)
    assert before.change is not None
    assert after.change is not None
    assert before.change.estimate is not None
    assert after.change.estimate is not None
    assert after.change.estimate < before.change.estimate - 2
    again = await frozen.sla(30.9)
    assert again.change == before.change


async def test_a_cohort_that_nobody_enrolled_has_no_evidence(lively: Pool) -> None:
    frozen = await Frozen(lively, make_plan(**judged_by_change())).begin()
    item = await frozen.sla(60)
    assert (item.verdict, item.by_change, item.change) == (Verdict.NO_EVIDENCE, Verdict.NO_EVIDENCE, None)
    assert item.reasons[0] == UNMEASURED


async def test_without_a_baseline_there_is_no_evidence(frozen: Frozen) -> None:
    frozen.baselines = ()
    item = await frozen.sla(60)
    assert (item.verdict, item.by_change) == (Verdict.NO_EVIDENCE, Verdict.NO_EVIDENCE)


async def test_a_source_that_is_cut_off_is_no_evidence_although_the_days_before_were_bad(frozen: Frozen) -> None:
    await slump(frozen.pool, PILOT, SINCE, TO)
    await silence(frozen.pool, date(2026, 3, 1), TO)
    assert (await frozen.sla(26)).verdict is Verdict.NOT_MET
    assert (await frozen.sla(38)).verdict is Verdict.NO_EVIDENCE


async def test_who_enrols_nobody_is_compared_since_the_baseline(lively: Pool) -> None:
    """Option A: the would-be pilot is measured, so that the next cycle knows what moves by itself."""
    data = judged_by_change()
    data["phases"] |= {"validate": "60d"}
    frozen = await Frozen(lively, make_plan(**data, chosen="A")).begin()
    await slump(lively, PILOT[:9], SINCE, TO)
    item = await frozen.sla(30)
    assert item.change is not None
    assert (item.verdict, item.change.since) == (Verdict.NOT_MET, START)


async def test_rollouts_enrolled_at_the_same_moment_are_read_together(
    frozen: Frozen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One statement for what shares metric and days, however many rollouts and cohorts that is."""
    asked: list[tuple[str, int]] = []

    async def leads_too(conn: Any, groups: Any, **more: Any) -> Any:
        asked.append((SLA.value, len(groups)))
        return await read_sla(conn, groups, **more)

    async def counting(conn: Any, metric: Any, groups: Any, **more: Any) -> Any:
        asked.append((metric.value, len(groups)))
        return await read_planned(conn, metric, groups, **more)

    monkeypatch.setattr(measuring, "read_sla", leads_too)
    monkeypatch.setattr(measuring, "read_planned", counting)
    cohorts, as_of = (PILOT_COHORT,), START + 30 * DAY
    beside = CohortMembers(name="control", partners=CONTROL)
    changes = stretches(frozen.plan, cohorts, beside, {"pilot": START}, as_of, None)
    async with frozen.pool.acquire() as conn:
        found = await measure_all(conn, [Ask(as_of, cohorts, {SLA: 28 * DAY}, changes=changes)] * 3)
    assert asked == [(SLA.value, 3), (SLA.value, 6)]
    assert len({one.snapshot.digest for one in found}) == 1
    assert [one.cohort for one in found[2].stretches] == ["pilot", "control"]


@pytest.mark.parametrize(("few", "planned"), [(len(PILOT) + len(CONTROL), "generic"), (len(PILOT), "custom")])
async def test_days_are_read_as_of_so_many_as_there_are_beside_the_cohort(
    frozen: Frozen, monkeypatch: pytest.MonkeyPatch, few: int, planned: str
) -> None:
    """Those who are compared may be everybody else: what is planned once for a pilot would never end for them."""
    found: list[str] = []

    async def looking(conn: Any, *given: Any, **more: Any) -> Any:
        found.append(await conn.fetchval("select current_setting('plan_cache_mode')"))
        return await read_planned(conn, *given, **more)

    monkeypatch.setattr(measuring, "read_planned", looking)
    for bound in ("FEW", "SO_FEW"):
        monkeypatch.setattr(f"store.metrics.{bound}", few)
    cohorts, as_of = (PILOT_COHORT,), START + 30 * DAY
    beside = CohortMembers(name="control", partners=CONTROL)
    changes = stretches(frozen.plan, cohorts, beside, {"pilot": START}, as_of, None)
    async with frozen.pool.acquire() as conn:
        await measure_all(conn, [Ask(as_of, cohorts, {SLA: 28 * DAY}, changes=changes)])
    assert found == [f"force_{planned}_plan"]


# Beside thresholds.


async def both_ways(pool: Pool, *thresholds: str, **more: Any) -> Frozen:
    data = judged_by_change()
    data["metrics"][0] |= {"thresholds": list(thresholds), **more}
    return await Frozen(pool, make_plan(**data)).begin(PILOT_COHORT)


async def test_not_met_by_either_is_not_met_and_met_is_what_both_say(lively: Pool) -> None:
    frozen = await both_ways(lively, ">= 50")
    good = await frozen.sla(60)
    assert (good.verdict, good.by_thresholds, good.by_change) == (Verdict.MET,) * 3
    early = await frozen.sla(5)
    assert (early.verdict, early.by_thresholds) == (Verdict.NO_EVIDENCE, Verdict.MET)
    await slump(lively, PILOT, SINCE, TO, every=3)
    worse = await frozen.sla(60)
    assert (worse.verdict, worse.by_change) == (Verdict.NOT_MET, Verdict.NOT_MET)
    assert worse.thresholds == (">= 50", "no more than 5pp worse than in comparable partners")


async def test_a_breach_of_the_threshold_needs_no_change(lively: Pool) -> None:
    frozen = await both_ways(lively, ">= 75")
    await slump(lively, (*PILOT, *CONTROL), date(2026, 1, 20), TO)
    item = await frozen.sla(8)
    assert (item.verdict, item.by_thresholds, item.by_change) == (
        Verdict.NOT_MET,
        Verdict.NOT_MET,
        Verdict.NO_EVIDENCE,
    )


async def test_tolerated_breaches_are_counted_by_the_threshold_alone(lively: Pool) -> None:
    """A change that is not met has been looked at over all days together: it uses up no tolerance."""
    frozen = await both_ways(lively, ">= 50", tolerance={"in_a_row": 1})
    await slump(lively, PILOT, SINCE, TO, every=3)
    for day in (30, 31, 32):
        item = await frozen.sla(day)
        assert (item.verdict, item.by_thresholds, item.breaches.in_all) == (Verdict.NOT_MET, Verdict.MET, 0)
    counted = await lively.fetch("select beyond from judged_reading where metric = $1", SLA.value)
    assert [row["beyond"] for row in counted] == [False] * 3


# What is kept.


async def test_the_snapshot_keeps_what_was_judged_under_its_digest(frozen: Frozen) -> None:
    assessment = await frozen.look(30)
    kept = await frozen.measured(assessment.snapshot_digest)
    [matured] = kept.snapshot.changes
    assert (matured.cohort, matured.metric, matured.since) == ("pilot", SLA, (START,))
    assert (matured.compared, matured.members) == ("control", (12, 12))
    # 25 days of 12 partners, a lead a day.
    assert {one.cohort: sum(row.denominator or 0 for row in one.partners) for one in kept.stretches} == {
        "pilot": 300,
        "control": 300,
    }
    whole = kept.snapshot
    known = (whole.as_of, whole.readings, kept.rows, whole.comparison)
    assert seal(*known, whole.changes, kept.stretches).snapshot.digest == assessment.snapshot_digest
    changed = kept.stretches[0].model_copy(update={"since": START + DAY})
    for changes, rows in (
        (whole.changes, (changed, *kept.stretches[1:])),
        (whole.changes, kept.stretches[1:]),
        ((matured.model_copy(update={"members": (12, 11)}),), kept.stretches),
        ((), ()),
    ):
        assert seal(*known, changes, rows).snapshot.digest != assessment.snapshot_digest


async def test_a_later_enlargement_begins_a_stretch_of_its_own(frozen: Frozen) -> None:
    later = START + 40 * DAY
    await frozen.enrol(WAVE, later)
    kept = await frozen.measured((await frozen.look(60, PILOT_COHORT, WAVE)).snapshot_digest)
    assert {one.cohort: one.since for one in kept.snapshot.changes} == {"pilot": (START, later), "wave-one": (later,)}
    assert [(one.cohort, one.since) for one in kept.stretches] == [
        ("pilot", START),
        ("control", START),
        ("pilot", later),
        ("control", later),
        ("wave-one", later),
    ]
    before = await frozen.measured((await frozen.look(39, PILOT_COHORT)).snapshot_digest)
    assert before.snapshot.changes[0].since == (START,)


async def test_a_plan_that_judges_no_change_keeps_what_it_kept_before(lively: Pool) -> None:
    frozen = await Frozen(lively, make_plan()).begin(PILOT_COHORT)
    assessment = await frozen.look(30)
    kept = await frozen.measured(assessment.snapshot_digest)
    assert (kept.stretches, kept.snapshot.changes) == ((), ())
    assert "changes" not in kept.snapshot.model_dump(mode="json")
    assert {"change", "by_change", "by_thresholds"}.isdisjoint(assessment.items[0].model_dump(mode="json"))


async def test_a_history_is_told_the_sentence_and_not_all_that_it_rests_on(frozen: Frozen) -> None:
    metrics = WholeMetrics(frozen.pool)
    for days, slumped in ((60, False), (61, True)):
        if slumped:
            await slump(frozen.pool, PILOT[:9], SINCE, TO)
        snapshot = await metrics.fetch_metrics(frozen.fetching(START + days * DAY))
        assert snapshot.changes == ()
        said = await metrics.assess_thresholds(frozen.assessing(snapshot.digest, START, frozen.baselines))
        whole = await frozen.sla(days)
        brief = AssessmentBrief.of(said)
        item = brief.against(frozen.plan, snapshot.digest).items[0]
        assert whole.change is not None
        assert whole.change.sentence in item.reasons
        assert (item.change, item.by_change, item.verdict) == (None, whole.by_change, whole.verdict)
        assert item.thresholds == whole.thresholds
        assert len(brief.model_dump_json()) < 2000


# The watch.


@pytest.fixture
def watch(pool: Pool, dev_server: WorkflowEnvironment) -> WatchActivities:
    return WatchActivities(pool, dev_server.client, Delivery(pool, ()))


@pytest.fixture
async def box(frozen: Frozen, dev_server: WorkflowEnvironment) -> AsyncIterator[Mailbox]:
    await frozen.watch(PILOT_COHORT, baselines=frozen.baselines)
    async with workflow_of(dev_server, frozen) as mailbox:
        yield mailbox


async def test_the_watch_finds_what_the_rollout_finds(frozen: Frozen, watch: WatchActivities, box: Mailbox) -> None:
    await slump(frozen.pool, PILOT[:9], SINCE, TO)
    await watch.evaluate_open_rollouts(TickRequest(real_now=START + 30 * DAY, slowest=DAY))
    [word] = await box.words()
    assert isinstance(word, ReportBreach)
    own = await frozen.look(30)
    item = next(one for one in own.items if one.metric is SLA)
    assert word.reason.startswith(f"{SLA.value} of pilot is not met: {item.reasons[0]}; {item.reasons[1]}")
    kept = await frozen.pool.fetchrow("select digest, body from evidence where purpose = 'watch' and kind = 'snapshot'")
    assert kept is not None
    theirs, ours = await frozen.measured(kept["digest"]), await frozen.measured(own.snapshot_digest)
    assert (theirs.snapshot.changes, theirs.stretches) == (ours.snapshot.changes, ours.stretches)


async def test_a_look_at_some_metrics_judges_their_change_as_well(
    frozen: Frozen, dev_server: WorkflowEnvironment, box: Mailbox
) -> None:
    """A mark that said not met, then nothing, then not met would pause a rollout anew with every lead."""
    await slump(frozen.pool, PILOT[:9], SINCE, TO)
    looker, now = Looker(frozen.pool, dev_server.client), START + 30 * DAY
    [first] = await looker.look({frozen.key: None}, now)
    assert first.signalled
    [second] = await looker.look({frozen.key: frozenset({SLA})}, now)
    assert (second.failed, second.signalled) == (False, False)
    assert len(await box.words()) == 1


# Whom it is compared with.


@pytest.mark.parametrize("agreed", [True, False])
async def test_compared_partners_whose_facts_stop_coming_are_no_measure_of_anything(lively: Pool, agreed: bool) -> None:
    """The control cohort has 84 leads a week: of the weeks since the enrolment the last four have none, after weeks
    that were whole. Each of its partners has some since, so nobody is missing; of 60 days 8 whole weeks are looked at,
    and half of what is usual did not come. The threshold does not rest on them, and says what it said."""
    data = judged_by_change()
    bounds = {"data_quality": [{"check": "compared", "amber": 5, "red": 25}]} if agreed else {}
    data["metrics"][0] |= {"thresholds": [">= 50"], **bounds}
    frozen = await Frozen(lively, make_plan(**data)).begin(PILOT_COHORT)
    whole = await frozen.sla(60)
    assert [one.severity for one in whole.quality if one.check is Check.COMPARED] == [Severity.GREEN] * agreed
    assert (whole.verdict, whole.by_change) == (Verdict.MET, Verdict.MET)
    await lively.execute(
        "delete from lead where partner_id = any ($1) and assigned_at >= $2 and assigned_at < $3",
        CONTROL,
        START + 32 * DAY,
        START + 60 * DAY,
    )
    item = await frozen.sla(60)
    assert (item.value, item.by_thresholds) == (whole.value, Verdict.MET)
    found = [(one.severity, one.found) for one in item.quality if one.check is Check.COMPARED]
    if agreed:
        told = "the partners compared with: 50 % of what is usual is missing, in 4 of 8 weeks"
        assert found == [(Severity.RED, told)]
        assert (item.verdict, item.by_change) == (Verdict.NO_EVIDENCE, Verdict.NO_EVIDENCE)
        assert item.change is not None
        assert told in item.change.sentence
    else:
        assert found == []
        assert item.by_change is not Verdict.NO_EVIDENCE
