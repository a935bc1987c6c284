"""A migrated database that every test finds empty: what a test writes is rolled back when it ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from deploy.embedded.postgres import EmbeddedPostgres
from store.pool import create_pool
from tests.store.desk import Desk
from tests.store.world import World


@pytest.fixture(scope="session")
async def facts_pool(postgres: EmbeddedPostgres, template_database: str) -> AsyncIterator[asyncpg.Pool]:
    admin = await asyncpg.connect(postgres.dsn_for("postgres"))
    await admin.execute(f"create database facts template {template_database}")
    await admin.close()
    pool = await create_pool(postgres.dsn_for("facts"))
    yield pool
    await pool.close()


@pytest.fixture
async def world(facts_pool: asyncpg.Pool) -> AsyncIterator[World]:
    async with facts_pool.acquire() as conn:
        transaction = conn.transaction()
        await transaction.start()
        try:
            yield World(conn)
        finally:
            await transaction.rollback()


@pytest.fixture
async def desk(database: str, tmp_path: Path) -> AsyncIterator[Desk]:
    conn = await asyncpg.connect(database)
    try:
        yield Desk(database, conn, tmp_path)
    finally:
        await conn.close()
