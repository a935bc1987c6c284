"""Reads a metric's past in blocks, one after the other: days of what happens, weekly readings of what is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import NamedTuple

from models.evidence import PartnerReading, Window
from models.metric import MetricName
from store.metrics import read_data_through, read_rows
from store.pool import Connection

DAY, WEEK = timedelta(days=1), timedelta(weeks=1)

EMPTY = 3
"""Months without any fact in a row, before which nobody looks for more."""


class PastRows(NamedTuple):
    """Rows of each group in each block, the oldest block first: `blocks[number][group]`. The last block ends at `end`;
    None, and no block, where nothing was known at the moment asked for."""

    blocks: tuple[tuple[tuple[PartnerReading, ...], ...], ...]
    end: datetime | None


async def read_days(
    conn: Connection,
    metric: MetricName,
    groups: Sequence[Collection[str]],
    *,
    weeks: int,
    settled: timedelta,
    as_of: datetime,
    done: Callable[[], None] = lambda: None,
) -> PastRows:
    """What happened on each day of so many whole weeks, as known at a moment, without days younger than `settled`.

    They end with the newest fact, or as long before the moment as it takes for facts to be complete. To be called in a
    read-only transaction of one state; raises like `store.metrics.read_rows`.
    """
    end = await _newest_end(conn, metric, as_of, settled)
    if end is None:
        return PastRows((), None)
    blocks = []
    for number in range(weeks * 7, 0, -1):
        day = end - number * DAY
        blocks.append(await read_rows(conn, metric, groups, window=Window(start=day, end=day + DAY), as_of=as_of))
        done()
    return PastRows(tuple(blocks), end)


async def read_states(
    conn: Connection,
    metric: MetricName,
    groups: Sequence[Collection[str]],
    *,
    weeks: int,
    window: timedelta,
    as_of: datetime,
    done: Callable[[], None] = lambda: None,
) -> PastRows:
    """The state at so many moments a week apart, each as it was known then. Otherwise as `read_days`."""
    end = await _newest_end(conn, metric, as_of, timedelta(0))
    if end is None:
        return PastRows((), None)
    blocks = []
    for number in range(weeks - 1, -1, -1):
        moment = end - number * WEEK
        read = Window(start=moment - window, end=moment)
        blocks.append(await read_rows(conn, metric, groups, window=read, as_of=moment))
        done()
    return PastRows(tuple(blocks), end)


async def _newest_end(conn: Connection, metric: MetricName, as_of: datetime, settled: timedelta) -> datetime | None:
    """The midnight UTC up to which the metric's facts are there."""
    through = await read_data_through(conn, metric, as_of)
    if through is None:
        return None
    newest = datetime.combine((through - timedelta(microseconds=1)).astimezone(UTC).date(), time(), UTC) + DAY
    return min(newest, datetime.combine((as_of - settled).astimezone(UTC).date(), time(), UTC))


async def read_months(
    conn: Connection, metric: MetricName, partners: Collection[str], months: Sequence[datetime], *, state: bool
) -> dict[datetime, tuple[PartnerReading, ...]]:
    """Rows of some partners in each month that begins at one of these moments and ends at the next; of a state, at its
    end. Known by the last moment. Those before `EMPTY` months without any fact are left out. Otherwise as `read_days`.
    """
    found: dict[datetime, tuple[PartnerReading, ...]] = {}
    empty = 0
    for start, end in reversed(list(pairwise(months))):
        as_of = end if state else months[-1]
        [found[start]] = await read_rows(conn, metric, [partners], window=Window(start=start, end=end), as_of=as_of)
        empty = 0 if any(row.facts for row in found[start]) else empty + 1
        if empty == EMPTY:
            break
    return dict(sorted(found.items()))
