"""How far the facts reach that a plan would be judged by: absent data are said before anything runs."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from cli.output import CliError, Exit
from models.backtest import Reach
from models.metric import CATALOGUE, MetricName
from models.plan import RolloutPlan

if TYPE_CHECKING:
    from store.pool import Connection

_COUNTED = (
    "lead",
    "opportunity",
    "partner_transaction",
    "partner_cost",
    "mdf_claim",
    "enablement_assignment",
    "compliance_result",
)
"""Tables of facts that the store counts by the day."""


async def reaches(conn: Connection, plan: RolloutPlan, begins: datetime, ends: datetime) -> tuple[Reach, ...]:
    """For each metric of the plan whose facts are counted by the day, how far they reach."""
    from store.scratch import read_reach

    tables = {one.metric: table for one in plan.metrics if (table := _table_of(one.metric)) is not None}
    since = begins - max([plan.phases.baseline_window, *(one.window for one in plan.metrics)])
    found = await read_reach(conn, tuple(tables.values()), since.date(), ends.date())
    return tuple(Reach(metric=metric, **found[table]) for metric, table in tables.items())


def refuse_without_facts(reach: tuple[Reach, ...], begins: datetime, ends: datetime) -> None:
    """Nothing at all to judge by is no backtest.

    Raises:
        CliError: no fact of any metric lies in the span, or none was known by its end.
    """
    if not reach or any(one.in_span for one in reach):
        return
    span = f"from {begins:%Y-%m-%d} to {ends:%Y-%m-%d}"
    there = [one for one in reach if one.first is not None]
    if not there:
        raise CliError(
            "The store has no facts of the plan's metrics; import some with `rollouts data import`.", Exit.BAD_INPUT
        )
    told = "; ".join(_told(one) for one in there)
    raise CliError(f"No fact of the plan's metrics was known {span}. There are facts for: {told}.", Exit.BAD_INPUT)


def notes(reach: tuple[Reach, ...], plan: RolloutPlan, begins: datetime, ends: datetime) -> tuple[str, ...]:
    """What of the span is not covered by facts: verdicts there can only be *cannot tell* or *no evidence*."""
    found: list[str] = []
    needed = (begins - plan.phases.baseline_window).date()
    last_needed = (ends - timedelta(days=1)).date()
    for one in reach:
        title = CATALOGUE[one.metric].title
        if one.first is None or one.last is None:
            found.append(f"{title}: there are no facts at all.")
            continue
        if not one.in_span:
            found.append(f"{title}: no fact of the span was known by its end; there are facts for {_told(one)}.")
            continue
        if one.first > needed:
            found.append(f"{title}: facts begin on {one.first}, after the baseline's window does ({needed}).")
        if one.last < last_needed:
            found.append(f"{title}: facts end on {one.last}, before the span does ({last_needed}).")
    return tuple(found)


def _told(one: Reach) -> str:
    told = f"{CATALOGUE[one.metric].title} {one.first} to {one.last}"
    return f"{told}, known from {one.known_first} on" if _late(one.known_first, one.first) else told


def _late(known: date | None, happened: date | None) -> bool:
    """Whether the first facts became known much later than they happened, as where an import does not say when."""
    return known is not None and happened is not None and known - happened > timedelta(days=31)


def _table_of(metric: MetricName) -> str | None:
    return next((table for table in CATALOGUE[metric].reads if table in _COUNTED), None)
