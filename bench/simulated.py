"""One rollout from ownership to its last wave on a server whose clock skips, and the histories it leaves."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHandle, WorkflowHistory, WorkflowQueryFailedError
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment

from bench.ground import Ground, until
from bench.rollouts import BEGIN, DAY, act, confirm_all, plan_for, usual_plan, world
from models.names import ROLLOUT, TASK_QUEUE, WATCH, WATCH_ID, rollout_workflow_id
from models.plan import RolloutPlan
from models.rollout import RolloutView, Status
from models.work import RolloutInput, WatchInput
from store.pool import create_pool
from worker.main import spare_the_collector
from worker.serving import serving

ASIDE = timedelta(minutes=7)
"""What the owners' days differ by from a rollout's, so that they seldom speak as one of its timers fires."""
_LONGEST_DAYS = 150


class Simulated(NamedTuple):
    """A rollout that ran its course: the histories of its runs and that of the watch beside it, and the seconds it
    took."""

    plan: RolloutPlan
    dsn: str
    runs: tuple[WorkflowHistory, ...]
    watch: Sequence[HistoryEvent]
    seconds: float

    @property
    def history(self) -> WorkflowHistory:
        """That of its first run, which is all of it where it did not continue as new."""
        return self.runs[0]

    @property
    def events(self) -> Sequence[HistoryEvent]:
        """Those of all its runs."""
        return [event for run in self.runs for event in run.events]


async def simulate(ground: Ground) -> Simulated:
    """The example plan, with its five cohorts."""
    return await _to_its_end(ground, plan_for("simulated", short=ground.quick))


async def simulate_usual(ground: Ground) -> Simulated:
    """The plan of `rollouts plan new`, with its four cohorts."""
    return await _to_its_end(ground, usual_plan("usual", short=ground.quick))


async def _to_its_end(ground: Ground, plan: RolloutPlan) -> Simulated:
    """Begun anew where the server answers no more: seldom, it loses a run (`cli/backtest/server.py`)."""
    try:
        return await _simulate(ground, plan)
    except RPCError as problem:
        ground.tell(f"the server has lost the rollout ({problem.message}): once more")
        return await _simulate(ground, plan)


async def _simulate(ground: Ground, plan: RolloutPlan) -> Simulated:
    """Run it with the owners acting once a simulated day; 90 days, a fortnight if quick.

    Raises:
        RuntimeError: it did not complete, so that its history is not the one that was to be measured.
    """
    dsn = await world(ground)
    ground.tell(f"simulating the rollout {plan.id}, a day at a time")
    pool = await create_pool(dsn, max_size=8)
    async with (
        pool,
        ground.skipped_time() as (environment, client),
        serving(client, pool, TASK_QUEUE),
    ):
        # As a worker does, whose part this process takes.
        spare_the_collector()
        began = time.perf_counter()
        # Once a day: a watch that looks every few minutes costs a rollout nothing more, but a simulation much time.
        watch = await client.start_workflow(WATCH, WatchInput(slowest=DAY), id=WATCH_ID, task_queue=TASK_QUEUE)
        handle = await _course(environment, client, plan)
        seconds = time.perf_counter() - began
        watched = (await watch.fetch_history()).events
        runs = await _runs(client, handle.id)
    found = Simulated(plan=plan, dsn=dsn, runs=runs, watch=watched, seconds=seconds)
    ground.tell(f"{len(found.events)} events in {len(runs)} runs in {seconds:.1f} s")
    return found


async def _runs(client: Client, workflow_id: str) -> tuple[WorkflowHistory, ...]:
    """The histories of a workflow's runs, the first one first."""
    found: list[WorkflowHistory] = []
    run_id = (await client.get_workflow_handle(workflow_id).describe()).run_id
    while run_id:
        found.insert(0, await client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history())
        run_id = found[0].events[0].workflow_execution_started_event_attributes.continued_execution_run_id
    return tuple(found)


async def _course(environment: WorkflowEnvironment, client: Client, plan: RolloutPlan) -> WorkflowHandle[Any, Any]:
    """The rollout, once it has completed."""
    handle = await client.start_workflow(
        ROLLOUT,
        RolloutInput(plan=plan, clock_start=BEGIN),
        id=rollout_workflow_id(plan.id),
        task_queue=TASK_QUEUE,
    )
    await confirm_all(handle, plan)
    for _ in range(_LONGEST_DAYS):
        view = await _view(handle)
        if view.status is Status.COMPLETED:
            return handle
        with contextlib.suppress(RPCError):
            # It may end while they are about to act.
            await act(handle, plan, view)
        await environment.sleep(DAY + ASIDE)
    view = await _view(handle)
    raise RuntimeError(f"the rollout did not complete in {_LONGEST_DAYS} days: {view.sentence}")


async def _view(handle: WorkflowHandle[Any, Any]) -> RolloutView:
    """Asked again for a while: one that has just ended, or has news that nobody took yet, does not answer at once."""
    views: list[RolloutView] = []

    async def answered() -> bool:
        with contextlib.suppress(RPCError, WorkflowQueryFailedError):
            views.append(await handle.query("status", result_type=RolloutView))
        return bool(views)

    await until(answered, within=60)
    return views[-1]
