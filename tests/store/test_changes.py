"""The journal of changes: whatever a metric reads stands in it, and who reads it misses nothing."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import asyncpg
import pytest

from models.metric import CATALOGUE, MetricName
from store import changes
from store.changes import Journal
from tests.activities.setting import Pool

WRITERS, EACH = 4, 150


async def test_changes_that_commit_out_of_order_are_read_once_each(pool: Pool, database: str) -> None:
    slow, quick = await asyncpg.connect(database), await asyncpg.connect(database)
    insert = "insert into watch_change (facts, about) values ('lead', $1)"
    async with pool.acquire() as conn:
        journal = Journal((await changes.first_position(conn, datetime.now(UTC))).xid)
        before = slow.transaction()
        await before.start()
        await slow.execute(insert, "slow")
        await quick.execute(insert, "quick")
        assert [one.about for one in await journal.read(conn)] == ["quick"]
        assert await journal.read(conn) == ()
        await before.commit()
        assert [one.about for one in await journal.read(conn)] == ["slow"]
        assert await journal.read(conn) == ()
        # Who takes over from what was written down meanwhile sees some of it twice, and all of it.
    await slow.close()
    await quick.close()


async def test_of_many_who_write_at_a_time_no_change_is_missed_and_none_is_read_twice(
    pool: Pool, database: str
) -> None:
    """Transactions that overlap and end in any order, while the journal is read without a pause."""

    async def write(number: int) -> None:
        conn = await asyncpg.connect(database)
        for count in range(EACH):
            async with conn.transaction():
                await conn.execute("insert into watch_change (facts, about) values ('lead', $1)", f"{number}-{count}")
        await conn.close()

    found: list[str | None] = []
    async with pool.acquire() as conn:
        journal = Journal((await changes.first_position(conn, datetime.now(UTC))).xid)
        writing = [asyncio.create_task(write(number)) for number in range(WRITERS)]
        while not all(task.done() for task in writing):
            found += [one.about for one in await journal.read(conn)]
        await asyncio.gather(*writing)
        found += [one.about for one in await journal.read(conn)]
    assert sorted(map(str, found)) == sorted(f"{number}-{count}" for number in range(WRITERS) for count in range(EACH))


@pytest.mark.parametrize("metric", sorted(MetricName))
async def test_whatever_a_metric_reads_is_journalled(pool: Pool, metric: MetricName) -> None:
    for facts in CATALOGUE[metric].reads:
        found = await pool.fetch("select tgname from pg_trigger where tgrelid = $1::text::regclass", facts)
        assert {f"{facts}_{what}" for what in ("inserted", "updated", "deleted")} <= {row[0] for row in found}


async def test_where_a_shard_stands_is_what_it_wrote_last_and_nothing_among_another_number_of_them(pool: Pool) -> None:
    """Also where nothing has happened since: nobody looks at everything again for that."""
    async with pool.acquire() as conn:
        first = await changes.first_position(conn, datetime(2026, 1, 5, tzinfo=UTC))
        await conn.execute("insert into watch_change (facts, about) values ('lead', 'one')")
        second = await changes.first_position(conn, datetime(2026, 1, 6, tzinfo=UTC))
        assert first.xid < second.xid
        for shards, place in ((2, first), (2, second), (1, first), (1, second)):
            await changes.write_position(conn, 0, shards, place)
            assert await changes.read_position(conn, 0, shards) == place
            assert await changes.read_position(conn, 0, 3 - shards) is None
            assert await changes.read_position(conn, 1, shards) is None


async def test_what_every_shard_has_dealt_with_is_removed(pool: Pool) -> None:
    async with pool.acquire() as conn:
        await conn.execute("insert into watch_change (facts, about) values ('lead', 'old')")
        middle = await changes.first_position(conn, datetime.now(UTC))
        await conn.execute("insert into watch_change (facts, about) values ('lead', 'new')")
        end = await changes.first_position(conn, datetime.now(UTC))
        await changes.write_position(conn, 0, 2, end)
        await changes.forget_changes(conn, 2)
        assert await conn.fetchval("select count(*) from watch_change") == 2, "shard 1 has yet to begin"
        await changes.write_position(conn, 1, 3, end)
        await changes.forget_changes(conn, 2)
        assert await conn.fetchval("select count(*) from watch_change") == 2, "that was another shard 1, one of three"
        await changes.write_position(conn, 1, 2, middle)
        await changes.forget_changes(conn, 2)
        assert [row["about"] for row in await conn.fetch("select about from watch_change")] == ["new"]
