"""The watch wakes on facts, deadlines and cadences, and nothing that happens to it, to its connection or to its clock
makes it miss a breach or tell one twice."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from itertools import count

import asyncpg
import pytest
from temporalio.testing import WorkflowEnvironment

from activities import vigil, watching
from models.clock import clock_at
from models.command import ReportBreach, ReportEvidence
from models.names import shard_of
from store import marks
from store.changes import Listener
from store.pool import create_pool
from tests.activities.mailbox import workflow_of
from tests.activities.setting import PILOT_COHORT, Pool, Setting
from tests.activities.stays import (
    HOUR,
    OTHERS,
    due,
    everything_is_dealt_with,
    first,
    late,
    listener,
    opened,
    settled,
    stay,
    watched,
)
from tests.plans import PILOT, make_plan
from tests.worker.process import PATIENCE, limited, patiently
from workflows.watch import SILENCE


@pytest.fixture(autouse=True)
def never_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever these tests see, the watch was told of: it does not ask by itself until long after."""
    monkeypatch.setattr(watching, "ASK", HOUR)


# What wakes it.


async def test_a_fact_is_told_of_without_waiting_for_the_cadence(facts: Pool, dev_server: WorkflowEnvironment) -> None:
    setting = await opened(facts)
    async with workflow_of(dev_server, setting) as box, watched(facts, dev_server) as watch:
        assert isinstance(await first(box, ReportEvidence), ReportEvidence)
        await late(facts)
        word = await first(box, ReportBreach)
        assert isinstance(word, ReportBreach)
        assert word.cohort == "pilot"
        result = await watch.ends()
    assert (result.looked_at, result.failed, result.next_in) == (1, 0, timedelta(0))
    assert result.signalled == 2


async def test_a_deadline_that_passes_breaches_though_no_fact_comes(
    facts: Pool, dev_server: WorkflowEnvironment
) -> None:
    async with settled(facts, dev_server) as (box, _):
        at = datetime.now(UTC) + timedelta(seconds=4)
        await due(facts, at)
        word = await first(box, ReportBreach)
    assert isinstance(word, ReportBreach)
    assert word.as_of > at
    assert [type(one) for one in (await box.words())] == [ReportEvidence, ReportBreach]


async def test_leads_that_are_never_due_keep_the_watch_from_nothing(
    facts: Pool, dev_server: WorkflowEnvironment
) -> None:
    """As systems write it whose last moment is that of the calendar: there is none after it."""
    async with settled(facts, dev_server) as (box, _):
        await facts.execute(
            "insert into lead (source_system, source_id, partner_id, assigned_at, contact_due_at, known_at)"
            " values ('test', 'never', $1, now(), '9999-12-31 23:59:59.999999Z', now())",
            PILOT[0],
        )
        await everything_is_dealt_with(facts)
        await late(facts)
        assert isinstance(await first(box, ReportBreach), ReportBreach)


async def test_a_rollout_that_opens_is_looked_at_at_once(facts: Pool, dev_server: WorkflowEnvironment) -> None:
    async with watched(facts, dev_server):
        await patiently(lambda: listener(facts), lambda: "nobody listens")
        setting = Setting(facts, make_plan(id="a-later-one"))
        setting.clock = clock_at(datetime.now(UTC))
        async with workflow_of(dev_server, setting) as box:
            await setting.register()
            await setting.watch(PILOT_COHORT)
            await first(box, ReportEvidence)
            await setting.watch(open=False)


async def test_facts_that_are_restated_call_for_a_new_assessment_and_the_old_one_stays(
    facts: Pool, dev_server: WorkflowEnvironment
) -> None:
    """One partner of twelve was late after all: 92 percent instead of 100, and still met."""
    async with settled(facts, dev_server) as (box, _):
        before = {row["digest"] for row in await facts.fetch("select digest from evidence where kind = 'assessment'")}
        await facts.execute(
            "update lead set first_contact_at = assigned_at + interval '3 days', amended_at = $2 where partner_id = $1",
            PILOT[0],
            datetime.now(UTC),
        )
        word = await first(box, ReportEvidence, after=1)
        assert isinstance(word, ReportEvidence)
        assert word.changed
        kept = await facts.fetch("select digest, body from evidence where kind = 'assessment'")
    assert before < {row["digest"] for row in kept}
    (anew,) = (row["body"] for row in kept if row["digest"] == word.evidence_digest)
    assert [item["verdict"] for item in anew["items"]] == ["met"]


async def test_a_crowd_of_cadences_is_taken_in_portions_and_all_get_their_turn(
    facts: Pool, dev_server: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vigil, "AT_ONCE", 1)
    settings = [await opened(facts, f"plan-{number}") for number in range(3)]
    async with contextlib.AsyncExitStack() as stack:
        boxes = [await stack.enter_async_context(workflow_of(dev_server, one)) for one in settings]
        watch = await stack.enter_async_context(watched(facts, dev_server))
        for box in boxes:
            await first(box, ReportEvidence)
        result = await watch.ends()
    assert (result.evaluated, result.signalled) == (3, 3)


async def test_facts_of_others_and_other_facts_wake_nobody(facts: Pool, dev_server: WorkflowEnvironment) -> None:
    async with settled(facts, dev_server) as (_, watch):
        before = await facts.fetchval("select count(*) from judged_reading")
        await facts.execute(OTHERS, ["P021", "P041"])
        await facts.execute(
            "insert into person (person_id, partner_id, source_system, source_id, known_at)"
            " values ('h1', 'P001', 'test', 'h1', now())"
        )
        await everything_is_dealt_with(facts)
        result = await watch.ends()
    assert result.evaluated == 1
    assert await facts.fetchval("select count(*) from judged_reading") == before


# What may happen to it.


async def test_a_notification_that_is_lost_costs_time_and_no_change(
    facts: Pool, dev_server: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "ASK", timedelta(milliseconds=200))
    await facts.execute("alter table watch_change disable trigger watch_change_announced")
    setting = await opened(facts)
    async with workflow_of(dev_server, setting) as box, watched(facts, dev_server):
        await first(box, ReportEvidence)
        await late(facts)
        await first(box, ReportBreach)


async def test_what_changes_while_the_connection_is_lost_is_found_when_it_is_back(
    facts: Pool, dev_server: WorkflowEnvironment
) -> None:
    setting = await opened(facts)
    async with workflow_of(dev_server, setting) as box, watched(facts, dev_server):
        await first(box, ReportEvidence)
        backend = await patiently(lambda: listener(facts), lambda: "nobody listens")
        async with facts.acquire() as conn:
            await conn.execute("select pg_terminate_backend($1)", backend)
            await conn.execute(OTHERS, list(PILOT))
        await first(box, ReportBreach)


async def test_what_is_committed_before_anybody_tells_the_watch_of_changes_is_found_once_somebody_does(
    facts: Pool, dev_server: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has looked, and its connection is not told of anything yet: of the breach nobody tells it. Then it is lost
    and made anew, and what comes after that the watch is told of again."""
    told, start = asyncio.Event(), Listener.start

    async def starts(one: Listener) -> None:
        await told.wait()
        await start(one)

    monkeypatch.setattr(Listener, "start", starts)
    async with settled(facts, dev_server) as (box, _):
        await late(facts)
        told.set()
        await first(box, ReportBreach)
        before = await patiently(lambda: listener(facts), lambda: "nobody listens")
        await facts.execute("select pg_terminate_backend($1)", before)

        async def anew() -> bool | None:
            return await listener(facts) not in (None, before) or None

        await patiently(anew, lambda: "nobody listens any more")
        await everything_is_dealt_with(facts)
        await facts.execute("update lead set first_contact_at = assigned_at where partner_id = any($1)", list(PILOT))
        await first(box, ReportEvidence, after=2)


async def test_a_stay_gives_signs_of_life_for_as_long_as_it_lasts(
    pool: Pool, dev_server: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where nothing happens; and often enough for what passes them on, which keeps them for up to four fifths of
    the time after which silence counts."""
    assert timedelta(seconds=5 * watching.BEAT) <= SILENCE
    monkeypatch.setattr(watching, "BEAT", 0.01)
    signs, enough = count(1), asyncio.Event()
    async with watched(pool, dev_server) as watch:
        watch.env.on_heartbeat = lambda *_: enough.set() if next(signs) >= 5 else None
        async with limited(PATIENCE, lambda: f"only {next(signs) - 1} signs of life"):
            await enough.wait()


async def test_a_connection_lost_just_as_a_stay_ends_does_not_keep_it(
    facts: Pool, dev_server: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver's own error then takes the place of the cancellation; whoever went on listening kept the stay for
    ever, giving signs of life and looking at nothing."""
    listens = asyncio.Event()

    async def lost_when_told_to_stop(*_: object) -> None:
        listens.set()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            raise asyncpg.InterfaceError("the connection is closed") from None

    monkeypatch.setattr(vigil, "_told", lost_when_told_to_stop)
    watching_it = stay(facts, dev_server)
    await listens.wait()
    async with asyncio.timeout(60):
        await watching_it.ends()


async def test_what_changes_while_nobody_watches_is_found_by_the_next(
    facts: Pool, dev_server: WorkflowEnvironment
) -> None:
    async with settled(facts, dev_server) as (box, watch):
        await watch.dies()
        await late(facts)
        async with watched(facts, dev_server):
            await first(box, ReportBreach)
            await everything_is_dealt_with(facts)
        assert [type(word) for word in await box.words()] == [ReportEvidence, ReportBreach]


async def test_a_deadline_that_passes_while_nobody_watches_is_found_by_the_next(
    facts: Pool, dev_server: WorkflowEnvironment
) -> None:
    await due(facts, datetime.now(UTC) + HOUR)
    async with settled(facts, dev_server) as (box, watch):
        await watch.dies()
        assert [type(word) for word in await box.words()] == [ReportEvidence]
        an_hour_later = stay(facts, dev_server, ahead=HOUR)
        await first(box, ReportBreach)
        await an_hour_later.ends()


async def unheard(pool: Pool, statement: str, *args: object) -> None:
    """A change that nobody is told of."""
    async with pool.acquire() as conn, conn.transaction():
        await conn.execute("set local session_replication_role = replica")
        await conn.execute(statement, *args)


async def test_who_dies_between_telling_and_remembering_tells_the_same_again(
    facts: Pool, dev_server: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with settled(facts, dev_server) as (box, watch):
        write, died = marks.write_marks, asyncio.Event()

        async def die(*_: object) -> None:
            died.set()
            await asyncio.Event().wait()

        monkeypatch.setattr(marks, "write_marks", die)
        await late(facts)
        await asyncio.wait_for(died.wait(), 60)
        await watch.dies()
        monkeypatch.setattr(marks, "write_marks", write)
        async with watched(facts, dev_server):
            await everything_is_dealt_with(facts)
        told = [word.request_id for word in await box.words() if isinstance(word, ReportBreach)]
    assert len(told) == 2
    assert len(set(told)) == 1


async def test_a_rollout_that_cannot_be_told_is_told_once_it_can(
    facts: Pool, dev_server: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vigil, "WITHOUT_WORKFLOW", timedelta(milliseconds=300))
    setting = await opened(facts)
    async with watched(facts, dev_server):
        await patiently(lambda: listener(facts), lambda: "nobody listens")
        async with workflow_of(dev_server, setting) as box:
            await first(box, ReportEvidence)


async def test_where_nobody_knows_how_far_the_watch_was_everything_is_looked_at(
    facts: Pool, dev_server: WorkflowEnvironment
) -> None:
    async with settled(facts, dev_server) as (box, watch):
        await watch.ends()
        # As after a restore into another cluster, whose transactions are counted from the beginning.
        await facts.execute("update watch_position set position = position + 1000000000")
        await unheard(facts, OTHERS, list(PILOT))
        async with watched(facts, dev_server):
            await first(box, ReportBreach)


@pytest.mark.parametrize("ahead", [timedelta(seconds=3), timedelta(seconds=-3)])
async def test_clocks_that_differ_lose_nothing(facts: Pool, dev_server: WorkflowEnvironment, ahead: timedelta) -> None:
    """Whoever brings the facts has a clock that is ahead of the watch's, or behind it."""
    async with settled(facts, dev_server) as (box, _):
        known = datetime.now(UTC) + ahead
        await due(facts, datetime.now(UTC) - HOUR, known=known)
        word = await first(box, ReportBreach)
    assert isinstance(word, ReportBreach)
    assert word.as_of >= known
    assert [type(one) for one in await box.words()] == [ReportEvidence, ReportBreach]


async def test_a_fact_that_was_not_known_yet_is_found_by_whoever_takes_over(
    facts: Pool, dev_server: WorkflowEnvironment
) -> None:
    async with settled(facts, dev_server) as (box, watch):
        # Well within the hour that the position waits for: the moment of a look may lie before that of the fact.
        await due(facts, datetime.now(UTC) - HOUR, known=datetime.now(UTC) + HOUR / 2)
        await asyncio.sleep(1)  # It looks in vain; of a slow one that has not looked yet, less is asked.
        await watch.dies()
        assert await facts.fetchval(
            "select max(xid) >= (select position from watch_position) from watch_change where horizon > now()"
        )
        # What was half an hour ahead is now: nobody is told of that, either.
        await unheard(facts, "update lead set known_at = known_at - interval '30 min' where source_id like '%-due-%'")
        async with watched(facts, dev_server):
            await first(box, ReportBreach)


async def test_after_a_resume_the_same_breach_is_news_again(facts: Pool, dev_server: WorkflowEnvironment) -> None:
    setting = await opened(facts)
    await late(facts)
    async with workflow_of(dev_server, setting) as box, watched(facts, dev_server):
        told = await first(box, ReportBreach)
        await everything_is_dealt_with(facts)
        # Resumed on evidence that the watch has not seen, and breached before it looked again.
        async with facts.acquire() as conn:
            await conn.execute("update rollout set tolerance_since = now() + interval '1 second'")
        await asyncio.sleep(1.1)
        await facts.execute("update lead set class = 'hot' where partner_id = any($1)", list(PILOT))
        again = await first(box, ReportBreach, after=1)
    assert again.request_id != told.request_id


# Sharing the watch.


async def test_four_shards_share_the_rollouts_and_one_that_dies_is_taken_up_where_it_was(
    facts: Pool, database: str, dev_server: WorkflowEnvironment
) -> None:
    names = [next(f"plan-{n}" for n in range(100) if shard_of(f"plan-{n}", 4) == shard) for shard in range(4)]
    settings = [await opened(facts, name) for name in names]
    async with AsyncExitStack() as stack:
        boxes = [await stack.enter_async_context(workflow_of(dev_server, one)) for one in settings]
        # A shard keeps one connection to itself.
        pools = [await stack.enter_async_context(await create_pool(database, max_size=3)) for _ in range(4)]
        shards = [stay(pools[number], dev_server, number, 4) for number in range(4)]
        for box in boxes:
            await first(box, ReportEvidence)
        await everything_is_dealt_with(facts, shards=4)
        await shards[2].dies()
        await late(facts)
        for number in (0, 1, 3):
            await first(boxes[number], ReportBreach)
        assert [type(word) for word in await boxes[2].words()] == [ReportEvidence]
        shards[2] = stay(pools[2], dev_server, 2, 4)
        await first(boxes[2], ReportBreach)
        results = [await shard.ends() for shard in shards]
        words = [[type(word) for word in await box.words()] for box in boxes]
    assert [result.looked_at for result in results] == [1, 1, 1, 1]
    assert words == [[ReportEvidence, ReportBreach]] * 4
