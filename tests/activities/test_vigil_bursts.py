"""Many facts in quick succession are few looks; the last of them is not lost, and facts without end put none off.

Looks and facts are counted. How long the watch waits before what came meanwhile is looked at is in the tests' hands."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import datetime

import pytest
from temporalio.testing import WorkflowEnvironment

from activities import watching
from activities.agenda import Metrics
from activities.looking import Looker, Seen
from models.command import ReportBreach, ReportEvidence
from models.work import RolloutKey
from tests.activities.mailbox import Mailbox
from tests.activities.setting import Pool
from tests.activities.stays import HOUR, OTHERS, everything_is_dealt_with, first, settled
from tests.plans import PILOT
from tests.worker.process import patiently

TOGETHER = 25
"""Transactions of a burst, before its last."""


class Looks:
    """The looks of the watch, counted. Where `after` holds it, it waits for the test after each of them: in the look
    itself, with all measured and nothing more to see; or in the moment that it gives the facts to come."""

    def __init__(self) -> None:
        self.made = 0
        self.after: str | None = None
        self.really = watching._debounce
        self._through = asyncio.Semaphore(0)

    async def debounce(self, *_: object) -> None:
        """What the watch does in place of waiting for a moment."""
        await self.wait("a moment")

    async def wait(self, where: str) -> None:
        if self.after == where:
            await self._through.acquire()

    def end(self) -> None:
        """Let it go its way."""
        self.after = None
        self._through.release()

    async def reach(self, number: int) -> None:
        async def enough() -> bool | None:
            return self.made >= number or None

        await patiently(enough, lambda: f"{self.made} looks instead of {number}")


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Looks]:
    counted, look = Looks(), Looker.look

    async def counting(looker: Looker, due: Mapping[RolloutKey, Metrics], now: datetime) -> tuple[Seen, ...]:
        seen = await look(looker, due, now)
        counted.made += len(due)
        if due:
            await counted.wait("a look")
        return seen

    monkeypatch.setattr(Looker, "look", counting)
    monkeypatch.setattr(watching, "_debounce", counted.debounce)
    monkeypatch.setattr(watching, "ASK", HOUR)
    yield counted
    counted.end()


async def one_late(pool: Pool, number: int) -> None:
    """One transaction: a lead of the pilot that was followed up too late becomes known."""
    await pool.execute(
        "insert into lead"
        " (source_system, source_id, partner_id, assigned_at, contact_due_at, first_contact_at, known_at)"
        " select 'test', 'late-' || $2::int, $1, day, day + interval '1 day', day + interval '3 days',"
        " day + interval '3 days' from (select now() - interval '5 days' as day) moment",
        PILOT[number % len(PILOT)],
        number,
    )


@contextlib.asynccontextmanager
async def stream(pool: Pool) -> AsyncIterator[list[int]]:
    """Facts without end, each in a transaction of its own; how many there were so far."""
    came = [0]

    async def flow() -> None:
        while True:
            await one_late(pool, came[0])
            came[0] += 1

    task = asyncio.create_task(flow())
    try:
        yield came
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def breached(box: Mailbox) -> bool:
    return any(isinstance(word, ReportBreach) for word in await box.words())


@pytest.mark.parametrize("meanwhile", ["a look", "a moment"])
async def test_a_burst_of_facts_is_one_look_for_its_first_and_one_for_the_rest(
    facts: Pool, dev_server: WorkflowEnvironment, looks: Looks, meanwhile: str
) -> None:
    """26 transactions make two looks: 12 partners x 27 or 28 leads in time and 25 late ones are 324/349 = 92.8 or
    336/361 = 93.1 percent, and met. Only the last of them makes the breach, so it is not lost; and there is no third
    look for what was looked at already."""
    async with settled(facts, dev_server) as (box, watch):
        before, looks.after = looks.made, meanwhile
        await one_late(facts, 0)
        await looks.reach(before + 1)
        for number in range(1, TOGETHER):
            await one_late(facts, number)
        await facts.execute(OTHERS, list(PILOT))
        assert (looks.made - before, await breached(box)) == (1, False)
        looks.end()
        await first(box, ReportBreach)
        await everything_is_dealt_with(facts)
        result = await watch.ends()
    assert looks.made - before == 2
    assert result.failed == 0


async def test_facts_that_never_cease_put_no_look_off(
    facts: Pool, dev_server: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch, looks: Looks
) -> None:
    """While one fact follows the other, look after look is made; and what they come to is told while they still come:
    with 38 late ones it is 336/374 = 89.8 percent, and a breach."""
    monkeypatch.setattr(watching, "_debounce", looks.really)
    async with settled(facts, dev_server) as (box, _):
        assert [type(word) for word in await box.words()] == [ReportEvidence]
        before = looks.made
        async with stream(facts) as came:
            await looks.reach(before + 5)
            await first(box, ReportBreach)
            at_the_breach = came[0]

            async def more() -> bool | None:
                return came[0] > at_the_breach or None

            await patiently(more, lambda: "the facts had ceased")
