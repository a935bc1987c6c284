"""What a rollout left behind, whole: its plan, its log, every reading, every judged change, its baselines."""

from __future__ import annotations

from models.base import Frozen
from models.change import MaterialChange
from models.evidence import Verdict
from models.learning import ChangeReading, JudgedReading, Readings
from models.log import EntryKind, LogEntry
from models.metric import MetricName
from models.plan import RolloutPlan
from models.work import RolloutKey
from store.log import read_log
from store.pool import Connection
from store.rollouts import baselines_from, read_plan
from store.statements import statement

_READINGS = statement("views/readings")
_CHANGES = statement("views/judged_changes")


class Hindsight(Frozen):
    """Everything that reviews, records and next plans are made of."""

    key: RolloutKey
    plan: RolloutPlan
    log: tuple[LogEntry, ...]
    readings: Readings


async def read_hindsight(conn: Connection, rollout_id: str) -> Hindsight | None:
    """What the newest chain of a rollout left behind, None for an unknown one. Raises like `read_readings`."""
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        chain = await conn.fetchval(
            "select chain_id from rollout where rollout_id = $1 order by opened_at desc, chain_id desc limit 1",
            rollout_id,
        )
        if chain is None:
            return None
        key = RolloutKey(rollout_id=rollout_id, chain_id=chain)
        plan = await read_plan(conn, key)
        log = await read_log(conn, rollout_id, chain)
        return Hindsight(key=key, plan=plan, log=log, readings=await read_readings(conn, key, log)) if plan else None


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
                cohort=row["cohort"],
                metric=MetricName(row["metric"]),
                as_of=row["as_of"],
                verdict=Verdict(row["verdict"]),
                change=MaterialChange.model_validate_json(row["change"]) if row["change"] else None,
            )
            for row in changes
        ),
    )
