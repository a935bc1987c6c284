"""The outbox of notices: queued once per notice and contact, marked when delivered."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from models.rollout import Notice
from models.work import RolloutKey
from store.pool import Connection


async def queue(conn: Connection, key: RolloutKey, notice: Notice, contacts: Sequence[str]) -> None:
    """Queue a notice for each contact; what is queued already stays as it is."""
    await conn.executemany(
        "insert into notice (notice_id, contact, rollout_id, chain_id, kind, subject, body) "
        "values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing",
        [
            (notice.notice_id, contact, key.rollout_id, key.chain_id, notice.kind, notice.subject, notice.body)
            for contact in contacts
        ],
    )


async def unsent(pool: asyncpg.Pool[asyncpg.Record], notice_ids: Sequence[str]) -> list[asyncpg.Record]:
    """The letters of these notices that are still to be delivered, counted as attempted."""
    return await pool.fetch(
        "update notice set attempts = attempts + 1 where notice_id = any($1) and sent_at is null "
        "returning notice_id, contact, subject, body",
        list(notice_ids),
    )


async def mark_sent(pool: asyncpg.Pool[asyncpg.Record], notice_id: str, contact: str) -> None:
    """Every channel took this letter."""
    await pool.execute(
        "update notice set sent_at = now() where notice_id = $1 and contact = $2 and sent_at is null",
        notice_id,
        contact,
    )
