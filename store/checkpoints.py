"""Checkpoints over the decision log, as they are kept: what they say and prove is no matter of the store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

from models.base import Frozen, Instant
from models.work import RolloutKey
from store.pool import Connection
from store.statements import statement

_LOCK = statement("checkpoints/lock")
_LOCK_FREE = statement("checkpoints/lock_free")
_NEWEST = statement("checkpoints/newest")
_LISTED = statement("checkpoints/listed")
_ENTRIES = statement("checkpoints/entries")
_KEEP = statement("checkpoints/keep")
_CHAINS = statement("checkpoints/uncovered_chains")
_WISH = statement("checkpoints/wish")
_TAKE = statement("checkpoints/take_wish")
_UNCOVERED = statement("checkpoints/uncovered")
_UNANSWERED = statement("checkpoints/unanswered")

BATCH = 1000
"""Entries that are read at a time."""

LOOK_EVERY = 0.1
"""Seconds between two looks for a checkpoint that was wished for."""


class StoredCheckpoint(Frozen):
    """A checkpoint of a chain: `number` counts from 1, it is over the entries of sequence 1 to `size`. `note` is the
    signed text, `vkey` the key that signed it, `edge` the packed edge of the tree."""

    number: int
    size: int
    because: str
    at: Instant
    note: str
    vkey: str
    edge: bytes


class StoredEntry(Frozen):
    """An entry of the log as it stands there: `entry` is its JSON."""

    sequence: int
    run_id: str
    entry: dict[str, Any]


class Unsigned(Frozen):
    """What no checkpoint covers: for how many seconds the oldest such entry has stood, 0 where there is none, and in
    how many chains there is one."""

    seconds: float
    chains: int


async def lock(conn: Connection, key: RolloutKey, *, wait: bool = True) -> bool:
    """Keep others from writing a checkpoint of this chain until the transaction ends; False: there is no such chain,
    or somebody else has it and `wait` is false."""
    return await conn.fetchval(_LOCK if wait else _LOCK_FREE, key.rollout_id, key.chain_id) is not None


async def newest(conn: Connection, key: RolloutKey) -> StoredCheckpoint | None:
    """The newest checkpoint of a chain."""
    row = await conn.fetchrow(_NEWEST, key.rollout_id, key.chain_id)
    return StoredCheckpoint(**row) if row else None


async def listed(conn: Connection, key: RolloutKey) -> tuple[StoredCheckpoint, ...]:
    """All checkpoints of a chain, the first one first."""
    return tuple(StoredCheckpoint(**row) for row in await conn.fetch(_LISTED, key.rollout_id, key.chain_id))


async def entries_after(conn: Connection, key: RolloutKey, sequence: int) -> AsyncIterator[StoredEntry]:
    """The entries of a chain after one of them, in order, up to the first gap: what comes behind one does not count
    before it is filled."""
    while True:
        rows = await conn.fetch(_ENTRIES, key.rollout_id, key.chain_id, sequence, BATCH)
        for row in rows:
            if row["sequence"] != sequence + 1:
                return
            sequence += 1
            yield StoredEntry(**row)
        if len(rows) < BATCH:
            return


async def keep(conn: Connection, key: RolloutKey, one: StoredCheckpoint) -> None:
    """Keep a checkpoint.

    Raises:
        asyncpg.UniqueViolationError: one of that number, or over that many entries, is kept already.
    """
    await conn.execute(
        _KEEP,
        key.rollout_id,
        key.chain_id,
        one.number,
        one.size,
        one.because,
        one.at,
        one.note,
        one.vkey,
        one.edge,
    )


async def due(conn: Connection, after: timedelta) -> tuple[RolloutKey, ...]:
    """Chains in whose log something has stood for so long that no checkpoint covers, the longest first."""
    rows = await conn.fetch(_CHAINS)
    least = after.total_seconds()
    return tuple(
        RolloutKey(rollout_id=row["rollout_id"], chain_id=row["chain_id"]) for row in rows if row["seconds"] >= least
    )


async def unsigned(conn: Connection) -> Unsigned:
    """What no checkpoint covers, in all chains."""
    rows = await conn.fetch(_CHAINS)
    return Unsigned(seconds=max((row["seconds"] for row in rows), default=0.0), chains=len(rows))


async def wish(conn: Connection, key: RolloutKey, because: str) -> None:
    """Wish for a checkpoint: a worker that has the key writes one within a second or so. Wishing again changes nothing.

    Raises:
        asyncpg.ForeignKeyViolationError: there is no such chain.
    """
    await conn.execute(_WISH, key.rollout_id, key.chain_id, because)


async def take_wish(conn: Connection) -> tuple[RolloutKey, str] | None:
    """The oldest wish for a chain that nobody else has in hand, and why it was made. The chain is locked and the wish
    gone as long as, and if, the caller's transaction lasts to its end."""
    row = await conn.fetchrow(_TAKE)
    return (RolloutKey(rollout_id=row["rollout_id"], chain_id=row["chain_id"]), row["because"]) if row else None


async def uncovered(conn: Connection, key: RolloutKey) -> int:
    """How many entries of a chain no checkpoint covers."""
    return int(await conn.fetchval(_UNCOVERED, key.rollout_id, key.chain_id))


async def covered(conn: Connection, key: RolloutKey, because: str, within: float) -> bool:
    """Wish for a checkpoint where one is lacking, and wait; whether the log as it was when called is covered in time.

    Not to be called in a transaction: nobody else would see the wish. Where nobody answers wishes, because no worker
    has a key or none runs, nobody is waited for.

    Args:
        within: seconds; a worker that has the key needs about one.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + within
    found, lacking = await newest(conn, key), await uncovered(conn, key)
    wanted = lacking + (found.size if found else 0)
    if lacking:
        alone = await conn.fetchval(_UNANSWERED, within)
        await wish(conn, key, because)
        if alone:
            return False
    while (found.size if found else 0) < wanted:
        if loop.time() >= until:
            return False
        await asyncio.sleep(LOOK_EVERY)
        found = await newest(conn, key)
    return True
