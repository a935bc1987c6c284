"""What auditors are given of a rollout, as it stands in the store: log, plan, evidence, kept histories."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from models.base import Frozen, Instant
from models.letter import OutboxLetter
from models.log import LogEntry
from models.plan import RolloutPlan
from models.work import RolloutKey
from store.pool import Connection
from store.statements import statement

_LOG = statement("exhibit/log")
_EVIDENCE = statement("exhibit/evidence")
_HISTORIES = statement("exhibit/histories")
_LETTERS = statement("exhibit/letters")
_LOOKS = statement("exhibit/looks")

_GZIP = 31
"""zlib's name for a gzip stream."""


class LogRow(Frozen):
    """An entry of the log as its leaf is made of it."""

    sequence: int
    run_id: str
    entry: dict[str, Any]


class KeptEvidence(Frozen):
    """Evidence under its digest; `as_of` is programme time."""

    digest: str
    kind: str
    purpose: str
    as_of: Instant
    body: dict[str, Any]


class KeptLook(Frozen):
    """A look at one metric of one cohort as of a programme time: the verdict of it by itself, what it adds to the count
    of breaches, and the digest of the snapshot that it was made of."""

    cohort: str
    metric: str
    as_of: Instant
    verdict: str
    beyond: bool | None
    snapshot_digest: str


class KeptHistory(Frozen):
    """A run's history as it was exported: the SDK's JSON."""

    run_id: str
    last_event: int
    text: bytes


async def newest_chain(conn: Connection, rollout_id: str) -> tuple[RolloutKey, RolloutPlan] | None:
    """The newest chain of a rollout and its plan, None for an unknown rollout."""
    row = await conn.fetchrow(
        "select chain_id, plan from rollout where rollout_id = $1 order by opened_at desc limit 1", rollout_id
    )
    if row is None:
        return None
    key = RolloutKey(rollout_id=rollout_id, chain_id=row["chain_id"])
    return key, RolloutPlan.model_validate_json(json.dumps(row["plan"]))


async def log_rows(conn: Connection, key: RolloutKey) -> tuple[LogRow, ...]:
    """The log, the first entry first."""
    return tuple(LogRow(**row) for row in await conn.fetch(_LOG, key.rollout_id, key.chain_id))


async def evidence_of(conn: Connection, key: RolloutKey, digests: Iterable[str]) -> tuple[KeptEvidence, ...]:
    """The evidence of these digests, and what it rests on."""
    rows = await conn.fetch(_EVIDENCE, key.rollout_id, key.chain_id, sorted(digests))
    return tuple(KeptEvidence(**row) for row in rows)


async def letters_of(conn: Connection, key: RolloutKey) -> tuple[OutboxLetter, ...]:
    """The letters about a rollout, whoever wrote them, and what has become of each; the oldest first."""
    rows = await conn.fetch(_LETTERS, key.rollout_id, key.chain_id)
    return tuple(
        OutboxLetter(**{**row, "delivered": tuple(row["delivered"]), "refused": tuple(row["refused"])}) for row in rows
    )


async def looks_of(conn: Connection, key: RolloutKey, until: datetime) -> tuple[KeptLook, ...]:
    """The looks up to a programme time, the oldest first."""
    return tuple(KeptLook(**row) for row in await conn.fetch(_LOOKS, key.rollout_id, key.chain_id, until))


async def histories_of(conn: Connection, key: RolloutKey) -> tuple[KeptHistory, ...]:
    """The histories that were exported, in the order of the chain; none where this schema has no room for any."""
    if not await _has(conn, "exported_history"):
        return ()
    rows = await conn.fetch(_HISTORIES, key.rollout_id, key.chain_id)
    return tuple(
        KeptHistory(run_id=row["run_id"], last_event=row["last_event"], text=zlib.decompress(row["history"], _GZIP))
        for row in rows
    )


async def _has(conn: Connection, table: str) -> bool:
    return await conn.fetchval("select to_regclass($1)", table) is not None


async def entries_of(conn: Connection, rollout_id: str, chain_id: str | None = None) -> dict[int, tuple[str, LogEntry]]:
    """The log of a chain, or of the newest: each entry by its sequence, with the run that wrote it."""
    if chain_id is None:
        found = await newest_chain(conn, rollout_id)
        if found is None:
            return {}
        chain_id = found[0].chain_id
    rows = await log_rows(conn, RolloutKey(rollout_id=rollout_id, chain_id=chain_id))
    return {row.sequence: (row.run_id, LogEntry.model_validate_json(json.dumps(row.entry))) for row in rows}
