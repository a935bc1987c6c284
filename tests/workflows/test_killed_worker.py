"""A worker killed with -9 in the middle of every phase, and of every kind of write: nothing is lost, nothing is done
twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeAlias

import asyncpg
import pytest

from deploy.embedded.temporal import EmbeddedTemporal
from models.command import Verb
from models.log import EntryKind, LogEntry, Outcome
from models.plan import RolloutPlan
from models.rollout import Status
from store.log import read_log
from store.pool import create_pool
from tests.plans import PILOT, WAVE_1, WAVE_2, plan_data
from tests.worker.process import patiently
from tests.workflows.process import LONG, FastLive, Site, fast_plan, letters, replay_runs, scheduled, site

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

_STICK = """
create or replace function stick() returns trigger language plpgsql as
$$ begin perform set_config('synchronous_commit', 'on', true); return null; end $$;
create trigger stick_enrol after insert on enrolment
    for each row when (new.rollout_id = '{enrol}') execute function stick();
create trigger stick_record after insert on decision_log
    for each row when (new.rollout_id = '{record}' and new.kind = 'enrolment') execute function stick();
create trigger stick_notify after insert on notice
    for each row when (new.rollout_id = '{notify}' and new.kind = 'awaiting') execute function stick();
"""
_UNSTICK = """
drop trigger stick_enrol on enrolment;
drop trigger stick_record on decision_log;
drop trigger stick_notify on notice;
"""


@asynccontextmanager
async def _stuck(dsn: str, enrol: str, record: str, notify: str) -> AsyncIterator[None]:
    """Make three kinds of writes wait at the end of their commit: done, but not yet told to whoever asked.

    They wait for a standby server that there is not; PostgreSQL shows and acknowledges them when this is over.
    """
    conn = await asyncpg.connect(dsn)
    try:
        await conn.execute(_STICK.format(enrol=enrol, record=record, notify=notify))
        await conn.execute("alter system set synchronous_standby_names = 'nobody'")
        await conn.execute("select pg_reload_conf()")
        yield
    finally:
        await conn.execute("alter system reset synchronous_standby_names")
        await conn.execute("select pg_reload_conf()")
        await conn.execute(_UNSTICK)
        await conn.close()


async def _waiters(conn: asyncpg.Connection[asyncpg.Record]) -> dict[str, int]:
    rows = await conn.fetch(
        "select case wait_event_type when 'Lock' then 'lock' else 'commit' end as what, count(*) from pg_stat_activity "
        "where application_name = 'partner-rollouts worker' and (wait_event_type = 'Lock' or wait_event = 'SyncRep') "
        "group by 1"
    )
    return {row["what"]: row["count"] for row in rows}


@asynccontextmanager
async def _in_the_way(dsn: str, live: FastLive) -> AsyncIterator[None]:
    """Keep the pilot of a rollout from being enrolled: the transaction that tries has to wait for ours."""
    conn = await asyncpg.connect(dsn)
    block = conn.transaction()
    await block.start()
    try:
        await conn.execute(
            "insert into enrolment (rollout_id, chain_id, phase, partner_id, cohort, enrolled_at) "
            "values ($1, $2, 'pilot', $3, 'pilot', now())",
            live.plan.id,
            live.handle.first_execution_run_id,
            PILOT[-1],
        )
        yield
    finally:
        await block.rollback()
        await conn.close()


async def _approve(lives: tuple[FastLive, ...], *roles: str) -> None:
    for receipt in await asyncio.gather(*(live.decide(role) for live in lives for role in roles)):
        assert receipt.outcome is Outcome.APPLIED, receipt


async def _kill_in_prepare(here: Site, lives: tuple[FastLive, ...]) -> None:
    """The worker dies after the first owner has confirmed; all others but one confirm while there is none."""
    for live in lives:
        await live.ask(Verb.CONFIRM_OWNERSHIP, "sponsor", role="sponsor")
    await here.kill_worker_between_steps(*lives)
    for live in lives:
        for owner in live.plan.owners[1:-1]:
            await live.signal(Verb.CONFIRM_OWNERSHIP, owner.identity, role=owner.role)


async def _confirm_last(*lives: FastLive) -> None:
    for live in lives:
        owner = live.plan.owners[-1]
        await live.signal(Verb.CONFIRM_OWNERSHIP, owner.identity, role=owner.role)


async def _kill_in_every_write(here: Site, dsn: str, lives: tuple[FastLive, ...]) -> None:
    """Kill while one enrolment is in the middle of its transaction, and while another, the entry of a third and a
    notice of a fourth are committed without the worker knowing."""
    first, second, third, fourth = lives
    conn = await asyncpg.connect(dsn)
    try:
        async with (
            _stuck(dsn, enrol=second.plan.id, record=third.plan.id, notify=fourth.plan.id),
            _in_the_way(dsn, first),
        ):
            await here.start_worker()
            await _confirm_last(*lives[:3])
            await _approve(lives[:3], "sponsor")
            await _confirm_last(fourth)

            async def all_wait() -> bool | None:
                return await _waiters(conn) == {"lock": 1, "commit": 3} or None

            await patiently(all_wait)
            await here.kill_worker_between_steps()

        async def nobody_waits() -> bool | None:
            return not await _waiters(conn) or None

        await patiently(nobody_waits)
        count = "select count(*) from enrolment where rollout_id = $1"
        assert await conn.fetchval(count, first.plan.id) == 0
        assert await conn.fetchval(count, second.plan.id) == len(PILOT)
        wrote = "select count(*) from decision_log where rollout_id = $1 and kind = 'enrolment'"
        assert await conn.fetchval(wrote, third.plan.id) == 1
        assert (
            await conn.fetchval(
                "select count(*) from notice where kind = 'awaiting' and rollout_id = $1 and contact <> '*'",
                fourth.plan.id,
            )
            == 1
        )
        # Not sooner: it does at once what the one that died has left undone.
        await here.start_worker()
    finally:
        await conn.close()


async def _stop(live: FastLive) -> None:
    fates = {"finished": "keep", "current": "withdraw", "pending": "keep"}
    assert (await live.ask(Verb.STOP, "sponsor", resolution=fates)).outcome is Outcome.APPLIED


@pytest.mark.timeout(300)
async def test_a_worker_killed_in_every_phase_and_every_write_loses_nothing_and_repeats_nothing(
    short_runs: EmbeddedTemporal, own_database: str
) -> None:
    async with (
        await create_pool(own_database) as pool,
        site(short_runs, own_database, within=LONG) as here,
    ):
        lives = tuple([await here.open(_slower_plan()) for _ in range(4)])
        await _kill_in_prepare(here, lives)
        await _kill_in_every_write(here, own_database, lives)
        lives_on = lives[:2]
        await asyncio.gather(*(live.until_phase("pilot") for live in lives[:3]))
        await _kill_in_the_middle(here, lives_on)
        await asyncio.gather(*(_stop(live) for live in lives[2:]))
        await _to_the_end(here, lives_on)
        for live in lives_on:
            await _assert_done_once(live, pool)
        for live in lives[2:]:
            await _assert_recorded_once(live, pool)

        async def all_sent() -> bool | None:
            return not await pool.fetchval("select count(*) from notice where sent_at is null") or None

        await patiently(all_sent, lambda: "letters are left over")  # the watch carries some of them
        mails = len(list((here.maildir / "new").iterdir()))
        assert mails == await pool.fetchval("select count(*) from notice where contact <> '*'")


def _slower_plan() -> RolloutPlan:
    """A pilot and waves that a slow machine does not miss while it starts a worker."""
    cohorts = plan_data()["cohorts"]
    for wave in cohorts["waves"]:
        wave["bake"] = "12d"
    phases = {"baseline_window": "90d", "pilot": "12d", "validate": "5d", "cadence": "1d", "watchdog": "60d"}
    return fast_plan(cohorts=cohorts, phases=phases)


async def _kill_in_the_middle(here: Site, lives: tuple[FastLive, ...]) -> None:
    await lives[0].until_served(days=1)
    await here.kill_worker_between_steps(*lives)
    await here.start_worker()


async def _to_the_end(here: Site, lives: tuple[FastLive, ...]) -> None:
    """Every phase after the pilot, each with a killed worker in its middle."""
    for phase, wave in (("validate", None), ("scale", 1), ("scale", 2)):
        await lives[0].until_phase(phase, wave)
        await _kill_in_the_middle(here, lives)
        if phase == "validate":
            await _approve(lives, "sponsor", "finance_owner")
        elif wave == 1:
            await _approve(lives, "sponsor")
    for live in lives:
        assert (await live.ended()).status == Status.COMPLETED


async def _log(pool: Pool, live: FastLive) -> tuple[LogEntry, ...]:
    async with pool.acquire() as conn:
        return await read_log(conn, live.plan.id)


async def _assert_recorded_once(live: FastLive, pool: Pool) -> None:
    """The log is the rollout's own, entry for entry, no letter says what another one said, and a worker of tomorrow
    can still replay what all these workers made."""
    await replay_runs(live.client, live.handle.id)
    result = await live.ended()
    log = await _log(pool, live)
    assert [entry.sequence for entry in log] == list(range(1, result.entries + 1))
    confirmed = [entry.actor for entry in log if entry.verb == Verb.CONFIRM_OWNERSHIP]
    assert sorted(map(str, confirmed)) == sorted(owner.identity for owner in live.plan.owners)
    sent = await letters(pool, live.plan.id)
    assert sent
    assert len(sent) == len(set(sent))


async def _assert_done_once(live: FastLive, pool: Pool) -> None:
    await _assert_recorded_once(live, pool)
    rows = await pool.fetch("select partner_id, cohort from enrolment where rollout_id = $1", live.plan.id)
    expected = {"pilot": PILOT, "wave-one": WAVE_1, "wave-two": WAVE_2}
    assert sorted((row["cohort"], row["partner_id"]) for row in rows) == sorted(
        (cohort, partner) for cohort, partners in expected.items() for partner in partners
    )
    log = await _log(pool, live)
    enrolled = [entry.detail["cohort"] for entry in log if entry.kind is EntryKind.ENROLMENT]
    assert enrolled == list(expected)
    runs = await live.runs()
    assert len(runs) > 1
    assert sum(scheduled(events, "enrol_partners") for events in runs) == len(expected)
