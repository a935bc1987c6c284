"""The decision log: appended to, never changed; the same entry twice is one, a different one is an error."""

from __future__ import annotations

import json
from collections.abc import Sequence

from models.base import digest_json
from models.log import LogEntry
from models.work import RolloutKey
from store.pool import Connection


class LogConflict(Exception):
    """Another entry stands under the same sequence already: two chains of runs write as one, or somebody forged."""


async def append(conn: Connection, key: RolloutKey, run_id: str, entries: Sequence[LogEntry]) -> int:
    """Append entries; returns how many were new.

    Raises:
        LogConflict: an entry of that sequence exists and says something else.
    """
    new = 0
    for entry in entries:
        body = entry.model_dump(mode="json")
        done = await conn.fetchval(
            "insert into decision_log (rollout_id, chain_id, sequence, run_id, at, programme_at, kind, actor, outcome, "
            "request_id, entry) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) "
            "on conflict do nothing returning sequence",
            key.rollout_id,
            key.chain_id,
            entry.sequence,
            run_id,
            entry.at,
            entry.programme_at,
            entry.kind.value,
            entry.actor,
            entry.outcome.value if entry.outcome else None,
            entry.request_id,
            body,
        )
        if done is None:
            await _must_equal(conn, key, entry)
        else:
            new += 1
    return new


async def _must_equal(conn: Connection, key: RolloutKey, entry: LogEntry) -> None:
    standing = await conn.fetchval(
        "select entry from decision_log where (rollout_id, chain_id, sequence) = ($1, $2, $3)",
        key.rollout_id,
        key.chain_id,
        entry.sequence,
    )
    if digest_json(standing) != digest_json(entry.model_dump(mode="json")):
        raise LogConflict(f"entry {entry.sequence} of {key.rollout_id} stands in the log with other content")


async def read_log(conn: Connection, rollout_id: str, chain_id: str | None = None) -> tuple[LogEntry, ...]:
    """A rollout's whole log: of one chain, or of the newest."""
    rows = await conn.fetch(
        "select entry from decision_log where rollout_id = $1 and chain_id = coalesce($2, "
        "(select chain_id from rollout where rollout_id = $1 order by opened_at desc limit 1)) order by sequence",
        rollout_id,
        chain_id,
    )
    return tuple(LogEntry.model_validate_json(json.dumps(row["entry"])) for row in rows)
