"""The worker sweeps at once and then again and again, whatever goes wrong in between."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from structlog.testing import capture_logs

from activities.sweeping import Swept
from worker.sweeping import sweeping

ENOUGH = 4


class Broom:
    """Takes the place of Temporal and the store: fails every other time."""

    def __init__(self) -> None:
        self.looks = self.exports = 0
        self.enough = asyncio.Event()

    async def look(self) -> Swept | None:
        self.looks += 1
        if self.looks == ENOUGH:
            self.enough.set()
        if self.looks % 2:
            raise ConnectionError("nobody answers")
        return None

    async def export(self) -> Swept | None:
        self.exports += 1
        return Swept(exported=2)


async def test_it_begins_at_once_goes_on_after_failures_and_ends_with_the_worker() -> None:
    broom = Broom()
    with capture_logs() as said:
        async with sweeping(broom, timedelta(milliseconds=1), timedelta(days=1)):  # type: ignore[arg-type]
            await asyncio.wait_for(broom.enough.wait(), 60)
        looks = broom.looks
        await asyncio.sleep(0.05)
    assert (broom.looks, broom.exports) == (looks, 1)
    assert {"event": "histories_exported", "log_level": "info", "exported": 2, "failed": 0} in said
    assert next(one["problem"] for one in said if one["event"] == "sweep_failed") == "nobody answers"
