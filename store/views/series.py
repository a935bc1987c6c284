"""What was judged over time: the values of each cohort's metrics, and the estimates of their changes."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from models.base import Frozen, Instant
from models.evidence import Verdict
from models.metric import MetricName
from models.work import RolloutKey
from store.pool import Connection
from store.statements import statement

_SERIES = statement("views/series")
_CHANGES = statement("views/changes")
_PHASES = statement("views/phases")

MOST = 180
"""Points of one series; where there are more, some are left out, evenly."""


class Point(Frozen):
    """A value as it was judged by itself. `as_of` is programme time."""

    as_of: Instant
    value: float | None
    verdict: Verdict


class ChangePoint(Frozen):
    """An estimate of a change with its interval."""

    as_of: Instant
    estimate: float
    low: float | None
    high: float | None


async def read_series(conn: Connection, key: RolloutKey) -> dict[tuple[str, MetricName], tuple[Point, ...]]:
    """For each cohort and metric the values over time, the oldest first."""
    found: dict[tuple[str, MetricName], list[Point]] = defaultdict(list)
    for row in await conn.fetch(_SERIES, key.rollout_id, key.chain_id, MOST):
        one = Point(as_of=row["as_of"], value=row["value"], verdict=Verdict(row["verdict"]))
        found[row["cohort"], MetricName(row["metric"])].append(one)
    return {name: tuple(points) for name, points in found.items()}


async def read_changes(conn: Connection, key: RolloutKey) -> dict[tuple[str, MetricName], tuple[ChangePoint, ...]]:
    """For each cohort and metric that is judged by its change the estimates over time, the oldest first."""
    found: dict[tuple[str, MetricName], list[ChangePoint]] = defaultdict(list)
    for row in await conn.fetch(_CHANGES, key.rollout_id, key.chain_id):
        one = ChangePoint(as_of=row["as_of"], estimate=row["estimate"], low=row["low"], high=row["high"])
        found[row["cohort"], MetricName(row["metric"])].append(one)
    return {name: tuple(points[-MOST:]) for name, points in found.items()}


async def read_phases(conn: Connection, key: RolloutKey) -> tuple[tuple[str, datetime], ...]:
    """Each phase that was entered, and when (programme time), the first one first."""
    return tuple((row["phase"], row["began"]) for row in await conn.fetch(_PHASES, key.rollout_id, key.chain_id))
