"""The figures of partners one by one: the framework's six metrics, where they stood before, and how few facts are too
few."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import asyncpg

from judgement.values import group_value
from models.base import parse_duration
from models.evidence import PartnerReading, Window
from models.metric import CATALOGUE, MetricName
from models.plan import RolloutPlan
from store.metrics import read_rows
from store.pool import Connection

SIX = tuple(name for name, spec in CATALOGUE.items() if spec.framework)
LOOKS = 4
"""Moments of a trend, the newest included."""

STEP = timedelta(days=30)
LEAST = 5
"""Facts below which one partner's figure is chance, whatever the metric."""


class Figure(NamedTuple):
    """One metric of one partner: now, at the baseline, and over time, the newest last. `few`: on so few facts that the
    number says nothing; it is then not shown as one."""

    value: float | None
    baseline: float | None
    facts: int
    few: bool
    trend: tuple[float | None, ...]


def enough(metric: MetricName) -> int:
    """How many facts of one partner are enough: the partner's share of what a cohort is agreed to need."""
    usual = CATALOGUE[metric].defaults
    return max(LEAST, math.ceil(usual.facts / usual.partners))


def window_of(metric: MetricName, plan: RolloutPlan | None) -> timedelta:
    """The window of a plan that measures the metric, else the usual one."""
    agreed = plan.metric(metric) if plan else None
    found: timedelta = agreed.window if agreed else parse_duration(CATALOGUE[metric].defaults.window)
    return found


async def read_figures(
    pool: asyncpg.Pool[asyncpg.Record],
    partners: Sequence[str],
    as_of: datetime,
    plan: RolloutPlan | None,
    baseline_at: datetime,
) -> dict[tuple[str, MetricName], Figure]:
    """Every figure of some partners as it was known at a moment, and at another one before.

    Without facts in a window a partner has no value there.
    """
    if not partners:
        return {}
    moments = [as_of - STEP * number for number in reversed(range(LOOKS))]
    found: dict[tuple[str, MetricName], Figure] = {}
    async with pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
        for metric in SIX:
            length = window_of(metric, plan)
            looks = [await _values(conn, metric, partners, length, at) for at in moments]
            before = await _values(conn, metric, partners, length, baseline_at)
            for partner in partners:
                found[partner, metric] = _figure(metric, partner, looks, before)
    return found


_Looked = dict[str, tuple[float | None, int]]


def _figure(metric: MetricName, partner: str, looks: Sequence[_Looked], before: _Looked) -> Figure:
    nothing: tuple[float | None, int] = (None, 0)
    value, facts = looks[-1].get(partner, nothing)
    least = enough(metric)
    trend = tuple(look.get(partner, nothing)[0] if look.get(partner, nothing)[1] >= least else None for look in looks)
    then, then_facts = before.get(partner, nothing)
    return Figure(value, then if then_facts >= least else None, facts, facts < least, trend)


async def _values(
    conn: Connection, metric: MetricName, partners: Sequence[str], length: timedelta, at: datetime
) -> _Looked:
    [rows] = await read_rows(conn, metric, [partners], window=Window(start=at - length, end=at), as_of=at)
    return {row.partner_id: (_value(metric, row), row.facts) for row in rows}


def _value(metric: MetricName, row: PartnerReading) -> float | None:
    return group_value(metric, [row]).value


def day_of(moment: datetime) -> datetime:
    """The midnight before a moment: figures of one day are the same all day."""
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
