"""keep_record: the record of a rollout that ends is kept once, under the digests that its log will name, for good."""

from __future__ import annotations

import asyncio
from functools import cache
from uuid import uuid4

import asyncpg
import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.reviewing import ReviewActivities
from models.clock import clock_at
from models.kept import DRAFT, INDEX, KeepRequest, KeepResult, misfits, sha256_of
from models.learning import Readings
from models.log import EntryKind, LogEntry
from models.work import OpenRequest, RolloutKey
from record.keeping import left_behind
from store import log, rollouts
from store.kept import KeptChanged, keep_documents, read_documents, read_kept
from store.pool import create_pool
from tests.activities.setting import Pool
from tests.learning.stories import PLAN, stopped_in_pilot
from tests.store.roles import login
from tests.workflows.simulator import START


@cache
def entries() -> tuple[LogEntry, ...]:
    """A log whose evidence is not in the store, so that it names none."""
    told = stopped_in_pilot().recorded
    return tuple(one.model_copy(update={"evidence_digest": None}) for one in told if one.kind is not EntryKind.RECORD)


async def ended(pool: Pool) -> RolloutKey:
    """A rollout in the store with that log."""
    key = RolloutKey(rollout_id=PLAN.id, chain_id=f"chain-{uuid4().hex[:8]}")
    async with pool.acquire() as conn, conn.transaction():
        opened = OpenRequest(key=key, plan=PLAN, plan_digest=PLAN.digest, clock=clock_at(START))
        await rollouts.open_rollout(conn, opened)
        numbered = [one.model_copy(update={"sequence": at}) for at, one in enumerate(entries(), 1)]
        await log.append(conn, key, "run", numbered)
    return key


async def keep(pool: Pool, key: RolloutKey, count: int) -> KeepResult:
    kept: KeepResult = await ActivityEnvironment().run(
        ReviewActivities(pool).keep_record, KeepRequest(key=key, entries=count)
    )
    return kept


async def files_of(pool: Pool, key: RolloutKey, count: int) -> dict[str, bytes]:
    async with pool.acquire() as conn:
        return await read_documents(conn, key, count)


async def test_what_is_kept_is_what_the_log_up_to_the_entry_gives_and_nothing_later(pool: Pool) -> None:
    key = await ended(pool)
    count = len(entries()) - 2
    result = await keep(pool, key, count)
    files = await files_of(pool, key, count)
    async with pool.acquire() as conn:
        told = await log.read_log(conn, key.rollout_id, key.chain_id)
    made = left_behind(PLAN, told[:count], Readings())
    assert (files, result) == (made.files, made.result)
    assert result.entries == count
    assert misfits(result, files) == ()
    assert result.documents == {path: sha256_of(files[path]) for path in result.documents}
    assert {"en/record.md", "en/record.html", "ja/record.md", "ja/record.html"} <= set(result.documents)
    assert (DRAFT in files) is (result.no_draft is None)


async def test_repeated_and_at_the_same_time_it_is_kept_once_and_said_the_same(pool: Pool) -> None:
    key = await ended(pool)
    count = len(entries())
    results = await asyncio.gather(*(keep(pool, key, count) for _ in range(4)))
    results.append(await keep(pool, key, count))
    assert len({one.model_dump_json() for one in results}) == 1
    assert misfits(results[0], await files_of(pool, key, count)) == ()


async def test_what_another_release_kept_stays_and_is_what_is_told(pool: Pool) -> None:
    key = await ended(pool)
    count = len(entries())
    theirs = {INDEX: b'{"en/record.md":"x"}', "en/record.md": b"# as that release wrote it"}
    async with pool.acquire() as conn:
        assert await keep_documents(conn, key, count, theirs)
        assert not await keep_documents(conn, key, count, {INDEX: b"{}"})
    result = await keep(pool, key, count)
    assert await files_of(pool, key, count) == theirs
    assert (result.files, result.documents) == (
        sha256_of(theirs[INDEX]),
        {"en/record.md": sha256_of(theirs["en/record.md"])},
    )
    assert result.no_draft


async def test_it_waits_for_the_log_that_it_is_made_of(pool: Pool) -> None:
    key = await ended(pool)
    with pytest.raises(ApplicationError, match=r"has .* entries in the store, .* are needed") as behind:
        await keep(pool, key, len(entries()) + 1)
    assert (behind.value.type, behind.value.non_retryable) == ("LogBehind", False)
    unknown = RolloutKey(rollout_id="nobody-knows-it", chain_id="chain")
    with pytest.raises(ApplicationError) as missing:
        await keep(pool, unknown, 1)
    assert missing.value.type == "UnknownRollout"


async def test_what_is_kept_is_neither_changed_nor_deleted_and_has_the_digest_it_stands_under(pool: Pool) -> None:
    key = await ended(pool)
    await keep(pool, key, 5)
    for change in ("update kept_document set content = ''", "delete from kept_document", "truncate kept_document"):
        with pytest.raises(asyncpg.PostgresError, match="is append-only"):
            await pool.execute(change)
    with pytest.raises(asyncpg.CheckViolationError):
        await pool.execute(
            "insert into kept_document (rollout_id, chain_id, entries, path, sha256, content)"
            " values ($1, $2, 9, 'en/record.md', $3, 'other')",
            key.rollout_id,
            key.chain_id,
            "0" * 64,
        )


async def test_a_worker_s_role_keeps_records(pool: Pool, database: str) -> None:
    key = await ended(pool)
    async with await create_pool(await login(pool, database)) as as_worker:
        assert (await keep(as_worker, key, 7)).entries == 7


async def test_what_the_log_names_and_is_not_there_is_told_and_not_shown(pool: Pool) -> None:
    key = await ended(pool)
    result = await keep(pool, key, 6)
    last = entries()[-1]
    detail = result.model_dump(mode="json", exclude_none=True)
    named = last.model_copy(update={"sequence": 99, "kind": EntryKind.RECORD, "detail": detail})
    async with pool.acquire() as conn:
        kept = await read_kept(conn, key, (*entries(), named))
        assert kept is not None
        assert (kept.named.said, kept.named.entry) == (result, 99)
        assert await read_kept(conn, key, entries()) is None
        other = named.model_copy(update={"detail": {**detail, "entries": 5}})
        with pytest.raises(KeptChanged, match=r"files\.json: it was kept and is missing \(entry 99"):
            await read_kept(conn, key, (*entries(), other))
        other = named.model_copy(update={"detail": {**detail, "documents": {"en/record.md": "1" * 64}}})
        with pytest.raises(KeptChanged, match=r"en/record\.md: it is not what was kept"):
            await read_kept(conn, key, (*entries(), other))
