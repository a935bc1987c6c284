"""What may be missing although sources tell as much as ever: lines of cost, and facts of one cohort alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from judgement.volumes import Told, periods_of, volume
from models.evidence import CohortReading
from models.metric import MetricName
from models.quality import Check, SourceVolume
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
    compared: SourceVolume | None = None


Found: TypeAlias = Mapping[tuple[int, int, MetricName], Completeness]
"""By ask, by the number of its cohort, and by metric."""


async def read_completeness(conn: Connection, asks: Sequence[Ask]) -> Found:
    """What there is of each reading that is asked for. Costs are of all partners, and read once for a day and length;
    what cohorts told by themselves is read where it is asked for, by one statement for a metric, day and length."""
    found: dict[tuple[int, int, MetricName], Completeness] = {}
    costs: dict[tuple[date, timedelta], tuple[Costs, ...]] = {}
    alone: dict[tuple[MetricName, date, timedelta], list[_Group]] = {}
    for number, ask in enumerate(asks):
        for metric, length in ask.windows.items():
            day = ask.as_of.date()
            if metric is MetricName.CONTRIBUTION_MARGIN:
                if (day, length) not in costs:
                    costs[day, length] = await _costs(conn, day, length)
                for index in range(len(ask.everybody)):
                    found[number, index, metric] = Completeness(costs[day, length])
            for group in _groups(number, ask, metric):
                alone.setdefault((metric, day, group.length), []).append(group)
    for (metric, day, length), groups in alone.items():
        volumes = await _own(conn, metric, [one.partners for one in groups], day, length)
        for group, told in zip(groups, volumes, strict=True):
            for index in group.cohorts:
                counted = found.get((group.ask, index, metric), Completeness())
                counted = counted._replace(compared=told) if group.compared else counted._replace(own=told)
                found[group.ask, index, metric] = counted
    return found


class _Group(NamedTuple):
    """Partners whose own facts are counted, over so long: of which ask, and beside which of its cohorts that stands,
    as their own or as those of whom they are compared with."""

    ask: int
    cohorts: Sequence[int]
    partners: Sequence[str]
    length: timedelta
    compared: bool = False


def _groups(number: int, ask: Ask, metric: MetricName) -> Iterator[_Group]:
    """The cohorts over the window, and whom their changes are compared with since the first of them was enrolled:
    where that is asked for."""
    if metric in ask.alone.get(Check.COHORT, ()):
        for index, one in enumerate(ask.cohorts):
            yield _Group(number, (index,), one.partners, ask.windows[metric])
    judged = {one.cohort: min(one.since) for one in ask.changes.matured if one.metric is metric}
    if metric in ask.alone.get(Check.COMPARED, ()) and ask.changes.beside is not None and judged:
        places = [index for index, one in enumerate(ask.cohorts) if one.name in judged]
        length = ask.as_of - min(judged.values())
        yield _Group(number, places, ask.changes.beside.partners, length, compared=True)


def with_completeness(reading: CohortReading, found: Completeness | None) -> CohortReading:
    """The reading with what was counted beside it; of costs without the sources whose revenue is of others alone."""
    if found is None:
        return reading
    sources = {one.source for one in reading.quality.sources}
    costs = tuple(one.volume for one in found.costs if one.volume.source in sources or not one.sells)
    counts = reading.quality.model_copy(update={"costs": costs, "own": found.own, "compared": found.compared})
    return reading.model_copy(update={"quality": counts})


async def _costs(conn: Connection, until: date, length: timedelta) -> tuple[Costs, ...]:
    days, _, periods = periods_of(length)
    found: tuple[CostSource, ...] = await read_cost_volumes(conn, until, days=days, periods=periods)
    return tuple(Costs(_volume(one.name, one.periods, length), one.sells) for one in found)


async def _own(
    conn: Connection, metric: MetricName, groups: Sequence[Sequence[str]], until: date, length: timedelta
) -> list[SourceVolume | None]:
    """None of a group that told nothing for as long as anybody looks back: nothing is usual of it."""
    days, _, periods = periods_of(length)
    found = await read_own_volumes(conn, metric, groups, until, days=days, periods=periods)
    return [_volume(COHORT, told, length) if told else None for told in found]


def _volume(name: str, periods: Sequence[Period], length: timedelta) -> SourceVolume:
    told = {one.number: Told(one.facts, one.fresh) for one in periods}
    return volume(name, told, max(one.through for one in periods), length)
