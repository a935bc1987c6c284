"""In what order a look does its work: what halts a rollout comes first, and nothing is told before it is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from datetime import date, timedelta
from typing import Any

import pytest
from temporalio.testing import WorkflowEnvironment

from activities import looking
from activities.agenda import EVERYTHING, Metrics
from activities.looking import Looker
from activities.measuring import Ask, measure_all
from activities.telling import Word
from models.command import ReportBreach, ReportEvidence, Verb
from models.rollout import CohortMembers
from models.work import RolloutKey
from store import evidence
from store.evidence import Judgement, Measured
from tests.activities.mailbox import Mailbox, workflow_of
from tests.activities.setting import PILOT_COHORT, SLA, START, Pool, Setting
from tests.facts import slump
from tests.plans import PILOT, WAVE_1, make_plan

ONLY_SLA = frozenset({SLA})
HOUR = timedelta(hours=1)
CALM = CohortMembers(name="pilot", partners=WAVE_1)
Watched = dict[str, tuple[Setting, Mailbox]]


@pytest.fixture
async def rollouts(setting: Setting, dev_server: WorkflowEnvironment) -> AsyncIterator[Watched]:
    """Two whose pilots are calm, and between them one whose pilot has been slow."""
    await slump(setting.pool, PILOT, date(2026, 1, 12), date(2026, 2, 1))
    async with AsyncExitStack() as stack:
        found: Watched = {}
        for name, cohort in (("calm-a", CALM), ("slow", PILOT_COHORT), ("zeal", CALM)):
            one = await Setting(setting.pool, make_plan(id=name)).register()
            await one.watch(cohort)
            found[name] = one, await stack.enter_async_context(workflow_of(dev_server, one))
        yield found


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[str, ...]]]:
    """What a look keeps and tells, in its order."""
    taken: list[tuple[str, tuple[str, ...]]] = []
    keep, signal = evidence.keep_judgements, Looker._signal

    async def kept(conn: Any, purpose: str, judgements: Sequence[Judgement], **how: bool) -> None:
        await keep(conn, purpose, judgements, **how)
        taken.append(("kept", tuple(sorted(one.counted.key.rollout_id for one in judgements))))

    async def told(self: Looker, key: RolloutKey, word: Word) -> None:
        await signal(self, key, word)
        taken.append((word.verb.value, (key.rollout_id,)))

    monkeypatch.setattr(evidence, "keep_judgements", kept)
    monkeypatch.setattr(Looker, "_signal", told)
    return taken


def due(rollouts: Watched, **metrics: Metrics) -> dict[RolloutKey, Metrics]:
    return {one.key: metrics.get(name.replace("-", "_"), EVERYTHING) for name, (one, _) in rollouts.items()}


async def test_a_breach_is_kept_and_told_before_anything_is_kept_of_the_others(
    pool: Pool, rollouts: Watched, steps: list[tuple[str, tuple[str, ...]]], dev_server: WorkflowEnvironment
) -> None:
    seen = await Looker(pool, dev_server.client).look(due(rollouts), START)
    assert all(one.signalled for one in seen)
    assert steps[:3] == [
        ("kept", ("slow",)),
        (Verb.REPORT_BREACH.value, ("slow",)),
        ("kept", ("calm-a", "zeal")),
    ]
    assert sorted(steps[3:]) == [(Verb.REPORT_EVIDENCE.value, ("calm-a",)), (Verb.REPORT_EVIDENCE.value, ("zeal",))]


async def test_who_shares_no_moment_with_the_others_is_told_without_waiting_for_what_is_measured_of_them(
    pool: Pool,
    rollouts: Watched,
    steps: list[tuple[str, tuple[str, ...]]],
    dev_server: WorkflowEnvironment,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The clock of the slow one runs faster, so that nothing can be read for it and for them together."""

    async def measured(conn: Any, asks: Sequence[Ask], of: Pool) -> tuple[Measured, ...]:
        steps.append(("measured", tuple(f"{one.as_of:%H:%M}" for one in asks)))
        return await measure_all(conn, asks, of)

    monkeypatch.setattr(looking, "measure_all", measured)
    await pool.execute("update rollout set speed = 2 where rollout_id = 'slow'")
    seen = await Looker(pool, dev_server.client).look(dict.fromkeys(due(rollouts), ONLY_SLA), START + HOUR)
    assert all(one.signalled for one in seen)
    assert steps[:2] == [("measured", ("02:00",)), ("kept", ("slow",))]
    assert sorted(steps[2:4]) == [("measured", ("01:00", "01:00")), (Verb.REPORT_BREACH.value, ("slow",))]
    assert steps[4] == ("kept", ("calm-a", "zeal"))


async def test_what_facts_call_for_does_not_wait_for_the_daily_looks(
    pool: Pool,
    rollouts: Watched,
    steps: list[tuple[str, tuple[str, ...]]],
    dev_server: WorkflowEnvironment,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two daily looks were due before it, as many as are measured in one go."""
    monkeypatch.setattr(looking, "TOGETHER", 2)
    asked = due(rollouts, slow=ONLY_SLA)
    asked[rollouts["slow"][0].key] = asked.pop(rollouts["slow"][0].key)
    await Looker(pool, dev_server.client).look(asked, START)
    assert steps[:2] == [("kept", ("slow",)), (Verb.REPORT_BREACH.value, ("slow",))]
    assert {step for step, _ in steps[2:]} == {"kept", Verb.REPORT_EVIDENCE.value}


async def test_nothing_is_told_that_could_not_be_kept_and_one_that_cannot_does_not_keep_the_others(
    pool: Pool, rollouts: Watched, monkeypatch: pytest.MonkeyPatch, dev_server: WorkflowEnvironment
) -> None:
    keep = evidence.keep_judgements

    async def kept(conn: Any, purpose: str, judgements: Sequence[Judgement], **how: bool) -> None:
        if any(one.counted.key.rollout_id == "zeal" for one in judgements):
            raise ValueError("a value that no table takes")
        await keep(conn, purpose, judgements, **how)

    monkeypatch.setattr(evidence, "keep_judgements", kept)
    seen = await Looker(pool, dev_server.client).look(due(rollouts), START)
    assert {one.key.rollout_id: (one.signalled, one.failed) for one in seen} == {
        "calm-a": (True, False),
        "slow": (True, False),
        "zeal": (False, True),
    }
    words = {name: await box.words() for name, (_, box) in rollouts.items()}
    assert [type(one) for one in words["calm-a"]] == [ReportEvidence]
    assert words["zeal"] == []
    # The breach had been told before the others could not be kept; whoever looks again repeats the same word.
    assert [type(one) for one in words["slow"]] == [ReportBreach] * 2
    assert words["slow"][0] == words["slow"][1]
    assert await pool.fetchval("select count(*) from evidence where rollout_id = 'slow'") == 2


async def test_who_dies_between_keeping_and_telling_tells_it_the_next_time(
    pool: Pool, rollouts: Watched, monkeypatch: pytest.MonkeyPatch, dev_server: WorkflowEnvironment
) -> None:
    looker, signal = Looker(pool, dev_server.client), Looker._signal

    class DiedError(BaseException):
        pass

    async def dies(*_: object) -> None:
        raise DiedError

    monkeypatch.setattr(Looker, "_signal", dies)
    with pytest.raises(DiedError):
        await looker.look(due(rollouts), START)
    assert await pool.fetchval("select count(*) from watch_mark") == 0
    assert await pool.fetchval("select count(*) from evidence where rollout_id = 'slow'") == 2
    monkeypatch.setattr(Looker, "_signal", signal)
    await looker.look(due(rollouts), START)
    assert [type(one) for one in await rollouts["slow"][1].words()] == [ReportBreach]
    assert [type(one) for one in await rollouts["zeal"][1].words()] == [ReportEvidence]
