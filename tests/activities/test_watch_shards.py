"""How many shards share the watch may change while one of them is behind: nothing it had yet to see is lost."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest
from temporalio.testing import WorkflowEnvironment

from activities import watching
from models.command import ReportBreach, ReportEvidence
from models.names import shard_of
from store.pool import create_pool
from tests.activities.mailbox import workflow_of
from tests.activities.setting import Pool
from tests.activities.stays import HOUR, everything_is_dealt_with, first, late, opened, stay


@pytest.fixture(autouse=True)
def never_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "ASK", HOUR)


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
