"""Evidence in the store: snapshots and assessments kept whole under their digest, and the readings tolerances count."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from models.evidence import Assessment, Snapshot
from models.metric import MetricName
from models.work import RolloutKey
from store.pool import Connection

_INSERT = (
    "insert into evidence (rollout_id, chain_id, digest, evidence_id, kind, purpose, as_of, body) "
    "values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing"
)


async def keep_snapshot(
    conn: Connection, key: RolloutKey, purpose: str, snapshot: Snapshot, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Keep a snapshot with the partners' rows behind each reading. The digest covers both; twice is once."""
    body = {"snapshot": snapshot.model_dump(mode="json"), "rows": list(rows)}
    await conn.execute(
        _INSERT,
        key.rollout_id,
        key.chain_id,
        snapshot.digest,
        snapshot.evidence_id,
        "snapshot",
        purpose,
        snapshot.as_of,
        body,
    )


async def keep_assessment(conn: Connection, key: RolloutKey, purpose: str, assessment: Assessment) -> None:
    """Keep an assessment and its readings, for tolerances to count."""
    await conn.execute(
        _INSERT,
        key.rollout_id,
        key.chain_id,
        assessment.digest,
        assessment.evidence_id,
        "assessment",
        purpose,
        assessment.as_of,
        assessment.model_dump(mode="json"),
    )
    await conn.executemany(
        "insert into judged_reading (rollout_id, chain_id, cohort, metric, as_of, beyond_threshold, verdict) "
        "values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing",
        [
            (
                key.rollout_id,
                key.chain_id,
                item.cohort,
                item.metric.value,
                assessment.as_of,
                item.beyond_threshold,
                item.verdict.value,
            )
            for item in assessment.items
        ],
    )


async def read_snapshot(conn: Connection, key: RolloutKey, digest: str) -> Snapshot | None:
    """A snapshot by its digest, without the partners' rows."""
    body = await read_evidence(conn, key, digest)
    return Snapshot.model_validate_json(json.dumps(body["snapshot"])) if body else None


async def read_evidence(conn: Connection, key: RolloutKey, digest: str) -> dict[str, Any] | None:
    """Everything kept under a digest."""
    found: dict[str, Any] | None = await conn.fetchval(
        "select body from evidence where (rollout_id, chain_id, digest) = ($1, $2, $3)",
        key.rollout_id,
        key.chain_id,
        digest,
    )
    return found


async def past_readings(
    conn: Connection, key: RolloutKey, since: datetime, before: datetime
) -> dict[tuple[str, MetricName], list[tuple[datetime, bool]]]:
    """For each cohort and metric, when it was read in `[since, before)` and whether beyond, the oldest first."""
    rows = await conn.fetch(
        "select cohort, metric, as_of, beyond_threshold from judged_reading "
        "where (rollout_id, chain_id) = ($1, $2) and as_of >= $3 and as_of < $4 order by as_of",
        key.rollout_id,
        key.chain_id,
        since,
        before,
    )
    found: dict[tuple[str, MetricName], list[tuple[datetime, bool]]] = defaultdict(list)
    for row in rows:
        found[row["cohort"], MetricName(row["metric"])].append((row["as_of"], row["beyond_threshold"]))
    return dict(found)
