"""What an approval is compared with: the shortest workflow that waits for a signal and then does one thing."""

from __future__ import annotations

from datetime import timedelta

from temporalio import activity, workflow


@activity.defn
async def step() -> None:
    """Does nothing: what is measured is the way to it."""


@workflow.defn
class RawGate:
    """Waits, then takes one step."""

    def __init__(self) -> None:
        self._approved = False

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: self._approved)
        await workflow.execute_activity(step, start_to_close_timeout=timedelta(seconds=20))

    @workflow.signal
    def approve(self) -> None:
        self._approved = True
