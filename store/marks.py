"""What the watch saw last of each rollout, and when it last told it something."""

from __future__ import annotations

from models.base import Frozen, Instant
from models.work import RolloutKey
from store.pool import Connection
from store.statements import statement

_WRITE = statement("rollouts/write_mark")


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
        _WRITE,
        key.rollout_id,
        key.chain_id,
        mark.evaluated_at,
        mark.told_at,
        mark.signature,
        list(mark.breached),
    )
