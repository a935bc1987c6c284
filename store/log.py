"""The decision log: appended to, never changed; the same entry twice is one, a different one is an error."""

from __future__ import annotations

from collections.abc import Sequence

from models.base import digest, digest_json
from models.log import LogEntry
from models.work import RolloutKey
from store.pool import Connection
from store.statements import statement

_APPEND = statement("rollouts/append_entry")
_READ = statement("rollouts/read_log")


class LogConflict(Exception):
    """Another entry stands under the same sequence already: two chains of runs write as one, or somebody forged."""


async def append(conn: Connection, key: RolloutKey, run_id: str, entries: Sequence[LogEntry]) -> int:
    """Append entries; returns how many were new.

    Raises:
        LogConflict: an entry of that sequence exists and says something else.
    """
    new = 0
    for entry in entries:
        done = await conn.fetchval(
            _APPEND,
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
            entry.model_dump(mode="json"),
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
    if digest_json(standing) != digest(entry):
        raise LogConflict(f"entry {entry.sequence} of {key.rollout_id} stands in the log with other content")


async def read_log(conn: Connection, rollout_id: str, chain_id: str | None = None) -> tuple[LogEntry, ...]:
    """A rollout's whole log, the oldest entry first: of one chain, or of the newest."""
    rows = await conn.fetch(_READ, rollout_id, chain_id)
    return tuple(LogEntry.model_validate_json(row["entry"]) for row in rows)
