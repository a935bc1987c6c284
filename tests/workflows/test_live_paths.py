"""Rollouts on real servers: the time-skipping Temporal, PostgreSQL, the real activities and the watch."""

from __future__ import annotations

import asyncpg
import pytest
from temporalio.testing import WorkflowEnvironment

from tests.audit.lived import borne_out
from tests.workflows.passing import passed
from tests.workflows.scenarios_signed import PATHS


@pytest.mark.parametrize("name", PATHS)
async def test_path(name: str, time_skipping: WorkflowEnvironment, pool: asyncpg.Pool[asyncpg.Record]) -> None:
    """Each ends as it should, and what it leaves behind is borne out: every verdict when it is judged anew, and every
    gate, pause, resume and stop by the evidence it names."""
    async with passed(PATHS[name], time_skipping, pool) as live, pool.acquire() as conn:
        await borne_out(live, conn)
