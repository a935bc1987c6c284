"""Roles with the rights of a worker and no others."""

from __future__ import annotations

from uuid import uuid4

from store.grants import create_role, grant_worker
from tests.activities.setting import Pool


async def login(pool: Pool, dsn: str, role: str | None = None) -> str:
    """The dsn of a role that was made a worker's."""
    role = role or f"worker_{uuid4().hex[:8]}"
    async with pool.acquire() as conn, conn.transaction():
        password = await create_role(conn, role)
        await grant_worker(conn, role)
    return dsn.replace(dsn.split("//")[1].partition("@")[0], f"{role}:{password}")
