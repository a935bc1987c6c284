"""The seeds by which the watch proves its words: one for each rollout, made as it opens."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from models.work import RolloutKey
from store.pool import Connection
from store.statements import statement

_KEEP = statement("watch/keep_seed")
_READ = statement("watch/read_seeds")

_SIZE = 32


async def seed_of(conn: Connection, key: RolloutKey) -> bytes:
    """The seed of a rollout, made where it has none yet: a second call gives the same."""
    found: bytes = await conn.fetchval(_KEEP, key.rollout_id, key.chain_id, secrets.token_bytes(_SIZE))
    return found


async def read_seeds(conn: Connection, keys: Sequence[RolloutKey]) -> dict[RolloutKey, bytes]:
    """The seeds of rollouts; those that began before there were any have none."""
    rows = await conn.fetch(_READ, [key.rollout_id for key in keys], [key.chain_id for key in keys])
    return {RolloutKey(rollout_id=row["rollout_id"], chain_id=row["chain_id"]): row["seed"] for row in rows}
