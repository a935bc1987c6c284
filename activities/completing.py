"""What may be missing although sources tell as much as ever: lines of cost, and facts of one cohort alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from judgement.volumes import Told, periods_of, volume
from models.evidence import CohortReading
from models.metric import MetricName
from models.quality import SourceVolume
from store.completeness import CostSource, read_cost_volumes, read_own_volumes
from store.pool import Connection
from store.quality import Period

if TYPE_CHECKING:
    from activities.measuring import Ask

COHORT = "the cohort itself"
"""What stands for a source, where it is whoever is measured."""


class Costs(NamedTuple):
    """A source of product cost; `sells` as in `CostSource`."""

    volume: SourceVolume
    sells: bool


class Completeness(NamedTuple):
    """What was counted beside one reading."""

    costs: Sequence[Costs] = ()
    own: SourceVolume | None = None


Found: TypeAlias = Mapping[tuple[int, int, MetricName], Completeness]
"""By ask, by the number of its cohort, and by metric."""


async def read_completeness(conn: Connection, asks: Sequence[Ask]) -> Found:
    """What there is of each reading that is asked for. Costs are of all partners, and read once for a day and length;
    what cohorts told by themselves is read where it is asked for, by one statement for a metric, day and length."""
    found: dict[tuple[int, int, MetricName], Completeness] = {}
    costs: dict[tuple[date, timedelta], tuple[Costs, ...]] = {}
    alone: dict[tuple[MetricName, date, timedelta], list[tuple[int, int]]] = {}
    for number, ask in enumerate(asks):
        for metric, length in ask.windows.items():
            day = ask.as_of.date()
            if metric is MetricName.CONTRIBUTION_MARGIN:
                if (day, length) not in costs:
                    costs[day, length] = await _costs(conn, day, length)
                for index in range(len(ask.everybody)):
                    found[number, index, metric] = Completeness(costs[day, length])
            if metric in ask.alone:
                places = alone.setdefault((metric, day, length), [])
                places.extend((number, index) for index in range(len(ask.cohorts)))
    for (metric, day, length), places in alone.items():
        groups = [asks[number].cohorts[index].partners for number, index in places]
        for place, own in zip(places, await _own(conn, metric, groups, day, length), strict=True):
            key = (*place, metric)
            found[key] = found.get(key, Completeness())._replace(own=own)
    return found


def with_completeness(reading: CohortReading, found: Completeness | None) -> CohortReading:
    """The reading with what was counted beside it; of costs without the sources whose revenue is of others alone."""
    if found is None:
        return reading
    sources = {one.source for one in reading.quality.sources}
    costs = tuple(one.volume for one in found.costs if one.volume.source in sources or not one.sells)
    counts = reading.quality.model_copy(update={"costs": costs, "own": found.own})
    return reading.model_copy(update={"quality": counts})


async def _costs(conn: Connection, until: date, length: timedelta) -> tuple[Costs, ...]:
    days, _, periods = periods_of(length)
    found: tuple[CostSource, ...] = await read_cost_volumes(conn, until, days=days, periods=periods)
    return tuple(Costs(_volume(one.name, one.periods, length), one.sells) for one in found)


async def _own(
    conn: Connection, metric: MetricName, groups: Sequence[Sequence[str]], until: date, length: timedelta
) -> list[SourceVolume | None]:
    """None of a cohort that told nothing for as long as anybody looks back: nothing is usual of it."""
    days, _, periods = periods_of(length)
    found = await read_own_volumes(conn, metric, groups, until, days=days, periods=periods)
    return [_volume(COHORT, told, length) if told else None for told in found]


def _volume(name: str, periods: Sequence[Period], length: timedelta) -> SourceVolume:
    told = {one.number: Told(one.facts, one.fresh) for one in periods}
    return volume(name, told, max(one.through for one in periods), length)
