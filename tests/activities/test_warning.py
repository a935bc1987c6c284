"""Whoever owns the SLA hears of leads that would tip the limit before they are due."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import asyncpg
from temporalio.testing import WorkflowEnvironment

from models.command import ReportEvidence
from tests.activities.mailbox import workflow_of
from tests.activities.setting import Pool
from tests.activities.stays import (
    HOUR,
    due,
    everything_is_dealt_with,
    first,
    opened,
    watched,
)
from tests.worker.process import patiently


async def test_leads_that_would_tip_the_limit_are_warned_of_before_they_are_due(
    facts: Pool, dev_server: WorkflowEnvironment
) -> None:
    setting = await opened(facts)
    await due(facts, datetime.now(UTC) + 2 * HOUR)
    async with workflow_of(dev_server, setting) as box, watched(facts, dev_server):
        await first(box, ReportEvidence)
        row = await patiently(_letter(facts), lambda: "no letter came")
        await everything_is_dealt_with(facts)
    assert (row["kind"], row["contact"]) == ("warning", "rev.ops@example.com")
    assert (
        "lead follow-up SLA of pilot is about to breach" in row["subject"].lower()
        or "about to breach" in row["subject"]
    )
    # 12 partners x 27 or 28 decided leads, all in time; 120 more are due: 324/444 = 73.0 or 336/456 = 73.7 percent.
    assert "120 leads without a contact are due" in row["body"]
    assert "falls to 73." in row["body"]
    assert [type(word) for word in await box.words()] == [ReportEvidence]
    assert await facts.fetchval("select count(*) from notice where contact <> '*'") == 1


async def test_a_few_leads_that_are_due_are_no_reason_to_warn(facts: Pool, dev_server: WorkflowEnvironment) -> None:
    setting = await opened(facts)
    await due(facts, datetime.now(UTC) + 2 * HOUR, leads=1)
    async with workflow_of(dev_server, setting) as box, watched(facts, dev_server):
        await first(box, ReportEvidence)
        await everything_is_dealt_with(facts)
    assert await facts.fetchval("select count(*) from notice") == 0


def _letter(pool: Pool) -> Callable[[], Awaitable[asyncpg.Record | None]]:
    async def look() -> asyncpg.Record | None:
        return await pool.fetchrow("select * from notice where contact <> '*'")

    return look
