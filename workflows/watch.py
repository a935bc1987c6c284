"""PartnerWatch: one look at all open rollouts per tick, so that a rollout hears of changes and need not poll."""

from __future__ import annotations

import contextlib
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from models.names import WAKE, WATCH
    from models.work import TickRequest, TickResult, WatchInput, WatchView

TICKS_A_RUN = 500
"""Ticks after which the watch continues as new even where the server would not suggest it yet."""


@workflow.defn(name=WATCH)
class PartnerWatch:
    """Ticks for ever. A tick is one activity; its result says when to look again at the latest."""

    @workflow.init
    def __init__(self, given: WatchInput) -> None:
        self._woken = False
        self._given = given
        self._view = WatchView(ticks=given.ticks)

    @workflow.run
    async def run(self, given: WatchInput) -> None:
        for _ in range(TICKS_A_RUN):
            wait = await self._tick()
            await self._sleep(wait)
            if workflow.info().is_continue_as_new_suggested():
                break
        workflow.continue_as_new(WatchInput(slowest=given.slowest, ticks=self._view.ticks))

    @workflow.signal(name=WAKE, description="Look now: a rollout has been opened")
    def wake(self) -> None:
        self._woken = True

    @workflow.query(name="status", description="What the latest tick did")
    def status(self) -> WatchView:
        return self._view

    async def _tick(self) -> timedelta:
        request = TickRequest(real_now=workflow.now(), slowest=self._given.slowest)
        try:
            result: TickResult = await workflow.execute_activity(
                "evaluate_open_rollouts",
                request,
                result_type=TickResult,
                start_to_close_timeout=timedelta(seconds=60),
                retry_policy=RetryPolicy(maximum_interval=timedelta(seconds=5), maximum_attempts=3),
                summary="look at all open rollouts",
            )
        except ActivityError as error:
            # The rollouts' own watchdogs notice the silence; the next tick tries again.
            problem = str(error.cause or error)[:300]
            self._view = self._view.model_copy(update={"failed_at": workflow.now(), "problem": problem})
            return min(self._given.slowest, timedelta(seconds=5))
        self._view = WatchView(ticks=self._view.ticks + 1, last=result, last_at=workflow.now())
        return result.next_in

    async def _sleep(self, wait: timedelta) -> None:
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(lambda: self._woken, timeout=wait, timeout_summary="until the next look")
        self._woken = False
