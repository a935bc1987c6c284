"""Workflows that are not ours, on workers that are set up like ours. A workflow's module imports nothing of tests."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from models.base import Frozen
    from models.names import WATCH
    from models.work import WatchInput

STEPS = 4


@workflow.defn
class Chatty:
    """Says something before each of its waits."""

    @workflow.run
    async def run(self) -> None:
        for step in range(STEPS):
            workflow.logger.info("step %d", step, extra={"step": step})
            await workflow.sleep(timedelta(milliseconds=1))


@workflow.defn
class Unlucky:
    """Calls activities that fail, and bears it."""

    @workflow.run
    async def run(self) -> None:
        for name in ("fail_with_a_name", "fail_without_one"):
            try:
                await workflow.execute_activity(
                    name,
                    start_to_close_timeout=timedelta(seconds=10),
                    retry_policy=RetryPolicy(maximum_attempts=1),
                )
            except ActivityError:
                continue


@workflow.defn
class Notebook:
    """Takes requests, and notes those that it could not take."""

    def __init__(self) -> None:
        self.noted: list[str] = []
        self.over = False

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: self.over)
        return self.noted

    def note_malformed(self, name: str, problem: str) -> str:
        self.noted.append(f"{name}: {problem}")
        return f"refused: {problem}"

    @workflow.signal
    def take(self, number: int) -> None:
        self.noted.append(f"took {100 // number}")

    @workflow.update
    def ask(self, number: int) -> str:
        if number < 0:
            raise ApplicationError("not below zero", type="OnPurpose")
        return f"asked {100 // number}"

    @workflow.signal
    def end(self) -> None:
        self.over = True


@workflow.defn
class WithoutNotes:
    """Another workflow on the same worker, that has no place to note anything."""

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)

    @workflow.signal
    def take(self, number: int) -> None:
        workflow.logger.info("took %d", 100 // number)


@workflow.defn(name=WATCH)
class OtherWatch:
    """What the watch might be in another release: it waits before it looks."""

    @workflow.run
    async def run(self, given: WatchInput) -> None:
        await workflow.sleep(timedelta(hours=1))


@activity.defn
async def fail_with_a_name() -> None:
    activity.logger.info("about to fail")
    raise ApplicationError("the database did not answer", type="StoreUnavailable")


@activity.defn
async def fail_without_one() -> None:
    raise ZeroDivisionError("nobody thought of this")


class PatienceInput(Frozen):
    """How long the activity takes, and how long it may: all in seconds."""

    seconds: float
    heartbeat: float
    start_to_close: float


@workflow.defn
class Patience:
    """Waits for an activity that is tried once."""

    @workflow.run
    async def run(self, given: PatienceInput) -> None:
        await workflow.execute_activity(
            take_time,
            given.seconds,
            start_to_close_timeout=timedelta(seconds=given.start_to_close),
            heartbeat_timeout=timedelta(seconds=given.heartbeat),
            retry_policy=RetryPolicy(maximum_attempts=1),
        )


@activity.defn
async def take_time(seconds: float) -> None:
    await asyncio.sleep(seconds)
