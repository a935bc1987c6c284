"""Clocks that differ make no breach: what somebody's clock has seen already is waited for before a deadline counts."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.testing import WorkflowEnvironment

from activities import watching
from models.command import ReportEvidence
from tests.activities.setting import Pool
from tests.activities.stays import HOUR, due, everything_is_dealt_with, settled

SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def never_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "ASK", HOUR)


async def test_a_lead_that_was_contacted_in_time_by_a_clock_that_is_ahead_is_no_breach(
    facts: Pool, dev_server: WorkflowEnvironment
) -> None:
    """The deadline passes before the contact is known by the watch's clock, because whoever brought it is seconds
    ahead, and another fact comes in between."""
    async with settled(facts, dev_server) as (box, _):
        at = datetime.now(UTC) + 8 * SECOND
        await due(facts, at)
        await everything_is_dealt_with(facts)
        contacted = "update lead set first_contact_at = $1, amended_at = $2 where source_id like '%-due-%'"
        await facts.execute(contacted, at - SECOND, at + 5 * SECOND)
        await asyncio.sleep((at - datetime.now(UTC)).total_seconds() + 0.2)
        await facts.execute("update lead set class = 'hot' where source_id not like '%-due-%'")
        await everything_is_dealt_with(facts)
        words = await box.words()
    assert datetime.now(UTC) >= at + 5 * SECOND
    assert [type(word) for word in words] == [ReportEvidence]
