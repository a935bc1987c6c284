"""Checkpoints over the decision log: with a rollout's turns, each hour, on a wish; and never in the way of one."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from structlog.testing import capture_logs

from activities.checkpoints import LogSigner
from audit.checkpoint import Because, link_of, open_checkpoint
from audit.errors import NotSound
from audit.notes import NoteSigner, read_vkey
from audit.tree import root
from models.log import EntryKind
from models.names import DEPLOYMENT
from models.rollout import Notice
from store import checkpoints as store
from tests.activities.desk import Desk, signer
from tests.activities.setting import Pool, Setting
from worker.checkpoints import grant_wish, sign_due, signing


@pytest.fixture
async def desk(pool: Pool) -> Desk:
    return Desk(pool, signer(), await Setting(pool).register())


async def _with_another_key(desk: Desk) -> Desk:
    return Desk(desk.pool, signer(), desk.setting)


async def test_a_turn_is_signed_in_the_transaction_that_records_it(desk: Desk) -> None:
    await desk.record(1, 2)
    await desk.record(3, kind=EntryKind.PAUSE)
    first, second = await desk.verified()
    assert (first.size, second.size) == (2, 3)
    assert first.origin == f"{DEPLOYMENT}/{desk.setting.key.rollout_id}/{desk.setting.key.chain_id}"


@pytest.mark.parametrize("kind", [EntryKind.ASSESSMENT, EntryKind.REFUSAL, EntryKind.NOTICE])
async def test_what_is_no_turn_waits_for_the_hour(desk: Desk, kind: EntryKind) -> None:
    await desk.record(1, kind=kind)
    assert await desk.checkpoints() == ()
    assert await desk.wishes() == 0
    assert await sign_due(desk.pool, _of(desk)) == 0
    await desk.tamper("update decision_log set recorded_at = recorded_at - interval '61 minutes'")
    assert await sign_due(desk.pool, _of(desk)) == 1
    assert [link_of(one).because for one in await desk.verified()] == [Because.HOUR]
    assert await sign_due(desk.pool, _of(desk)) == 0


async def test_a_repeated_record_is_not_signed_again(desk: Desk) -> None:
    assert await desk.record(1, 2) == 2
    assert await desk.record(1, 2) == 0
    assert len(await desk.verified()) == 1


async def test_a_record_that_fails_leaves_no_checkpoint(desk: Desk) -> None:
    broken = Notice(notice_id="n", kind="paused", roles=("sponsor",), subject="nul \x00", body="")
    with pytest.raises(Exception, match=r"invalid byte|StoreRefused"):
        await desk.record(1, notices=(broken,))
    assert await desk.checkpoints() == ()
    assert await desk.leaves() == []


async def test_a_checkpoint_covers_no_entry_behind_a_gap(desk: Desk) -> None:
    await desk.record(1, 2, 4)
    assert [one.size for one in await desk.verified()] == [2]
    await desk.record(3)
    assert [one.size for one in await desk.verified()] == [2, 4]


async def test_letters_about_a_turn_witness_the_checkpoint_and_those_to_partners_do_not(desk: Desk) -> None:
    told = [
        Notice(notice_id=kind, kind=kind, roles=("sponsor",), subject="s", body="b")
        for kind in ("paused", "communicate")
    ]
    await desk.record(1, kind=EntryKind.PAUSE, notices=tuple(told))
    (one,) = await desk.checkpoints()
    rows = await desk.pool.fetch("select kind, body, about from notice")
    assert {row["kind"] for row in rows} == {"paused", "communicate"}
    for row in rows:
        if row["kind"] == "communicate":
            assert (row["body"], row["about"].get("log")) == ("b", None)
        else:
            assert row["about"]["log"] == {"number": 1, "size": 1, "checkpoint": one.note}
            assert row["body"] == f"b\n\nDecision log: checkpoint 1 over 1 entry, root {one.note.splitlines()[2]}"


async def test_a_worker_without_the_key_asks_for_a_checkpoint_and_one_with_it_writes_it(desk: Desk) -> None:
    without = Desk(desk.pool, None, desk.setting)
    await without.record(1, kind=EntryKind.STOP)
    await without.record(2, kind=EntryKind.PAUSE)
    assert (await desk.checkpoints(), await desk.wishes()) == ((), 1)
    assert await grant_wish(desk.pool, _of(desk))
    assert not await grant_wish(desk.pool, _of(desk))
    (found,) = await desk.verified()
    assert (found.size, link_of(found).because) == (2, Because.GATE)


async def test_who_exports_gets_a_checkpoint_over_everything_and_does_not_wait_where_there_is_one(desk: Desk) -> None:
    key = desk.setting.key
    await desk.record(1)
    await desk.record(2, kind=EntryKind.ASSESSMENT)
    async with desk.pool.acquire() as conn:
        assert not await store.covered(conn, key, "export", within=0.3)
        async with signing(desk.pool, _of(desk)):
            assert await store.covered(conn, key, "export", within=60)
        assert await store.covered(conn, key, "export", within=0)
        assert await store.uncovered(conn, key) == 0
    assert [link_of(one).because for one in await desk.verified()] == [Because.GATE, Because.EXPORT]
    assert await desk.wishes() == 0


async def test_where_no_worker_has_a_key_who_exports_does_not_wait(desk: Desk) -> None:
    """A turn of a rollout that nobody signed has left a wish, and there is no checkpoint at all."""
    without = Desk(desk.pool, None, desk.setting)
    await without.record(1)
    async with desk.pool.acquire() as conn:
        async with asyncio.timeout(60):
            assert not await store.covered(conn, desk.setting.key, "export", within=3600)
        assert await desk.wishes() == 1
        # Nor where there was one, and a wish has stood for longer than anybody would be waited for.
        assert await grant_wish(desk.pool, _of(desk))
        await without.record(2)
        await conn.execute("update log_checkpoint_wish set wished_at = now() - interval '2 hours'")
        async with asyncio.timeout(60):
            assert not await store.covered(conn, desk.setting.key, "export", within=3600)


async def test_that_a_log_cannot_be_signed_is_said_once_and_again_when_it_changes_or_a_day_has_passed(
    desk: Desk,
) -> None:
    """Workers look at it every minute."""
    now = 0.0
    await desk.record(1, 2, 3)
    signs = LogSigner(NoteSigner(DEPLOYMENT, Ed25519PrivateKey.generate()), DEPLOYMENT, lambda: now)
    other = Desk(desk.pool, signs, desk.setting)

    async def alarms_at(hour: float) -> list[str]:
        nonlocal now
        now = hour * 3600
        with capture_logs() as said:
            await sign_due(desk.pool, signs, timedelta(0))
        return [one["problem"] for one in said if one["event"] == "alarm: a log cannot be signed"]

    await desk.tamper("update decision_log set entry = jsonb_set(entry, '{message}', '\"another\"') where sequence = 2")
    await Desk(desk.pool, None, desk.setting).record(4, kind=EntryKind.ASSESSMENT)
    assert "is not the one that its checkpoint 1 over 3 entries was signed over" in (await alarms_at(0))[0]
    assert [await alarms_at(hour) for hour in (0.1, 12, 23.9)] == [[], [], []]
    assert len(await alarms_at(24.1)) == 1
    await desk.tamper("update log_checkpoint set note = 'what is no note'")
    assert len(await alarms_at(24.2)) == 1
    assert await alarms_at(24.3) == []
    assert await other.checkpoints() == await desk.checkpoints()


async def test_many_workers_sign_each_chain_once(pool: Pool) -> None:
    desks = [Desk(pool, None, await Setting(pool, chain=f"chain-{number}").register()) for number in range(4)]
    for one in desks:
        await one.record(1, 2, kind=EntryKind.ASSESSMENT)
    workers = [signer() for _ in range(4)]
    await asyncio.gather(*(sign_due(pool, one, timedelta(0)) for one in workers))
    found = [await one.checkpoints() for one in desks]
    assert [len(one) for one in found] == [1, 1, 1, 1]


async def test_a_chain_that_is_being_recorded_is_passed_over_and_records_do_not_wait_for_the_hour(desk: Desk) -> None:
    await desk.record(1, kind=EntryKind.ASSESSMENT)
    async with desk.pool.acquire() as conn, conn.transaction():
        assert await store.lock(conn, desk.setting.key)
        assert await asyncio.wait_for(sign_due(desk.pool, _of(desk), timedelta(0)), 60) == 0
        # Appending does not wait for it either: no key share is in the way of this lock.
        async with desk.pool.acquire() as other:
            await other.execute(
                "insert into decision_log (rollout_id, chain_id, sequence, run_id, at, programme_at, kind, entry) "
                "select rollout_id, chain_id, 2, run_id, at, programme_at, kind, entry from decision_log"
            )


async def test_another_key_goes_on_where_the_last_one_ended(desk: Desk) -> None:
    await desk.record(1, 2, 3)
    other = await _with_another_key(desk)
    await other.record(4)
    await other.record(5)
    assert [one.size for one in await desk.verified()] == [3, 4, 5]
    assert len({one.vkey for one in await desk.checkpoints()}) == 2


async def test_an_edge_that_was_tampered_with_is_not_gone_on_from(desk: Desk) -> None:
    await desk.record(1, 2, 3)
    await desk.tamper("update log_checkpoint set edge = decode(repeat('00', 64), 'hex')")
    await desk.record(4)
    assert [one.size for one in await desk.verified()] == [3, 4]


@pytest.mark.parametrize(
    "tampering",
    [
        "update decision_log set entry = jsonb_set(entry, '{message}', '\"another\"') where sequence = 2",
        "update decision_log set run_id = 'run-2' where sequence = 2",
        "delete from decision_log where sequence = 2",
        "update log_checkpoint set note = replace(note, E'\\n3\\n', E'\\n2\\n')",
        "update log_checkpoint set note = 'what is no note'",
    ],
)
async def test_a_log_that_was_changed_is_signed_by_no_new_key_and_pauses_are_recorded_all_the_same(
    desk: Desk, tampering: str
) -> None:
    await desk.record(1, 2, 3)
    await desk.tamper(tampering)
    other = await _with_another_key(desk)
    assert await other.record(4, kind=EntryKind.PAUSE) == 1
    assert len(await desk.checkpoints()) == 1
    async with desk.pool.acquire() as conn, conn.transaction():
        with pytest.raises(NotSound):
            await _of(other).write(conn, desk.setting.key, Because.HOUR)


async def test_a_change_under_the_same_key_shows_in_every_later_checkpoint(desk: Desk) -> None:
    await desk.record(1, 2, 3)
    await desk.tamper("update decision_log set entry = jsonb_set(entry, '{message}', '\"another\"') where sequence = 2")
    await desk.record(4)
    leaves = await desk.leaves()
    for one in await desk.checkpoints():
        said = open_checkpoint(one.note.encode(), [read_vkey(one.vkey)])
        assert said.root != root(leaves[: said.size])


@pytest.mark.parametrize("missing", ["log_checkpoint", "log_checkpoint_wish", "log_checkpoint, log_checkpoint_wish"])
async def test_a_pause_is_recorded_also_where_checkpoints_cannot_be_kept(desk: Desk, missing: str) -> None:
    await desk.pool.execute(f"drop table {missing}")
    assert await desk.record(1, kind=EntryKind.PAUSE) == 1
    assert len(await desk.leaves()) == 1


async def test_a_wish_that_cannot_be_granted_does_not_come_again(desk: Desk) -> None:
    await desk.record(1, 2, 3)
    await desk.tamper("delete from decision_log where sequence = 2")
    other = await _with_another_key(desk)
    async with desk.pool.acquire() as conn:
        await store.wish(conn, desk.setting.key, "export")
    assert await grant_wish(desk.pool, _of(other))
    assert not await grant_wish(desk.pool, _of(other))


async def test_checkpoints_are_never_changed_nor_two_of_a_number_kept(desk: Desk) -> None:
    await desk.record(1)
    for statement in ("update log_checkpoint set size = 2", "delete from log_checkpoint", "truncate log_checkpoint"):
        with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
            await desk.pool.execute(statement)
    (one,) = await desk.checkpoints()
    async with desk.pool.acquire() as conn:
        for changes in ({"size": 7}, {"number": 2}):
            with pytest.raises(asyncpg.UniqueViolationError):
                await store.keep(conn, desk.setting.key, one.model_copy(update=changes))


async def test_how_long_something_has_stood_unsigned_is_known(desk: Desk) -> None:
    async with desk.pool.acquire() as conn:
        assert (await store.unsigned(conn)).chains == 0
        await desk.record(1)
        assert (await store.unsigned(conn)).seconds == 0
        await desk.record(2, 3, kind=EntryKind.ASSESSMENT)
        await desk.tamper("update decision_log set recorded_at = now() - interval '10 minutes' where sequence < 3")
        found = await store.unsigned(conn)
    assert found.chains == 1
    assert 600 <= found.seconds < 700


async def test_long_logs_are_read_in_parts_and_whole(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "BATCH", 7)
    desk = Desk(pool, signer(), await Setting(pool).register())
    await desk.record(*range(1, 22))
    await desk.record(*range(22, 40))
    assert [one.size for one in await desk.verified()] == [21, 39]


def _of(desk: Desk) -> LogSigner:
    assert desk.signer is not None
    return desk.signer
