"""The watch's workflow: a look first and after trouble, stays otherwise, each with the time that it needs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import uuid4

import pytest
from temporalio import activity
from temporalio.client import WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from models.names import WAKE, WATCH
from models.work import TickRequest, TickResult, WatchInput, WatchView
from tests.worker.process import patiently
from workflows import watch
from workflows.watch import LOOK, SILENCE, PartnerWatch

HOUR, LOOKS = timedelta(hours=1), timedelta(0)
FIVE = timedelta(minutes=5)


class Ticks:
    """In place of the watch's activity: tick after tick goes as it is told to, and what comes after them never ends."""

    def __init__(self, *go_well: bool) -> None:
        self._go_well: Iterator[bool] = iter(go_well)
        self.asked: list[timedelta] = []

    @activity.defn(name="evaluate_open_rollouts")
    async def tick(self, request: TickRequest) -> TickResult:
        self.asked.append(request.stay)
        goes_well = next(self._go_well, None)
        if goes_well is None:
            await asyncio.Event().wait()
        if not goes_well:
            raise ApplicationError("nothing answers")
        return TickResult(looked_at=1, evaluated=0, signalled=0, failed=0, digest="d", next_in=FIVE)

    async def reach(self, number: int) -> None:
        async def look() -> bool | None:
            return len(self.asked) >= number or None

        await patiently(look, lambda: f"{len(self.asked)} ticks instead of {number}")


@asynccontextmanager
async def watching(
    env: WorkflowEnvironment, ticks: Ticks, given: WatchInput
) -> AsyncIterator[WorkflowHandle[PartnerWatch, None]]:
    queue = f"watch-{uuid4().hex[:8]}"
    runner = UnsandboxedWorkflowRunner()
    async with Worker(
        env.client, task_queue=queue, workflows=[PartnerWatch], activities=[ticks.tick], workflow_runner=runner
    ):
        handle = await env.client.start_workflow(WATCH, given, id=queue, task_queue=queue)
        try:
            yield handle
        finally:
            await env.client.get_workflow_handle(queue).terminate("the test is over")


async def seen(handle: WorkflowHandle[PartnerWatch, None]) -> WatchView:
    view: WatchView = await handle.query("status", result_type=WatchView)
    return view


async def test_it_looks_at_first_and_after_trouble_and_stays_otherwise(time_skipping: WorkflowEnvironment) -> None:
    """A stay that fails is tried three times, and then said to have failed; a look says when all is well again."""
    ticks = Ticks(True, True, False, False, False, True)
    async with watching(time_skipping, ticks, WatchInput(slowest=FIVE, stay=HOUR)) as handle:
        await ticks.reach(3)
        await time_skipping.sleep(3)
        await ticks.reach(5)

        async def told() -> WatchView | None:
            view = await seen(handle)
            return view if view.problem else None

        view = await patiently(told, lambda: "it does not tell of its trouble")
        assert (view.ticks, view.problem, view.failed_at is None) == (2, "nothing answers", False)
        await time_skipping.sleep(5)
        await ticks.reach(7)
        view = await seen(handle)
        assert (view.ticks, view.problem, view.stay) == (3, None, HOUR)
        events = (await handle.fetch_history()).events
    assert ticks.asked == [LOOKS, HOUR, HOUR, HOUR, HOUR, LOOKS, HOUR]
    scheduled = [one for one in events if one.HasField("activity_task_scheduled_event_attributes")]
    given = [one.activity_task_scheduled_event_attributes for one in scheduled]
    # As long as the stay and a look; and only a stay falls silent, as a look says nothing before its end.
    assert {(one.start_to_close_timeout.ToTimedelta(), one.heartbeat_timeout.ToTimedelta()) for one in given} == {
        (LOOK, LOOKS),
        (HOUR + LOOK, SILENCE),
    }


async def test_one_that_sleeps_between_its_looks_is_woken_once(time_skipping: WorkflowEnvironment) -> None:
    ticks = Ticks(*[True] * 5)
    async with watching(time_skipping, ticks, WatchInput(slowest=FIVE)) as handle:
        await ticks.reach(1)
        await handle.signal(WAKE)
        await ticks.reach(2)

        async def sleeps() -> WatchView | None:
            view = await seen(handle)
            return view if view.ticks >= 2 else None

        assert (await patiently(sleeps)).ticks == 2
        assert not (await handle.describe()).raw_description.pending_activities
    assert ticks.asked == [LOOKS] * 2


async def test_it_goes_on_counting_in_its_next_run(
    time_skipping: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "TICKS_A_RUN", 2)
    ticks, given = Ticks(*[True] * 3), WatchInput(slowest=FIVE, stay=HOUR, shard=1, shards=4, ticks=10)
    async with watching(time_skipping, ticks, given) as handle:
        await ticks.reach(4)
        latest: WorkflowHandle[PartnerWatch, None] = time_skipping.client.get_workflow_handle(handle.id)
        assert (await latest.describe()).run_id != handle.first_execution_run_id
        view = await seen(latest)
    assert (view.ticks, view.shards, view.last is None) == (13, 4, False)
    assert ticks.asked == [LOOKS, HOUR] * 2
