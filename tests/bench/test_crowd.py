"""The world that a crowd of rollouts watches is the generated one several times over."""

from __future__ import annotations

from datetime import date

import asyncpg

from bench.crowd import multiply
from store.world import WorldSpec, generate_world
from store.world_rows import COLUMNS


async def test_each_copy_of_a_world_has_partners_and_facts_of_its_own(database: str) -> None:
    conn = await asyncpg.connect(database)
    try:
        await generate_world(conn, WorldSpec(start=date(2025, 1, 1), months=4, partners=20))
        before = await _counted(conn)
        assert not [table for table in COLUMNS if not before[table] and table != "opportunity_reopening"]
        await multiply(conn, 3)
        after = await _counted(conn)
    finally:
        await conn.close()
    times = {table: after[table] / count for table, count in before.items() if count}
    assert {table for table, factor in times.items() if factor == 1} == {
        *("business_calendar", "lead_policy", "fx_rate", "rebate_run", "mdf_budget", "enablement_course"),
        "compliance_check",
    }
    assert {factor for factor in times.values() if factor != 1} == {3}


async def _counted(conn: asyncpg.Connection) -> dict[str, int]:
    return {table: await conn.fetchval(f"select count(*) from {table}") for table in COLUMNS}  # noqa: S608
