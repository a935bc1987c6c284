"""Whoever owns the SLA, or acceptance, hears of leads that would tip the limit before they are due."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from temporalio.testing import WorkflowEnvironment

from activities import vigil, warning
from activities.agenda import EVERYTHING
from activities.delivery import Delivery
from activities.looking import Looker
from activities.watching import WatchActivities
from cli.home import Place
from cli.rollouts import look_ahead
from console.ahead import about_to_breach
from models.ahead import Ahead
from models.command import ReportEvidence
from models.metric import MetricName
from models.work import RolloutKey, TickRequest
from store import changes
from store.changes import DueSoon, Stretch
from store.pool import Connection, prepare_connection
from tests.activities.mailbox import workflow_of
from tests.activities.setting import PILOT_COHORT, Pool, Setting
from tests.activities.stays import (
    ACCEPTANCE,
    HOUR,
    due,
    everything_is_dealt_with,
    first,
    opened,
    to_be_accepted,
    watched,
)
from tests.console.role import as_console
from tests.facts import seed_facts
from tests.plans import PILOT, make_plan, plan_data
from tests.worker.process import patiently


async def test_leads_that_would_tip_the_limit_are_warned_of_before_they_are_due(
    facts: Pool, database: str, dev_server: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch
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
    await is_shown_until_it_is_dealt_with(facts, database, setting, row, monkeypatch)


async def is_shown_until_it_is_dealt_with(
    facts: Pool, dsn: str, setting: Setting, letter: asyncpg.Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever looks at the rollout reads what the letter says, in the numbers of then."""
    now, due_at = datetime.now(UTC), await facts.fetchval("select max(contact_due_at) from lead")
    # With the rights of the service's documented role.
    conn = await asyncpg.connect(await as_console(dsn), server_settings={"timezone": "UTC"})
    await prepare_connection(conn)
    try:
        [ahead] = await about_to_breach(conn, setting.key, now)
        assert letter["body"] == "\n".join(ahead.sentences)
        assert (ahead.cohort, ahead.leads, ahead.first_due_at, ahead.agreed) == ("pilot", 120, due_at, (">= 85",))
        # At a terminal it is the same.
        monkeypatch.setenv("ROLLOUTS_DATABASE_DSN", dsn)
        assert await look_ahead(Place(Path("nowhere")), setting.key.rollout_id) == (ahead,)
        # A third of them are called: without the others it is 364 of 444 or 376 of 456, at most 82.5 percent.
        called = "update lead set first_contact_at = now() where source_id like '%-due-%' and partner_id = any ($1)"
        await facts.execute(called, list(PILOT[:4]))
        [left] = await about_to_breach(conn, setting.key, datetime.now(UTC) + HOUR / 60)
        assert (left.leads, set(left.partners) <= set(PILOT[4:])) == (80, True)
        # What is past is judged by then, and is no more about to be.
        assert await about_to_breach(conn, setting.key, due_at + HOUR / 60) == ()
        # Half of them are: 384 of 444 or 396 of 456, at least 86.5 percent, come what may.
        await facts.execute(called, list(PILOT[:6]))
        assert await about_to_breach(conn, setting.key, datetime.now(UTC) + HOUR / 60) == ()
    finally:
        await conn.close()


async def test_nothing_is_measured_of_whom_nobody_was_warned(facts: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The leads would tip it, and the watch has not seen them: whoever looks waits for the watch to say so."""
    setting = await opened(facts)
    await due(facts, datetime.now(UTC) + 2 * HOUR)

    async def measured(*_: object) -> tuple[()]:
        raise AssertionError("it was measured")

    monkeypatch.setattr(warning, "still_about_to_breach", measured)
    async with facts.acquire() as conn:
        assert await about_to_breach(conn, setting.key, datetime.now(UTC)) == ()
        assert await about_to_breach(conn, RolloutKey(rollout_id="other", chain_id="none"), datetime.now(UTC)) == ()


@pytest.mark.parametrize(
    ("leads", "met_by", "said"),
    [
        (
            1,
            MetricName.LEAD_FOLLOW_UP_SLA,
            "1 lead without a contact is due within 4 business hours, at 2026-02-09 14:59 UTC. "
            "If nobody contacts it it falls to 84.5 %, beyond what is agreed.",
        ),
        (
            2,
            MetricName.LEAD_ACCEPTANCE,
            "2 leads without an answer are due within 4 business hours, the first at 2026-02-09 14:59 UTC. "
            "If nobody answers them it falls to 84.5 %, beyond what is agreed.",
        ),
    ],
)
def test_one_lead_is_told_of_as_one(leads: int, met_by: MetricName, said: str) -> None:
    ahead = Ahead(
        cohort="pilot",
        metric=met_by,
        value=None,
        agreed=(">= 85",),
        leads=leads,
        within=4 * HOUR,
        first_due_at=datetime(2026, 2, 9, 14, 59, tzinfo=UTC),
        falls_to=84.5,
        partners=("P1",),
    )
    assert ahead.sentences[0].endswith(" of pilot: no lead is decided yet, agreed >= 85.")
    assert ahead.sentences[1:] == (said, "Partners: P1")


SAME_DEADLINE = "update lead set accept_due_at = contact_due_at"
"""Whoever was contacted in time has answered in time."""


async def test_leads_to_be_accepted_that_would_tip_its_limit_are_warned_of_before_they_are_due(
    facts: Pool, dev_server: WorkflowEnvironment
) -> None:
    await facts.execute(SAME_DEADLINE)
    setting = await opened(facts, "test-plan", ACCEPTANCE)
    await to_be_accepted(facts, datetime.now(UTC) + 2 * HOUR)
    async with workflow_of(dev_server, setting) as box, watched(facts, dev_server):
        await first(box, ReportEvidence)
        row = await patiently(_letter(facts), lambda: "no letter came")
        await everything_is_dealt_with(facts)
    assert (row["kind"], row["contact"]) == ("warning", "rev.ops@example.com")
    assert row["subject"].endswith("Lead acceptance of pilot is about to breach")
    # As above, by the deadline of the answer; their contacts are due in a week, so that the SLA has nothing to fear.
    assert "120 leads without an answer are due within 4 business hours" in row["body"]
    assert "If nobody answers them it falls to 73." in row["body"]
    assert [type(word) for word in await box.words()] == [ReportEvidence]
    assert await facts.fetchval("select count(*) from notice where contact <> '*'") == 1


@pytest.mark.parametrize("answer", ["accepted", "rejected", "first_contact"])
async def test_leads_that_are_answered_are_no_reason_to_warn_of_acceptance(
    facts: Pool, dev_server: WorkflowEnvironment, answer: str
) -> None:
    await facts.execute(SAME_DEADLINE)
    setting = await opened(facts, "test-plan", ACCEPTANCE)
    await to_be_accepted(facts, datetime.now(UTC) + 2 * HOUR)
    at = f"{answer}_at = assigned_at + interval '1 hour'"
    await facts.execute(f"update lead set {at} where source_id like '%-new-%' and partner_id <> $1", PILOT[0])  # noqa: S608
    async with workflow_of(dev_server, setting) as box, watched(facts, dev_server):
        await first(box, ReportEvidence)
        await everything_is_dealt_with(facts)
    assert await facts.fetchval("select count(*) from notice") == 0


async def test_what_is_due_soon_is_looked_at_every_hour_of_each_metric_while_leads_are_pending(
    facts: Pool, dev_server: WorkflowEnvironment
) -> None:
    """The first look sees nothing due in four hours; the one after an hour does, though no fact came."""
    await facts.execute(SAME_DEADLINE)
    setting = await opened(facts, "test-plan", ACCEPTANCE)
    await to_be_accepted(facts, setting.clock.real_start + 4.5 * HOUR)
    looker = Looker(facts, dev_server.client)
    watch = vigil.Vigil(facts, looker, {}, 0, 1)
    async with workflow_of(dev_server, setting):
        await watch.begin(setting.clock.real_start)
        await watch.round(setting.clock.real_start)
        assert await facts.fetchval("select count(*) from notice") == 0
        assert watch.next_at == setting.clock.real_start + vigil.WARN
        (seen,) = await watch.round(setting.clock.real_start + vigil.WARN)
    assert seen.evaluated
    row = await facts.fetchrow("select * from notice where contact <> '*'")
    assert row is not None
    assert "120 leads without an answer" in row["body"]


async def test_a_few_leads_that_are_due_are_no_reason_to_warn(facts: Pool, dev_server: WorkflowEnvironment) -> None:
    setting = await opened(facts)
    await due(facts, datetime.now(UTC) + 2 * HOUR, leads=1)
    async with workflow_of(dev_server, setting) as box, watched(facts, dev_server):
        await first(box, ReportEvidence)
        await everything_is_dealt_with(facts)
    assert await facts.fetchval("select count(*) from notice") == 0


@pytest.mark.parametrize(("leads", "late", "asked"), [(1, 0, 0), (10, 0, 1), (10, 40, 0), (10, None, 0)])
async def test_which_leads_are_due_is_asked_where_the_pending_ones_could_tip_the_limit(
    facts: Pool,
    dev_server: WorkflowEnvironment,
    monkeypatch: pytest.MonkeyPatch,
    leads: int,
    late: int | None,
    asked: int,
) -> None:
    """Nothing of those who have none pending: with 12 or 120 of them the SLA would be 96 or 73 percent. Where it is not
    met already, as each of the pilot was late for 40 days, nobody is warned that it might be; nor where the newest of
    the leads is too old to say anything."""
    stretches = list[Stretch]()

    async def due_soon(conn: Connection, some: Sequence[Stretch], metric: MetricName) -> tuple[DueSoon | None, ...]:
        stretches.extend(some)
        return await changes.due_soon(conn, some, metric)

    monkeypatch.setattr(warning, "due_soon", due_soon)
    setting = await opened(facts)
    if late:
        slow = "update lead set first_contact_at = assigned_at + interval '3 days' where assigned_at > $1"
        await facts.execute(slow, datetime.now(UTC) - timedelta(days=late))
    await due(facts, datetime.now(UTC) + 2 * HOUR, leads=leads)
    await facts.execute("delete from lead where source_id like '%-due-%' and partner_id <> all ($1)", PILOT[:7])
    if late is None:
        old = "assigned_at > now() - interval '9 days' and source_id not like '%-due-%'"
        await facts.execute(f"delete from lead where {old}")  # noqa: S608
        await facts.execute("update lead set assigned_at = now() - interval '9 days' where source_id like '%-due-%'")
    async with workflow_of(dev_server, setting):
        watch = WatchActivities(facts, dev_server.client, Delivery(facts, ()))
        result = await watch.evaluate_open_rollouts(TickRequest(real_now=datetime.now(UTC), slowest=HOUR))
    assert (result.evaluated, result.failed, len(stretches)) == (1, 0, asked)
    assert all(set(one.until) == set(PILOT[:7]) for one in stretches)


CALENDAR = """
insert into business_calendar (calendar_id, time_zone, monday, tuesday, wednesday, thursday, friday, source_system,
                               source_id, known_at)
select 'office', 'UTC', hours, hours, hours, hours, hours, 'test', 'office', '2020-01-01Z'
from (select '{09:00-17:00}'::text[]) day (hours)
"""


@pytest.mark.parametrize("further", [None, ACCEPTANCE], ids=["SLA", "acceptance"])
@pytest.mark.parametrize(
    ("ahead", "warned"),
    [("1h", None), (None, None), ("6h", None), ("7h", "7 business hours"), ("40h", "40 business hours")],
)
async def test_a_plan_says_how_far_ahead_by_each_partner_s_hours(
    pool: Pool, dev_server: WorkflowEnvironment, further: dict[str, Any] | None, ahead: str | None, warned: str | None
) -> None:
    """Friday 16:00, open until 17:00 and from 9:00 on Monday; 120 leads are due on Monday at 14:59. One business hour
    is left today, so 4 (which is usual) reach to Monday 12:00, 6 to 14:00 and 7 to 15:00. Missed, they make 12 x 28 =
    336 in time of 456, which is 73.7 percent."""
    metrics = [*plan_data()["metrics"], *([further] if further else [])]
    at = -1 if further else 0
    metrics[at] = metrics[at] | ({} if ahead is None else {"warn_ahead": ahead})
    await seed_facts(pool, date(2026, 1, 1), date(2026, 2, 7))
    await pool.execute(CALENDAR)
    await pool.execute("update partner set calendar_id = 'office'")
    await due(pool, datetime(2026, 2, 9, 14, 59, tzinfo=UTC), known=datetime(2026, 2, 5, tzinfo=UTC))
    await pool.execute("update lead set assigned_at = known_at where source_id like '%-due-%'")
    if further:
        await pool.execute(SAME_DEADLINE)
        later = "update lead set contact_due_at = contact_due_at + interval '7 days' where source_id like '%-due-%'"
        await pool.execute(later)
    setting = await Setting(pool, make_plan(metrics=metrics)).register()
    await setting.watch(PILOT_COHORT)
    async with workflow_of(dev_server, setting):
        watch = WatchActivities(pool, dev_server.client, Delivery(pool, ()))
        friday = datetime(2026, 2, 6, 16, tzinfo=UTC)
        result = await watch.evaluate_open_rollouts(TickRequest(real_now=friday, slowest=HOUR))
        # The same close call, half an hour later: a day has one letter of it.
        await Looker(pool, dev_server.client).look({setting.key: EVERYTHING}, friday + HOUR / 2)
    assert (result.evaluated, result.failed) == (1, 0)
    letters = await pool.fetch("select * from notice where contact <> '*'")
    assert len(letters) == (warned is not None)
    if warned:
        missing = "an answer" if further else "a contact"
        told = f"120 leads without {missing} are due within {warned}, the first at 2026-02-09 14:59 UTC"
        assert told in letters[0]["body"]
        assert "falls to 73.7 %" in letters[0]["body"]


def _letter(pool: Pool) -> Callable[[], Awaitable[asyncpg.Record | None]]:
    async def look() -> asyncpg.Record | None:
        return await pool.fetchrow("select * from notice where contact <> '*'")

    return look
