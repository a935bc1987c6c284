"""Counts what may be missing although a source as a whole tells as much as ever: costs, and one cohort's own facts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date, datetime
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

from models.metric import CATALOGUE, MetricName
from store.corrections import days_at, facts_at, forms
from store.pool import Connection
from store.quality import Period
from store.statements import statement

_OF = MappingProxyType(
    {
        MetricName.LEAD_FOLLOW_UP_SLA: ("lead", "assigned_at", "x.known_at", "true"),
        MetricName.PIPELINE_VELOCITY: ("opportunity", "closed_at", "greatest(x.known_at, x.closed_known_at)", "true"),
        MetricName.CONTRIBUTION_MARGIN: (
            "partner_transaction",
            "transaction_date",
            "x.known_at",
            "x.attribution = 'sourced'",
        ),
    }
)
"""Where the facts of what flows stand, when one happened, when that became known, and which count: as in `fact_day`."""


def _own(table: str, at: str, known: str, which: str, moment: str | None) -> str:
    """Built of the project's own names only."""
    sql = facts_at(statement("quality/own_volumes"), table, moment).replace(":at", at)
    return sql.replace(":known", known).replace(":which", which)


_OWN = {
    name: forms(partial(_own, *_OF[own]), "$6")
    for name, spec in CATALOGUE.items()
    for own in (spec.facts_of or name,)
    if own in _OF
}
_COSTS = forms(partial(days_at, statement("quality/cost_volumes"), ("partner_cost", "partner_transaction")), "$4")


class CostSource(NamedTuple):
    """What a source told of product cost, period by period. `sells`: it tells of revenue as well."""

    name: str
    sells: bool
    periods: Sequence[Period]


async def read_cost_volumes(
    conn: Connection, until: date, *, days: int, periods: int, moment: datetime | None = None
) -> tuple[CostSource, ...]:
    """Each source of lines of product cost, of all partners.

    Args:
        until: the first day that is not counted any more.
        days: length of the periods.
        periods: how many of them to read, back from there.
        moment: as of when facts count, where some were corrected since; None: as they stand.
    """
    found: dict[tuple[str, bool], list[Period]] = defaultdict(list)
    for row in await _COSTS.read(conn, moment, until, days, periods):
        one = Period(row["period"], row["facts"], row["fresh"], row["through"])
        found[row["source_system"], row["sells"]].append(one)
    return tuple(CostSource(*name, told) for name, told in found.items())


async def read_own_volumes(
    conn: Connection,
    metric: MetricName,
    groups: Sequence[Collection[str]],
    until: date,
    *,
    days: int,
    periods: int,
    moment: datetime | None = None,
) -> list[list[Period]]:
    """Of each group how many facts its own partners had; none of a metric of states. Arguments as above."""
    found: list[list[Period]] = [[] for _ in groups]
    if metric not in _OWN:
        return found
    pairs = [(number, partner) for number, group in enumerate(groups) for partner in dict.fromkeys(group)]
    members = [number for number, _ in pairs], [partner for _, partner in pairs]
    for row in await _OWN[metric].read(conn, moment, *members, until, days, periods):
        found[row["group_no"]].append(Period(row["period"], row["facts"], row["fresh"], row["through"]))
    return found
