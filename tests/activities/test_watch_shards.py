"""How many shards share the watch may change while one of them is behind: nothing it had yet to see is lost."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.testing import WorkflowEnvironment

from activities import watching
from activities.delivery import Delivery
from activities.watching import WatchActivities
from models.command import ReportBreach, ReportEvidence
from models.names import shard_of
from models.work import TickRequest
from store.pool import create_pool
from tests.activities.mailbox import workflow_of
from tests.activities.setting import Pool
from tests.activities.stays import HOUR, everything_is_dealt_with, first, late, opened, stay

SHARDS = [1, 3, 1, 3, 0, 2, 0, 2]
"""Of four, those of plan-0, plan-1 and so on."""


@pytest.fixture(autouse=True)
def never_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "ASK", HOUR)


def test_every_worker_of_every_release_gives_a_rollout_to_the_same_shard() -> None:
    assert [shard_of(f"plan-{number}", 4) for number in range(8)] == SHARDS
    assert {shard_of(f"plan-{number}", 1) for number in range(8)} == {0}


async def test_a_look_and_a_stay_are_with_the_rollouts_of_their_shard_whatever_their_number_was_before(
    pool: Pool, dev_server: WorkflowEnvironment
) -> None:
    for name in ("plan-0", "plan-1", "plan-2"):
        await opened(pool, name)
    watch = WatchActivities(pool, dev_server.client, Delivery(pool, ()))
    for shard, shards, plans in ((0, 1, 3), (0, 4, SHARDS[:3].count(0)), (SHARDS[1], 4, SHARDS[:3].count(SHARDS[1]))):
        for length in (timedelta(0), timedelta(microseconds=1)):
            request = TickRequest(real_now=datetime.now(UTC), slowest=HOUR, stay=length, shard=shard, shards=shards)
            assert (await watch.evaluate_open_rollouts(request)).looked_at == plans


@pytest.mark.parametrize(("before", "after"), [(2, 1)])
async def test_a_breach_that_a_dead_shard_did_not_see_is_told_when_there_are_more_or_fewer(
    facts: Pool, database: str, dev_server: WorkflowEnvironment, before: int, after: int
) -> None:
    """One rollout for each shard; the last shard is dead when both breach, and the others have told theirs."""
    names = [next(f"plan-{n}" for n in range(100) if shard_of(f"plan-{n}", before) == shard) for shard in range(before)]
    settings = [await opened(facts, name) for name in names]
    async with AsyncExitStack() as stack:
        boxes = [await stack.enter_async_context(workflow_of(dev_server, one)) for one in settings]
        pools = [await stack.enter_async_context(await create_pool(database, max_size=3)) for _ in range(3)]
        shards = [stay(pools[number], dev_server, number, before) for number in range(before)]
        for box in boxes:
            await first(box, ReportEvidence)
        await everything_is_dealt_with(facts, shards=before)
        await shards[-1].dies()
        await late(facts)
        for box in boxes[:-1]:
            await first(box, ReportBreach)
        for shard in shards[:-1]:
            await shard.ends()
        again = [stay(pools[number], dev_server, number, after) for number in range(after)]
        for box in boxes:
            await first(box, ReportBreach)
        for shard in again:
            await shard.ends()
        words = [[type(word) for word in await box.words()] for box in boxes]
    assert words == [[ReportEvidence, ReportBreach]] * before
