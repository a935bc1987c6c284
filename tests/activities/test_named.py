"""Cohorts and baselines that a request only names are those that were frozen, or nothing is done."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment

from activities.metrics import MetricActivities
from models.brief import AssessmentBrief, LookBrief, SnapshotBrief, baselines_of
from models.evidence import Assessment, Snapshot
from models.log import EntryKind
from models.rollout import CohortMembers, FrozenCohort
from models.work import Answer, LookRequest, RecordRequest, ResolvedCohorts, StandingBrief
from store import evidence, rollouts
from store.log import read_log
from store.rollouts import StoredRollout
from tests.activities.setting import DAY, PILOT_COHORT, START, Pool, Setting, entry, notice
from tests.activities.whole import BothEffects
from tests.plans import PILOT


@pytest.fixture
def effects(pool: Pool, dev_server: WorkflowEnvironment) -> BothEffects:
    return BothEffects(pool, dev_server.client)


@pytest.fixture
def metrics(pool: Pool) -> MetricActivities:
    return MetricActivities(pool)


@pytest.fixture
async def digest(setting: Setting, effects: BothEffects) -> str:
    """Of the cohorts, frozen."""
    found = await effects.resolve_cohorts(setting.resolving().model_copy(update={"brief": True}))
    assert isinstance(found, ResolvedCohorts)
    assert found.cohorts[0] == FrozenCohort(name="pilot", size=12)
    return found.digest


def brief(setting: Setting, **changes: Any) -> StandingBrief:
    fields: dict[str, Any] = {"phase": "pilot", "status": "running", "sentence": "goes on", "since": START}
    return StandingBrief(**{**fields, "open": True, "tolerance_since": START, **changes})


def record(setting: Setting, *numbers: int, **changes: Any) -> RecordRequest:
    entries = tuple(entry(number) for number in numbers)
    return RecordRequest(key=setting.key, run_id="run-1", entries=entries, standing=brief(setting, **changes))


async def stored(setting: Setting) -> StoredRollout:
    async with setting.pool.acquire() as conn:
        (found,) = await rollouts.read_rollouts(conn, [setting.key])
    return found


async def log(setting: Setting) -> list[int]:
    async with setting.pool.acquire() as conn:
        return [one.sequence for one in await read_log(conn, setting.plan.id)]


async def in_it(setting: Setting) -> int:
    found: int = await setting.pool.fetchval("select count(*) from enrolment")
    return found


# Cohorts.


async def test_a_cohort_measured_by_name_is_the_same_evidence(
    setting: Setting, metrics: MetricActivities, digest: str
) -> None:
    whole = await metrics.fetch_metrics(setting.fetching())
    named = setting.fetching().model_copy(update={"cohorts": ("pilot",), "cohorts_digest": digest})
    assert await metrics.fetch_metrics(named) == whole
    answer = await metrics.fetch_metrics(named.model_copy(update={"answer": Answer.DIGEST}))
    assert answer == SnapshotBrief(digest=whole.digest, as_of=START)


async def test_a_cohort_enrolled_by_name_is_the_one_that_was_frozen(
    setting: Setting, effects: BothEffects, digest: str
) -> None:
    found = await effects.enrol_partners(setting.enrolling(cohort="pilot", cohorts_digest=digest))
    assert (found.cohort, found.partners, found.changed) == ("pilot", 12, 12)
    rows = await setting.pool.fetch("select partner_id from enrolment order by 1")
    assert tuple(row["partner_id"] for row in rows) == PILOT
    again = await effects.withdraw_partners(setting.enrolling(cohort="pilot", cohorts_digest=digest, at=START + DAY))
    assert (again.cohort, again.changed) == ("pilot", 12)


async def test_members_changed_in_the_store_are_neither_enrolled_nor_measured(
    setting: Setting, effects: BothEffects, metrics: MetricActivities, digest: str
) -> None:
    await setting.pool.execute("update rollout_cohort set partners = partners[2:] where name = 'pilot'")
    for act in (
        effects.enrol_partners(setting.enrolling(cohort="pilot", cohorts_digest=digest)),
        metrics.fetch_metrics(setting.fetching().model_copy(update={"cohorts": ("pilot",), "cohorts_digest": digest})),
    ):
        with pytest.raises(ApplicationError, match="not those that were frozen") as caught:
            await act
        assert (caught.value.type, caught.value.non_retryable) == ("CohortsChanged", True)
    assert await in_it(setting) == 0


async def test_a_name_without_a_digest_enrols_nobody(setting: Setting, effects: BothEffects, digest: str) -> None:
    with pytest.raises(ApplicationError, match="not those that were frozen"):
        await effects.enrol_partners(setting.enrolling(cohort="pilot"))
    assert await in_it(setting) == 0


async def test_a_cohort_that_is_not_there_yet_is_asked_for_again(
    setting: Setting, effects: BothEffects, digest: str
) -> None:
    with pytest.raises(ApplicationError, match="no frozen cohort wave-nine") as caught:
        await effects.enrol_partners(setting.enrolling(cohort="wave-nine", cohorts_digest=digest))
    assert (caught.value.type, caught.value.non_retryable) == ("UnknownCohorts", False)


# The record.


async def test_an_enrolment_and_what_precedes_it_in_the_log_are_both_done_or_neither(
    setting: Setting, effects: BothEffects, digest: str
) -> None:
    stranger = CohortMembers(name="pilot", partners=(*PILOT, "P999"))
    with pytest.raises(ApplicationError, match="foreign key"):
        await effects.enrol_partners(setting.enrolling(stranger, record=record(setting, 1, 2)))
    assert (await log(setting), await in_it(setting)) == ([], 0)
    request = setting.enrolling(cohort="pilot", cohorts_digest=digest, record=record(setting, 1, 2))
    await effects.enrol_partners(request)
    await effects.enrol_partners(request)
    assert (await log(setting), await in_it(setting)) == ([1, 2], 12)


async def test_letters_that_an_enrolment_takes_along_are_queued_with_it_or_not_at_all(
    setting: Setting, effects: BothEffects, digest: str
) -> None:
    along = record(setting, 1).model_copy(update={"notices": (notice(1, "sponsor"),)})
    stranger = CohortMembers(name="pilot", partners=(*PILOT, "P999"))
    with pytest.raises(ApplicationError, match="foreign key"):
        await effects.enrol_partners(setting.enrolling(stranger, record=along))
    assert await setting.pool.fetchval("select count(*) from notice") == 0
    request = setting.enrolling(cohort="pilot", cohorts_digest=digest, record=along)
    await effects.enrol_partners(request)
    await effects.enrol_partners(request)
    rows = await setting.pool.fetch("select contact from notice where sent_at is null order by contact")
    assert [row["contact"] for row in rows] == ["*", "sam.sponsor@example.com"]


async def test_nobody_is_enrolled_when_the_log_refuses_what_precedes_it(
    setting: Setting, effects: BothEffects, digest: str
) -> None:
    other = record(setting, 1).model_copy(update={"entries": (entry(1, "something else"),)})
    await effects.record_decisions(other)
    with pytest.raises(ApplicationError, match="stands in the log with other content") as caught:
        await effects.enrol_partners(
            setting.enrolling(cohort="pilot", cohorts_digest=digest, record=record(setting, 1))
        )
    assert (caught.value.type, caught.value.non_retryable) == ("LogConflict", True)
    assert await in_it(setting) == 0


async def test_a_standing_that_names_is_kept_as_one_that_tells(
    setting: Setting, effects: BothEffects, metrics: MetricActivities, digest: str
) -> None:
    snapshot = await metrics.fetch_metrics(setting.fetching())
    told = {"watching": ("pilot",), "baselines_from": snapshot.digest}
    await effects.record_decisions(record(setting, 1, **told))
    standing = (await stored(setting)).standing
    assert standing.watched == (PILOT_COHORT,)
    assert [one.value for one in standing.baselines] == [100.0, pytest.approx(30.0)]
    assert {one.evidence_digest for one in standing.baselines} == {snapshot.digest}
    await effects.record_decisions(record(setting, 2, watching=("wave-one", "pilot"), status="paused"))
    later = (await stored(setting)).standing
    assert [one.name for one in later.watched] == ["wave-one", "pilot"]
    assert (later.baselines, later.status) == (standing.baselines, "paused")
    await effects.record_decisions(record(setting, 1, **told))
    assert (await stored(setting)).standing == later


@pytest.mark.parametrize(
    ("told", "kind"),
    [({"watching": ("nobody",)}, "UnknownCohorts"), ({"baselines_from": "sha256:0"}, "UnknownBaselines")],
)
async def test_a_standing_that_names_what_is_not_there_is_recorded_later_with_its_entries(
    setting: Setting, effects: BothEffects, digest: str, told: dict[str, Any], kind: str
) -> None:
    with pytest.raises(ApplicationError) as caught:
        await effects.record_decisions(record(setting, 1, **told))
    assert (caught.value.type, caught.value.non_retryable) == (kind, False)
    assert await log(setting) == []


async def test_an_entry_is_the_same_whether_it_was_written_with_what_it_leaves_open_or_without(
    setting: Setting, effects: BothEffects
) -> None:
    """A worker of the first release may have begun what this one repeats."""
    whole = entry(1, actor="sam@example.com")
    lean = RecordRequest.model_validate_json(
        record(setting, 1).model_copy(update={"entries": (whole,)}).model_dump_json()
    )
    assert '"verdict"' not in lean.model_dump_json()
    assert lean.entries == (whole,)
    assert await effects.record_decisions(setting.recording(whole)) == 1
    assert await effects.record_decisions(lean) == 0
    assert whole.kind is EntryKind.PHASE


async def test_a_record_without_a_standing_leaves_it_and_none_from_before_comes_late(
    setting: Setting, effects: BothEffects
) -> None:
    await effects.record_decisions(record(setting, 1, status="paused"))
    late = record(setting, 2, status="running")
    same = RecordRequest(key=setting.key, run_id="run-1", entries=(entry(2), entry(3)))
    assert await effects.record_decisions(same) == 2
    assert (await stored(setting)).standing.status == "paused"
    assert await effects.record_decisions(late) == 0
    assert (await stored(setting)).standing.status == "paused"
    await effects.record_decisions(record(setting, 4, status="running"))
    assert (await stored(setting)).standing.status == "running"
    assert await log(setting) == [1, 2, 3, 4]


# Baselines.


async def test_baselines_named_by_their_evidence_judge_as_those_sent_along(
    setting: Setting, metrics: MetricActivities
) -> None:
    before = await metrics.fetch_metrics(setting.fetching().model_copy(update={"answer": Answer.VALUES}))
    assert isinstance(before, SnapshotBrief)
    frozen = before.baselines(setting.fetching().windows)
    now = await metrics.fetch_metrics(setting.fetching(START + timedelta(hours=1)))
    assert isinstance(now, Snapshot)
    sent = await metrics.assess_thresholds(setting.assessing(now.digest, baselines=frozen))
    named = await metrics.assess_thresholds(setting.assessing(now.digest, baselines_from=before.digest))
    assert sent == named
    assert isinstance(named, Assessment)
    assert named.items[0].baseline == frozen[0].value
    short = await metrics.assess_thresholds(setting.assessing(now.digest, baselines_from=before.digest, brief=True))
    assert short == AssessmentBrief.of(named)
    table = await metrics.assess_thresholds(setting.assessing(now.digest, baselines_from=before.digest, table=True))
    assert table == AssessmentBrief.of(named, table=True)
    rows = await metrics.fetch_metrics(setting.fetching().model_copy(update={"answer": Answer.TABLE}))
    assert isinstance(rows, SnapshotBrief)
    assert rows.baselines(setting.fetching().windows) == frozen
    assert not rows.cohorts


async def test_a_look_comes_to_what_measuring_and_judging_come_to(
    setting: Setting, metrics: MetricActivities, digest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await metrics.fetch_metrics(setting.fetching().model_copy(update={"answer": Answer.VALUES}))
    at = START + timedelta(hours=1)
    named: dict[str, Any] = {"cohorts": ("pilot",), "cohorts_digest": digest}
    now = await metrics.fetch_metrics(setting.fetching(at).model_copy(update={**named, "windows": {}}))
    judging = setting.assessing(now.digest, baselines_from=before.digest, table=True)
    apart = await metrics.assess_thresholds(judging)
    assert isinstance(apart, AssessmentBrief)
    asked: dict[str, Any] = {name: getattr(judging, name) for name in ("plan_digest", "phase", "tolerance_since")}
    look = LookRequest(key=setting.key, purpose="pilot", as_of=at, **named, **asked, baselines_from=before.digest)
    with monkeypatch.context() as unread:
        # What has just been kept is not read once more.
        unread.setattr(evidence, "opened", None)
        found = await metrics.look_at_metrics(look)
    assert found.at_length(at) == apart
    assert LookBrief.model_validate_json(found.model_dump_json()) == found
    for changed in (
        {"cohorts_digest": "sha256:other"},
        {"plan_digest": "sha256:other"},
        {"baselines_from": "sha256:0"},
    ):
        with pytest.raises(ApplicationError):
            await metrics.look_at_metrics(look.model_copy(update=changed))


async def test_baselines_that_are_remembered_are_those_that_were_read(
    setting: Setting, metrics: MetricActivities, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = await metrics.fetch_metrics(setting.fetching())
    assert isinstance(whole, Snapshot)
    async with setting.pool.acquire() as conn:
        read = await rollouts.baselines_from(conn, setting.key, whole.digest)
        monkeypatch.delattr(rollouts, "read_measured")
        assert await rollouts.baselines_from(conn, setting.key, whole.digest) == read
    assert read == baselines_of(whole)
    assert len(read) > 1


async def test_baselines_whose_evidence_is_not_there_are_asked_for_again(
    setting: Setting, metrics: MetricActivities
) -> None:
    now = await metrics.fetch_metrics(setting.fetching())
    with pytest.raises(ApplicationError, match="no evidence sha256:0") as caught:
        await metrics.assess_thresholds(setting.assessing(now.digest, baselines_from="sha256:0"))
    assert (caught.value.type, caught.value.non_retryable) == ("UnknownBaselines", False)
