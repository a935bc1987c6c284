"""Stays of the watch as a worker gives it some, and rollouts in real time for it to look at."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.testing import ActivityEnvironment, WorkflowEnvironment

from activities.delivery import Delivery
from activities.watching import WatchActivities
from models.clock import clock_at
from models.command import Command, ReportEvidence
from models.work import TickRequest, TickResult
from tests.activities.mailbox import Mailbox, workflow_of
from tests.activities.setting import PILOT_COHORT, Pool, Setting
from tests.plans import PILOT, make_plan, plan_data
from tests.worker.process import PATIENCE, limited, patiently

HOUR = timedelta(hours=1)
OTHERS = "update lead set first_contact_at = assigned_at + interval '3 days' where partner_id = any($1)"


async def opened(pool: Pool, name: str = "test-plan", *further: dict[str, Any]) -> Setting:
    """A rollout in real time that watches its pilot, by the base plan and `further` metrics."""
    setting = Setting(pool, make_plan(id=name, metrics=[*plan_data()["metrics"], *further]))
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
        async with limited(PATIENCE, lambda: f"the watch does not end its stay: {self.task!r}"):
            return await self.task

    async def dies(self) -> None:
        """Without a chance to write anything down."""
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            async with limited(PATIENCE, lambda: f"the watch does not die: {self.task!r}"):
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
async def settled(
    pool: Pool, server: WorkflowEnvironment, *further: dict[str, Any]
) -> AsyncIterator[tuple[Mailbox, Watching]]:
    """A rollout that has been looked at, with nothing left to do for the watch; who ends the watch is the test."""
    async with (
        workflow_of(server, await opened(pool, "test-plan", *further)) as box,
        watched(pool, server) as watching_it,
    ):
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


ACCEPTANCE: dict[str, Any] = {
    **{"metric": "lead_acceptance", "window": "28d", "thresholds": [">= 85"], "freshness": "7d"},
    "minimum_sample": {"partners": 5, "facts": 50},
}
"""What a plan says of a guardrail of acceptance."""


async def to_be_accepted(pool: Pool, at: datetime, leads: int = 10) -> None:
    """Each partner of the pilot has leads to be accepted until a moment, and contacted a week after it: assigned and
    known a day before it."""
    await pool.execute(
        "insert into lead (source_system, source_id, partner_id, assigned_at, accept_due_at, contact_due_at, known_at)"
        " select 'test', partner || '-new-' || number, partner, $2::timestamptz - interval '1 day', $2,"
        " $2::timestamptz + interval '7 days', $2::timestamptz - interval '1 day'"
        " from unnest($1::text[]) partner, generate_series(1, $3) number",
        list(PILOT),
        at,
        leads,
    )


async def everything_is_dealt_with(pool: Pool, shards: int = 1) -> None:
    """The watch, every shard of it, has come to the newest change."""

    async def look() -> bool | None:
        return (
            await pool.fetchval(
                "select not exists (select from watch_change where xid >= (select min(position) from watch_position))"
                " and (select count(*) from watch_position) = $1",
                shards,
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
