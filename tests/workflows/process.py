"""The worker as people run it, `python -m worker`, so that a test can kill it; and hands on rollouts in fast time."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHandle, WorkflowHistory, WorkflowQueryFailedError
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer

from deploy.embedded.account import temporary_directory
from deploy.embedded.processes import ProcessIdentity, end, is_alive, spawn
from deploy.embedded.temporal import EmbeddedTemporal
from models.names import ROLLOUT, rollout_workflow_id
from models.plan import RolloutPlan
from models.rollout import RolloutView, Status
from models.work import RolloutInput, RolloutResult
from tests.plans import make_plan, plan_data
from tests.worker.process import PATIENCE, environment, limited, patiently
from tests.workflows.live import DAY, START, Live
from worker.plugin import rollouts_plugin

USUAL, LONG = 200.0, 250.0
"""Seconds that tests have which pytest gives the usual time, and the longest: somewhat less than pytest gives them."""

ASIDE, LEAVING = 10.0, 60.0
"""Seconds that a server has to tell of its workflows when a test has failed, and to end them all."""

SPEED = 100_000
"""A day of the programme in less than a second."""


def fast_plan(**changes: Any) -> RolloutPlan:
    """A short plan whose owners have all the time in the world: a week passes while one of them acts."""
    data = plan_data()
    for rule in data["approvals"].values():
        rule["due"] = "600d"
    for wave in data["cohorts"]["waves"]:
        wave["bake"] = "5d"
    fields: dict[str, Any] = {
        "id": f"fast-{uuid4().hex[:8]}",
        "approvals": data["approvals"],
        "cohorts": data["cohorts"],
        "phases": {"baseline_window": "90d", "pilot": "5d", "validate": "5d", "cadence": "1d", "watchdog": "60d"},
        "reviews": {"first": "10d", "every": "600d", "grace": "600d", "roles": ["sponsor"]},
        "stop_conditions": [{"condition": "a regulator objects"}],
    }
    return make_plan(**(fields | changes))


@dataclass
class FastLive(Live):
    """A rollout on a server in real time, whose programme clock makes seconds of days."""

    async def view(self) -> RolloutView:
        """The view, as soon as a worker answers."""
        return await patiently(self._view, lambda: "no worker answers")

    async def _view(self) -> RolloutView | None:
        try:
            found: RolloutView = await self.handle.query("status", result_type=RolloutView)
        except (RPCError, WorkflowQueryFailedError):
            return None
        return found

    async def days(self, count: float) -> None:
        await asyncio.sleep(count * DAY.total_seconds() / SPEED)

    async def until(self, reached: Callable[[RolloutView], bool]) -> RolloutView:
        """The first view of which something is true."""
        told = "no worker answers"

        async def look() -> RolloutView | None:
            nonlocal told
            view = await self.view()
            told = f"still {view.status}: {view.sentence}"
            return view if reached(view) else None

        return await patiently(look, lambda: told)

    async def until_status(self, *wanted: Status, within_days: int = 0) -> RolloutView:
        return await self.until(lambda view: view.status in wanted)

    async def until_phase(self, phase: str, wave: int | None = None, within_days: int = 0) -> RolloutView:
        return await self.until(lambda view: (view.phase.value, view.wave) == (phase, wave))

    async def until_served(self, days: float) -> RolloutView:
        """The phase's clock runs, and this much of its time is over."""

        def served(view: RolloutView) -> bool:
            clock = view.phase_clock
            return bool(clock and clock.running_since and view.programme_now >= clock.running_since + days * DAY)

        return await self.until(served)

    async def at_rest(self) -> None:
        """Until nothing is under way: its letters are written, and the log has whatever it told of them."""

        async def look() -> bool | None:
            told = (await self.handle.describe()).raw_description
            return None if told.pending_activities or told.HasField("pending_workflow_task") else True

        await patiently(look, lambda: f"{self.handle.id} never rests")

    async def ended(self) -> RolloutResult:
        """How it ended, once it has."""
        try:
            return await asyncio.wait_for(self.handle.result(), PATIENCE)
        except TimeoutError:
            view = await self.view()
            raise AssertionError(f"still {view.status}: {view.sentence}") from None

    async def run_id(self) -> str:
        """The run that the rollout is in."""
        return (await self.handle.describe()).run_id

    async def runs(self) -> list[list[HistoryEvent]]:
        """The histories of the chain's runs, the first run first."""
        return await chain(self.client, self.handle.id)


async def chain(client: Client, workflow_id: str) -> list[list[HistoryEvent]]:
    """The histories of a workflow's runs, from the first to the newest."""
    found: list[list[HistoryEvent]] = []
    run_id = (await client.get_workflow_handle(workflow_id).describe()).run_id
    while run_id:
        events = list((await client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history()).events)
        found.insert(0, events)
        run_id = events[0].workflow_execution_started_event_attributes.continued_execution_run_id
    return found


async def replay_runs(client: Client, workflow_id: str) -> int:
    """Replay every run of a workflow with today's code; how many there are."""
    runs = await chain(client, workflow_id)
    replayer = Replayer(workflows=[], plugins=[rollouts_plugin()])
    for events in runs:
        await replayer.replay_workflow(WorkflowHistory(workflow_id, events))
    return len(runs)


@dataclass
class Site:
    """A Temporal, a PostgreSQL, and the worker between them, which may come and go. `settings` are further ones of the
    worker's."""

    temporal: EmbeddedTemporal
    dsn: str
    folder: Path
    client: Client
    queue: str = field(default_factory=lambda: f"site-{uuid4()}")
    more: Mapping[str, str] = field(default_factory=dict)
    worker: ProcessIdentity | None = None

    @property
    def maildir(self) -> Path:
        return self.folder / "mail"

    async def start_worker(self) -> None:
        """Start a worker; returns when it says that it has started."""
        log = self.folder / f"worker-{uuid4()}.log"
        env = environment(
            {
                "TEMPORAL_ADDRESS": self.temporal.address,
                "TEMPORAL_NAMESPACE": self.temporal.namespace,
                "ROLLOUTS_DATABASE_DSN": self.dsn,
                "ROLLOUTS_DECISIONS": "unsigned",
                "ROLLOUTS_TASK_QUEUE": self.queue,
                "ROLLOUTS_NOTICE_MAILDIR": str(self.maildir),
                **self.more,
            }
        )
        worker = self.worker = spawn((sys.executable, "-m", "worker"), log, env=env)

        async def started() -> bool | None:
            if not is_alive(worker):
                raise AssertionError(f"the worker ended: {log.read_text()[-2000:]}")
            return "worker started" in log.read_text() or None

        await patiently(started, lambda: f"the worker does not start: {log.read_text()[-2000:]}")

    async def tell(self) -> None:
        """Print what the workers said last and what the server waits for, for whoever wants to know why a test
        failed; a server that does not answer either is not waited for."""
        for log in sorted(self.folder.glob("worker-*.log"), key=lambda one: one.stat().st_mtime):
            print(f"{log.name}, the end of it:\n{log.read_text(errors='replace')[-3000:]}")
        try:
            async with asyncio.timeout(ASIDE):
                async for one in self.client.list_workflows("ExecutionStatus = 'Running'"):
                    print((await self.client.get_workflow_handle(one.id).describe()).raw_description)
        except (RPCError, TimeoutError) as problem:
            print(f"what it waits for, the server does not tell: {problem!r}")

    async def kill_worker(self) -> None:
        """`kill -9`: it cannot say goodbye to anybody."""
        assert self.worker is not None
        assert is_alive(self.worker)
        assert await end(self.worker, (signal.SIGKILL, 10))
        self.worker = None

    async def kill_worker_between_steps(self, *lives: Live) -> None:
        """`kill -9` while none of these rollouts waits for an activity: one that dies with its worker is missed only
        when its time is over. The watch, which always waits for one, misses it after ten seconds of silence."""

        async def stands_still() -> bool | None:
            return await self._stands_still(*lives) or None

        await patiently(stands_still)
        await self.kill_worker()

    async def _stands_still(self, *lives: Live) -> bool:
        """Stop the worker, as a debugger would; it runs again if that was in the middle of a step."""
        assert self.worker is not None
        os.kill(self.worker.pid, signal.SIGSTOP)
        for live in lives:
            told = (await live.handle.describe()).raw_description
            if told.pending_activities or told.HasField("pending_workflow_task"):
                os.kill(self.worker.pid, signal.SIGCONT)
                return False
        return True

    async def open(self, plan: RolloutPlan) -> FastLive:
        """Start a rollout of a plan at programme time `START`."""
        handle: WorkflowHandle[Any, RolloutResult] = await self.client.start_workflow(
            ROLLOUT,
            RolloutInput(plan=plan, clock_start=START, clock_speed=SPEED),
            id=rollout_workflow_id(plan.id),
            task_queue=self.queue,
            result_type=RolloutResult,
            static_summary=plan.title,
            static_details=plan.decision,
        )
        return FastLive(self.client, WorkflowEnvironment.from_client(self.client), plan, handle)


@asynccontextmanager
async def site(
    temporal: EmbeddedTemporal,
    dsn: str,
    queue: str | None = None,
    more: Mapping[str, str] | None = None,
    within: float | None = None,
) -> AsyncIterator[Site]:
    """A worker on these servers, with `more` settings; it and all its workflows end with the test. A test that has
    more than `within` seconds fails where it waits, and what the servers know is told: a session that pytest-timeout
    ends tells nothing."""
    client = await Client.connect(temporal.address, namespace=temporal.namespace, plugins=[rollouts_plugin()])
    folder = temporary_directory("partner-rollouts-site-")
    here = Site(temporal, dsn, folder, client, queue or f"site-{uuid4()}", more or {})
    try:
        async with asyncio.timeout(within):
            await here.start_worker()
            yield here
    except BaseException:
        await here.tell()
        raise
    finally:
        try:
            async with limited(LEAVING, lambda: f"the server at {temporal.address} does not end its workflows"):
                async for one in client.list_workflows("ExecutionStatus = 'Running'"):
                    await terminate(client, one.id)
        finally:
            if here.worker is not None:
                await end(here.worker, (signal.SIGTERM, 10), (signal.SIGKILL, 10))
            shutil.rmtree(folder)


async def terminate(client: Client, workflow_id: str) -> None:
    """End a workflow from outside; nothing happens if it has ended."""
    try:
        await client.get_workflow_handle(workflow_id).terminate("the test is over")
    except RPCError:
        return


async def letters(pool: asyncpg.Pool[asyncpg.Record], rollout_id: str) -> list[tuple[str, ...]]:
    """Every letter of a rollout, as its reader tells one from another."""
    rows = await pool.fetch(
        "select kind, contact, subject, body from notice where rollout_id = $1 order by created_at", rollout_id
    )
    return [tuple(row) for row in rows]


def scheduled(events: Iterable[HistoryEvent], activity: str) -> int:
    """How often an activity was asked for in a history."""
    kinds = (event.activity_task_scheduled_event_attributes.activity_type.name for event in events)
    return sum(kind == activity for kind in kinds)
