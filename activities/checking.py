"""Counts what the checks of the data need, for many cohorts at once, beside the metrics and from the same state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from judgement.quality import odd_months, twins
from judgement.values import group_value
from judgement.volumes import Told, periods_of, volume
from models.evidence import PartnerReading, Window
from models.metric import MetricName
from models.quality import LIVING_ON, Counts, Restated, SourceVolume
from models.rollout import CohortMembers
from store.corrections import Corrections
from store.metrics import Newest, read_rows
from store.pool import Connection
from store.quality import NOT_READ, Heard, Period, Raw, read_quality
from store.signs import read_signs_of_life


class Checked(NamedTuple):
    """What there is to check of each cohort's reading, in the order of the cohorts, and how far the facts reach."""

    counts: list[Counts]
    through: datetime | None


async def count_quality(
    conn: Connection,
    metric: MetricName,
    window: Window,
    cohorts: Sequence[CohortMembers],
    rows: Sequence[Sequence[PartnerReading]],
    newest: Mapping[str, Newest] = NOT_READ,
    corrections: Corrections | None = None,
) -> Checked:
    """Count for one metric and window of many cohorts; `newest` and `corrections` as in `read_quality`."""
    days, _, periods = periods_of(window.end - window.start)
    groups = [one.partners for one in cohorts]
    raw = await read_quality(
        conn, metric, groups, window, days=days, periods=periods, newest=newest, corrections=corrections
    )
    before = await _values_as_told(conn, metric, window, cohorts, raw)
    # Of all partners alike, so that every cohort of the statement shares them.
    volumes, months = _volumes(raw.volumes, window.end - window.start), odd_months(raw.months)
    signs = await _signs(conn, metric, cohorts, raw, window.end)
    found = []
    for at, of_cohort in enumerate(rows):
        facts, owners = twins(metric, of_cohort, raw.twice[at].facts)
        restated = raw.restated[at]
        found.append(
            Counts(
                sources=_sources(volumes, raw.heard[at], signs[at]),
                elsewhere=_elsewhere(metric, volumes, raw.heard[at]),
                odd_months=months,
                duplicates=facts,
                duplicate_partners=raw.twice[at].partners or owners,
                gone=raw.heard[at].gone,
                restated=Restated(facts=restated.facts, partners=restated.partners, before=before.get(at)),
            )
        )
    return Checked(found, raw.through)


async def _signs(
    conn: Connection, metric: MetricName, cohorts: Sequence[CohortMembers], raw: Raw, as_of: datetime
) -> Sequence[Mapping[str, date]]:
    """What else says that a source tells, of facts that live on; read only where sources are looked at one by one."""
    if metric not in LIVING_ON or all(len(one.partners) < 2 for one in raw.heard):
        return [{}] * len(cohorts)
    return await read_signs_of_life(conn, metric, [one.partners for one in cohorts], as_of)


def _sources(volumes: Mapping[str, SourceVolume], heard: Heard, signs: Mapping[str, date]) -> tuple[SourceVolume, ...]:
    """The cohort's sources. Volumes are those of whole days: what a source has told of today stands beside them."""
    found = []
    for name, partners in sorted(heard.partners.items()):
        known = volumes.get(name, SourceVolume(source=name))
        newest = heard.through[name]
        through = max(known.through or newest, newest, signs.get(name, newest))
        found.append(known.model_copy(update={"partners": partners, "through": through}))
    return tuple(found)


def _elsewhere(metric: MetricName, volumes: Mapping[str, SourceVolume], heard: Heard) -> tuple[str, ...]:
    """Sources, five at most, that tell of others than a cohort which is heard of through one alone."""
    if metric in LIVING_ON or len(heard.partners) != 1:
        return ()
    return tuple(sorted(volumes.keys() - heard.partners.keys())[:5])


def _volumes(volumes: Mapping[str, Sequence[Period]], window: timedelta) -> dict[str, SourceVolume]:
    return {
        source: volume(
            source,
            {one.number: Told(one.facts, one.fresh) for one in periods},
            max(one.through for one in periods),
            window,
        )
        for source, periods in volumes.items()
    }


async def _values_as_told(
    conn: Connection, metric: MetricName, window: Window, cohorts: Sequence[CohortMembers], raw: Raw
) -> dict[int, float | None]:
    """The values as the facts stood before they were restated, of the cohorts that have such facts."""
    restated = [at for at, one in enumerate(raw.restated) if one.facts]
    if not restated:
        return {}
    groups = [cohorts[at].partners for at in restated]
    rows = await read_rows(conn, metric, groups, window=window, as_of=window.end, as_told=True)
    return {at: group_value(metric, told).value for at, told in zip(restated, rows, strict=True)}
