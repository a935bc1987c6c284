"""Reads the six metrics from partner facts, per partner, as anybody could have known them at a given moment."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from pathlib import Path

from models.base import Frozen, Instant
from models.evidence import LeadDriver, PartnerReading, Window
from models.metric import MetricName
from store.pool import Connection

_SQL = Path(__file__).parent / "sql"


def _read(name: str) -> str:
    return (_SQL / name).read_text(encoding="utf-8")


_LEAD_STATES = _read("lead_states.sql")
_LEAD_DRIVERS = _LEAD_STATES + _read("lead_drivers.sql")
_METRIC = {
    metric: (_LEAD_STATES if metric is MetricName.LEAD_FOLLOW_UP_SLA else "") + _read(f"metrics/{metric}.sql")
    for metric in MetricName
}
_DATA_THROUGH = {metric: _read(f"data_through/{metric}.sql") for metric in MetricName}


class MetricRows(Frozen):
    """One metric of some partners: a row for each partner with facts, and how far the facts reach.

    A partner without a known fact in the window has no row. `data_through` is the latest event of this metric's
    facts, of any partner, known at the moment asked for; None without any.
    """

    rows: tuple[PartnerReading, ...]
    data_through: Instant | None


async def read_metric(
    conn: Connection,
    metric: MetricName,
    *,
    partner_ids: Collection[str],
    window: Window,
    as_of: datetime,
) -> MetricRows:
    """Per-partner numerators and denominators, and the parts the group's formula needs.

    What a numerator and a denominator are is said at the top of each metric's SQL file; combine partners with
    `group_value`, never by averaging their ratios. Parts about the whole group (`cycle_*`, `window_days`,
    `immature`, `accruals_open`) refer to the partners asked for together.

    Args:
        conn: from `store.pool.create_pool`, in the caller's REPEATABLE READ READ ONLY transaction, so that all
            metrics of a snapshot see the same facts.
        window: half-open; which events count. Enablement and compliance are states at `as_of`.
        as_of: facts, and changes of facts, known later are unknown.

    Raises:
        asyncpg.PostgresError, OSError, TimeoutError: the database did not answer.
    """
    found = await conn.fetch(_METRIC[metric], list(partner_ids), window.start, window.end, as_of)
    return MetricRows(
        rows=tuple(PartnerReading(**row) for row in found),
        data_through=await conn.fetchval(_DATA_THROUGH[metric], as_of),
    )


async def read_sla_drivers(
    conn: Connection,
    *,
    partner_ids: Collection[str],
    window: Window,
    as_of: datetime,
    limit: int = 20,
) -> tuple[LeadDriver, ...]:
    """The leads contacted late or not at all past their deadline, the partner with most of them first.

    At most five leads of a partner, open breaches before late ones, the oldest deadline first. Reads and raises
    like `read_metric`.
    """
    found = await conn.fetch(_LEAD_DRIVERS, list(partner_ids), window.start, window.end, as_of, limit)
    return tuple(LeadDriver(**row) for row in found)
