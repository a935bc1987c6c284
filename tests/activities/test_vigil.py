"""The watch wakes on facts, deadlines and cadences, and nothing that happens to it, to its connection or to its clock
makes it miss a breach or tell one twice."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from temporalio.testing import ActivityEnvironment, WorkflowEnvironment

from activities import vigil, watching
from activities.delivery import Delivery
from activities.watching import WatchActivities
from models.clock import clock_at
from models.command import Command, ReportBreach, ReportEvidence
from models.metric import CATALOGUE, MetricName
from models.names import shard_of
from models.work import TickRequest, TickResult
from store import changes, marks
from store.changes import Journal
from tests.activities.mailbox import Mailbox, workflow_of
from tests.activities.setting import PILOT_COHORT, Pool, Setting
from tests.facts import seed_facts
from tests.plans import PILOT, make_plan
from tests.worker.process import patiently

HOUR = timedelta(hours=1)
OTHERS = "update lead set first_contact_at = assigned_at + interval '3 days' where partner_id = any($1)"


@pytest.fixture(autouse=True)
def never_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever these tests see, the watch was told of: it does not ask by itself until long after."""
    monkeypatch.setattr(watching, "ASK", HOUR)


@pytest.fixture
async def facts(pool: Pool) -> Pool:
    """Five weeks of regular facts up to the last midnight."""
    today = datetime.now(UTC).date()
    await seed_facts(pool, today - timedelta(days=60), today)
    return pool


async def opened(pool: Pool, name: str = "test-plan") -> Setting:
    """A rollout in real time that watches its pilot."""
    setting = Setting(pool, make_plan(id=name))
    setting.clock = clock_at(datetime.now(UTC))
    await setting.register()
    await setting.watch(PILOT_COHORT, tolerance_since=setting.clock.real_start)
    return setting


@dataclasses.dataclass
class Watching:
    """A stay of the watch, as a worker gives it one."""

    task: asyncio.Task[TickResult]
    env: ActivityEnvironment

    async def ends(self) -> TickResult:
        self.env.worker_shutdown()
        return await self.task

    async def dies(self) -> None:
        """Without a chance to write anything down."""
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task


def stay(
    pool: Pool, server: WorkflowEnvironment, shard: int = 0, shards: int = 1, ahead: timedelta = timedelta(0)
) -> Watching:
    """`ahead`: how much later Temporal's clock is than ours."""
    now = datetime.now(UTC) + ahead
    env = ActivityEnvironment()
    env.info = dataclasses.replace(env.info, started_time=now)
    watch = WatchActivities(pool, server.client, Delivery(pool, ()))
    request = TickRequest(real_now=now, slowest=HOUR, stay=HOUR, shard=shard, shards=shards)
    return Watching(asyncio.create_task(env.run(watch.evaluate_open_rollouts, request)), env)


@asynccontextmanager
async def watched(pool: Pool, server: WorkflowEnvironment) -> AsyncIterator[Watching]:
    watching_it = stay(pool, server)
    try:
        yield watching_it
    finally:
        if not watching_it.task.done():
            await watching_it.ends()


@asynccontextmanager
async def settled(pool: Pool, server: WorkflowEnvironment) -> AsyncIterator[tuple[Mailbox, Watching]]:
    """A rollout that has been looked at, with nothing left to do for the watch; who ends the watch is the test."""
    async with workflow_of(server, await opened(pool)) as box, watched(pool, server) as watching_it:
        await first(box, ReportEvidence)
        await everything_is_dealt_with(pool)
        yield box, watching_it


async def first(box: Mailbox, kind: type[Command], after: int = 0) -> Command:
    """The first word of a kind among those after the first few."""

    async def look() -> Command | None:
        return next((word for word in (await box.words())[after:] if isinstance(word, kind)), None)

    return await patiently(look, lambda: f"no {kind.__name__} came")


async def late(pool: Pool) -> None:
    """Everybody in the pilot turns out to have followed up late."""
    await pool.execute(OTHERS, list(PILOT))


async def due(pool: Pool, at: datetime, leads: int = 10, known: datetime | None = None) -> None:
    """Each partner of the pilot has leads that nobody has contacted, due at a moment and known a day before it."""
    await pool.execute(
        "insert into lead (source_system, source_id, partner_id, assigned_at, contact_due_at, known_at)"
        " select 'test', partner || '-due-' || number, partner, $2::timestamptz - interval '1 day', $2,"
        " coalesce($4, $2 - interval '1 day')"
        " from unnest($1::text[]) partner, generate_series(1, $3) number",
        list(PILOT),
        at,
        leads,
        known,
    )


async def everything_is_dealt_with(pool: Pool) -> None:
    """The watch has come to the newest change."""

    async def look() -> bool | None:
        return (
            await pool.fetchval(
                "select not exists (select from watch_change where xid >= (select min(position) from watch_position))"
                " and exists (select from watch_position)"
            )
            or None
        )

    await patiently(look, lambda: "the watch did not come to the end of the journal")


async def listener(pool: Pool) -> int | None:
    """The backend that tells the watch of changes."""
    found: int | None = await pool.fetchval(
        "select pid from pg_stat_activity where datname = current_database() and query ilike 'listen%'"
    )
    return found


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
    setting = await opened(facts)
    at = datetime.now(UTC) + timedelta(seconds=4)
    await due(facts, at)
    async with workflow_of(dev_server, setting) as box, watched(facts, dev_server):
        word = await first(box, ReportBreach)
    assert isinstance(word, ReportBreach)
    assert word.as_of > at
    assert [type(one) for one in (await box.words())] == [ReportEvidence, ReportBreach]


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
    at = datetime.now(UTC) + timedelta(seconds=3)
    await due(facts, at)
    async with settled(facts, dev_server) as (box, watch):
        await watch.dies()
        assert [type(word) for word in await box.words()] == [ReportEvidence]
        await asyncio.sleep(max(0.0, (at - datetime.now(UTC)).total_seconds()) + 0.1)
        async with watched(facts, dev_server):
            await first(box, ReportBreach)


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
        await asyncio.wait_for(died.wait(), 20)
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
        async with facts.acquire() as conn, conn.transaction():
            await conn.execute("set local session_replication_role = replica")
            await conn.execute(OTHERS, list(PILOT))
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
    facts: Pool, dev_server: WorkflowEnvironment
) -> None:
    names = [next(f"plan-{n}" for n in range(100) if shard_of(f"plan-{n}", 4) == shard) for shard in range(4)]
    settings = [await opened(facts, name) for name in names]
    async with contextlib.AsyncExitStack() as stack:
        boxes = [await stack.enter_async_context(workflow_of(dev_server, one)) for one in settings]
        pools = [await stack.enter_async_context(_pool_like(facts)) for _ in range(4)]
        shards = [stay(pools[number], dev_server, number, 4) for number in range(4)]
        for box in boxes:
            await first(box, ReportEvidence)
        await everything_is_dealt_with(facts)
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


@asynccontextmanager
async def _pool_like(pool: Pool) -> AsyncIterator[Pool]:
    """Another pool of the same database: a shard keeps one of its connections."""
    from store.pool import create_pool

    async with pool.acquire() as conn:
        address, settings = conn._addr, conn._params  # type: ignore[attr-defined]
    dsn = f"postgresql://{settings.user}:{settings.password}@{address[0]}:{address[1]}/{settings.database}"
    async with await create_pool(dsn, max_size=3) as other:
        yield other


# The journal.


async def test_changes_that_commit_out_of_order_are_read_once_each(pool: Pool, database: str) -> None:
    slow, quick = await asyncpg.connect(database), await asyncpg.connect(database)
    insert = "insert into watch_change (facts, about) values ('lead', $1)"
    async with pool.acquire() as conn:
        journal = Journal((await changes.first_position(conn, datetime.now(UTC))).xid)
        before = slow.transaction()
        await before.start()
        await slow.execute(insert, "slow")
        await quick.execute(insert, "quick")
        assert [one.about for one in await journal.read(conn)] == ["quick"]
        assert await journal.read(conn) == ()
        await before.commit()
        assert [one.about for one in await journal.read(conn)] == ["slow"]
        assert await journal.read(conn) == ()
        # Who takes over from what was written down meanwhile sees some of it twice, and all of it.
    await slow.close()
    await quick.close()


@pytest.mark.parametrize("metric", sorted(MetricName))
async def test_whatever_a_metric_reads_is_journalled(pool: Pool, metric: MetricName) -> None:
    for facts in CATALOGUE[metric].reads:
        found = await pool.fetch("select tgname from pg_trigger where tgrelid = $1::text::regclass", facts)
        assert {f"{facts}_{what}" for what in ("inserted", "updated", "deleted")} <= {row[0] for row in found}


async def test_what_every_shard_has_dealt_with_is_removed(pool: Pool) -> None:
    async with pool.acquire() as conn:
        await conn.execute("insert into watch_change (facts, about) values ('lead', 'old')")
        middle = await changes.first_position(conn, datetime.now(UTC))
        await conn.execute("insert into watch_change (facts, about) values ('lead', 'new')")
        end = await changes.first_position(conn, datetime.now(UTC))
        await changes.write_position(conn, 0, end)
        await changes.forget_changes(conn, 2)
        assert await conn.fetchval("select count(*) from watch_change") == 2, "shard 1 has yet to begin"
        await changes.write_position(conn, 1, middle)
        await changes.forget_changes(conn, 2)
        assert [row["about"] for row in await conn.fetch("select about from watch_change")] == ["new"]


# Before the breach.


async def test_leads_that_would_tip_the_limit_are_warned_of_before_they_are_due(
    facts: Pool, dev_server: WorkflowEnvironment
) -> None:
    setting = await opened(facts)
    await due(facts, datetime.now(UTC) + 2 * HOUR)
    async with workflow_of(dev_server, setting) as box, watched(facts, dev_server):
        await first(box, ReportEvidence)
        row = await patiently(_letter(facts), lambda: "no letter came")
        await everything_is_dealt_with(facts)
    assert (row["kind"], row["contact"]) == ("warning", "rev.ops@example.com")
    assert (
        "lead follow-up SLA of pilot is about to breach" in row["subject"].lower()
        or "about to breach" in row["subject"]
    )
    # 12 partners x 27 or 28 decided leads, all in time; 120 more are due: 324/444 = 73.0 or 336/456 = 73.7 percent.
    assert "120 leads without a contact are due" in row["body"]
    assert "falls to 73." in row["body"]
    assert [type(word) for word in await box.words()] == [ReportEvidence]
    assert await facts.fetchval("select count(*) from notice") == 1


async def test_a_few_leads_that_are_due_are_no_reason_to_warn(facts: Pool, dev_server: WorkflowEnvironment) -> None:
    setting = await opened(facts)
    await due(facts, datetime.now(UTC) + 2 * HOUR, leads=1)
    async with workflow_of(dev_server, setting) as box, watched(facts, dev_server):
        await first(box, ReportEvidence)
        await everything_is_dealt_with(facts)
    assert await facts.fetchval("select count(*) from notice") == 0


def _letter(pool: Pool) -> Callable[[], Awaitable[asyncpg.Record | None]]:
    async def look() -> asyncpg.Record | None:
        return await pool.fetchrow("select * from notice")

    return look
