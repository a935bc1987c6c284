"""Whoever owns a metric hears of it when its data turn red, once, and not again while they stay so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, timedelta

import asyncpg
import pytest
from temporalio.testing import WorkflowEnvironment

from activities import looking
from activities.delivery import Delivery
from activities.watching import WatchActivities
from models.work import TickRequest, TickResult
from tests.activities.mailbox import Mailbox, workflow_of
from tests.activities.setting import DAY, PILOT_COHORT, START, Pool, Setting
from tests.facts import seed_facts
from tests.plans import make_plan

HALF_GONE = """
delete from lead
where assigned_at >= '2026-02-09' and assigned_at < '2026-02-23' and abs(hashtext(source_id)) % 100 < 90
"""
LETTERS = "select notice_id, contact, subject, body, about from notice where kind = 'data-untrusted' order by 1, 2"


@pytest.fixture
async def setting(pool: Pool) -> Setting:
    """A rollout that watches its pilot, on half a year of facts; two of four weeks lack nine of ten leads."""
    await seed_facts(pool, date(2025, 9, 1), date(2026, 5, 1))
    await pool.execute(HALF_GONE)
    setting = await Setting(pool, make_plan()).register()
    await setting.watch(PILOT_COHORT)
    return setting


@pytest.fixture
async def box(setting: Setting, dev_server: WorkflowEnvironment) -> AsyncIterator[Mailbox]:
    async with workflow_of(dev_server, setting) as mailbox:
        yield mailbox


async def tick(pool: Pool, server: WorkflowEnvironment, days: float) -> TickResult:
    watch = WatchActivities(pool, server.client, Delivery(pool, ()))
    return await watch.evaluate_open_rollouts(TickRequest(real_now=START + days * DAY, slowest=timedelta(minutes=5)))


async def test_the_owner_hears_once_that_the_data_turned_red(
    pool: Pool, dev_server: WorkflowEnvironment, box: Mailbox
) -> None:
    await tick(pool, dev_server, 10)
    assert await pool.fetch(LETTERS) == [], "nothing is missing yet of what is looked at"
    await tick(pool, dev_server, 28)
    programs, letter = await pool.fetch(LETTERS)
    assert (programs["contact"], letter["contact"]) == ("*", "rev.ops@example.com")
    assert letter["notice_id"].endswith("/data-untrusted/pilot/lead_follow_up_sla/2026-03-02")
    assert "the data of Lead follow-up SLA of pilot cannot be trusted" in letter["subject"]
    assert "% of what is usual is missing, in 2 of 4 weeks" in letter["body"]
    for days in (28.1, 29, 30):
        await tick(pool, dev_server, days)
    assert len(await pool.fetch(LETTERS)) == 2


async def test_a_look_that_is_repeated_because_nobody_could_be_told_writes_no_second_letter(
    pool: Pool, dev_server: WorkflowEnvironment, setting: Setting
) -> None:
    assert (await tick(pool, dev_server, 28)).failed == 1
    assert (await tick(pool, dev_server, 28.1)).failed == 1
    assert len(await pool.fetch(LETTERS)) == 2, "one for the owner and one for programs"


async def test_that_it_cannot_be_queued_fails_no_look(
    pool: Pool, dev_server: WorkflowEnvironment, box: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(*_: object) -> int:
        raise asyncpg.PostgresError("no room")

    monkeypatch.setattr(looking, "tell_untrusted", refused)
    result = await tick(pool, dev_server, 28)
    assert (result.evaluated, result.failed) == (1, 0)
    assert await box.words()
