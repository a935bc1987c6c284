"""What may be missing although sources tell as much as ever: lines of cost, and facts of one cohort alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from judgement.volumes import Told, periods_of, volume
from models.evidence import CohortReading
from models.metric import MetricName
from models.quality import Check, SourceVolume
from store.completeness import CostSource, read_cost_volumes, read_own_volumes
from store.corrections import Corrections, corrected_since
from store.pool import Connection
from store.quality import Period, tables_behind

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


class _Until(NamedTuple):
    """The first day that is not counted any more; and the moment asked for, where facts were corrected since: otherwise
    whatever shares a day is read together."""

    day: date
    moment: datetime | None


async def read_completeness(conn: Connection, asks: Sequence[Ask], corrections: Corrections) -> Found:
    """What there is of each reading that is asked for. Costs are of all partners, and read once for a day and length;
    what cohorts told by themselves is read where it is asked for, by one statement for a metric, day and length."""
    found: dict[tuple[int, int, MetricName], Completeness] = {}
    costs: dict[tuple[_Until, timedelta], tuple[Costs, ...]] = {}
    alone: dict[tuple[MetricName, _Until, timedelta], list[_Group]] = {}
    for number, ask in enumerate(asks):
        for metric, length in ask.windows.items():
            corrected = corrected_since(corrections, tables_behind((metric,)), ask.as_of)
            until = _Until(ask.as_of.date(), ask.as_of if corrected else None)
            if metric is MetricName.CONTRIBUTION_MARGIN:
                if (until, length) not in costs:
                    costs[until, length] = await _costs(conn, until, length)
                for index in range(len(ask.everybody)):
                    found[number, index, metric] = Completeness(costs[until, length])
            for group in _groups(number, ask, metric):
                alone.setdefault((metric, until, group.length), []).append(group)
    for (metric, until, length), groups in alone.items():
        volumes = await _own(conn, metric, [one.partners for one in groups], until, length)
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


async def _costs(conn: Connection, until: _Until, length: timedelta) -> tuple[Costs, ...]:
    days, _, periods = periods_of(length)
    found: tuple[CostSource, ...] = await read_cost_volumes(
        conn, until.day, days=days, periods=periods, moment=until.moment
    )
    return tuple(Costs(_volume(one.name, one.periods, length), one.sells) for one in found)


async def _own(
    conn: Connection, metric: MetricName, groups: Sequence[Sequence[str]], until: _Until, length: timedelta
) -> list[SourceVolume | None]:
    """None of a group that told nothing for as long as anybody looks back: nothing is usual of it."""
    days, _, periods = periods_of(length)
    found = await read_own_volumes(conn, metric, groups, until.day, days=days, periods=periods, moment=until.moment)
    return [_volume(COHORT, told, length) if told else None for told in found]


def _volume(name: str, periods: Sequence[Period], length: timedelta) -> SourceVolume:
    told = {one.number: Told(one.facts, one.fresh) for one in periods}
    return volume(name, told, max(one.through for one in periods), length)
