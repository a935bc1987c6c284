"""One look of the watch at all open rollouts, against one statement a metric for all, and against naive polling."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from functools import partial

from temporalio.client import Client

from activities.delivery import Delivery
from activities.watching import WatchActivities
from bench.crowd import NOW, Crowd, gather
from bench.dbtime import Pool, StatementTimes, Took, measured
from bench.figures import Bar, Comparison, Findings
from bench.ground import Ground
from bench.rollouts import DAY
from models.evidence import Window
from models.names import rollout_workflow_id
from models.work import TickRequest
from store.metrics import read_metric
from store.pool import Connection

TOGETHER = "one statement a metric for all rollouts together; reads only"
NAIVE = "a statement a rollout and metric, no index on facts; reads only"
BAR = Bar(limit=150, unit="ms")
_FACTS = (
    *("lead", "partner_transaction", "partner_cost", "opportunity", "opportunity_reopening", "mdf_request"),
    *("mdf_claim", "mdf_allocation", "enablement_assignment", "compliance_result"),
)
_INDEXES = """
select indexrelid::regclass::text from pg_index join pg_class on pg_class.oid = indrelid
where relnamespace = 'public'::regnamespace and not indisunique and relname = any ($1)
"""


async def run(ground: Ground) -> Findings:
    """Every look is a day after the one before, so that every rollout is due."""
    count, leads, rounds, sample = (4, 0, 1, 1) if ground.quick else (200, 1_000_000, 3, 4)
    crowd = await gather(ground, count, leads)
    looks, together, naive = [], [], []
    times = StatementTimes()
    async with ground.temporal() as (_, client):
        await _workflows(client, crowd)
        ground.tell("the first look tells every rollout what it sees; the later ones find that unchanged")
        await _look(crowd, client, NOW)
        for number in range(1, rounds + 1):
            moment = NOW + number * DAY
            looks.append(await _look(crowd, client, moment))
            together.append(await measured(crowd.dsn, partial(_read_together, crowd, moment)))
            naive.append(await measured(crowd.dsn, partial(_read_naively, crowd, moment, sample)))
            ground.tell(f"a look took {looks[-1].wall:.1f} s, the database worked {looks[-1].database:.1f} s of it")
        await _look(crowd, client, NOW + (rounds + 1) * DAY, times)
    return Findings(
        comparisons=_compared(crowd, looks, together, [_times(one, count / sample) for one in naive], sample),
        profiles=(times.profile("where a look waits for the database"),),
    )


async def _workflows(client: Client, crowd: Crowd) -> None:
    """Somebody to tell: the server keeps their signals, and that nobody runs them makes no difference to the watch."""
    for key in crowd.pilots:
        await client.start_workflow("Nobody", id=rollout_workflow_id(key.rollout_id), task_queue="nobody")


async def _look(crowd: Crowd, client: Client, at: datetime, seen: StatementTimes | None = None) -> Took:
    """The watch's one activity.

    Raises:
        RuntimeError: it did not evaluate them all, so that its time would be that of something else.
    """

    async def work(pool: Pool) -> None:
        watch = WatchActivities(pool, client, Delivery(pool, ()))
        result = await watch.evaluate_open_rollouts(TickRequest(real_now=at, slowest=DAY))
        if result.evaluated != len(crowd.pilots):
            raise RuntimeError(f"only {result.evaluated} of {len(crowd.pilots)} rollouts were evaluated: {result}")

    return await measured(crowd.dsn, work, seen)


async def _read_together(crowd: Crowd, at: datetime, pool: Pool) -> None:
    """Every metric once, of everybody any rollout watches; its rows are by partner, and so can be told apart."""
    everybody = {partner for pilot in crowd.pilots.values() for partner in pilot.partners}
    async with pool.acquire() as connection:
        await _read(connection, crowd, everybody, at)


async def _read_naively(crowd: Crowd, at: datetime, sample: int, pool: Pool) -> None:
    """A few rollouts one after the other, their facts without indexes, which come back afterwards."""
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        for row in await connection.fetch(_INDEXES, list(_FACTS)):
            await connection.execute(f"drop index {row[0]}")
        for pilot in list(crowd.pilots.values())[:sample]:
            await _read(connection, crowd, pilot.partners, at)
        await transaction.rollback()


async def _read(connection: Connection, crowd: Crowd, partners: Collection[str], at: datetime) -> None:
    for metric in crowd.plan.metrics:
        window = Window(start=at - metric.window, end=at)
        await read_metric(connection, metric.metric, partner_ids=partners, window=window, as_of=at)


def _times(took: Took, factor: float) -> Took:
    return Took(*(value * factor for value in took))


def _compared(
    crowd: Crowd, looks: list[Took], together: list[Took], naive: list[Took], sample: int
) -> tuple[Comparison, ...]:
    size = f"{len(crowd.pilots)} rollouts, {crowd.leads / 1e6:.2g}M leads"

    def compare(what: str, against: str, other: list[Took], bar: Bar | None = None, note: str = "") -> Comparison:
        part = 0 if what.startswith("a look by") else 1
        ours, theirs = (tuple(one[part] * 1000 for one in side) for side in (looks, other))
        return Comparison(
            what=f"{what}, {size}", unit="ms", ours=ours, against=against, theirs=theirs, bar=bar, note=note
        )

    return (
        compare("work of the database for a look", TOGETHER, together, BAR),
        compare("a look by the clock", TOGETHER, together),
        compare("work of the database for a look", NAIVE, naive, BAR, f"measured on {sample} rollouts, times the rest"),
        compare("a look by the clock", NAIVE, naive),
    )
