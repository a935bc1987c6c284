"""Reads the six metrics from partner facts, per partner, as anybody could have known them at a given moment."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from models.base import Frozen, Instant
from models.evidence import LeadDriver, PartnerReading, Window
from models.metric import MetricName
from store.pool import Connection

_SQL = Path(__file__).parent / "sql"


def _read(name: str) -> str:
    return (_SQL / name).read_text(encoding="utf-8")


def _leads(told: str, earlier: str) -> str:
    """What is counted of leads. Built of the project's own names only."""
    sql = "".join(map(_read, ("lead_tallies.sql", "lead_states.sql", "lead_readings.sql")))
    return sql.replace(":told", told).replace(":earlier", earlier)


_LEADS = _leads("lead", "true")
_SLA_WITH_DRIVERS = _LEADS + _read("lead_ranks.sql") + _read("sla_with_drivers.sql")
_METRIC = {
    metric: (_LEADS if metric is MetricName.LEAD_FOLLOW_UP_SLA else "") + _read(f"metrics/{metric}.sql")
    for metric in MetricName
}
_DATA_THROUGH = {metric: _read(f"data_through/{metric}.sql") for metric in MetricName}

_RESTATABLE = re.compile(
    r"\b(lead|opportunity|partner_transaction|partner_cost|mdf_claim|enablement_assignment|compliance_result)"
    r"_(?:as_of|in_order)\("
)
_AS_TOLD = {metric: _RESTATABLE.sub(r"\1_as_told(", sql) for metric, sql in _METRIC.items()} | {
    MetricName.LEAD_FOLLOW_UP_SLA: _leads("lead_as_told($5::timestamptz)", "false")
    + _read("metrics/lead_follow_up_sla.sql")
}

STATEMENT_SECONDS = 60.0
"""A connection's usual limit is made for statements about one rollout, not about facts of twenty thousand partners."""

# A plan is made for the partners and the moment asked for, unless they are so few. Compiling it costs more than it
# saves; grouping by partner needs less memory than the planner fears. Joins of facts as of a moment look smaller to it
# than they are; looking up one row at a time is then what it chooses, and what never ends.
_READING = """
set local plan_cache_mode = force_custom_plan; set local jit = off; set local work_mem = '64MB';
set local hash_mem_multiplier = 8; set local enable_nestloop = off; set local enable_mergejoin = off
"""
_AS_BEFORE = """
set local enable_nestloop = on; set local enable_mergejoin = on; set local max_parallel_workers_per_gather to default
"""

FEW = 2_000
"""Partners up to which nobody helps with a read: helpers would go through whole tables where an index has the facts, at
twice the work, and everybody else on the machine would wait for that."""
_ALONE = "set local max_parallel_workers_per_gather = 0"

SO_FEW = 200
"""Partners up to which a session plans each statement once: to plan one anew takes up to as long as to read the facts
of so few, and a plan made for whoever may be asked for finds them by the same indexes."""
_PLANNED_ONCE = "set local plan_cache_mode = force_generic_plan"

_OF_A_READING = ("partner_id", "numerator", "denominator", "facts")
_OF_LEADS = ("lead_ids", "due_ats", "states", "ranks", "told_at", "told_by", "alike")
_NOT_PARTS = frozenset({"group_no", *_OF_A_READING, *_OF_LEADS})
"""What every metric's statement returns; each further column is a part of that name, and NULL there is no part."""


class Newest(NamedTuple):
    """The newest lead of a partner in a window, as leads stand, for the checks of the data.

    `at` is when it was assigned. `source` is where it is from, None where the partner's leads are from several;
    `alike`: some of them were assigned at the same instant.
    """

    at: datetime
    source: str | None
    alike: bool


class SlaRows(NamedTuple):
    """What one look at leads finds: each group's rows, the leads behind its breach, and by partner the newest one.
    Whoever has no row is not among these."""

    partners: tuple[tuple[PartnerReading, ...], ...]
    leads: tuple[tuple[LeadDriver, ...], ...]
    newest: Mapping[str, Newest]


class MetricRows(Frozen):
    """One metric of some partners: a row for each partner with facts, and how far the facts reach.

    A partner without a known fact in the window has no row. `data_through` is the latest event of this metric's
    facts, of any partner, known at the moment asked for; None without any.
    """

    rows: tuple[PartnerReading, ...]
    data_through: Instant | None


async def read_metrics(
    conn: Connection,
    metric: MetricName,
    groups: Sequence[Collection[str]],
    *,
    window: Window,
    as_of: datetime,
) -> tuple[MetricRows, ...]:
    """Per-partner numerators and denominators of many groups of partners in one read, in the order of the groups.

    A partner may stand in several groups: their facts are read once. What a numerator and a denominator are is said
    at the top of each metric's SQL file; combine partners with `group_value`, never by averaging their ratios. Parts
    about the whole group (`contact_*`, `cycle_*`, `window_days`, `immature`, `accruals_open`) refer to the
    partners of that group together.

    Args:
        conn: from `store.pool.create_pool`, in the caller's REPEATABLE READ READ ONLY transaction, so that all
            metrics of a snapshot see the same facts.
        groups: partner ids; naming one twice in a group is naming them once.
        window: half-open; which events count. Enablement and compliance are states at `as_of`.
        as_of: facts, and changes of facts, known later are unknown.

    Raises:
        asyncpg.PostgresError, OSError, TimeoutError: the database did not answer.
    """
    found = await read_rows(conn, metric, groups, window=window, as_of=as_of)
    through = await read_data_through(conn, metric, as_of)
    return tuple(MetricRows(rows=rows, data_through=through) for rows in found)


async def read_metric(
    conn: Connection,
    metric: MetricName,
    *,
    partner_ids: Collection[str],
    window: Window,
    as_of: datetime,
) -> MetricRows:
    """`read_metrics` of one group."""
    [found] = await read_metrics(conn, metric, (partner_ids,), window=window, as_of=as_of)
    return found


async def read_rows(
    conn: Connection,
    metric: MetricName,
    groups: Sequence[Collection[str]],
    *,
    window: Window,
    as_of: datetime,
    as_told: bool = False,
) -> tuple[tuple[PartnerReading, ...], ...]:
    """The rows of `read_metrics` alone.

    Args:
        as_told: as if nothing that was said of a fact had been said anew in the week before `as_of`.
    """
    async with planned(conn):
        return await read_planned(conn, metric, groups, window=window, as_of=as_of, as_told=as_told)


async def read_planned(
    conn: Connection,
    metric: MetricName,
    groups: Sequence[Collection[str]],
    *,
    window: Window,
    as_of: datetime,
    as_told: bool = False,
) -> tuple[tuple[PartnerReading, ...], ...]:
    """`read_rows` for whoever reads several metrics: inside `planned`, which says once how they are all planned."""
    sql = _AS_TOLD[metric] if as_told else _METRIC[metric]
    found = await conn.fetch(sql, *_members(groups), window.start, window.end, as_of, timeout=STATEMENT_SECONDS)
    return _readings(found, len(groups))


async def read_sla(
    conn: Connection, groups: Sequence[Collection[str]], *, window: Window, as_of: datetime, limit: int = 20
) -> SlaRows:
    """`read_planned` of the lead follow-up SLA, `read_drivers`, and what the checks of the data want to know of leads
    up to the window's end, by one statement that looks at each lead once."""
    found = await conn.fetch(
        _SLA_WITH_DRIVERS, *_members(groups), window.start, window.end, as_of, limit, timeout=STATEMENT_SECONDS
    )
    leads: list[list[tuple[int, LeadDriver]]] = [[] for _ in groups]
    newest: dict[str, Newest] = {}
    for row in found:
        if row["told_at"] is not None:
            newest[row["partner_id"]] = Newest(row["told_at"], row["told_by"], row["alike"])
        for rank, lead, due_at, state in zip(
            *(row[name] or () for name in ("ranks", "lead_ids", "due_ats", "states")), strict=True
        ):
            driver = LeadDriver(partner_id=row["partner_id"], lead_id=lead, due_at=due_at, state=state)
            leads[row["group_no"]].append((rank, driver))
    ranked = (sorted(of_group, key=lambda one: one[0]) for of_group in leads)
    drivers = tuple(tuple(driver for _, driver in of_group) for of_group in ranked)
    return SlaRows(_readings(found, len(groups)), drivers, newest)


def _readings(found: Sequence[Any], groups: int) -> tuple[tuple[PartnerReading, ...], ...]:
    rows: list[list[PartnerReading]] = [[] for _ in range(groups)]
    names = [name for name in (found[0].keys() if found else ()) if name not in _NOT_PARTS]
    for row in found:
        parts = {name: part for name in names if (part := row[name]) is not None}
        rows[row["group_no"]].append(PartnerReading(parts=parts, **{name: row[name] for name in _OF_A_READING}))
    return tuple(map(tuple, rows))


async def read_data_through(conn: Connection, metric: MetricName, as_of: datetime) -> datetime | None:
    """The latest event of this metric's facts, of any partner, known at the moment; None without any."""
    found: datetime | None = await conn.fetchval(_DATA_THROUGH[metric], as_of)
    return found


async def read_drivers(
    conn: Connection,
    groups: Sequence[Collection[str]],
    *,
    window: Window,
    as_of: datetime,
    limit: int = 20,
) -> tuple[tuple[LeadDriver, ...], ...]:
    """Of each group the leads contacted late or not at all past their deadline, the partner with most of them first.

    At most `limit` leads of a group and five of a partner, open breaches before late ones, the oldest deadline first.
    Reads and raises like `read_metrics`.
    """
    async with planned(conn):
        return (await read_sla(conn, groups, window=window, as_of=as_of, limit=limit)).leads


def data_through(metric: MetricName) -> str:
    """The statement of `read_data_through`; its only parameter, $1, is the moment."""
    return _DATA_THROUGH[metric]


def statement(metric: MetricName) -> str:
    """The statement that reads a metric of many groups; its parameters stand at the top of its file."""
    return _METRIC[metric]


@asynccontextmanager
async def one_state(conn: Connection, partners: int | None = None, *, often: bool = False) -> AsyncIterator[None]:
    """One state of the database for everything that is read inside, and nothing written. It begins `planned`, by the
    same message: each one by itself is waited for. `as_before` ends that for what is read after the metrics.

    Not within a transaction, and none is begun inside.

    Args:
        often: up to `FEW` partners, not `SO_FEW`, share one plan. For the SLA, which is read most often and always by
            the same index, while of the others a plan for what is asked is worth making.
    """
    begin = "begin isolation level repeatable read read only"
    async with _transaction(conn, f"{begin}; {_reading(partners, often)}"):
        yield


@asynccontextmanager
async def _transaction(conn: Connection, begin: str) -> AsyncIterator[None]:
    try:
        await conn.execute(begin)
        yield
    except BaseException:
        if not conn.is_closed():
            await conn.execute("rollback")
        raise
    await conn.execute("commit")


@asynccontextmanager
async def same_state(conn: Connection, other: Connection, partners: int | None = None) -> AsyncIterator[None]:
    """Another session reads inside what `conn` does in its `one_state`, and plans alike. Two that read at the same time
    are not helped by others besides: that would be more work, which takes longer where cores are few."""
    snapshot = await conn.fetchval("select pg_export_snapshot()")
    await conn.execute(_ALONE)
    begin = f"begin isolation level repeatable read read only; set transaction snapshot '{snapshot}'"
    async with _transaction(other, f"{begin}; {_reading(partners)}; {_ALONE}"):
        yield


async def as_before(conn: Connection) -> None:
    """Others join, and are helped, again as they are outside of `planned`."""
    await conn.execute(_AS_BEFORE)


@asynccontextmanager
async def planned(conn: Connection, partners: int | None = None) -> AsyncIterator[None]:
    """How reads of metrics are planned: for what is asked, and joining by hashing; by one process where it is said that
    they are of few partners.

    Holds within a transaction, and makes one where there is none: without it the settings would be gone before the
    read, which over many facts then never ends. How others join in the transaction stays as it was.
    """
    async with AsyncExitStack() as own:
        if not conn.is_in_transaction():
            await own.enter_async_context(conn.transaction())
        await conn.execute(_reading(partners))
        yield
        await as_before(conn)


def _reading(partners: int | None, often: bool = False) -> str:
    few = partners is not None and partners <= FEW
    once = partners is not None and partners <= (FEW if often else SO_FEW)
    return "; ".join((_READING, *[_ALONE] * few, *[_PLANNED_ONCE] * once))


_DEAREST = (
    *(MetricName.CONTRIBUTION_MARGIN, MetricName.COMPLIANCE_SCORE, MetricName.MDF_SPEND),
    *(MetricName.LEAD_FOLLOW_UP_SLA, MetricName.ENABLEMENT_COMPLETION, MetricName.PIPELINE_VELOCITY),
)


def dearest_first(metric: MetricName) -> int:
    """What to sort shared reads by, as long as they take of twenty thousand partners: two connections are done at the
    same time, if what is left at the end is short."""
    return _DEAREST.index(metric) if metric in _DEAREST else len(_DEAREST)


def _members(groups: Sequence[Collection[str]]) -> tuple[list[int], list[str]]:
    """The groups as two arrays side by side: a number and a partner."""
    pairs = [(number, partner) for number, group in enumerate(groups) for partner in dict.fromkeys(group)]
    return [number for number, _ in pairs], [partner for _, partner in pairs]
