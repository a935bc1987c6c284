"""What the watch saw last of each rollout, and when it last told it something."""

from __future__ import annotations

from models.base import Frozen, Instant
from models.work import RolloutKey
from store.pool import Connection


class WatchMark(Frozen):
    """Programme times; `signature` names the picture, `breached` the guardrails not met in it."""

    evaluated_at: Instant
    told_at: Instant | None
    signature: str | None
    breached: tuple[str, ...] = ()


async def read_mark(conn: Connection, key: RolloutKey) -> WatchMark | None:
    """The mark of a rollout, None before the first look."""
    row = await conn.fetchrow(
        "select evaluated_at, told_at, signature, breached from watch_mark where (rollout_id, chain_id) = ($1, $2)",
        key.rollout_id,
        key.chain_id,
    )
    return WatchMark(**{**row, "breached": tuple(row["breached"])}) if row else None


async def write_mark(conn: Connection, key: RolloutKey, mark: WatchMark) -> None:
    """Keep a mark in place of the one before."""
    await conn.execute(
        "insert into watch_mark (rollout_id, chain_id, evaluated_at, told_at, signature, breached) "
        "values ($1, $2, $3, $4, $5, $6) on conflict (rollout_id, chain_id) do update "
        "set evaluated_at = $3, told_at = $4, signature = $5, breached = $6",
        key.rollout_id,
        key.chain_id,
        mark.evaluated_at,
        mark.told_at,
        mark.signature,
        list(mark.breached),
    )
