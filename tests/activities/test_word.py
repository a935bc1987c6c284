"""What the watch measured, judged for a rollout that a signal tells of it: from the store alone, its own, and new."""

from __future__ import annotations

from datetime import date, datetime

import pytest
from temporalio.exceptions import ApplicationError

from activities import maturing
from activities.measuring import WATCH, measure
from models.brief import baselines_of
from models.evidence import Verdict
from models.work import AssessRequest
from store import frozen, rollouts
from store.evidence import keep_snapshot, read_snapshot
from tests.activities.setting import DAY, PILOT_COHORT, SLA, START, Pool, Setting
from tests.activities.whole import WholeMetrics
from tests.facts import slump
from tests.plans import PILOT, make_plan


@pytest.fixture
def metrics(pool: Pool) -> WholeMetrics:
    return WholeMetrics(pool)


async def seen(setting: Setting, purpose: str = WATCH, as_of: datetime = START) -> str:
    """The digest of what the watch keeps of a look at the SLA alone, in which it is breached."""
    await slump(setting.pool, PILOT, date(2026, 1, 12), date(2026, 2, 1))
    async with setting.pool.acquire() as conn:
        found = await measure(conn, as_of, (PILOT_COHORT,), {SLA: 28 * DAY})
        await keep_snapshot(conn, setting.key, purpose, found)
    return found.snapshot.digest


def told(setting: Setting, digest: str, not_before: datetime = START) -> AssessRequest:
    return setting.assessing(digest, not_before=not_before)


async def refused(setting: Setting, metrics: WholeMetrics, request: AssessRequest) -> str:
    """Why it is not judged; nothing is kept of it, and nothing counted."""
    with pytest.raises(ApplicationError) as caught:
        await metrics.assess_thresholds(request)
    assert caught.value.non_retryable
    assert await setting.pool.fetchval("select count(*) from evidence where kind = 'assessment'") == 0
    assert await setting.pool.fetchval("select count(*) from judged_reading") == 0
    return str(caught.value.type)


async def test_what_the_watch_measured_is_judged_without_measuring_it_again(
    setting: Setting, metrics: WholeMetrics
) -> None:
    digest = await seen(setting)
    assessment = await metrics.assess_thresholds(told(setting, digest))
    assert [(one.metric, one.verdict) for one in assessment.items] == [(SLA, Verdict.NOT_MET)]
    assert assessment.snapshot_digest == digest
    assert await setting.pool.fetchval("select count(*) from evidence where kind = 'snapshot'") == 1


async def test_a_digest_that_nothing_stands_under_is_not_judged(setting: Setting, metrics: WholeMetrics) -> None:
    assert await refused(setting, metrics, told(setting, "sha256:" + "0" * 64)) == "UnknownEvidence"


async def test_evidence_of_another_rollout_is_not_judged(setting: Setting, metrics: WholeMetrics) -> None:
    """Nor that of an earlier chain of the same one."""
    digest = await seen(setting)
    for other in (
        Setting(setting.pool, make_plan(id="another-plan")),
        Setting(setting.pool, chain="chain-2"),
    ):
        await other.register()
        assert await refused(setting, metrics, told(other, digest)) == "UnknownEvidence"


async def test_what_the_watch_did_not_measure_is_not_judged_on_a_word(setting: Setting, metrics: WholeMetrics) -> None:
    """A baseline's windows are not those that the plan's thresholds are made for."""
    digest = await seen(setting, purpose="baseline")
    assert await refused(setting, metrics, told(setting, digest)) == "UnknownEvidence"


async def test_evidence_older_than_what_the_rollout_has_seen_is_not_judged(
    setting: Setting, metrics: WholeMetrics
) -> None:
    digest = await seen(setting, as_of=START - DAY)
    assert await refused(setting, metrics, told(setting, digest)) == "StaleEvidence"


async def test_baselines_that_have_just_been_measured_are_not_read_again(
    setting: Setting, metrics: WholeMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor the rows behind them: a breach is judged at once, also the first one."""
    baseline = setting.fetching(START - DAY).model_copy(update={"purpose": "baseline"})
    before = await metrics.fetch_metrics(baseline)
    digest = await seen(setting)
    for module in (frozen, rollouts):
        monkeypatch.delattr(module, "read_measured")
    found = await metrics.assess_thresholds(setting.assessing(digest, not_before=START, baselines_from=before.digest))
    assert found.items[0].baseline is not None
    assert (setting.key, before.digest) in frozen._packed


async def test_the_rows_behind_baselines_are_read_once_and_opened_for_the_metrics_that_are_asked_for(
    setting: Setting, metrics: WholeMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = await _rows_of_days(setting, metrics, 4)
    assert list(frozen._packed) == list(read)
    assert not frozen._open
    # Twelve partners of two metrics: there is room for one of the two.
    monkeypatch.setattr(frozen, "OPEN", 20)
    monkeypatch.delattr(frozen, "read_measured")
    for at_once in (frozen.AT_ONCE, 0):  # also beside other things
        monkeypatch.setattr(frozen, "AT_ONCE", at_once)
        frozen._open.clear()
        for name, rows in read.items():
            assert list(map(len, rows.values())) == [12, 12]
            (first, second) = rows
            async with setting.pool.acquire() as conn:
                assert await frozen.frozen_rows(conn, *name) == rows
                assert list(frozen._open) == [(name, second[1])]
                again = [await frozen.frozen_rows(conn, *name, {first[1]}) for _ in range(2)]
                assert again == [{first: rows[first]}] * 2
            assert again[0][first] is again[1][first]
            assert list(frozen._open) == [(name, first[1])]


async def test_packed_rows_are_not_remembered_without_end(
    setting: Setting, metrics: WholeMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _rows_of_days(setting, metrics, 2)
    room = _size()
    monkeypatch.setattr(frozen, "PACKED", room)
    read = await _rows_of_days(setting, metrics, 5)
    kept = list(frozen._packed)
    assert 0 < _size() <= room
    assert kept == list(read)[-len(kept) :], "the last ones"
    monkeypatch.setattr(frozen, "PACKED", 0)
    read = await _rows_of_days(setting, metrics, 2)
    assert list(frozen._packed) == list(read)[-1:]


async def _rows_of_days(setting: Setting, metrics: WholeMetrics, days: int) -> dict[frozen.Named, frozen.Rows]:
    """The rows of so many snapshots as they are read from the store, in the order in which they were asked for."""
    frozen._packed.clear()
    frozen._open.clear()
    found = {}
    for day in range(days):
        brief = await metrics.fetch_metrics(setting.fetching(START - day * DAY))
        async with setting.pool.acquire() as conn:
            snapshot = await read_snapshot(conn, setting.key, brief.digest)
            assert snapshot is not None
            rows = await maturing.frozen_rows(conn, setting.key, baselines_of(snapshot))
        found[setting.key, brief.digest] = rows
    return found


def _size() -> int:
    """Bytes of all that is packed."""
    return sum(len(data) for one in frozen._packed.values() for data in one.parts.values())
