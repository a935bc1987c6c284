"""The log of real rollouts: signed by a worker that can only add to it, and never ahead of what it says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

import asyncpg
import pytest
from temporalio.testing import WorkflowEnvironment

from audit.checkpoint import link_of, open_checkpoint
from audit.leaves import leaf_bytes
from audit.notes import read_vkey
from audit.tree import leaf_hash, root
from deploy.embedded.postgres import EmbeddedPostgres
from deploy.embedded.temporal import EmbeddedTemporal
from models.command import Verb
from models.log import EntryKind, LogEntry, Outcome
from models.names import DEPLOYMENT
from models.rollout import HoldKind, Phase, RolloutView, Status
from models.work import RolloutKey
from store import checkpoints as store
from store.log import read_log
from store.pool import create_pool
from tests.activities.desk import signer
from tests.store.roles import login
from tests.worker.process import patiently
from tests.workflows.live import DAY
from tests.workflows.passing import passed
from tests.workflows.process import LONG, FastLive, fast_plan, replay_runs, site
from tests.workflows.scenarios_signed import PATHS
from worker.checkpoints import sign_due
from worker.log_key import generate

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


async def proven(pool: Pool, rollout_id: str, vkey: str) -> list[EntryKind]:
    """Make sure that every checkpoint of a rollout is over its log, and follows the one before; the kinds of the
    entries that they end with."""
    rows = await pool.fetch(
        "select chain_id, run_id, sequence, kind, entry from decision_log where rollout_id = $1 order by sequence",
        rollout_id,
    )
    chain = rows[0]["chain_id"]
    leaves = [leaf_hash(leaf_bytes(rollout_id, chain, row["run_id"], row["sequence"], row["entry"])) for row in rows]
    before, ends = None, []
    async with pool.acquire() as conn:
        found = await store.listed(conn, RolloutKey(rollout_id=rollout_id, chain_id=chain))
    for one in found:
        said = open_checkpoint(one.note.encode(), [read_vkey(vkey)], f"{DEPLOYMENT}/{rollout_id}/{chain}")
        assert said.root == root(leaves[: said.size])
        assert link_of(said).previous == (before.digest if before else None)
        before = said
        ends.append(EntryKind(rows[said.size - 1]["kind"]))
    return ends


@pytest.fixture
async def as_worker(pool: Pool, database: str) -> AsyncIterator[Pool]:
    """Connections of a role that has a worker's rights and no others."""
    async with await create_pool(await login(pool, database), max_size=5) as connections:
        yield connections


@pytest.mark.parametrize("path", ["happy", "breach_pause_resume"])
async def test_a_whole_rollout_runs_with_a_worker_s_rights_and_its_log_is_signed(
    path: str, time_skipping: WorkflowEnvironment, pool: Pool, as_worker: Pool
) -> None:
    ours = signer()
    async with passed(PATHS[path], time_skipping, pool, workers=as_worker, signer=ours) as live:
        pass
    turns = await pool.fetchval("select count(*) from decision_log where kind in ('phase', 'pause', 'resume', 'stop')")
    ends = await proven(pool, live.plan.id, ours.vkey)
    assert len(ends) >= 4
    assert turns > 4
    async with pool.acquire() as conn:
        key = (await store.due(conn, DAY * 0))[:1]
        lacking = [row["kind"] for row in await conn.fetch("select kind from decision_log order by sequence")]
        last = (await conn.fetchval("select max(size) from log_checkpoint")) or 0
    # No turn of the rollout stands unsigned.
    assert not {"phase", "pause", "resume", "stop", "decision"} & set(lacking[last:])
    assert await sign_due(pool, ours, DAY * 0) == len(key)
    letters = await pool.fetch("select about from notice where about ? 'log'")
    notes = {row["note"] for row in await pool.fetch("select note from log_checkpoint")}
    assert letters
    assert {row["about"]["log"]["checkpoint"] for row in letters} <= notes


@pytest.mark.timeout(300)
async def test_while_the_log_cannot_be_written_no_approval_takes_effect_and_pause_and_stop_are_obeyed(
    short_runs: EmbeddedTemporal, own_postgres: EmbeddedPostgres, own_database: str, tmp_path: Path
) -> None:
    async with await create_pool(own_database) as pool:
        dsn = await login(pool, own_database)
    made = generate(tmp_path / "key.json", tmp_path / "keys.txt", DEPLOYMENT)
    async with site(short_runs, dsn, more={"ROLLOUTS_LOG_KEY": str(tmp_path / "key.json")}, within=LONG) as here:
        lives = approved, paused, stopped = [await here.open(fast_plan()) for _ in range(3)]
        await asyncio.gather(*(live.confirm_all() for live in lives))
        await asyncio.gather(*(live.until_status(Status.AWAITING_APPROVAL) for live in lives))
        # What is still being written when the server goes would make it hold before anybody has approved.
        await asyncio.gather(*(live.at_rest() for live in lives))
        await own_postgres.stop()
        try:
            back_at = await _approve_and_obey(approved, paused, stopped)
        finally:
            await own_postgres.start()
        clock = (await approved.until_served(days=1)).phase_clock
        assert clock is not None
        assert clock.running_since is not None
        assert clock.running_since > back_at
        await approved.until(lambda view: not _holds(view))
        assert (await stopped.ended()).enrolled == ()
        async with await create_pool(own_database) as pool:
            logs = {live.plan.id: await _whole_log(pool, live) for live in lives}
            for live in lives:
                assert await proven(pool, live.plan.id, made.vkey)
            enrolled = await pool.fetch("select distinct rollout_id from enrolment")
        assert {row["rollout_id"] for row in enrolled} == {approved.plan.id}
        for log in logs.values():
            assert len([one for one in log if one.verb == Verb.DECIDE and one.outcome is Outcome.APPLIED]) == 1
        _pauses(logs[paused.plan.id])
        assert (await paused.view()).status is Status.PAUSED
        for live in lives:
            assert await replay_runs(here.client, live.handle.id)


async def _approve_and_obey(approved: FastLive, paused: FastLive, stopped: FastLive) -> datetime:
    """While the server is down; the programme time when that is over."""
    for live in (approved, paused, stopped):
        await live.decide("sponsor")
    await asyncio.gather(*(live.until(_holds) for live in (approved, paused, stopped)))
    await paused.signal(Verb.PAUSE, "finance_owner", reason="no log, no rollout")
    await stopped.signal(
        Verb.STOP, "sponsor", resolution={"finished": "keep", "current": "withdraw", "pending": "keep"}
    )
    await paused.until_status(Status.PAUSED)
    await stopped.until_status(Status.STOPPING, Status.STOPPED)
    began = (await approved.view()).programme_now
    for live in (approved, paused):
        view = await live.until(lambda view: view.programme_now > began + 15 * DAY)
        # The gate has opened in the rollout's own mind, at most; what it opens onto takes effect with its record.
        assert view.phase in (Phase.PREPARE, Phase.PILOT), view.sentence
        assert view.phase_clock is None or view.phase_clock.running_since is None
    return (await approved.view()).programme_now


def _holds(view: RolloutView) -> bool:
    return any(hold.kind is HoldKind.STORE for hold in view.holds)


def _pauses(log: tuple[LogEntry, ...]) -> None:
    """The pause stands in the log, once, where it was asked for: while nobody could write."""
    (entry,) = [one for one in log if one.kind is EntryKind.PAUSE]
    assert _place(log, "Holding (store") < entry.sequence


def _place(log: tuple[LogEntry, ...], message: str) -> int:
    """The sequence of the first entry that begins like this."""
    found = [entry.sequence for entry in log if entry.message.startswith(message)]
    assert found, f"nothing says {message!r}: {[entry.message for entry in log]}"
    return found[0]


async def _whole_log(pool: Pool, live: FastLive) -> tuple[LogEntry, ...]:
    """The log in the store, once it has everything that the rollout knows; it has no gap."""

    async def complete() -> tuple[LogEntry, ...] | None:
        async with pool.acquire() as conn:
            found = await read_log(conn, live.plan.id)
        return found if len(found) == (await live.view()).entries else None

    log = await patiently(complete, lambda: f"the log of {live.plan.id} is not complete")
    assert [entry.sequence for entry in log] == list(range(1, len(log) + 1))
    return log
