"""What the values of an assessment are made of: both sides of each, its parts, and what it rests on."""

from __future__ import annotations

from pydantic import TypeAdapter

from models.base import Frozen
from models.evidence import CohortReading
from store.pool import Connection
from store.statements import statement

_NUMBERS = statement("views/numbers")
_READINGS: TypeAdapter[tuple[CohortReading, ...]] = TypeAdapter(tuple[CohortReading, ...])


class Numbers(Frozen):
    """The readings of a snapshot, cohort by cohort in the order of the plan's metrics. `beside` are those of partners
    who are not enrolled."""

    readings: tuple[CohortReading, ...] = ()
    beside: tuple[CohortReading, ...] = ()


async def read_numbers(conn: Connection, rollout_id: str, snapshot_digest: str) -> Numbers:
    """What was measured of a rollout under a digest; nothing where the store has no such snapshot."""
    row = await conn.fetchrow(_NUMBERS, rollout_id, snapshot_digest)
    if row is None:
        return Numbers()
    return Numbers(
        readings=_READINGS.validate_json(row["readings"]),
        beside=_READINGS.validate_json(row["beside"]),
    )
