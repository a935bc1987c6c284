"""What a rollout left behind is read back whole from the store, with the baselines its log names."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from learning.review import closing_review
from models.base import digest
from models.brief import baselines_of
from models.change import MaterialChange
from models.evidence import Assessment, CohortReading, GroupValue, MetricAssessment, Verdict, Window
from models.log import EntryKind, LogEntry
from models.metric import MetricName, MetricUse
from models.plan_metric import OnBreach
from models.work import OpenRequest, RolloutKey
from store import evidence, log, rollouts
from store.evidence import Counted, Measured
from store.hindsight import read_hindsight, read_readings
from store.pool import Connection
from store.rollouts import UnknownBaselines
from tests.plans import make_plan
from tests.store.test_views import CLOCK, START

SLA = MetricName.LEAD_FOLLOW_UP_SLA


def entry(sequence: int, kind: EntryKind, **fields: Any) -> LogEntry:
    at = START + timedelta(days=sequence)
    return LogEntry(sequence=sequence, at=at, programme_at=at, kind=kind, phase="pilot", message="told", **fields)


def measured(value: float) -> Measured:
    window = Window(start=START - timedelta(days=28), end=START)
    group = GroupValue(value=value, n_partners=12, n_facts=100)
    reading = CohortReading(cohort="pilot", metric=SLA, window=window, group=group, data_through=START)
    return evidence.seal(START, [reading], [])


def assessment(value: float, verdict: Verdict, day: int) -> Assessment:
    item = MetricAssessment(
        cohort="pilot",
        metric=SLA,
        use=MetricUse.GUARDRAIL,
        on_breach=OnBreach.PAUSE,
        verdict=verdict,
        reasons=(),
        value=value,
        thresholds=(">= 85",),
        baseline=90.0,
        n_partners=12,
        n_facts=100,
        minimum_sample_reached=True,
        data_current=True,
        data_through=START,
        data_age=timedelta(0),
    )
    as_of = START + timedelta(days=day)
    return Assessment(evidence_id="E", digest=digest(item), snapshot_digest="sha256:s", as_of=as_of, items=(item,))


async def opened(conn: Connection, name: str, chain: str = "chain-1") -> RolloutKey:
    plan, key = make_plan(id=name), RolloutKey(rollout_id=name, chain_id=chain)
    await rollouts.open_rollout(conn, OpenRequest(key=key, plan=plan, plan_digest=plan.digest, clock=CLOCK))
    return key


async def test_plan_log_readings_and_the_newest_baselines_come_back(pool: asyncpg.Pool[asyncpg.Record]) -> None:
    async with pool.acquire() as conn:
        key = await opened(conn, "left-behind")
        first, second = measured(70.0), measured(90.0)
        for one in (first, second):
            await evidence.keep_snapshot(conn, key, "baseline", one)
        entries = [
            entry(1, EntryKind.PHASE),
            entry(2, EntryKind.BASELINE, evidence_digest=first.snapshot.digest),
            entry(3, EntryKind.BASELINE, evidence_digest=second.snapshot.digest),
        ]
        await log.append(conn, key, "run-1", entries)
        looks = [(91.0, Verdict.MET, 4, False), (80.0, Verdict.NOT_MET, 5, True)]
        for value, verdict, day, beyond in looks:
            counted = Counted(key, assessment(value, verdict, day), {("pilot", SLA): beyond})
            await evidence.keep_readings(conn, "watch", [counted])

        found = await read_hindsight(conn, "left-behind")
        assert found is not None
        assert (found.key, found.plan, found.log) == (key, make_plan(id="left-behind"), tuple(entries))
        assert found.readings.baselines == baselines_of(second.snapshot)
        told = [(one.value, one.verdict, one.beyond) for one in found.readings.judged]
        assert told == [(91.0, Verdict.MET, False), (80.0, Verdict.NOT_MET, True)]
        [limit] = [one for one in closing_review(found.plan, found.log, found.readings).limits if one.metric is SLA]
        assert (limit.distance, limit.beyond, limit.looks) == (-5.0, 1, 2)
        assert await read_hindsight(conn, "there-is-none") is None


async def test_what_was_said_of_a_change_comes_back_with_its_numbers(pool: asyncpg.Pool[asyncpg.Record]) -> None:
    """Also where nothing was measured yet; what is not judged by its change is no look at one."""
    estimate = MaterialChange(method=1, sentence="told", unit="points", margin=5.0, estimate=-0.5, interval=(None, 1.6))
    told: list[tuple[Verdict | None, MaterialChange | None]] = [
        (Verdict.NO_EVIDENCE, None),
        (Verdict.MET, estimate),
        (None, None),
    ]
    async with pool.acquire() as conn:
        key = await opened(conn, "changed")
        await log.append(conn, key, "run-1", [entry(1, EntryKind.PHASE)])
        for day, (verdict, change) in enumerate(told):
            one = assessment(90.0 + day, Verdict.MET, day)
            item = one.items[0].model_copy(update={"by_change": verdict, "change": change})
            await evidence.keep_assessment(conn, key, "gate", one.model_copy(update={"items": (item,)}))
        found = await read_readings(conn, key)
    assert [(one.as_of, one.verdict, one.change) for one in found.changes] == [
        (START, Verdict.NO_EVIDENCE, None),
        (START + timedelta(days=1), Verdict.MET, estimate),
    ]


async def test_only_the_newest_chain_counts(pool: asyncpg.Pool[asyncpg.Record]) -> None:
    async with pool.acquire() as conn:
        old, new = await opened(conn, "again", "chain-1"), await opened(conn, "again", "chain-2")
        for key, message in ((old, "before"), (new, "now")):
            told = entry(1, EntryKind.PHASE).model_copy(update={"message": message})
            await log.append(conn, key, "run-1", [told])
        await evidence.keep_readings(
            conn, "watch", [Counted(old, assessment(1.0, Verdict.MET, 3), {("pilot", SLA): False})]
        )
        found = await read_hindsight(conn, "again")
    assert found is not None
    assert (found.key, [one.message for one in found.log], found.readings.judged) == (new, ["now"], ())


async def test_baselines_that_the_store_does_not_have_are_an_error_and_not_none(
    pool: asyncpg.Pool[asyncpg.Record],
) -> None:
    async with pool.acquire() as conn:
        key = await opened(conn, "lost")
        await log.append(conn, key, "run-1", [entry(1, EntryKind.BASELINE, evidence_digest="sha256:lost")])
        with pytest.raises(UnknownBaselines, match="no evidence sha256:lost"):
            await read_readings(conn, key)
