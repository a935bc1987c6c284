"""The watch looks at each rollout at its own programme time, speaks only when there is something to say, and is not
blinded to the others by one that fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import date, timedelta

import pytest
from temporalio.testing import WorkflowEnvironment

from activities.delivery import Delivery
from activities.watching import WatchActivities
from models.command import WATCH_ACTOR, DailyWord, ReportBreach, ReportEvidence
from models.vouching import key_of, proven
from models.work import TickRequest, TickResult
from store.evidence import read_evidence
from store.rollouts import open_rollout
from store.seeds import seed_of
from tests.activities.mailbox import Mailbox, workflow_of
from tests.activities.setting import DAY, PILOT_COHORT, SLA, START, Pool, Setting, notice
from tests.facts import silence, slump
from tests.plans import PILOT, make_plan, plan_data

SLOWEST = timedelta(minutes=5)


@pytest.fixture
def watch(pool: Pool, dev_server: WorkflowEnvironment) -> WatchActivities:
    return WatchActivities(pool, dev_server.client, Delivery(pool, ()))


@pytest.fixture
async def box(setting: Setting, dev_server: WorkflowEnvironment) -> AsyncIterator[Mailbox]:
    """The pilot is enrolled and watched."""
    await setting.watch(PILOT_COHORT)
    async with workflow_of(dev_server, setting) as mailbox:
        yield mailbox


async def tick(watch: WatchActivities, days: float = 0, slowest: timedelta = SLOWEST) -> TickResult:
    return await watch.evaluate_open_rollouts(TickRequest(real_now=START + days * DAY, slowest=slowest))


# What is told.


async def test_the_first_look_is_told_with_evidence_that_is_in_the_store(
    setting: Setting, watch: WatchActivities, box: Mailbox
) -> None:
    result = await tick(watch)
    assert (result.looked_at, result.evaluated, result.signalled, result.failed) == (1, 1, 1, 0)
    (word,) = await box.words()
    assert isinstance(word, ReportEvidence)
    assert (word.changed, word.as_of, word.actor, word.reason) == (True, START, WATCH_ACTOR, "2 met")
    async with setting.pool.acquire() as conn:
        assessment = await read_evidence(conn, word.evidence_digest)
        assert assessment is not None
        assert (assessment.kind, assessment.purpose) == ("assessment", "watch")
        snapshot = await read_evidence(conn, assessment.body["snapshot_digest"])
    assert snapshot is not None
    assert len(snapshot.body["rows"][0]["partners"]) == 12


async def test_a_quiet_day_is_one_word_and_no_evidence_but_its_verdicts(
    setting: Setting, watch: WatchActivities, dev_server: WorkflowEnvironment
) -> None:
    phases = {**plan_data()["phases"], "cadence": "6h"}
    setting = await Setting(setting.pool, make_plan(id="six-hourly", phases=phases)).register()
    await setting.watch(PILOT_COHORT)
    async with workflow_of(dev_server, setting) as box:
        for quarter in range(9):
            await tick(watch, quarter / 4)
        words = await box.words()
    assert [(word.as_of, word.changed) for word in words if isinstance(word, ReportEvidence)] == [
        (START, True),
        (START + DAY, False),
        (START + 2 * DAY, False),
    ]
    named = [word.evidence_digest for word in words if isinstance(word, ReportEvidence)]
    assert [len(digest) for digest in named] == [71, 23, 23]
    found = "select count(*) from evidence where rollout_id = 'six-hourly' and kind = 'assessment' and digest like $1"
    assert [await setting.pool.fetchval(found, f"{digest}%") for digest in named] == [1, 1, 1]
    assert await setting.pool.fetchval("select count(*) from evidence where rollout_id = 'six-hourly'") == 6
    assert await setting.pool.fetchval("select count(*) from judged_reading where rollout_id = 'six-hourly'") == 18


@pytest.mark.parametrize("short", [False, True])
async def test_a_rollout_that_reads_short_words_is_told_in_short_of_days_without_a_change_and_of_nothing_else(
    setting: Setting, watch: WatchActivities, dev_server: WorkflowEnvironment, short: bool
) -> None:
    setting = Setting(setting.pool, make_plan(id="short-words"))
    async with setting.pool.acquire() as conn, conn.transaction():
        await open_rollout(conn, setting.opening().model_copy(update={"short_words": short}))
    await setting.watch(PILOT_COHORT)
    async with workflow_of(dev_server, setting) as box:
        for day in range(3):
            await tick(watch, day + 0.5)
        words = [word for word in await box.words() if isinstance(word, ReportEvidence)]
        said = [set(one) for one in await box.said()]
    assert [(word.actor, word.changed) for word in words] == [(WATCH_ACTOR, True), *[(WATCH_ACTOR, False)] * 2]
    assert {"actor", "reason", "request_id", "changed"} <= said[0]
    assert [DailyWord.has(one) for one in said] == [False, short, short]


async def test_a_breach_is_told_once_and_so_is_its_end(setting: Setting, watch: WatchActivities, box: Mailbox) -> None:
    await slump(setting.pool, PILOT, date(2026, 2, 3), date(2026, 2, 13))
    for day in range(50):
        await tick(watch, day)
    told = [word for word in await box.words() if not isinstance(word, ReportEvidence) or word.changed]
    assert [type(word) for word in told] == [ReportEvidence, ReportBreach, ReportEvidence]
    breach, end = told[1:]
    assert isinstance(breach, ReportBreach)
    assert (breach.metric, breach.cohort, breach.actor) == (SLA, "pilot", WATCH_ACTOR)
    kept = "select purpose from evidence where (rollout_id, chain_id, digest, kind) = ($1, $2, $3, 'snapshot')"
    assert await setting.pool.fetchval(kept, *setting.key.model_dump().values(), breach.snapshot_digest) == "watch"
    # At the start of 8 February 4 days of 27 decided ones were late, 85.19 % in time; a day later 5 of 27 were.
    assert breach.as_of == START + 7 * DAY
    assert "81.48 %, agreed >= 85: beyond" in breach.reason
    assert end.reason == "2 met"


async def test_every_word_proves_that_the_watch_says_it_to_a_rollout_that_can_tell(
    setting: Setting, watch: WatchActivities, dev_server: WorkflowEnvironment
) -> None:
    """The first word, two quiet days, a breach at a look that facts call for, and the day after."""
    async with setting.pool.acquire() as conn:
        key = key_of(await seed_of(conn, setting.key))
    await setting.watch(PILOT_COHORT)
    async with workflow_of(dev_server, setting) as box:
        for day in range(3):
            await tick(watch, day)
        await slump(setting.pool, PILOT, date(2026, 1, 5), date(2026, 4, 1))
        await tick(watch, 3)
        await tick(watch, 4)
        words = await box.words()
    assert [type(word) for word in words] == [*[ReportEvidence] * 3, ReportBreach, ReportEvidence]
    for word in words:
        assert isinstance(word, ReportEvidence | ReportBreach)
        found = proven(key, setting.clock.programme_start, word.as_of, word.proof)
        assert found is not None
        key = found
    assert key.span == 9


async def test_to_a_rollout_that_began_before_there_were_proofs_words_bear_none(
    watch: WatchActivities, box: Mailbox
) -> None:
    await tick(watch)
    (word,) = await box.words()
    assert isinstance(word, ReportEvidence)
    assert word.proof is None


async def test_one_signal_a_look_at_most(setting: Setting, watch: WatchActivities, box: Mailbox) -> None:
    """A breach and a source that fell silent in the same look: the breach is told, the rollout looks for itself."""
    await tick(watch)
    await slump(setting.pool, PILOT, date(2026, 1, 5), date(2026, 2, 20))
    await setting.pool.execute("delete from partner_transaction where transaction_date > '2026-01-15'")
    before = await box.words()
    await tick(watch, 1)
    (word,) = await box.take_new(before)
    assert isinstance(word, ReportBreach)


async def test_a_source_that_falls_silent_is_a_change(setting: Setting, watch: WatchActivities, box: Mailbox) -> None:
    await silence(setting.pool, date(2026, 2, 1), date(2026, 4, 1))
    for day in range(9):
        await tick(watch, day)
    changes = [one.reason for one in await box.words() if isinstance(one, ReportEvidence) and one.changed]
    assert changes == ["2 met", "1 met, 1 no evidence"]


async def test_a_guardrail_without_evidence_for_longer_than_agreed_is_told_as_a_breach(
    setting: Setting, watch: WatchActivities, dev_server: WorkflowEnvironment
) -> None:
    """The newest lead is of 31 January, and data may be seven days old: from the look of 8 February on there is no
    evidence. Three looks without are tolerated; the fourth, of 11 February, is blind."""
    sla, *rest = plan_data()["metrics"]
    plan = make_plan(id="blind-plan", metrics=[{**sla, "tolerance": {"no_evidence_in_a_row": 3}}, *rest])
    blind = await Setting(setting.pool, plan).register()
    await blind.watch(PILOT_COHORT)
    await silence(setting.pool, date(2026, 2, 1), date(2026, 4, 1))
    async with workflow_of(dev_server, blind) as box:
        for day in range(14):
            await tick(watch, day)
        words = await box.words()
    changes = [one.as_of for one in words if isinstance(one, ReportEvidence) and one.changed]
    (breach,) = (one for one in words if isinstance(one, ReportBreach))
    assert (changes, breach.as_of) == ([START, START + 6 * DAY], START + 9 * DAY)
    assert breach.reason.startswith(
        "lead_follow_up_sla of pilot is not met: blind: no evidence for 4 looks in a row, tolerates 3; "
    )


async def test_a_stop_condition_is_a_change(setting: Setting, watch: WatchActivities, box: Mailbox) -> None:
    """The SLA is not met from the first look on; falling below the stop condition's limit is told as well."""
    await slump(setting.pool, PILOT, date(2026, 1, 20), date(2026, 4, 1))
    for day in range(12):
        await tick(watch, day)
    words = await box.words()
    assert isinstance(words[0], ReportBreach)
    changes = [one.reason for one in words if isinstance(one, ReportEvidence) and one.changed]
    assert changes == ["1 met, 1 not met, stop condition fulfilled: the SLA collapses"]


async def test_a_repeated_tick_repeats_the_same_request(setting: Setting, watch: WatchActivities, box: Mailbox) -> None:
    await tick(watch)
    await setting.pool.execute("delete from watch_mark")
    await tick(watch)
    first, second = await box.words()
    assert first == second
    assert await setting.pool.fetchval("select count(*) from evidence") == 2
    assert await setting.pool.fetchval("select count(*) from judged_reading") == 2


async def test_other_facts_are_another_request(setting: Setting, watch: WatchActivities, box: Mailbox) -> None:
    await tick(watch)
    await slump(setting.pool, PILOT, date(2026, 1, 5), date(2026, 2, 20))
    await setting.pool.execute("delete from watch_mark")
    await tick(watch)
    first, second = await box.words()
    assert first.request_id != second.request_id


# When it looks.


async def test_nothing_is_read_before_the_cadence_is_due(
    setting: Setting, watch: WatchActivities, box: Mailbox
) -> None:
    await tick(watch)
    again = await tick(watch, 0.5, slowest=DAY)
    assert (again.looked_at, again.evaluated, again.signalled, again.next_in) == (1, 0, 0, DAY / 2)
    assert (await tick(watch, 1)).evaluated == 1


@pytest.mark.usefixtures("box")
async def test_each_rollout_is_looked_at_in_its_own_time(
    setting: Setting, watch: WatchActivities, dev_server: WorkflowEnvironment
) -> None:
    """A second rollout whose programme runs an hour a second: a look a day is one every 24 seconds."""
    fast = await Setting(setting.pool, make_plan(id="fast-plan"), speed=3600).register()
    await fast.watch(PILOT_COHORT)
    async with workflow_of(dev_server, fast) as other:
        result = await tick(watch)
        assert (result.evaluated, result.next_in) == (2, timedelta(seconds=24))
        after = await watch.evaluate_open_rollouts(TickRequest(real_now=START + timedelta(seconds=24), slowest=SLOWEST))
        assert after.evaluated == 1
        words = await other.words()
    assert [one.as_of for one in words if isinstance(one, ReportEvidence)] == [START, START + DAY]


async def test_the_next_look_is_never_sooner_than_a_machine_can_bear(
    setting: Setting, watch: WatchActivities, box: Mailbox
) -> None:
    furious = await Setting(setting.pool, make_plan(id="furious"), speed=10_000_000).register()
    await furious.watch()
    assert (await tick(watch)).next_in == timedelta(milliseconds=200)


async def test_without_rollouts_the_slowest_look_comes_next(pool: Pool, watch: WatchActivities) -> None:
    result = await tick(watch)
    assert (result.looked_at, result.evaluated, result.next_in) == (0, 0, SLOWEST)


async def test_what_is_not_watched_or_over_is_not_measured(setting: Setting, watch: WatchActivities) -> None:
    assert (await tick(watch)).evaluated == 0
    await setting.watch(PILOT_COHORT, open=False)
    result = await tick(watch)
    assert (result.looked_at, result.evaluated) == (0, 0)


# What fails.


async def test_a_rollout_without_workflow_does_not_keep_the_others(
    setting: Setting, watch: WatchActivities, box: Mailbox
) -> None:
    gone = await Setting(setting.pool, make_plan(id="gone-plan"), "chain-2").register()
    await gone.watch(PILOT_COHORT)
    result = await tick(watch)
    assert (result.looked_at, result.evaluated, result.signalled, result.failed) == (2, 1, 1, 1)
    assert len(await box.words()) == 1
    assert await setting.pool.fetchval("select open from rollout where rollout_id = 'gone-plan'") is True


async def test_a_rollout_that_could_not_be_told_is_told_at_the_next_look(
    setting: Setting, watch: WatchActivities, dev_server: WorkflowEnvironment
) -> None:
    await setting.watch(PILOT_COHORT)
    assert (await tick(watch)).failed == 1
    async with workflow_of(dev_server, setting) as box:
        assert (await tick(watch, 0.01)).signalled == 1
        (word,) = await box.words()
        assert isinstance(word, ReportEvidence)
        assert word.changed


async def test_a_rollout_that_cannot_be_read_does_not_keep_the_others(
    setting: Setting, watch: WatchActivities, box: Mailbox
) -> None:
    broken = await Setting(setting.pool, make_plan(id="broken-plan"), "chain-2").register()
    await broken.watch(PILOT_COHORT)
    await setting.pool.execute("update rollout set plan = '{\"id\": 1}' where rollout_id = 'broken-plan'")
    result = await tick(watch)
    assert (result.evaluated, result.failed, result.next_in) == (1, 1, timedelta(seconds=5))


async def test_ticks_at_the_same_time_tell_the_same(setting: Setting, watch: WatchActivities, box: Mailbox) -> None:
    await asyncio.gather(*(tick(watch) for _ in range(3)))
    assert len({word.request_id for word in await box.words()}) == 1


async def test_letters_left_in_the_outbox_go_out_with_a_look(setting: Setting, watch: WatchActivities) -> None:
    await setting.pool.execute(
        "insert into notice (notice_id, contact, rollout_id, chain_id, kind, subject, body) "
        "values ($1, 'sam@example.com', $2, $3, 'paused', 's', 'b')",
        notice().notice_id,
        setting.key.rollout_id,
        setting.key.chain_id,
    )
    await tick(watch)
    assert await setting.pool.fetchval("select sent_at is not null from notice")
