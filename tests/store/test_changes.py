"""The journal of changes: whatever a metric reads stands in it, and who reads it misses nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import asyncpg
import pytest

from models.metric import CATALOGUE, MetricName
from store import changes
from store.changes import Journal
from tests.activities.setting import Pool


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


@pytest.mark.parametrize("metric", sorted(MetricName))
async def test_whatever_a_metric_reads_is_journalled(pool: Pool, metric: MetricName) -> None:
    for facts in CATALOGUE[metric].reads:
        found = await pool.fetch("select tgname from pg_trigger where tgrelid = $1::text::regclass", facts)
        assert {f"{facts}_{what}" for what in ("inserted", "updated", "deleted")} <= {row[0] for row in found}


async def test_what_every_shard_has_dealt_with_is_removed(pool: Pool) -> None:
    async with pool.acquire() as conn:
        await conn.execute("insert into watch_change (facts, about) values ('lead', 'old')")
        middle = await changes.first_position(conn, datetime.now(UTC))
        await conn.execute("insert into watch_change (facts, about) values ('lead', 'new')")
        end = await changes.first_position(conn, datetime.now(UTC))
        await changes.write_position(conn, 0, end)
        await changes.forget_changes(conn, 2)
        assert await conn.fetchval("select count(*) from watch_change") == 2, "shard 1 has yet to begin"
        await changes.write_position(conn, 1, middle)
        await changes.forget_changes(conn, 2)
        assert [row["about"] for row in await conn.fetch("select about from watch_change")] == ["new"]
