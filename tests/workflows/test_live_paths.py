"""Rollouts on real servers: the time-skipping Temporal, PostgreSQL, the real activities and the watch."""

from __future__ import annotations

import asyncpg
import pytest
from temporalio.testing import WorkflowEnvironment

from models.command import Verb
from models.rollout import Status
from tests.facts import seed_facts
from tests.plans import make_plan
from tests.workflows.live import FACTS_FROM, FACTS_TO, running


@pytest.fixture
async def facts(pool: asyncpg.Pool[asyncpg.Record]) -> asyncpg.Pool[asyncpg.Record]:
    await seed_facts(pool, FACTS_FROM, FACTS_TO)
    return pool


async def test_option_b_runs_from_prepare_to_close(
    time_skipping: WorkflowEnvironment, facts: asyncpg.Pool[asyncpg.Record]
) -> None:
    async with running(time_skipping, facts, make_plan()) as live:
        await live.confirm_all()
        await live.decide("sponsor")
        await live.until_phase("pilot")
        await live.days(15)
        await live.ask(Verb.REVIEW, "sponsor")
        await live.until_phase("validate")
        await live.decide("sponsor", "finance_owner")
        await live.until_phase("scale", 1)
        await live.decide("sponsor")
        await live.until_phase("scale", 2)
        await live.ask(Verb.REVIEW, "sponsor")
        result = await live.handle.result()
        assert result.status == Status.COMPLETED
        assert result.enrolled == ("pilot", "wave-one", "wave-two")
        stored = await live.stored_log(facts)
        assert [row["sequence"] for row in stored] == list(range(1, result.entries + 1))
        assert await facts.fetchval("select count(*) from enrolment where withdrawn_at is null") == 36
        assert await facts.fetchval("select count(*) from notice where sent_at is null") == 0
