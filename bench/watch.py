"""One look of the watch at all open rollouts, against reading each metric of all in one statement, and naively."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from temporalio.client import Client

from activities.delivery import Delivery
from activities.looking import Looker
from activities.watching import WatchActivities
from bench.crowd import Crowd, gather
from bench.dbtime import Pool, StatementTimes, Took, measured
from bench.figures import Bar, Comparison, Findings
from bench.ground import Ground
from bench.rollouts import DAY
from models.evidence import Window
from models.metric import MetricName
from models.names import rollout_workflow_id
from models.work import TickRequest
from store.metrics import read_metric
from store.pool import Connection

Cohorts = Sequence[Collection[str]]

TOGETHER = "reading each metric of all rollouts in one statement"
UNINDEXED = "the same without the indexes of leads"
BAR = Bar(limit=150, unit="ms")
SLA = (MetricName.LEAD_FOLLOW_UP_SLA,)
TICKS = 5
"""Ticks measured together."""

_INDEXES_OF_LEADS = """
select indexrelid::regclass::text from pg_index where indrelid = 'lead'::regclass and not indisunique
"""


async def run(ground: Ground) -> Findings:
    """Every look is a day after the one before, so that every rollout is due."""
    count, leads, rounds, sample = (4, 0, 1, 1) if ground.quick else (200, 1_000_000, 3, 4)
    crowd = await gather(ground, count, leads)
    took: defaultdict[str, list[Took]] = defaultdict(list)
    times = StatementTimes()
    async with ground.temporal() as (_, client):
        await _workflows(client, crowd)
        ground.tell("the first look tells every rollout what it sees; the later ones give each its daily word")
        await _look(crowd, client, crowd.now)
        for number in range(1, rounds + 1):
            read = Reading(crowd, crowd.now + number * DAY)
            took["look"].append(await _look(crowd, client, read.at))
            took["tick"].append(await _tick(crowd, client, read.at, 1))
            took["first tick of all"].append(await _tick(crowd, client, read.at, count, times=1))
            took["tick of all"].append(await _tick(crowd, client, read.at, count))
            took["together"].append(await measured(crowd.dsn, read.together))
            took["sla"].append(await measured(crowd.dsn, read.sla))
            took["sla together"].append(await measured(crowd.dsn, read.sla_together))
            without = await measured(crowd.dsn, partial(read.sla_unindexed, sample))
            took["sla unindexed"].append(Took(*(part * count / sample for part in without)))
            ground.tell(f"a look took {took['look'][-1].wall:.1f} s")
        await _look(crowd, client, crowd.now + (rounds + 1) * DAY, times)
    return Findings(
        comparisons=_compared(took, f"{count} rollouts, {crowd.leads:,} leads, {len(crowd.plan.metrics)} metrics each"),
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


async def _tick(crowd: Crowd, client: Client, at: datetime, count: int, *, times: int = TICKS) -> Took:
    """What leads that have come make the watch do: look at the SLA of the rollouts that watch their partners, in the
    moment after a whole look, so that nobody has to be told anything. The mean of so many, one after the other: the
    watch keeps its connections, and the first look on new ones reads the catalogue and makes plans as well."""
    due = dict.fromkeys(list(crowd.pilots)[:count], frozenset(SLA))

    async def work(pool: Pool) -> None:
        looker = Looker(pool, client)
        for _ in range(times):
            seen = await looker.look(due, at + timedelta(minutes=1))
            if sum(one.evaluated for one in seen) != count:
                raise RuntimeError(f"not all of {count} rollouts were evaluated")

    took = await measured(crowd.dsn, work)
    return Took(*(part / times for part in took))


class Reading:
    """Ways to read the metrics of all rollouts' cohorts as of a moment, with the product's own statements."""

    def __init__(self, crowd: Crowd, at: datetime) -> None:
        self.at = at
        self._metrics = {one.metric: one.window for one in crowd.plan.metrics}
        self._cohorts = [pilot.partners for pilot in crowd.pilots.values()]
        self._everybody = tuple({partner for partners in self._cohorts for partner in partners})

    async def together(self, pool: Pool) -> None:
        """Every metric once, of everybody: rows come by partner, so the rollouts' can be told apart."""
        await self._read(pool, [self._everybody], self._metrics)

    async def sla(self, pool: Pool) -> None:
        """One rollout after the other, the SLA only."""
        await self._read(pool, self._cohorts, SLA)

    async def sla_together(self, pool: Pool) -> None:
        """The SLA of everybody at once."""
        await self._read(pool, [self._everybody], SLA)

    async def sla_unindexed(self, sample: int, pool: Pool) -> None:
        """The SLA of some rollouts, with no index of leads but their key; they come back afterwards."""
        async with pool.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            for row in await connection.fetch(_INDEXES_OF_LEADS):
                await connection.execute(f"drop index {row[0]}")
            await self._read_on(connection, self._cohorts[:sample], SLA)
            await transaction.rollback()

    async def _read(self, pool: Pool, cohorts: Cohorts, metrics: Iterable[MetricName]) -> None:
        async with pool.acquire() as connection:
            await self._read_on(connection, cohorts, metrics)

    async def _read_on(self, connection: Connection, cohorts: Cohorts, metrics: Iterable[MetricName]) -> None:
        for metric in metrics:
            window = Window(start=self.at - self._metrics[metric], end=self.at)
            for partners in cohorts:
                await read_metric(connection, metric, partner_ids=partners, window=window, as_of=self.at)


def _compared(took: Mapping[str, list[Took]], size: str) -> tuple[Comparison, ...]:
    def compare(what: str, ours: str, against: str, theirs: str, bar: Bar | None = None) -> Comparison:
        part = 0 if what.endswith("by the clock") else 1
        mine, other = (tuple(one[part] * 1000 for one in took[side]) for side in (ours, theirs))
        return Comparison(what=what, unit="ms", ours=mine, against=against, theirs=other, bar=bar, note=size)

    one_by_one = "SLA of every rollout by itself, database"
    return (
        compare("a tick, leads of one rollout's partners, database", "tick", TOGETHER, "sla together", BAR),
        compare("a tick, leads of everybody's partners, database", "tick of all", TOGETHER, "sla together", BAR),
        compare("the first of these on new connections", "first tick of all", TOGETHER, "sla together"),
        compare("a whole look, database", "look", TOGETHER, "together", BAR),
        compare("a whole look, by the clock", "look", TOGETHER, "together"),
        compare(one_by_one, "sla", TOGETHER, "sla together"),
        compare(one_by_one, "sla", UNINDEXED, "sla unindexed"),
    )
