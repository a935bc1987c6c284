"""What a rollout does while something it depends on is gone: it holds, people can still pause and stop it, and it goes
on by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise

import asyncpg
import pytest

from deploy.embedded.postgres import EmbeddedPostgres
from deploy.embedded.temporal import EmbeddedTemporal
from models.command import WATCH_ACTOR, Verb
from models.log import EntryKind, LogEntry, Outcome
from models.names import WATCH_ID
from models.rollout import HoldKind, Phase, RolloutView, Status
from store.log import read_log
from store.pool import prepare_connection
from tests.worker.process import patiently
from tests.workflows.live import DAY
from tests.workflows.process import LONG, USUAL, FastLive, Site, fast_plan, replay_runs, site, terminate

LOST = f"Holding ({HoldKind.STORE.value})"
FOUND = f"Hold released ({HoldKind.STORE.value})"


def _holds(kind: HoldKind) -> Callable[[RolloutView], bool]:
    return lambda view: any(hold.kind is kind for hold in view.holds)


def _lets_go(kind: HoldKind) -> Callable[[RolloutView], bool]:
    return lambda view: not _holds(kind)(view)


async def _to_pilot(*lives: FastLive) -> None:
    await asyncio.gather(*(live.confirm_all() for live in lives))
    await asyncio.gather(*(live.decide("sponsor") for live in lives))
    await asyncio.gather(*(live.until_served(days=1) for live in lives))


async def _stored(dsn: str, live: FastLive) -> tuple[LogEntry, ...]:
    conn = await asyncpg.connect(dsn)
    try:
        await prepare_connection(conn)
        return await read_log(conn, live.plan.id)
    finally:
        await conn.close()


def _place(log: tuple[LogEntry, ...], message: str) -> int:
    """The sequence of the first entry that begins like this."""
    found = [entry.sequence for entry in log if entry.message.startswith(message)]
    assert found, f"nothing says {message!r}"
    return found[0]


@pytest.mark.timeout(300)
async def test_without_postgresql_rollouts_hold_obey_and_go_on_by_themselves(
    short_runs: EmbeddedTemporal, own_postgres: EmbeddedPostgres, own_database: str
) -> None:
    async with site(short_runs, own_database, within=LONG) as here:
        # The first of them is still in its pilot when the last has served a day of it.
        phases = {"baseline_window": "90d", "pilot": "15d", "validate": "5d", "cadence": "1d", "watchdog": "60d"}
        untouched, paused, stopped = [await here.open(fast_plan(phases=phases)) for _ in range(3)]
        await _to_pilot(untouched, paused, stopped)
        await own_postgres.stop()
        try:
            await _hold_and_obey(untouched, paused, stopped)
        finally:
            await own_postgres.start()
        await _goes_on(own_database, untouched)
        await _stays_paused(own_database, paused)
        await _is_stopped(own_database, stopped)
        for live in (untouched, paused, stopped):
            assert await replay_runs(here.client, live.handle.id)


async def _hold_and_obey(untouched: FastLive, paused: FastLive, stopped: FastLive) -> None:
    """While the server is down."""
    await untouched.until(_holds(HoldKind.STORE))
    await paused.signal(Verb.PAUSE, "finance_owner", reason="no numbers, no rollout")
    fates = {"finished": "keep", "current": "withdraw", "pending": "keep"}
    await stopped.signal(Verb.STOP, "sponsor", resolution=fates)
    await paused.until_status(Status.PAUSED)
    await stopped.until_status(Status.STOPPING)
    assert (await paused.until(_holds(HoldKind.STORE))).status is Status.PAUSED
    assert (await stopped.until(_holds(HoldKind.STORE))).status is Status.STOPPING
    # The pilot has long served its time, and nobody can say whether it may be left.
    view = await untouched.until(lambda view: view.programme_now > view.history[-1].entered_at + 20 * DAY)
    assert (view.phase, view.status) == (Phase.PILOT, Status.HOLDING)


async def _goes_on(dsn: str, live: FastLive) -> None:
    view = await live.until_status(Status.AWAITING_APPROVAL)
    assert (view.phase, view.holds) == (Phase.VALIDATE, ())
    log = await _whole_log(dsn, live)
    assert _place(log, LOST) < _place(log, FOUND) < _place(log, "Entered validate")


async def _stays_paused(dsn: str, live: FastLive) -> None:
    view = await live.until(_lets_go(HoldKind.STORE))
    assert view.status is Status.PAUSED
    assert (await live.ask(Verb.RESUME, "finance_owner")).outcome is Outcome.APPLIED
    log = await _whole_log(dsn, live)
    assert max(_place(log, LOST), _place(log, "Paused (person)")) < _place(log, FOUND)


async def _is_stopped(dsn: str, live: FastLive) -> None:
    assert (await live.ended()).withdrawn == ("pilot",)
    log = await _whole_log(dsn, live)
    # Which of withdrawing and recording misses the server first, and which finds it again, is as it happens.
    assert max(_place(log, LOST), _place(log, "Stopping")) < _place(log, FOUND)
    assert _place(log, "Stopping") < _place(log, "Cohort pilot withdrawn")
    conn = await asyncpg.connect(dsn)
    try:
        rows = await conn.fetch("select withdrawn_at from enrolment where rollout_id = $1", live.plan.id)
    finally:
        await conn.close()
    assert [row for row in rows if row["withdrawn_at"] is None] == []
    assert len(rows) == 12


async def _whole_log(dsn: str, live: FastLive) -> tuple[LogEntry, ...]:
    """The log in the store, once it has everything that the rollout knows; it has no gap."""

    async def complete() -> tuple[LogEntry, ...] | None:
        found = await _stored(dsn, live)
        return found if len(found) == (await live.view()).entries else None

    log = await patiently(complete, lambda: f"the log of {live.plan.id} is not complete")
    assert [entry.sequence for entry in log] == list(range(1, len(log) + 1))
    return log


async def test_a_rollout_holds_while_the_watch_is_silent_and_goes_on_when_it_speaks_again(
    short_runs: EmbeddedTemporal, own_database: str
) -> None:
    phases = {"baseline_window": "90d", "pilot": "300d", "validate": "8d", "cadence": "1d", "watchdog": "4d"}
    async with site(short_runs, own_database, within=USUAL) as here:
        live = await here.open(fast_plan(phases=phases))
        await _to_pilot(live)
        await _falls_silent(here, live)
        await here.open(fast_plan())  # a start of any rollout wakes the watch, or starts it
        assert (await live.until(_lets_go(HoldKind.WATCH_SILENT))).status is Status.RUNNING
        log = await _whole_log(own_database, live)
    silent = [entry.kind for entry in log if "watch silent" in entry.message]
    # On a slow machine the watch is late at other times, too.
    assert silent[:2] == [EntryKind.HOLD, EntryKind.RELEASE]
    assert all(one is not other for one, other in pairwise(silent))


async def _falls_silent(here: Site, live: FastLive) -> None:
    """The watch ends without a word, and the rollout holds no sooner than its plan says; nor later, whatever somebody
    says in the watch's name."""
    await terminate(here.client, WATCH_ID)

    async def all_is_well() -> bool | None:
        as_of = (await live.view()).programme_now
        named = {"as_of": as_of.isoformat(), "changed": False, "evidence_digest": "sha256:0"}
        await live.signal(Verb.REPORT_EVIDENCE, WATCH_ACTOR, "nothing has changed", **named)
        return _holds(HoldKind.WATCH_SILENT)(await live.view()) or None

    await patiently(all_is_well, lambda: "whoever speaks as the watch keeps the watchdog quiet")
    view = await live.view()
    assert view.status is Status.HOLDING
    assert view.last_evidence_at is not None
    hold = next(one for one in view.holds if one.kind is HoldKind.WATCH_SILENT)
    assert hold.since >= view.last_evidence_at + live.plan.phases.watchdog
    assert f"{view.last_evidence_at:%Y-%m-%d %H:%M}" in hold.detail
