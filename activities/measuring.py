"""One consistent snapshot of metrics, and its assessment: shared by a rollout's own look and the watch's."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from activities.checking import count_quality
from activities.completing import Found as Completeness
from activities.completing import read_completeness, with_completeness
from activities.maturing import NO_STRETCHES, Stretches
from judgement.band import LOOKED_BACK, Value, earlier_of
from judgement.contributions import worst_partners
from judgement.counting import counts_as
from judgement.values import group_value
from models.evidence import Assessment, CohortReading, LeadDriver, PartnerReading, Snapshot, Window
from models.metric import CATALOGUE, MetricName
from models.quality import Check, Counts
from models.rollout import CohortMembers
from models.work import RolloutKey
from store import evidence
from store.corrections import Corrections, read_corrections
from store.evidence import Counted, Judgement, Measured, PartnerRows, PastAsked, StretchRows
from store.metrics import (
    SlaRows,
    as_before,
    dearest_first,
    one_state,
    read_data_through,
    read_planned,
    read_sla,
    same_state,
)
from store.pool import Connection, Pool, shared, spare
from store.quality import NOT_READ, tables_behind

TOP = 5
"""Partners named in a reading as those who cost it most; the evidence holds all."""

LEADS = 10
"""Leads named in a reading."""

WATCH = "watch"
"""What the watch measures and judges for."""

READ_WITHIN = 60.0
"""Seconds for a whole snapshot, below the time an activity is given: nothing reads on when nobody waits."""


Values: TypeAlias = Mapping[tuple[str, MetricName], Sequence[Value]]
"""By cohort and metric what earlier looks found."""

NO_VALUES: Values = MappingProxyType({})
NOTHING_ALONE: Mapping[Check, Collection[MetricName]] = MappingProxyType({})


class Ask(NamedTuple):
    """Whose metrics to read as of a moment: some cohorts, and for each metric the length of its window. `beside` is
    whom to compare them with; `changes` are the matured days that changes are judged from; `earlier` says what is
    usual for the cohorts; `alone` are metrics of which what the cohorts tell by themselves is counted, or those whom
    their changes are compared with."""

    as_of: datetime
    cohorts: Sequence[CohortMembers]
    windows: Mapping[MetricName, timedelta]
    beside: CohortMembers | None = None
    changes: Stretches = NO_STRETCHES
    earlier: Values = NO_VALUES
    alone: Mapping[Check, Collection[MetricName]] = NOTHING_ALONE

    @property
    def everybody(self) -> tuple[CohortMembers, ...]:
        return (*self.cohorts, self.beside) if self.beside else tuple(self.cohorts)


async def measure(
    conn: Connection,
    as_of: datetime,
    cohorts: Sequence[CohortMembers],
    windows: Mapping[MetricName, timedelta],
    beside: CohortMembers | None = None,
    changes: Stretches = NO_STRETCHES,
    earlier: Values = NO_VALUES,
    alone: Mapping[Check, Collection[MetricName]] = NOTHING_ALONE,
    pool: Pool | None = None,
) -> Measured:
    """`measure_all` of one."""
    [found] = await measure_all(conn, (Ask(as_of, cohorts, windows, beside, changes, earlier, alone),), pool)
    return found


async def values_before(
    conn: Connection, looks: Mapping[RolloutKey, datetime], metrics: Collection[MetricName]
) -> dict[RolloutKey, evidence.Values]:
    """Of each rollout that is looked at at its moment what its earlier looks at these metrics found."""
    asked = [PastAsked(key, as_of - LOOKED_BACK, as_of) for key, as_of in looks.items()]
    return await evidence.earlier_values(conn, asked, metrics)


async def measure_all(conn: Connection, asks: Sequence[Ask], pool: Pool | None = None) -> tuple[Measured, ...]:
    """For each ask the metrics of its cohorts as of its moment, all from one state of the database.

    Whatever is asked of one metric, window and moment is read by one statement. The digest covers the partners' rows,
    so a repeated read of the same facts is the same evidence, whoever else is measured beside it.

    Args:
        pool: where a connection that has nothing to do helps with reading, from the same state.

    Raises:
        TimeoutError: the reads together took too long.
    """
    found: dict[_Place, tuple[CohortReading, PartnerRows]] = {}
    batches = _batches(asks)
    cohorts = {key: [asks[number].everybody[index] for number, index in places] for key, places in batches.items()}
    most = max((_stretched(asks), *(sum(one.size for one in of) for of in cohorts.values())))
    leads_alone = all(metric is MetricName.LEAD_FOLLOW_UP_SLA for metric, _ in batches)

    async def rows_of(by: Connection, key: _Batch) -> SlaRows:
        return await _read_rows(by, *key, [one.partners for one in cohorts[key]])

    async def readings_of(by: Connection, key: _Batch) -> list[tuple[CohortReading, PartnerRows]]:
        return await _read(by, *key, cohorts[key], rows[key], corrections)

    async with asyncio.timeout(READ_WITHIN), AsyncExitStack() as stack:
        await stack.enter_async_context(one_state(conn, most, often=leads_alone))
        conns = [conn]
        helper = await stack.enter_async_context(spare(pool)) if pool and len(batches) > 1 else None
        if helper is not None:
            await stack.enter_async_context(same_state(conn, helper, most))
            conns.append(helper)
        # All that is planned alike first: how the rest is planned is said once, and not again for each metric.
        rows = await shared(conns, sorted(batches, key=lambda batch: dearest_first(batch[0])), rows_of)
        matured = await _read_stretches(conns, asks)
        for one in conns:
            await as_before(one)
        # Once for all that is checked: nearly always nothing was, and then facts count as they stand.
        corrections = await read_corrections(conn, tables_behind(metric for metric, _ in batches))
        whole = await read_completeness(conn, asks, corrections)
        readings = await shared(conns, batches, readings_of)
        for (metric, window), places in batches.items():
            of_metric = readings[metric, window]
            found.update({(*place, metric): one for place, one in zip(places, of_metric, strict=True)})
    # Sealing thousands of partners' rows is seconds of work, during which the worker must give signs of life.
    return await asyncio.to_thread(
        lambda: tuple(_measured(ask, number, found, matured[number], whole) for number, ask in enumerate(asks))
    )


_Batch: TypeAlias = tuple[MetricName, Window]
"""What one statement reads."""

_Place: TypeAlias = tuple[int, int, MetricName]
"""Which ask, which of its cohorts, and the metric."""


def _batches(asks: Sequence[Ask]) -> dict[tuple[MetricName, Window], list[tuple[int, int]]]:
    """What one statement reads: the asks and the number of their cohort, by metric and window; it ends as of."""
    batches: dict[tuple[MetricName, Window], list[tuple[int, int]]] = {}
    for number, ask in enumerate(asks):
        for metric, length in ask.windows.items():
            places = batches.setdefault((metric, Window(start=ask.as_of - length, end=ask.as_of)), [])
            places.extend((number, index) for index in range(len(ask.everybody)))
    return batches


_Group: TypeAlias = tuple[int, str]
"""Which ask, and whom of it."""


def _stretched(asks: Sequence[Ask]) -> int:
    """How many partners at most a statement of matured days reads: those beside the cohorts, who may be everybody else,
    among them."""
    judged = [ask for ask in asks if ask.changes.matured]
    beside = sum(ask.changes.beside.size for ask in judged if ask.changes.beside)
    return beside + sum(one.size for ask in judged for one in ask.cohorts)


async def _read_stretches(conns: Sequence[Connection], asks: Sequence[Ask]) -> list[tuple[StretchRows, ...]]:
    """The rows of matured days of each ask, whatever shares metric and stretch by one statement."""
    batches: dict[tuple[MetricName, Window, datetime], dict[_Group, tuple[str, ...]]] = {}
    for number, ask in enumerate(asks):
        partners = {one.name: one.partners for one in ask.cohorts}
        beside = ask.changes.beside
        for one in ask.changes.matured:
            for since in one.since:
                if since < one.through:
                    key = one.metric, Window(start=since, end=one.through), ask.as_of
                    groups = batches.setdefault(key, {})
                    groups[number, one.cohort] = partners[one.cohort]
                    if beside is not None:
                        groups[number, beside.name] = beside.partners

    async def rows_of(
        conn: Connection, key: tuple[MetricName, Window, datetime]
    ) -> tuple[tuple[PartnerReading, ...], ...]:
        metric, window, as_of = key
        return await read_planned(conn, metric, list(batches[key].values()), window=window, as_of=as_of)

    rows = await shared(conns, batches, rows_of)
    found: list[list[StretchRows]] = [[] for _ in asks]
    for (metric, window, as_of), groups in batches.items():
        for (number, name), of_group in zip(groups, rows[metric, window, as_of], strict=True):
            found[number].append(StretchRows(cohort=name, metric=metric, partners=of_group, since=window.start))
    return [tuple(one) for one in found]


async def measure_later(
    conn: Connection, metric: MetricName, window: Window, cohort: CohortMembers, as_of: datetime
) -> tuple[CohortReading, PartnerRows]:
    """One metric over a window that had ended before the moment, by what was known at the moment. Nothing is counted of
    its data: what the checks ask of facts is asked of a window that ends then."""
    async with asyncio.timeout(READ_WITHIN), one_state(conn, cohort.size):
        rows = await _read_rows(conn, metric, window, [cohort.partners], as_of)
        await as_before(conn)
        through = await read_data_through(conn, metric, as_of)
    [partners], [drivers] = rows.partners, rows.leads
    return _reading(metric, window, cohort, partners, drivers, Counts(), through)


async def _read_rows(
    conn: Connection, metric: MetricName, window: Window, groups: Sequence[Sequence[str]], as_of: datetime | None = None
) -> SlaRows:
    """What one statement read: of the SLA with what it finds beside. Unless told otherwise, as of the window's end."""
    moment = as_of or window.end
    if metric is MetricName.LEAD_FOLLOW_UP_SLA:
        return await read_sla(conn, groups, window=window, as_of=moment, limit=LEADS)
    rows = await read_planned(conn, metric, groups, window=window, as_of=moment)
    return SlaRows(rows, ((),) * len(groups), NOT_READ)


async def _read(
    conn: Connection,
    metric: MetricName,
    window: Window,
    cohorts: Sequence[CohortMembers],
    rows: SlaRows,
    corrections: Corrections,
) -> list[tuple[CohortReading, PartnerRows]]:
    checked = await count_quality(conn, metric, window, cohorts, rows.partners, rows.newest, corrections)
    return [
        _reading(metric, window, cohort, partners, drivers, quality, checked.through)
        for cohort, partners, drivers, quality in zip(cohorts, rows.partners, rows.leads, checked.counts, strict=True)
    ]


def _reading(
    metric: MetricName,
    window: Window,
    cohort: CohortMembers,
    partners: tuple[PartnerReading, ...],
    leads: tuple[LeadDriver, ...],
    quality: Counts,
    through: datetime | None,
) -> tuple[CohortReading, PartnerRows]:
    """A cohort's reading, with the rows behind it."""
    reading = CohortReading(
        cohort=cohort.name,
        metric=metric,
        window=window,
        group=group_value(metric, partners),
        data_through=through,
        definition_version=CATALOGUE[metric].definition_version,
        top_partners=worst_partners(metric, partners, TOP),
        leads=leads,
        quality=quality,
    )
    return reading, PartnerRows(cohort=cohort.name, metric=metric, partners=partners)


def _measured(
    ask: Ask,
    number: int,
    found: Mapping[_Place, tuple[CohortReading, PartnerRows]],
    stretches: tuple[StretchRows, ...],
    whole: Completeness,
) -> Measured:
    """Cohort by cohort, each with its metrics in the order of the plan: the digest depends on it."""
    places = [(number, index, metric) for index in range(len(ask.everybody)) for metric in ask.windows]
    readings = tuple(with_completeness(found[place][0], whole.get(place)) for place in places)
    rows = tuple(found[place][1] for place in places)
    own = len(ask.cohorts) * len(ask.windows)
    judged = tuple(_beside_earlier(one, ask.earlier) for one in readings[:own])
    return evidence.seal(ask.as_of, judged, rows, readings[own:], ask.changes.matured, stretches)


def _beside_earlier(reading: CohortReading, earlier: Values) -> CohortReading:
    """The reading with what is usual for its cohort; it belongs to what was measured, and so under its digest."""
    usual = earlier_of(reading, earlier.get((reading.cohort, reading.metric), ()))
    if usual is None:
        return reading
    return reading.model_copy(update={"quality": reading.quality.model_copy(update={"earlier": usual})})


def summary(snapshot: Snapshot) -> Snapshot:
    """What goes into a history: the values and what they rest on. Parts and names stay in the store, under the digest;
    those behind a breach are named by the assessment."""
    return snapshot.model_copy(
        update={
            "readings": tuple(
                one.model_copy(
                    update={
                        "group": one.group.model_copy(update={"parts": {}}),
                        "top_partners": (),
                        "leads": (),
                        "quality": Counts(),
                    }
                )
                for one in snapshot.readings
            ),
            "comparison": (),
            "changes": (),
        }
    )


async def keep_judgement(
    conn: Connection, key: RolloutKey, purpose: str, assessment: Assessment, measured: Measured | None = None
) -> None:
    """Keep an assessment whole, and its snapshot where that is not in the store yet."""
    await evidence.keep_judgements(conn, purpose, [Judgement(counted(key, assessment), measured=measured)])


def counted(key: RolloutKey, assessment: Assessment) -> Counted:
    """An assessment with what each of its readings counts as."""
    counts = {(item.cohort, item.metric): counts_as(item) for item in assessment.items}
    return Counted(key, assessment, counts)
