"""The rows behind frozen baselines, which every judgement asks for again: what a process has at hand of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from models.evidence import PartnerReading
from models.metric import MetricName
from models.work import RolloutKey
from store.evidence import Measured, PartnerRows, read_measured
from store.pool import Connection

Rows: TypeAlias = Mapping[tuple[str, MetricName], tuple[PartnerReading, ...]]
"""Partners' rows by cohort and metric."""

REMEMBERED = 50_000
"""Partners' rows that a process remembers, of all rollouts together, and always the last ones asked for: what has a
digest never changes. Some seventy megabytes at most."""

_rows: OrderedDict[tuple[RolloutKey, str], Rows] = OrderedDict()


def rows_of(rows: Sequence[PartnerRows]) -> Rows:
    """Rows by their cohort and metric."""
    return {(one.cohort, one.metric): one.partners for one in rows}


def remember(key: RolloutKey, measured: Measured) -> Rows:
    """Have the rows of a snapshot at hand that has just been sealed, or read and found to be as it was sealed.

    Whoever judges a breach must not wait until some thousand rows have been read and sealed anew only to say who moved
    the number.
    """
    found = _rows[key, measured.snapshot.digest] = rows_of(measured.rows)
    _rows.move_to_end((key, measured.snapshot.digest))
    while len(_rows) > 1 and sum(map(_size, _rows.values())) > REMEMBERED:
        _rows.popitem(last=False)
    return found


async def frozen_rows(conn: Connection, key: RolloutKey, digest: str) -> Rows:
    """The rows of the snapshot that baselines were read from, whatever metric they are of; none where there is no such
    snapshot.

    Raises:
        EvidenceChanged: it does not have its digest any more.
    """
    known = _rows.get((key, digest))
    if known is not None:
        _rows.move_to_end((key, digest))
        return known
    measured = await read_measured(conn, key, digest)
    return {} if measured is None else remember(key, measured)


def _size(rows: Rows) -> int:
    return sum(map(len, rows.values()))
