"""A path that has been passed on real servers, for whoever looks at what it left behind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from temporalio.testing import WorkflowEnvironment

from tests.facts import seed_facts
from tests.workflows.live import FACTS_FROM, FACTS_TO, Live, running
from tests.workflows.scenarios import Pool, Scenario


@asynccontextmanager
async def passed(
    scenario: Scenario, env: WorkflowEnvironment, pool: Pool, *, workers: Pool | None = None, **options: Any
) -> AsyncIterator[Live]:
    """The rollout of a path that has been played over its facts; its worker is there until the end.

    Args:
        workers: connections of the worker, where they are not those that bring the facts.
        options: of the worker, as `running` takes them.
    """
    await seed_facts(pool, FACTS_FROM, FACTS_TO)
    for change in scenario.facts:
        await change(pool)
    async with running(env, workers or pool, scenario.plan(), **options) as live:
        await scenario.play(live, pool)
        yield live
