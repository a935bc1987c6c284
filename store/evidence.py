"""Evidence in the store: snapshots, assessments and reviews kept whole under their digest, and the readings
tolerances count."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from pydantic_core import to_json

from models.base import Frozen, Instant, Wire, digest, digest_json
from models.evidence import (
    Assessment,
    CohortReading,
    Look,
    Matured,
    PartnerReading,
    Snapshot,
    Verdict,
    sealed_body,
)
from models.learning import ClosingReview
from models.metric import MetricName
from models.work import RolloutKey
from store.pool import Connection, Json
from store.statements import statement

_KEEP = statement("rollouts/keep_evidence")
_READINGS = statement("rollouts/keep_readings")
_KEEP_JUDGEMENTS = f"with kept as (\n{_KEEP})\n{_READINGS.replace(':soon', '')}"
_KEEP_SOON = (
    f"with {statement('rollouts/keep_soon')}, kept as (\n{_KEEP})\n{_READINGS.replace(':soon', 'cross join soon')}"
)
_EARLIER = statement("rollouts/earlier_values")
_BEFORE = statement("rollouts/looks_before")
_FIND = statement("rollouts/find_evidence")
_NEWEST = statement("rollouts/newest_assessment")


class EvidenceChanged(Exception):
    """What is stored under a digest is not what the digest was made of."""


class PartnerRows(Frozen):
    """Every partner's share of one reading: what the reading was computed from."""

    cohort: str
    metric: MetricName
    partners: tuple[PartnerReading, ...]


class StretchRows(PartnerRows):
    """Every partner's share of the matured days since a moment, of a cohort or of those it is compared with."""

    since: Instant


class StoredEvidence(Frozen):
    """A snapshot or assessment as it was kept. `as_of` is programme time, `recorded_at` real time."""

    key: RolloutKey
    digest: str
    evidence_id: str
    kind: str
    purpose: str
    as_of: Instant
    recorded_at: Instant
    body: dict[str, Any]


def seal(
    as_of: datetime,
    readings: Sequence[CohortReading],
    rows: Sequence[PartnerRows],
    comparison: Sequence[CohortReading] = (),
    changes: Sequence[Matured] = (),
    stretches: Sequence[StretchRows] = (),
) -> Measured:
    """A snapshot under a digest that covers its readings, those beside them, what changes are judged from, and the
    partners' rows behind all of it, which come with it."""
    written = _written(readings, rows, comparison, changes, stretches)
    found = digest_json(sealed_body(as_of, written))
    snapshot = Snapshot(
        evidence_id=f"snapshot-{found.removeprefix('sha256:')[:16]}",
        digest=found,
        as_of=as_of,
        readings=tuple(readings),
        comparison=tuple(comparison),
        changes=tuple(changes),
    )
    return Measured(snapshot, tuple(rows), tuple(stretches), written)


def _written(
    readings: Sequence[CohortReading],
    rows: Sequence[PartnerRows],
    comparison: Sequence[CohortReading],
    changes: Sequence[Matured],
    stretches: Sequence[StretchRows],
) -> Mapping[str, Sequence[Any]]:
    parts: dict[str, Sequence[Frozen]] = {"readings": readings, "comparison": comparison, "changes": changes}
    written: dict[str, Sequence[Any]] = {
        name: [one.model_dump(mode="json") for one in part] for name, part in parts.items()
    }
    return written | {"rows": [_rows(one) for one in rows], "stretches": [_rows(one) for one in stretches]}


def _rows(rows: PartnerRows) -> dict[str, Any]:
    """Nearly all of evidence. A partner's row is text and numbers alone, so that its fields are what is written of it:
    nothing is copied."""
    whole = rows.model_copy(update={"partners": ()}).model_dump(mode="json")
    return whole | {"partners": [vars(one) for one in rows.partners]}


async def keep_snapshot(conn: Connection, key: RolloutKey, purpose: str, measured: Measured) -> None:
    """Keep a snapshot with the partners' rows behind each reading; twice is once."""
    await _keep(conn, [_snapshot(key, purpose, measured)])


async def keep_assessment(conn: Connection, key: RolloutKey, purpose: str, assessment: Assessment) -> None:
    """Keep an assessment; twice is once."""
    await _keep(conn, [_assessment(key, purpose, assessment)])


async def keep_review(conn: Connection, key: RolloutKey, review: ClosingReview) -> str:
    """Keep what a rollout came to; twice is once. Returns its digest, which is that of its canonical JSON."""
    found = digest(review)
    name = f"review-{found.removeprefix('sha256:')[:16]}"
    body = review.model_dump(mode="json")
    row = (key.rollout_id, key.chain_id, found, name, "review", review.ending.value, review.ended, _json(body))
    await _keep(conn, [row])
    return found


_NO_PARTS: Mapping[str, tuple[()]] = MappingProxyType({"readings": (), "comparison": (), "changes": ()})
"""What of a snapshot is written for its digest."""

_Row: TypeAlias = tuple[str, str, str, str, str, str, datetime, Json]
"""Rollout, chain, digest, name, kind, purpose, programme time, body."""


async def _keep(conn: Connection, rows: Sequence[_Row]) -> None:
    await conn.execute(_KEEP, *_columns(rows, 8))


def _snapshot(key: RolloutKey, purpose: str, measured: Measured) -> _Row:
    """What was written for its digest is not written again."""
    snapshot, written = measured.snapshot, measured.written
    if written is None:
        written = _written(snapshot.readings, measured.rows, snapshot.comparison, snapshot.changes, measured.stretches)
    whole = snapshot.model_copy(update=_NO_PARTS).model_dump(mode="json")
    whole |= {name: written[name] for name in _NO_PARTS if written[name] or name in whole}
    body: dict[str, Any] = {"snapshot": whole, "rows": written["rows"]}
    if snapshot.changes:
        body["stretches"] = written["stretches"]
    return _row(key, "snapshot", purpose, snapshot, body)


def _assessment(key: RolloutKey, purpose: str, assessment: Assessment) -> _Row:
    return _row(key, "assessment", purpose, assessment, assessment.model_dump(mode="json"))


def _row(key: RolloutKey, kind: str, purpose: str, kept: Snapshot | Assessment, body: dict[str, Any]) -> _Row:
    return key.rollout_id, key.chain_id, kept.digest, kept.evidence_id, kind, purpose, kept.as_of, _json(body)


def _json(body: dict[str, Any]) -> Json:
    """What models have written has no number that is none, and needs no more than their own, quicker, encoder."""
    return Json(to_json(body).decode())


class Counted(NamedTuple):
    """An assessment, and by cohort and metric what its readings add to the count of breaches: True a breach, False
    none, None (or left out) nothing."""

    key: RolloutKey
    assessment: Assessment
    counts: Mapping[tuple[str, MetricName], bool | None]


class Judgement(NamedTuple):
    """What a look came to. What is not `whole` leaves its readings alone; `measured` is kept where it is not yet."""

    counted: Counted
    whole: bool = True
    measured: Measured | None = None


async def keep_readings(conn: Connection, purpose: str, counted: Sequence[Counted]) -> None:
    """Write down what each look said by itself, and what it adds to the count of breaches; the first word on a moment
    stands."""
    await keep_judgements(conn, purpose, [Judgement(one, whole=False) for one in counted])


async def keep_judgements(
    conn: Connection, purpose: str, judgements: Sequence[Judgement], *, lasting: bool = True
) -> None:
    """Keep what looks came to with one statement, so all of it or nothing; twice is once.

    Written in one order, whoever writes: two who keep the same at a time wait for each other, and never both.

    Args:
        lasting: wait until it outlasts a crash of the database. Without that everybody sees it at once all the same,
            and it is lost with the last fraction of a second; whatever is written after it and lasts makes it last.
    """
    found = sorted(judgements, key=lambda one: (one.counted.key.rollout_id, one.counted.key.chain_id))
    whole = [one for one in found if one.whole]
    kept = [_snapshot(one.counted.key, purpose, one.measured) for one in whole if one.measured is not None]
    kept += [_assessment(one.counted.key, purpose, one.counted.assessment) for one in whole]
    readings = [reading for one in found for reading in _readings(one.counted)]
    if kept or readings:
        sql = _KEEP_JUDGEMENTS if lasting else _KEEP_SOON
        await conn.execute(sql, *_columns(kept, 8), purpose, *_columns(readings, 9))


def _readings(one: Counted) -> list[tuple[Any, ...]]:
    return [
        (
            one.key.rollout_id,
            one.key.chain_id,
            item.cohort,
            item.metric.value,
            one.assessment.as_of,
            item.value,
            item.by_itself.value,
            one.counts.get((item.cohort, item.metric)),
            one.assessment.snapshot_digest,
        )
        for item in one.assessment.items
    ]


def _columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[Sequence[Any]]:
    """Rows as so many columns side by side, also of none."""
    return list(zip(*rows, strict=True)) if rows else [()] * width


class PastAsked(NamedTuple):
    """Whose earlier readings are wanted, those in `[since, before)`."""

    key: RolloutKey
    since: datetime
    before: datetime


Past: TypeAlias = dict[tuple[str, MetricName], list[Look]]
"""For each cohort and metric the earlier looks, the oldest first."""


Values: TypeAlias = dict[tuple[str, MetricName], Sequence[tuple[datetime, float]]]
"""For each cohort and metric the moments and values of earlier looks, one a day at most, the oldest first."""


async def earlier_values(
    conn: Connection, asked: Sequence[PastAsked], metrics: Collection[MetricName]
) -> dict[RolloutKey, Values]:
    """The values that the earlier looks of rollouts had evidence of, whatever they were judged to be."""
    found: dict[RolloutKey, Values] = {one.key: {} for one in asked}
    for row in await conn.fetch(_EARLIER, *_asked(asked), [metric.value for metric in metrics]):
        key = RolloutKey(rollout_id=row["rollout_id"], chain_id=row["chain_id"])
        values = tuple(zip(row["moments"], row["found"], strict=True))
        found[key][row["cohort"], MetricName(row["metric"])] = values
    return found


class Before(NamedTuple):
    """What earlier looks at a rollout said: each as it was judged by itself, and of each day the values found."""

    past: Past
    values: Values


class BeforeAsked(NamedTuple):
    """Whose earlier looks are wanted: those in `[since, before)`, and values of those in `[values_since, before)`."""

    key: RolloutKey
    since: datetime
    before: datetime
    values_since: datetime


async def looks_before(
    conn: Connection, asked: Sequence[BeforeAsked], metrics: Collection[MetricName]
) -> dict[RolloutKey, Before]:
    """The earlier looks of rollouts at these metrics, each as it was judged by itself, and `earlier_values`."""
    found: dict[RolloutKey, Before] = {one.key: Before(defaultdict(list), {}) for one in asked}
    columns = _columns([(one.key.rollout_id, one.key.chain_id, *one[1:]) for one in asked], 5)
    for row in await conn.fetch(_BEFORE, *columns, [metric.value for metric in metrics]):
        before = found[RolloutKey(rollout_id=row["rollout_id"], chain_id=row["chain_id"])]
        place = row["cohort"], MetricName(row["metric"])
        if row["found"] is not None:
            before.values[place] = tuple(zip(row["moments"], row["found"], strict=True))
        else:
            looks = zip(row["moments"], row["verdicts"], row["beyond"], strict=True)
            before.past[place] = [Look(as_of, Verdict(verdict), beyond) for as_of, verdict, beyond in looks]
    return found


def past_of(row: Any) -> Past:
    """The looks that one row holds in columns side by side."""
    found: Past = defaultdict(list)
    columns = [row[name] or () for name in ("cohorts", "metrics", "moments", "verdicts", "beyond")]
    for cohort, metric, as_of, verdict, beyond in zip(*columns, strict=True):
        found[cohort, MetricName(metric)].append(Look(as_of, Verdict(verdict), beyond))
    return found


def _asked(asked: Sequence[PastAsked]) -> list[Sequence[Any]]:
    return _columns([(one.key.rollout_id, one.key.chain_id, one.since, one.before) for one in asked], 4)


class Measured(NamedTuple):
    """A snapshot, and every partner's rows behind it: those of its readings, and those that changes are judged from.

    `written` is all of it as JSON, by the names of `sealed_body`, where it has just been sealed.
    """

    snapshot: Snapshot
    rows: tuple[PartnerRows, ...]
    stretches: tuple[StretchRows, ...] = ()
    written: Mapping[str, Sequence[Any]] | None = None


async def read_snapshot(conn: Connection, key: RolloutKey, digest: str) -> Snapshot | None:
    """A snapshot by its digest, None for an unknown one; raises like `read_measured`."""
    found = await read_measured(conn, key, digest)
    return found.snapshot if found else None


async def read_measured(conn: Connection, key: RolloutKey, digest: str) -> Measured | None:
    """A snapshot by its digest with the rows behind it, None for an unknown one.

    Raises:
        EvidenceChanged: what is stored does not have this digest any more.
    """
    row = await conn.fetchrow(
        "select as_of, body::text as body from evidence"
        " where (rollout_id, chain_id, digest, kind) = ($1, $2, $3, 'snapshot')",
        key.rollout_id,
        key.chain_id,
        digest,
    )
    return None if row is None else await opened(Stored(digest, row["as_of"], row["body"]))


class Stored(NamedTuple):
    """A snapshot as it is stored under a digest; `body` is the text of it, as JSON: to make values of it and text of
    those again would take longer than to read it."""

    digest: str
    as_of: datetime
    body: str


class _Body(Wire):
    """What stands in `body`."""

    snapshot: Snapshot
    rows: tuple[PartnerRows, ...]
    stretches: tuple[StretchRows, ...] = ()


async def opened(stored: Stored) -> Measured:
    """The snapshot with the rows behind it.

    Raises:
        EvidenceChanged: what is stored does not have this digest any more.
    """
    # Thousands of partners' rows are seconds of work, during which the worker must give signs of life.
    snapshot, whole = await asyncio.to_thread(_opened, stored.body)
    if whole.snapshot != snapshot or snapshot.digest != stored.digest or snapshot.as_of != stored.as_of:
        raise EvidenceChanged(f"the snapshot stored under {stored.digest} has been changed")
    return whole


def _opened(text: str) -> tuple[Snapshot, Measured]:
    """A stored snapshot, and what it comes to when it is sealed anew with the rows beside it."""
    body = _Body.model_validate_json(text)
    one = body.snapshot
    return one, seal(one.as_of, one.readings, body.rows, one.comparison, one.changes, body.stretches)


async def read_assessment(conn: Connection, rollout_id: str, digest: str | None = None) -> Assessment | None:
    """An assessment of a rollout, whole: by its digest or the beginning of one, otherwise the newest that the rollout
    made for itself. None where there is none."""
    if digest:
        row = await conn.fetchrow(_FIND, _beginning(digest), None, None)
        body = row["body"] if row and (row["kind"], row["rollout_id"]) == ("assessment", rollout_id) else None
    else:
        body = await conn.fetchval(_NEWEST, rollout_id)
    return None if body is None else Assessment.model_validate_json(body)


async def read_evidence(conn: Connection, digest: str, key: RolloutKey | None = None) -> StoredEvidence | None:
    """What is kept under a digest, or under the beginning of one; the newest where several rollouts have it.

    Args:
        digest: `sha256:...`, or its first hex digits as people are shown them.
        key: look at this rollout only.
    """
    whose = (key.rollout_id, key.chain_id) if key else (None, None)
    row = await conn.fetchrow(_FIND, _beginning(digest), *whose)
    if row is None:
        return None
    rest = {name: row[name] for name in StoredEvidence.model_fields if name not in ("key", "body")}
    key = RolloutKey(rollout_id=row["rollout_id"], chain_id=row["chain_id"])
    return StoredEvidence(key=key, body=json.loads(row["body"]), **rest)


def _beginning(digest: str) -> str:
    """How it begins, for LIKE, in which its signs stand for themselves."""
    text = digest.removeprefix("sha256:")
    return "sha256:" + text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
