"""The rows behind frozen baselines, which every judgement asks for again: what a process has at hand of them."""

from __future__ import annotations

import asyncio
import zlib
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from pydantic import TypeAdapter

from models.evidence import PartnerReading
from models.metric import MetricName
from models.work import RolloutKey
from store.evidence import Measured, PartnerRows, read_measured
from store.pool import Connection

Rows: TypeAlias = Mapping[tuple[str, MetricName], tuple[PartnerReading, ...]]
"""Partners' rows by cohort and metric."""

OPEN = 8_000
"""Partners' rows that a process has as objects, of all rollouts together, and always the last ones asked for: some nine
megabytes."""

PACKED = 8 * 2**20
"""Bytes in which it has those of all others, some eighteen a row: what has a digest never changes."""

AT_ONCE = 32 * 2**10
"""Packed bytes that are opened between two other things, within some five milliseconds; more are opened beside them."""

Named: TypeAlias = tuple[RolloutKey, str]
"""A snapshot: whose it is, and its digest."""

_ROWS: TypeAdapter[tuple[PartnerRows, ...]] = TypeAdapter(tuple[PartnerRows, ...])


class _Open(NamedTuple):
    rows: Rows
    size: int


class _Packed(NamedTuple):
    parts: Mapping[MetricName, bytes]
    size: int


_packed: OrderedDict[Named, _Packed] = OrderedDict()
_open: OrderedDict[tuple[Named, MetricName], _Open] = OrderedDict()


def rows_of(rows: Sequence[PartnerRows]) -> Rows:
    """Rows by their cohort and metric."""
    return {(one.cohort, one.metric): one.partners for one in rows}


def remember(key: RolloutKey, measured: Measured) -> None:
    """Have the rows of a snapshot at hand that has just been sealed, or read and found to be as it was sealed.

    Whoever judges a breach must not wait until some thousand rows have been read and sealed anew only to say who moved
    the number. They are packed metric by metric, since a fact concerns few: as objects they take sixty times as much.
    """
    by_metric: dict[MetricName, list[PartnerRows]] = {}
    for one in measured.rows:
        by_metric.setdefault(one.metric, []).append(one)
    name = key, measured.snapshot.digest
    parts = {metric: zlib.compress(_ROWS.dump_json(tuple(rows)), _QUICKLY) for metric, rows in by_metric.items()}
    _packed[name] = _Packed(parts, sum(map(len, parts.values())))
    _packed.move_to_end(name)
    while len(_packed) > 1 and sum(one.size for one in _packed.values()) > PACKED:
        _packed.popitem(last=False)


_QUICKLY = 1


async def frozen_rows(
    conn: Connection, key: RolloutKey, digest: str, metrics: Collection[MetricName] | None = None
) -> Rows:
    """The rows of the snapshot that baselines were read from; none where there is no such snapshot.

    Args:
        metrics: those of others may be left out; None: all are wanted.

    Raises:
        EvidenceChanged: it does not have its digest any more.
    """
    name = key, digest
    packed = _packed.get(name)
    if packed is None:
        measured = await read_measured(conn, key, digest)
        if measured is None:
            return {}
        remember(key, measured)
        return rows_of(measured.rows)
    _packed.move_to_end(name)
    wanted = {metric: data for metric, data in packed.parts.items() if metrics is None or metric in metrics}
    parts = [await _part(name, metric, data) for metric, data in wanted.items()]
    return {place: rows for part in parts for place, rows in part.items()}


async def _part(name: Named, metric: MetricName, data: bytes) -> Rows:
    found = _open.get((name, metric))
    if found is None:
        rows = _opened(data) if len(data) <= AT_ONCE else await asyncio.to_thread(_opened, data)
        found = _open[name, metric] = _Open(rows, sum(map(len, rows.values())))
    _open.move_to_end((name, metric))
    while len(_open) > 1 and sum(one.size for one in _open.values()) > OPEN:
        _open.popitem(last=False)
    return found.rows


def _opened(data: bytes) -> Rows:
    return rows_of(_ROWS.validate_json(zlib.decompress(data)))
