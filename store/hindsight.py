"""What was judged in a rollout, whole: every reading, every estimate of a change, and the baselines."""

from __future__ import annotations

from models.evidence import Verdict
from models.learning import ChangeReading, JudgedReading, Readings
from models.log import EntryKind, LogEntry
from models.metric import MetricName
from models.work import RolloutKey
from store.log import read_log
from store.pool import Connection
from store.rollouts import baselines_from
from store.statements import statement

_READINGS = statement("views/readings")
_CHANGES = statement("views/changes")


async def read_readings(conn: Connection, key: RolloutKey, log: tuple[LogEntry, ...] | None = None) -> Readings:
    """Everything that a closing review is made of beside plan and log.

    Args:
        log: the rollout's log where it has been read; its newest baselines are the ones that were judged against.

    Raises:
        UnknownBaselines: the log names evidence that the store does not have.
        EvidenceChanged: what is stored does not have its digest any more.
    """
    entries = await read_log(conn, key.rollout_id, key.chain_id) if log is None else log
    frozen = [one.evidence_digest for one in entries if one.kind is EntryKind.BASELINE and one.evidence_digest]
    judged = await conn.fetch(_READINGS, key.rollout_id, key.chain_id)
    changes = await conn.fetch(_CHANGES, key.rollout_id, key.chain_id)
    return Readings(
        baselines=await baselines_from(conn, key, frozen[-1]) if frozen else (),
        judged=tuple(
            JudgedReading(
                cohort=row["cohort"],
                metric=MetricName(row["metric"]),
                as_of=row["as_of"],
                value=row["value"],
                verdict=Verdict(row["verdict"]),
                beyond=row["beyond"],
            )
            for row in judged
        ),
        changes=tuple(
            ChangeReading(
                cohort=row["cohort"], metric=MetricName(row["metric"]), as_of=row["as_of"], estimate=row["estimate"]
            )
            for row in changes
        ),
    )
