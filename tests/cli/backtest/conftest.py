"""Two worlds that no test changes: one with a slump, and one in which a month of leads is missing."""

from __future__ import annotations

import asyncpg
import pytest

from cli.data import fill
from deploy.embedded.postgres import EmbeddedPostgres
from tests.cli.backtest.worlds import SLUMP, WITHOUT_LEADS, WORLD

_SILENCE = """
with gone as (
    select source_system, source_id from lead
    where (assigned_at >= $1::date and assigned_at < $2::date)
       or (first_contact_at >= $1::date and first_contact_at < $2::date)
),
told as (
    delete from lead_event e using gone where (e.source_system, e.lead_id) = (gone.source_system, gone.source_id)
)
delete from lead using gone where (lead.source_system, lead.source_id) = (gone.source_system, gone.source_id)
"""


@pytest.fixture(scope="session")
async def slumping(postgres: EmbeddedPostgres, template_database: str) -> str:
    """The dsn of a world in which the pilot's leads are followed up late for five weeks."""
    dsn = await copy_of(postgres, "backtested", template_database)
    await fill(dsn, slumps=(SLUMP,), **WORLD)
    return dsn


@pytest.fixture(scope="session")
async def interrupted(postgres: EmbeddedPostgres, slumping: str) -> str:
    """The same world, had the source of leads been silent for a month."""
    dsn = await copy_of(postgres, "interrupted", slumping)
    conn = await asyncpg.connect(dsn)
    try:
        # Contacts of that month, too: a lead that is only followed up is a sign that the source still speaks.
        gone = await conn.execute(_SILENCE, *WITHOUT_LEADS)
    finally:
        await conn.close()
    assert int(gone.split()[1]) > 100
    return dsn


async def copy_of(postgres: EmbeddedPostgres, name: str, template: str) -> str:
    """A database like another one, which is named or given by its dsn."""
    conn = await asyncpg.connect(postgres.dsn_for("postgres"))
    try:
        await conn.execute(f"create database {name} template {template.rpartition('/')[2]}")
    finally:
        await conn.close()
    return postgres.dsn_for(name)
