"""Counts what can make facts mislead: silent sources, odd months, twins, partners who vanish, restatements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

from models.evidence import Window
from models.metric import MetricName
from models.quality import Gone
from models.rollout import CohortMembers
from models.work import RolloutKey
from store.pool import Connection
from store.statements import statement

RESTATED_LATELY = timedelta(days=7)
"""A fact that was restated longer ago has settled; the functions `..._as_told` hold the same."""

MONTHS_BEFORE = 13
"""Months before the window that say what a usual month is."""

_TABLES = MappingProxyType(
    {
        MetricName.LEAD_FOLLOW_UP_SLA: ("lead",),
        MetricName.PIPELINE_VELOCITY: ("opportunity",),
        MetricName.CONTRIBUTION_MARGIN: ("partner_transaction", "partner_cost"),
        MetricName.MDF_SPEND: ("mdf_claim",),
        MetricName.ENABLEMENT_COMPLETION: ("enablement_assignment",),
        MetricName.COMPLIANCE_SCORE: ("compliance_result",),
    }
)
"""The tables of facts behind a metric; the first is counted. Metrics that are not here are checked by their values."""

_FLOWS = MappingProxyType(
    {
        MetricName.LEAD_FOLLOW_UP_SLA: ("assigned_at", "x.known_at"),
        MetricName.PIPELINE_VELOCITY: ("closed_at", "greatest(x.known_at, x.closed_known_at)"),
        MetricName.CONTRIBUTION_MARGIN: ("transaction_date", "x.known_at"),
    }
)
"""When a fact of what flows happened, and when that became known; what is not here is a state."""


def _newest(metric: MetricName) -> str:
    """Built of the project's own names only."""
    kind = "newest_of_flow" if metric in _FLOWS else "newest_of_state"
    at, known = _FLOWS.get(metric, ("", ""))
    sql = statement(f"quality/{kind}")
    return sql.replace(":table", _TABLES[metric][0]).replace(":at", at).replace(":known", known)


_NEWEST = {metric: _newest(metric) for metric in _TABLES}
_TWICE = {
    metric: statement(f"quality/twice/{metric}")
    for metric in (MetricName.LEAD_FOLLOW_UP_SLA, MetricName.PIPELINE_VELOCITY)
}
_FACTS = {metric: statement(f"quality/facts/{metric}") for metric in _TABLES}
_VOLUMES = statement("quality/volumes")
_MONTHS = statement("quality/months")
_RESTATED = statement("quality/restated")
_COMPARISON = statement("quality/comparison")


class Period(NamedTuple):
    """What a source told of one period. `number` counts back from the newest, 0; `fresh` was known by its own end."""

    number: int
    facts: float
    fresh: float
    through: date


class LedgerMonth(NamedTuple):
    """Revenue and product cost of a month; of a month that the window cuts, what lies in it or before it."""

    month: date
    in_window: bool
    currency: str
    revenue: float
    cost: float


class Some(NamedTuple):
    """So many facts, and some of the partners they are of."""

    facts: int = 0
    partners: tuple[str, ...] = ()


class Heard(NamedTuple):
    """From which sources a group's newest facts come and of which day they are, and who of it has fallen silent."""

    partners: Mapping[str, int]
    through: Mapping[str, date]
    gone: Gone


class Raw(NamedTuple):
    """All that was read for the groups of one metric and window. `volumes` and `months` are of all partners."""

    volumes: Mapping[str, Sequence[Period]]
    months: Sequence[LedgerMonth]
    heard: Sequence[Heard]
    twice: Sequence[Some]
    restated: Sequence[Some]


async def read_quality(
    conn: Connection, metric: MetricName, groups: Sequence[Collection[str]], window: Window, *, days: int, periods: int
) -> Raw | None:
    """Count for many groups of partners at once, as of the end of the window; None for a metric that has no counts.

    Args:
        days: length of the periods in which a source's volume is compared.
        periods: how many of them to read, back from the end of the window.
    """
    tables = _TABLES.get(metric)
    if tables is None:
        return None
    pairs = [(number, partner) for number, group in enumerate(groups) for partner in dict.fromkeys(group)]
    members = [number for number, _ in pairs], [partner for _, partner in pairs]
    start, as_of = window.start, window.end
    newest = await conn.fetch(_NEWEST[metric], *members, start, as_of, as_of - start)
    twice = await conn.fetch(_TWICE[metric], *members, start, as_of) if metric in _TWICE else []
    restated = await conn.fetch(_RESTATED, *members, start, as_of, as_of - RESTATED_LATELY, list(tables))
    return Raw(
        volumes=await _volumes(conn, tables[0], as_of.date(), days, periods),
        months=await _months(conn, window) if metric is MetricName.CONTRIBUTION_MARGIN else (),
        heard=_heard(newest, len(groups)),
        twice=_some(twice, len(groups)),
        restated=_some(restated, len(groups)),
    )


async def comparison_cohort(
    conn: Connection, key: RolloutKey, control: str | None, measured: Sequence[str], as_of: datetime
) -> CohortMembers | None:
    """The partners beside a rollout: its control cohort or, without one, whoever of its cohorts is not enrolled yet.

    Args:
        measured: names of the cohorts that are measured themselves; nobody is compared with themselves.
    """
    rows = await conn.fetch(_COMPARISON, key.rollout_id, key.chain_id, control, as_of, list(measured))
    partners = tuple(row["partner_id"] for row in rows)
    return CohortMembers(name=control or "not enrolled", partners=partners) if partners else None


async def _volumes(conn: Connection, table: str, day: date, days: int, periods: int) -> dict[str, list[Period]]:
    found: dict[str, list[Period]] = defaultdict(list)
    for row in await conn.fetch(_VOLUMES, table, day, days, periods):
        found[row["source_system"]].append(Period(row["period"], row["facts"], row["fresh"], row["through"]))
    return dict(found)


async def _months(conn: Connection, window: Window) -> tuple[LedgerMonth, ...]:
    first = window.start.date().replace(day=1) - timedelta(days=MONTHS_BEFORE * 31)
    rows = await conn.fetch(_MONTHS, first.replace(day=1), window.start.date(), window.end.date())
    return tuple(LedgerMonth(*row.values()) for row in rows)


def _heard(rows: Sequence[Any], groups: int) -> tuple[Heard, ...]:
    by_group: list[list[Any]] = [[] for _ in range(groups)]
    for row in rows:
        by_group[row["group_no"]].append(row)
    return tuple(
        Heard(
            partners={row["source_system"]: row["partners"] for row in of_group if row["source_system"]},
            through={row["source_system"]: row["through"] for row in of_group if row["source_system"]},
            gone=Gone(
                had=sum(row["heard"] + row["silent"] for row in of_group),
                silent=sum(row["silent"] for row in of_group),
                left=sum(row["left"] for row in of_group),
                names=tuple(sorted({name for row in of_group for name in row["names"] or ()})[:5]),
            ),
        )
        for of_group in by_group
    )


def _some(rows: Sequence[Any], groups: int) -> tuple[Some, ...]:
    found = {row["group_no"]: Some(row["facts"], tuple(row["names"])) for row in rows}
    return tuple(found.get(number, Some()) for number in range(groups))


async def facts_behind(
    conn: Connection, metric: MetricName, partners: Sequence[str], window: Window, *, each: int
) -> dict[str, tuple[str, ...]]:
    """By partner the facts that count most against the metric, at most `each`: leads, deals, claims by their ids."""
    if metric not in _FACTS or not partners:
        return {}
    found: dict[str, list[str]] = defaultdict(list)
    for row in await conn.fetch(_FACTS[metric], list(partners), window.start, window.end, each):
        found[row["partner_id"]].append(row["fact"])
    return {partner: tuple(facts) for partner, facts in found.items()}
