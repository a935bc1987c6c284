"""Judges the assessments of a bundle anew, by the functions that judged them first, on the evidence beside them.

What counts earlier looks is judged with those that the bundle lists, and once more with looks that nobody lists: where
these would make another verdict of it, evidence alone does not bear it out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from audit.bundle import json_of
from audit.evidence import evidence_path
from audit.looks import ListedLook
from audit.standing import Standing
from judgement.assessment import assess
from judgement.changes import Key, Sums
from judgement.counting import counts_as
from judgement.trusted import trusted
from judgement.values import group_value
from models.brief import baselines_of
from models.evidence import (
    Assessment,
    Baseline,
    CohortReading,
    GroupValue,
    Look,
    MetricAssessment,
    PartnerReading,
    Snapshot,
    Verdict,
)
from models.metric import MetricName
from models.plan import RolloutPlan
from models.plan_metric import Tolerance

Past = dict[Key, list[Look]]

DECIDES = (
    "verdict",
    "use",
    "on_breach",
    "must",
    "weight",
    "value",
    "baseline",
    "n_partners",
    "n_facts",
    "minimum_sample_reached",
    "data_current",
    "untrusted",
    "beyond_threshold",
    "by_thresholds",
    "by_change",
)
"""What of a judged metric opens gates and halts rollouts. Who moved the number, and the sentences about it, do not."""

MOST_COUNTED = 1000
"""Looks that nobody lists, of one kind each, whatever a plan tolerates: three years of daily ones."""

_SAYING = ((Verdict.NOT_MET, True), (Verdict.MET, False), (Verdict.NO_EVIDENCE, None), (Verdict.CANNOT_TELL, None))


class Differs(NamedTuple):
    """Something that evidence does not bear out: whose, what is stated, and what it comes to."""

    whose: str
    what: str
    stated: str
    ours: str


class Anew(NamedTuple):
    """An assessment judged anew. `judged` is what it comes to, and as stated where that cannot be said (`unable`, with
    why); `claimed` are the metrics whose verdict rests on looks of which there is no evidence."""

    judged: Assessment
    differs: tuple[Differs, ...]
    unable: Mapping[str, str]
    claimed: tuple[str, ...]


class _Measured(NamedTuple):
    """A snapshot, the rows behind it, and those of the matured days."""

    snapshot: Snapshot
    rows: dict[Key, tuple[PartnerReading, ...]]
    since: dict[tuple[str, MetricName, datetime], tuple[PartnerReading, ...]]


class _Ours(NamedTuple):
    """What an assessment comes to, by cohort and metric: with the looks that are listed; with others in their place;
    and without those listed that may have come late."""

    main: Mapping[Key, MetricAssessment]
    others: Sequence[Mapping[Key, MetricAssessment]]
    late: Mapping[Key, MetricAssessment]

    @classmethod
    def of(cls, main: Assessment, others: Iterable[Assessment], late: Assessment | None) -> _Ours:
        return cls(_by_key(main), [_by_key(one) for one in others], _by_key(late) if late else {})


class _Found(NamedTuple):
    """What came of one judged metric: the item to go by, what is off, why it could not be judged, and whether it rests
    on looks that are only listed."""

    item: MetricAssessment
    off: tuple[str, str, str] | None = None
    unable: str | None = None
    claimed: bool = False


class Bench:
    """Where the assessments of one bundle are judged, in the order of the log."""

    def __init__(self, files: Mapping[str, bytes], plan: RolloutPlan, listed: Sequence[ListedLook] | None) -> None:
        """Take what the looks are counted from; `listed` None: the bundle lists none."""
        self._files = files
        self._plan = plan
        self._listed = listed
        self._seen: dict[Key, dict[datetime, Look]] = {}
        self._baselines: tuple[str, _Measured] | None = None
        self._last: tuple[str, _Measured] | None = None
        self.counting = frozenset(one.metric for one in plan.metrics if counts_looks(one.tolerance))

    def snapshot_of(self, digest: str, *, baseline: bool = False) -> tuple[Differs, ...]:
        """What of a snapshot's values is not what the partners' rows beside it come to."""
        return self._values(self._measured(digest), baseline=baseline)

    def baselines(self, standing: Standing) -> tuple[Baseline, ...]:
        """The baselines that were frozen by then."""
        frozen = self._frozen(standing)
        return baselines_of(frozen.snapshot) if frozen else ()

    def assessment(self, digest: str) -> Assessment:
        """An assessment as it is stated.

        Raises:
            BundleError, ValueError, KeyError, TypeError: there is none.
        """
        return Assessment.model_validate_json(json.dumps(self._body(digest, "assessment")))

    def judge(self, stated: Assessment, standing: Standing) -> Anew:
        """Judge one anew where the log stood before it, and remember its looks for those that come.

        Raises: like `assessment`.
        """
        measured = self._measured(stated.snapshot_digest)
        frozen = self._frozen(standing)
        baselines = baselines_of(frozen.snapshot) if frozen else ()
        sums = self._sums(measured, frozen, standing)
        since = standing.since or measured.snapshot.as_of

        def judged(past: Past) -> Assessment:
            return assess(self._plan, measured.snapshot, baselines, past, sums=sums or Sums())

        as_of, looks = measured.snapshot.as_of, self._listed or ()
        proven = self._past(since, as_of, ())
        ours = judged(self._past(since, as_of, looks))
        others, late = [judged(proven)] if looks else [], None
        if self.counting:
            others += [judged(one) for one in self._pasts(proven, since, as_of)]
            # A look may have been written down after a later one was judged.
            by_then = as_of - self._plan.phases.cadence / 2
            late = judged(self._past(since, as_of, [one for one in looks if one.as_of < by_then]))
        found = self._compared(stated, _Ours.of(ours, others, late), ours, known=sums is not None)
        self._remember(found.judged)
        return found

    def _compared(self, stated: Assessment, by_key: _Ours, ours: Assessment, *, known: bool) -> Anew:
        said = _by_key(stated)
        unjudged = by_key.main.keys() - said
        differs = [Differs(_name(key), "is not judged", "nothing", by_key.main[key].verdict.value) for key in unjudged]
        if len(said) != len(stated.items):
            differs.append(Differs("a metric of a cohort", "is judged twice", str(len(stated.items)), str(len(said))))
        unable: dict[str, str] = {}
        claimed, items = [], []
        for key, item in said.items():
            found = self._one(item, by_key, known=known)
            items.append(found.item)
            if found.off is not None:
                differs.append(Differs(_name(key), *found.off))
            if found.unable is not None:
                unable[_name(key)] = found.unable
            if found.claimed:
                claimed.append(_name(key))
        if not differs and not unable and _stops(stated) != _stops(ours):
            differs.append(Differs("the stop conditions", "are said to be fulfilled", _stops(stated), _stops(ours)))
        judged = stated.model_copy(update={"items": tuple(items), "stop": stated.stop if unable else ours.stop})
        return Anew(judged, tuple(differs), unable, tuple(claimed))

    def _one(self, item: MetricAssessment, ours: _Ours, *, known: bool) -> _Found:
        """One metric of one cohort, as stated, beside what it comes to."""
        key = (item.cohort, item.metric)
        mine, metric = ours.main.get(key), self._plan.metric(item.metric)
        if mine is None:
            return _Found(item, ("is judged, and was not measured", item.verdict.value, "nothing"))
        if metric is not None and metric.change is not None and not known:
            return _Found(item, unable="the log does not tell with whom it was compared")
        off = difference(item, mine)
        others = [difference(item, other[key]) for other in ours.others if key in other]
        if off is None:
            return _Found(mine, claimed=any(others))
        if self._listed is None and None in others:
            return _Found(item, unable="the looks before it, which it counts, are not in the bundle")
        if key in ours.late and difference(item, ours.late[key]) is None:
            return _Found(item, claimed=True)
        return _Found(mine, off)

    def _sums(self, measured: _Measured, frozen: _Measured | None, standing: Standing) -> Sums | None:
        """What changes are judged from; None where it is not known who was compared."""
        before = frozen.rows if frozen else {}
        beside = [one for one in measured.snapshot.changes if one.compared is not None]
        if not beside:
            return Sums(before, measured.since)
        control = self._plan.cohorts.control.name if self._plan.cohorts.control else None
        measured_too = {one.cohort for one in measured.snapshot.readings}
        left = {one.name for one in self._plan.cohort_specs()} - measured_too - set(standing.enrolled)
        names = ({control} - measured_too) if control is not None else left
        size = sum(standing.sizes.get(name, 0) for name in names)
        if any(one.members != (standing.sizes.get(one.cohort), size) for one in beside):
            return None
        compared = {row.partner_id for (cohort, _), rows in before.items() if cohort in names for row in rows}
        return Sums(before, measured.since, compared)

    def _past(self, since: datetime, before: datetime, listed: Iterable[ListedLook]) -> Past:
        """The looks in a span of time: those of assessments judged here, and those that are only listed."""
        found = {key: dict(looks) for key, looks in self._seen.items()}
        for one in listed:
            look = Look(one.as_of, one.verdict, one.beyond)
            found.setdefault((one.cohort, one.metric), {}).setdefault(one.as_of, look)
        return {key: [looks[at] for at in sorted(looks) if since <= at < before] for key, looks in found.items()}

    def _pasts(self, proven: Past, since: datetime, before: datetime) -> Iterator[Past]:
        """What might have been seen as well: looks that all say the same, between those of which there is evidence."""
        step = max(self._plan.phases.cadence / 2, timedelta(minutes=1))
        counted = max(_reach(one.tolerance) for one in self._plan.metrics)
        times = [at for number in range(1, counted + 1) if (at := before - number * step) >= since]
        cohorts = {one.name for one in self._plan.cohort_specs()}
        keys = [(cohort, metric) for cohort in cohorts for metric in self.counting]
        for verdict, beyond in _SAYING:
            more = [Look(at, verdict, beyond) for at in times]
            yield proven | {key: sorted((*proven.get(key, ()), *more), key=lambda one: one.at) for key in keys}

    def _remember(self, judged: Assessment) -> None:
        for item in judged.items:
            looks = self._seen.setdefault((item.cohort, item.metric), {})
            looks.setdefault(judged.as_of, Look(judged.as_of, item.by_itself, counts_as(item)))

    def _frozen(self, standing: Standing) -> _Measured | None:
        if standing.baseline is None:
            return None
        if self._baselines is None or self._baselines[0] != standing.baseline:
            self._baselines = standing.baseline, self._measured(standing.baseline)
        return self._baselines[1]

    def _measured(self, digest: str) -> _Measured:
        if self._last is None or self._last[0] != digest:
            self._last = digest, self._read(digest)
        return self._last[1]

    def _read(self, digest: str) -> _Measured:
        body = self._body(digest, "snapshot")
        snapshot = Snapshot.model_validate_json(json.dumps(body["snapshot"]))
        rows = {(one["cohort"], MetricName(one["metric"])): _rows(one) for one in body["rows"]}
        since = {
            (one["cohort"], MetricName(one["metric"]), datetime.fromisoformat(one["since"])): _rows(one)
            for one in body.get("stretches", ())
        }
        return _Measured(snapshot, rows, since)

    def _values(self, measured: _Measured, *, baseline: bool) -> tuple[Differs, ...]:
        found = []
        for reading in (*measured.snapshot.readings, *measured.snapshot.comparison):
            key = (reading.cohort, reading.metric)
            ours = reading.model_copy(update={"group": group_value(reading.metric, measured.rows.get(key, ()))})
            if baseline:
                ours = trusted(self._plan, ours, measured.snapshot.as_of)
            off = _off(reading, ours)
            if off is not None:
                found.append(Differs(_name(key), *off))
        return tuple(found)

    def _body(self, digest: str, kind: str) -> dict[str, Any]:
        whole = json_of(self._files, evidence_path(digest))
        if whole["kind"] != kind:
            raise ValueError(f"it is a {str(whole['kind'])[:100]}, and no {kind}")
        body: dict[str, Any] = whole["body"]
        return body


def difference(stated: MetricAssessment, ours: MetricAssessment) -> tuple[str, str, str] | None:
    """The first thing that decides and that evidence makes another of: what, as stated, as it comes to."""
    for name in DECIDES:
        one, other = getattr(stated, name), getattr(ours, name)
        if not _alike(one, other):
            return f"is stated with another {name.replace('_', ' ')}", _told(one), _told(other)
    return None


def counts_looks(tolerance: Tolerance) -> bool:
    """Whether a verdict can depend on the looks before it."""
    return tolerance.in_a_row > 0 or tolerance.met_in_a_row > 1 or tolerance.watches_for_blindness


def _reach(tolerance: Tolerance) -> int:
    """How many looks of one kind change a verdict, if any number does; twice, because some fall together with looks of
    which there is evidence."""
    numbers = (tolerance.in_all, tolerance.cannot_tell, tolerance.no_evidence_in_a_row)
    most = max(tolerance.in_a_row, tolerance.met_in_a_row, *(one for one in numbers if one is not None))
    return min(2 * (most + 1), MOST_COUNTED)


def _off(stated: CohortReading, ours: CohortReading) -> tuple[str, str, str] | None:
    for name in GroupValue.model_fields:
        one, other = getattr(stated.group, name), getattr(ours.group, name)
        if name != "parts" and not _alike(one, other):
            return f"has another {name.replace('_', ' ')} than its rows", _told(one), _told(other)
    parts, others = stated.group.parts, ours.group.parts
    for name in sorted(parts.keys() | others.keys()):
        if not _alike(parts.get(name), others.get(name)):
            return (
                f"has another {name.replace('_', ' ')} than its rows",
                _told(parts.get(name)),
                _told(others.get(name)),
            )
    return None


def _alike(one: Any, other: Any) -> bool:
    """The same; of fractions as much of it as two machines reckon alike."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    return bool(one == other)


def _rows(said: Mapping[str, Any]) -> tuple[PartnerReading, ...]:
    return tuple(map(PartnerReading.model_validate, said["partners"]))


def _by_key(assessment: Assessment) -> dict[Key, MetricAssessment]:
    return {(item.cohort, item.metric): item for item in assessment.items}


def _stops(assessment: Assessment) -> str:
    return ", ".join(sorted(f"{one.condition} ({one.cohort})" for one in assessment.stop)) or "none"


def _name(key: Key) -> str:
    return f"{key[1].value} of {key[0]}"


def _told(value: Any) -> str:
    return "nothing" if value is None else str(value)[:200]
