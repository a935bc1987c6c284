"""Six metrics of a large cohort over ten million leads and as many transactions, against DuckDB over the same rows."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import TypeAlias

import asyncpg

from bench.duck import Duck
from bench.figures import Bar, Comparison, Findings
from bench.ground import Ground
from models.evidence import Window
from models.metric import MetricName
from store.metrics import planned, statement
from store.pool import prepare_connection

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

AS_OF = datetime(2025, 12, 30, tzinfo=UTC)
WINDOW = Window(start=AS_OF - timedelta(days=90), end=AS_OF)
EVERY = 5
"""Of so many partners one is in the cohort."""

METRICS = (
    MetricName.CONTRIBUTION_MARGIN,
    MetricName.PIPELINE_VELOCITY,
    MetricName.COMPLIANCE_SCORE,
    MetricName.MDF_SPEND,
    MetricName.ENABLEMENT_COMPLETION,
    MetricName.LEAD_FOLLOW_UP_SLA,
)
DUCKDB = "DuckDB over the same rows as Parquet, by the same statements in its dialect"
FEWER = "ourselves, where there are a tenth of the facts"
_SQL = Path(__file__).parent / "sql" / "scale"

# Rows are made in the order in which facts come in, and indexed afterwards: millions one by one would take an hour.
_INDEXES = """
select indexrelid::regclass::text as name, pg_get_indexdef(indexrelid) as made_by
from pg_index where indrelid = any ($1::regclass[]) and not indisunique
"""
_LARGE = ("lead", "partner_transaction", "partner_cost", "opportunity", "enablement_assignment", "compliance_result")

Seconds: TypeAlias = defaultdict[MetricName, list[float]]


async def run(ground: Ground) -> Findings:
    """Both read all rows of the cohort, in turn; before that, each must have found what the other did."""
    partners, facts, rounds = (2_000, 20_000, 1) if ground.quick else (100_000, 10_000_000, 3)
    fewer, whole = await _facts(ground, partners, facts // 10), await _facts(ground, partners, facts)
    duck = Duck(ground.directory / "parquet")
    ours, theirs, before = Seconds(list), Seconds(list), Seconds(list)
    try:
        size = await duck.take(whole)
        ground.tell(f"the same rows as Parquet, {size / 2**20:,.0f} MiB")
        cohort = [row["partner_id"] for row in await whole.fetch("select partner_id from partner order by 1")][::EVERY]
        duck.ask_about(cohort)
        for metric in METRICS:
            await _same(whole, duck, metric, cohort)
        ground.tell("both find the same")
        for _ in range(rounds):
            for metric in METRICS:
                ours[metric].append(await _read(whole, metric, cohort))
                theirs[metric].append(_read_duck(duck, metric))
                before[metric].append(await _read(fewer, metric, cohort))
    finally:
        duck.close()
        await fewer.close()
        await whole.close()
    note = f"{len(cohort):,} of {partners:,} partners, 90 days, {facts:,} leads and as many transactions"
    return Findings(comparisons=(*_against(DUCKDB, ours, theirs, 1, note), *_against(FEWER, ours, before, 2, note)))


async def _facts(ground: Ground, partners: int, facts: int) -> Connection:
    """A connection to a database of its own with so many leads and transactions, and the other facts in proportion."""
    connection = await asyncpg.connect(await ground.database(), server_settings={"timezone": "UTC"})
    await prepare_connection(connection)
    began = time.perf_counter()
    indexes = await connection.fetch(_INDEXES, _LARGE)
    for index in indexes:
        await connection.execute(f"drop index {index['name']}")
    await connection.execute(f"set scale.partners = {partners}; set scale.facts = {facts}")
    # No trigger runs, of references, of the journal, of counts: what they keep, nobody reads here.
    await connection.execute("set session_replication_role = replica; set work_mem = '256MB'")
    await connection.execute(_sql("world"), timeout=3600)
    await connection.execute(_sql("amend"), timeout=3600)
    await connection.execute("set session_replication_role = origin; set maintenance_work_mem = '512MB'")
    for index in indexes:
        await connection.execute(index["made_by"], timeout=3600)
    await connection.execute("reset all; set timezone = 'UTC'")
    await connection.execute("vacuum analyze", timeout=3600)
    ground.tell(f"{facts:,} leads, as many transactions and the rest, made in {time.perf_counter() - began:.0f} s")
    return connection


def _sql(name: str) -> str:
    return (_SQL / f"{name}.sql").read_text(encoding="utf-8")


async def _rows(connection: Connection, metric: MetricName, cohort: Sequence[str]) -> list[asyncpg.Record]:
    async with connection.transaction(isolation="repeatable_read", readonly=True), planned(connection):
        found: list[asyncpg.Record] = await connection.fetch(
            statement(metric), [0] * len(cohort), cohort, WINDOW.start, WINDOW.end, AS_OF, timeout=600
        )
    return found


async def _read(connection: Connection, metric: MetricName, cohort: Sequence[str]) -> float:
    began = time.perf_counter()
    await _rows(connection, metric, cohort)
    return time.perf_counter() - began


def _read_duck(duck: Duck, metric: MetricName) -> float:
    began = time.perf_counter()
    duck.read(metric, WINDOW)
    return time.perf_counter() - began


async def _same(connection: Connection, duck: Duck, metric: MetricName, cohort: Sequence[str]) -> None:
    """Raises:
    RuntimeError: they differ, so that their times are those of two different things.
    """
    ours, theirs, names = await _rows(connection, metric, cohort), duck.read(metric, WINDOW), duck.names(metric, WINDOW)
    if len(ours) != len(theirs):
        raise RuntimeError(f"{metric}: {len(ours)} rows of ours, {len(theirs)} of DuckDB")
    for mine, row in zip(ours, theirs, strict=True):
        other = dict(zip(names, row, strict=True))
        for name, value in mine.items():
            if not _alike(value, other[name]):
                raise RuntimeError(f"{metric} of {mine['partner_id']}: {name} is {value} and {other[name]}")


def _alike(mine: object, other: object) -> bool:
    """DuckDB counts money as floating point."""
    if isinstance(mine, int | float) and isinstance(other, int | float):
        return math.isclose(mine, other, rel_tol=1e-9, abs_tol=1e-6)
    return mine == other


def _against(
    name: str, ours: Mapping[MetricName, list[float]], theirs: Mapping[MetricName, list[float]], times: float, note: str
) -> tuple[Comparison, ...]:
    """Metric by metric and all six; the bar is what the other takes, so many times."""

    def compare(what: str, mine: Sequence[float], other: Sequence[float], bar: bool) -> Comparison:
        limit = Bar(limit=1000 * times * median(other), unit="ms") if bar else None
        return Comparison(
            what=what,
            unit="ms",
            ours=tuple(1000 * one for one in mine),
            against=name,
            theirs=tuple(1000 * one for one in other),
            bar=limit,
            note=note if bar else "",
        )

    def together(side: Mapping[MetricName, list[float]]) -> list[float]:
        return [sum(one) for one in zip(*side.values(), strict=True)]

    each = (compare(metric.value, ours[metric], theirs[metric], False) for metric in METRICS)
    return (*each, compare("all six", together(ours), together(theirs), True))
