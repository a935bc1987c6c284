"""The role that the service connects as, with the rights that docs/operations.md gives it and no others."""

from __future__ import annotations

import re
from pathlib import Path
from uuid import uuid4

import asyncpg

ROLE = "rollouts_console"
PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")


def grants() -> str:
    """The statements of the page that give the console's role its rights."""
    found: str
    [found] = [one for one in re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL) if f"to {ROLE};" in one]
    return found


async def as_console(dsn: str) -> str:
    """The dsn of a new role on the same database, to which the page's statements have been applied."""
    role, password = f"{ROLE}_{uuid4().hex[:8]}", uuid4().hex
    conn = await asyncpg.connect(dsn)
    try:
        await conn.execute(f"create role {role} login password '{password}'")
        await conn.execute(grants().replace(ROLE, role))
    finally:
        await conn.close()
    return dsn.replace(dsn.split("//")[1].partition("@")[0], f"{role}:{password}")
