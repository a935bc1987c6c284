"""Six metrics of a large cohort over ten million leads and as many transactions, against DuckDB over the same rows."""

from __future__ import annotations

import math
import os
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import NamedTuple, TypeAlias

import asyncpg

from bench.duck import Duck
from bench.figures import Bar, Comparison, Findings
from bench.ground import Ground
from deploy.embedded.postgres import EmbeddedPostgres
from models.evidence import Window
from models.metric import MetricName
from store.metrics import dearest_first, one_state, planned, same_state, statement
from store.migrate import migrate
from store.pool import Connection as Conn
from store.pool import prepare_connection, shared

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

AS_OF = datetime(2025, 12, 30, tzinfo=UTC)
WINDOW = Window(start=AS_OF - timedelta(days=90), end=AS_OF)
KEPT = "BENCH_SCALE_DATA"
"""Variable for a directory where the data are made once and found by later runs, a server's and Parquet files; without
it they end with the run. They are made anew when what makes them says something else."""

METRICS = (
    MetricName.CONTRIBUTION_MARGIN,
    MetricName.PIPELINE_VELOCITY,
    MetricName.COMPLIANCE_SCORE,
    MetricName.MDF_SPEND,
    MetricName.ENABLEMENT_COMPLETION,
    MetricName.LEAD_FOLLOW_UP_SLA,
)
DUCKDB = "DuckDB over the same rows as Parquet, by the same statements in its dialect"
# Two ways in which facts are ten times as many. In the first nothing stays the same: each partner read has ten times as
# many in the window, and who reads them all is held against who else does. In the second what is read stays the same,
# and lies in tables ten times as large: twice is the bar there.
SPARSER = "ourselves, where the same partners have a tenth of the facts"
GROWTH = "DuckDB's growth between the same facts"
SMALLER = "ourselves, where there are a tenth of the partners, each with as many facts"
_SQL = Path(__file__).parent / "sql" / "scale"

# Rows are made in the order in which facts come in, and indexed afterwards: millions one by one would take an hour.
_INDEXES = """
select indexrelid::regclass::text as name, pg_get_indexdef(indexrelid) as made_by
from pg_index where indrelid = any ($1::regclass[]) and not indisunique
"""
_LARGE = ("lead", "partner_transaction", "partner_cost", "opportunity", "enablement_assignment", "compliance_result")

Seconds: TypeAlias = defaultdict[MetricName, list[float]]


class Sizes(NamedTuple):
    """What a database has: partners, and so many leads and as many transactions."""

    partners: int
    facts: int


class Side(NamedTuple):
    """Who reads which facts, and the seconds it took, a figure of each round."""

    read: Callable[[MetricName], Awaitable[float]]
    took: Seconds

    @property
    def together(self) -> list[float]:
        """All six."""
        return [sum(one) for one in zip(*self.took.values(), strict=True)]


async def run(ground: Ground) -> Findings:
    """All read all rows of a cohort, in turn; before that, DuckDB must have found what we did.

    The cohort is one of five partners; where the tables are ten times as large, four and forty of a hundred.
    """
    size, rounds = (Sizes(2_000, 20_000), 1) if ground.quick else (Sizes(100_000, 10_000_000), 3)
    few = Sizes(size.partners, size.facts // 10)
    async with _server(ground) as server, AsyncExitStack() as until_the_end:
        whole = await until_the_end.enter_async_context(_facts(ground, server, size))
        beside = await until_the_end.enter_async_context(_connected(server, size))
        sparser = await until_the_end.enter_async_context(_facts(ground, server, few))
        smaller = await until_the_end.enter_async_context(_facts(ground, server, Sizes(size.partners // 10, few.facts)))
        cohort = await _cohort(whole, range(0, 100, 5))
        part, as_many = await _cohort(whole, range(4)), await _cohort(smaller, range(40))
        duck = until_the_end.enter_context(closing(await _duck(server, whole, size, cohort)))
        of_sparser = until_the_end.enter_context(closing(await _duck(server, sparser, few, cohort)))
        ground.tell("DuckDB has the same rows as Parquet, and finds the same")
        ours, ours_of_few = _side(_read, whole, cohort), _side(_read, sparser, cohort)
        theirs, theirs_of_few = _side(_read_duck, duck), _side(_read_duck, of_sparser)
        of_large, of_small = _side(_read, whole, part), _side(_read, smaller, as_many)
        by_two = list[float]()
        for _ in range(rounds):
            by_two.append(await _read_by_two(whole, beside, cohort))
            for metric in METRICS:
                for side in (ours, theirs, ours_of_few, theirs_of_few, of_large, of_small):
                    side.took[metric].append(await side.read(metric))
    note = "{:,} of {:,} partners, 90 days, {:,} leads and as many transactions"
    large = note.format(len(cohort), *size)
    return Findings(
        comparisons=(
            # DuckDB has both cores for each metric, ours one; by two connections, as a look reads, ours has both.
            *_against(DUCKDB, ours, theirs, None, large),
            _compared("all six, by two connections as a look", by_two, theirs.together, DUCKDB, 1, large),
            *_against(SPARSER, ours, ours_of_few, None, large),
            _growth((ours, ours_of_few), (theirs, theirs_of_few), large),
            *_against(SMALLER, of_large, of_small, 2, note.format(len(part), *size)),
        )
    )


def _side(read: Callable[..., Awaitable[float]], *of: object) -> Side:
    return Side(partial(read, *of), Seconds(list))


async def _duck(server: EmbeddedPostgres, connection: Connection, size: Sizes, cohort: Sequence[str]) -> Duck:
    """DuckDB over the same facts, asked about the same partners; it has found what we did."""
    duck = Duck(server.data_dir.parent / _name(size))
    await duck.take(connection)
    duck.ask_about(cohort)
    for metric in METRICS:
        await _same(connection, duck, metric, cohort)
    return duck


@asynccontextmanager
async def _server(ground: Ground) -> AsyncIterator[EmbeddedPostgres]:
    """A server of this bench's own, whose data end with the run unless they are to be kept. It is set as `rollouts up`
    sets it, but for a power cut's sake: data that can be made again are made sooner so, and reading writes nothing."""
    kept = os.environ.get(KEPT)
    async with EmbeddedPostgres((Path(kept) if kept else ground.directory / "scale") / "postgres", fast=True) as server:
        yield server


@asynccontextmanager
async def _facts(ground: Ground, server: EmbeddedPostgres, size: Sizes) -> AsyncIterator[Connection]:
    """A connection to a database with so many leads and transactions, and the other facts in proportion."""
    name = _name(size)
    admin = await asyncpg.connect(server.dsn_for("postgres"))
    try:
        if not await admin.fetchval("select true from pg_database where datname = $1", name):
            # Named when it is whole: a run that was cut short leaves nothing that looks so.
            await admin.execute(f"drop database if exists {name}_begun")
            await admin.execute(f"create database {name}_begun")
            await _make(ground, server.dsn_for(f"{name}_begun"), size)
            await admin.execute(f"alter database {name}_begun rename to {name}")
    finally:
        await admin.close()
    # What has changed since, of kept ones.
    await migrate(server.dsn_for(name))
    async with _connected(server, size) as connection:
        yield connection


@asynccontextmanager
async def _connected(server: EmbeddedPostgres, size: Sizes) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(server.dsn_for(_name(size)), server_settings={"timezone": "UTC"})
    try:
        await prepare_connection(connection)
        yield connection
    finally:
        await connection.close()


def _name(size: Sizes) -> str:
    made_by = sha256((_sql("world") + _sql("amend")).encode()).hexdigest()[:8]
    return f"scale_{size.partners}_{size.facts}_{made_by}"


async def _make(ground: Ground, dsn: str, size: Sizes) -> None:
    await migrate(dsn)
    connection = await asyncpg.connect(dsn, server_settings={"timezone": "UTC"})
    began = time.perf_counter()
    indexes = await connection.fetch(_INDEXES, _LARGE)
    for index in indexes:
        await connection.execute(f"drop index {index['name']}")
    await connection.execute(f"set scale.partners = {size.partners}; set scale.facts = {size.facts}")
    # No trigger runs, of references, of the journal, of counts: what they keep, nobody reads here.
    await connection.execute("set session_replication_role = replica; set work_mem = '256MB'")
    await connection.execute(_sql("world"), timeout=3600)
    await connection.execute(_sql("amend"), timeout=3600)
    # But for what one of them would have kept, which margin reads.
    await connection.execute("insert into shared_line select * from shared_lines()", timeout=3600)
    await connection.execute("set session_replication_role = origin; set maintenance_work_mem = '512MB'")
    for index in indexes:
        await connection.execute(index["made_by"], timeout=3600)
    await connection.execute("reset all; set timezone = 'UTC'")
    await connection.execute("vacuum analyze", timeout=3600)
    await connection.close()
    ground.tell(f"{size.facts:,} leads, as many transactions and the rest, made in {time.perf_counter() - began:.0f} s")


async def _cohort(connection: Connection, of_a_hundred: range) -> list[str]:
    """These of each hundred partners; which of them have funds and rebates depends on the last two digits."""
    ids = await connection.fetch("select partner_id from partner order by 1")
    return [row["partner_id"] for number, row in enumerate(ids) if number % 100 in of_a_hundred]


def _sql(name: str) -> str:
    return (_SQL / f"{name}.sql").read_text(encoding="utf-8")


async def _rows(connection: Connection, metric: MetricName, cohort: Sequence[str]) -> list[asyncpg.Record]:
    async with connection.transaction(isolation="repeatable_read", readonly=True), planned(connection):
        return await _fetch(connection, metric, cohort)


async def _fetch(connection: Conn, metric: MetricName, cohort: Sequence[str]) -> list[asyncpg.Record]:
    found: list[asyncpg.Record] = await connection.fetch(
        statement(metric), [0] * len(cohort), cohort, WINDOW.start, WINDOW.end, AS_OF, timeout=600
    )
    return found


async def _read(connection: Connection, cohort: Sequence[str], metric: MetricName) -> float:
    began = time.perf_counter()
    await _rows(connection, metric, cohort)
    return time.perf_counter() - began


async def _read_by_two(connection: Connection, other: Connection, cohort: Sequence[str]) -> float:
    """All six from one state, each by whichever has nothing to do."""
    began = time.perf_counter()
    async with one_state(connection), same_state(connection, other):
        await shared((connection, other), sorted(METRICS, key=dearest_first), lambda by, one: _fetch(by, one, cohort))
    return time.perf_counter() - began


async def _read_duck(duck: Duck, metric: MetricName) -> float:
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


def _against(name: str, ours: Side, theirs: Side, times: float | None, note: str) -> tuple[Comparison, ...]:
    """Metric by metric and all six; the bar, if there is one, is what the other takes, so many times."""
    each = (_compared(metric.value, ours.took[metric], theirs.took[metric], name, None, "") for metric in METRICS)
    return (*each, _compared("all six", ours.together, theirs.together, name, times, note))


def _growth(ours: tuple[Side, Side], theirs: tuple[Side, Side], note: str) -> Comparison:
    """How many times as long all six take with many facts as with few, which must not be more than DuckDB's."""
    mine, other = (
        tuple(many / few for many, few in zip(one.together, less.together, strict=True)) for one, less in (ours, theirs)
    )
    return Comparison(
        what="growth of all six",
        unit="times",
        ours=mine,
        against=GROWTH,
        theirs=other,
        bar=Bar(limit=median(other), unit="times"),
        note=note,
    )


def _compared(
    what: str, mine: Sequence[float], other: Sequence[float], name: str, times: float | None, note: str
) -> Comparison:
    return Comparison(
        what=what,
        unit="ms",
        ours=tuple(1000 * one for one in mine),
        against=name,
        theirs=tuple(1000 * one for one in other),
        bar=Bar(limit=1000 * times * median(other), unit="ms") if times else None,
        note=note,
    )
