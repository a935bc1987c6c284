"""Rollouts on real servers: the time-skipping Temporal, PostgreSQL, the real activities and the watch."""

from __future__ import annotations

import asyncpg
import pytest
from temporalio.testing import WorkflowEnvironment

from tests.audit.lived import borne_out
from tests.facts import seed_facts
from tests.workflows.live import FACTS_FROM, FACTS_TO, running
from tests.workflows.scenarios_signed import PATHS


@pytest.mark.parametrize("name", PATHS)
async def test_path(name: str, time_skipping: WorkflowEnvironment, pool: asyncpg.Pool[asyncpg.Record]) -> None:
    """Each ends as it should, and what it leaves behind is borne out: every verdict when it is judged anew, and every
    gate, pause, resume and stop by the evidence it names."""
    scenario = PATHS[name]
    await seed_facts(pool, FACTS_FROM, FACTS_TO)
    for change in scenario.facts:
        await change(pool)
    async with running(time_skipping, pool, scenario.plan()) as live:
        await scenario.play(live, pool)
        async with pool.acquire() as conn:
            await borne_out(live, conn)
