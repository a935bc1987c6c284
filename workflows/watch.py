"""PartnerWatch: keeps watch over all open rollouts, so that a rollout hears of changes and need not poll."""

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

LOOK = timedelta(seconds=120)
"""Time a single look may take."""

SILENCE = timedelta(seconds=10)
"""A stay that says nothing so long has lost its worker; another one takes it up where the tables say it was."""


@workflow.defn(name=WATCH)
class PartnerWatch:
    """Ticks for ever. A tick is one activity; its result says when to look again at the latest."""

    @workflow.init
    def __init__(self, given: WatchInput) -> None:
        self._woken = False
        self._given = given
        self._view = WatchView(ticks=given.ticks, shards=given.shards)

    @workflow.run
    async def run(self, given: WatchInput) -> None:
        for _ in range(TICKS_A_RUN):
            # A single look first, and after trouble: whoever asks hears at once that all is well.
            stay = given.stay if self._view.last and not self._view.problem else timedelta(0)
            wait = await self._tick(stay)
            if self._view.problem or not given.stay:
                await self._sleep(wait)
            if workflow.info().is_continue_as_new_suggested():
                break
        workflow.continue_as_new(given.model_copy(update={"ticks": self._view.ticks}))

    @workflow.signal(name=WAKE, description="Look now: a rollout has been opened")
    def wake(self) -> None:
        self._woken = True

    @workflow.query(name="status", description="What the latest tick did")
    def status(self) -> WatchView:
        return self._view

    async def _tick(self, stay: timedelta) -> timedelta:
        given = self._given
        request = TickRequest(
            real_now=workflow.now(), slowest=given.slowest, stay=stay, shard=given.shard, shards=given.shards
        )
        self._view = self._view.model_copy(update={"stay": stay})
        try:
            result: TickResult = await workflow.execute_activity(
                "evaluate_open_rollouts",
                request,
                result_type=TickResult,
                start_to_close_timeout=stay + LOOK,
                heartbeat_timeout=SILENCE if stay else None,
                retry_policy=RetryPolicy(maximum_interval=timedelta(seconds=5), maximum_attempts=3),
                summary="keep watch over all open rollouts" if stay else "look at all open rollouts",
            )
        except ActivityError as error:
            # The rollouts' own watchdogs notice the silence; the next tick tries again.
            problem = str(error.cause or error)[:300]
            self._view = self._view.model_copy(update={"failed_at": workflow.now(), "problem": problem})
            return min(self._given.slowest, timedelta(seconds=5))
        self._view = WatchView(
            ticks=self._view.ticks + 1, last=result, last_at=workflow.now(), stay=stay, shards=given.shards
        )
        return result.next_in

    async def _sleep(self, wait: timedelta) -> None:
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(lambda: self._woken, timeout=wait, timeout_summary="until the next look")
        self._woken = False
