"""What a workflow's history says of evidence that stands whole in the store: enough to act on, and the digest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from pydantic import SerializerFunctionWrapHandler, field_serializer, model_serializer

from models.base import Frozen, Instant
from models.evidence import (
    Assessment,
    Baseline,
    Breaches,
    CohortReading,
    MetricAssessment,
    Snapshot,
    StopTrigger,
    Verdict,
    Window,
)
from models.metric import MetricName
from models.plan import RolloutPlan


class Lean(Frozen):
    """Written without the fields that say no more than their default. A default of these never changes: what was
    written without it is read with it."""

    @model_serializer(mode="wrap")
    def _what_is_set(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = type(self).model_fields
        written: dict[str, Any] = write(self)
        return {name: value for name, value in written.items() if getattr(self, name) != fields[name].default}


class ReadingBrief(Lean):
    """The value of a metric, and how much it rests on."""

    metric: MetricName
    value: float | None = None
    reason: str | None = None
    n_partners: int
    n_facts: int
    definition_version: int = 1


class ReadingRow(NamedTuple):
    """The same as a row of a table, of a reading that has a value."""

    value: float
    partners: int
    facts: int
    definition: int


class SnapshotBrief(Lean):
    """What was measured, by cohort; without cohorts only under which digest it stands.

    As a table it has a row for each metric with a value, by cohort in `rows`; `columns` names what stands in one. What
    has no value stands in `cohorts` with its reason.
    """

    digest: str
    as_of: Instant
    columns: tuple[str, ...] = ()
    rows: dict[str, dict[MetricName, ReadingRow]] = {}
    cohorts: dict[str, tuple[ReadingBrief, ...]] = {}

    @classmethod
    def of(cls, snapshot: Snapshot, *, table: bool = False) -> SnapshotBrief:
        """All values of a snapshot."""
        rows: dict[str, dict[MetricName, ReadingRow]] = {}
        others: dict[str, tuple[ReadingBrief, ...]] = {}
        for reading in snapshot.readings:
            one = _reading(reading)
            if table and one.value is not None and one.reason is None:
                row = ReadingRow(one.value, one.n_partners, one.n_facts, one.definition_version)
                rows.setdefault(reading.cohort, {})[one.metric] = row
            else:
                others[reading.cohort] = (*others.get(reading.cohort, ()), one)
        columns = ReadingRow._fields if rows else ()
        return cls(digest=snapshot.digest, as_of=snapshot.as_of, columns=columns, rows=rows, cohorts=others)

    def readings(self) -> Iterator[tuple[str, ReadingBrief]]:
        """Every reading with its cohort."""
        for cohort, rows in self.rows.items():
            for metric, row in rows.items():
                yield (
                    cohort,
                    ReadingBrief(
                        metric=metric,
                        value=row.value,
                        n_partners=row.partners,
                        n_facts=row.facts,
                        definition_version=row.definition,
                    ),
                )
        for cohort, readings in self.cohorts.items():
            for one in readings:
                yield cohort, one

    def baselines(self, windows: Mapping[MetricName, timedelta]) -> tuple[Baseline, ...]:
        """The values as baselines; `windows` are the lengths that were asked for."""
        return tuple(
            Baseline(
                cohort=cohort,
                metric=one.metric,
                window=Window(start=self.as_of - windows[one.metric], end=self.as_of),
                value=one.value,
                reason=one.reason,
                n_partners=one.n_partners,
                n_facts=one.n_facts,
                definition_version=one.definition_version,
                evidence_digest=self.digest,
            )
            for cohort, one in self.readings()
        )


def baselines_of(snapshot: Snapshot) -> tuple[Baseline, ...]:
    """A snapshot's readings as frozen baselines."""
    return tuple(
        Baseline(
            cohort=reading.cohort,
            metric=reading.metric,
            window=reading.window,
            value=reading.group.value,
            reason=reading.group.reason,
            n_partners=reading.group.n_partners,
            n_facts=reading.group.n_facts,
            definition_version=reading.definition_version,
            evidence_digest=snapshot.digest,
        )
        for reading in snapshot.readings
    )


class MetBrief(Lean):
    """A metric that is met. Reasons are given where there is a warning; of a change the sentence about it always."""

    metric: MetricName
    value: float
    baseline: float | None = None
    n_partners: int
    n_facts: int
    breaches: Breaches = Breaches()
    warning: bool = False
    reasons: tuple[str, ...] = ()


class MetRow(NamedTuple):
    """The same as a row of a table, of a metric that is met without more to be said of it."""

    value: float
    baseline: float | None
    partners: int
    facts: int


class AssessmentBrief(Lean):
    """An assessment: by cohort what is met, and at length whatever is not; what the checks of the data found is among
    the reasons, and in full only in the evidence.

    Every cohort that was judged is a key of `met`, also one that has nothing to show for it; as a table of `rows`,
    which has a row for each metric of which there is no more to be said than `columns` names, with those others in
    `met`. `snapshot_digest` stood here once; it is the one that was asked about.
    """

    digest: str
    snapshot_digest: str | None = None
    as_of: Instant
    columns: tuple[str, ...] = ()
    rows: dict[str, dict[MetricName, MetRow]] = {}
    met: dict[str, tuple[MetBrief, ...]] = {}
    others: tuple[MetricAssessment, ...] = ()
    stop: tuple[StopTrigger, ...] = ()

    @field_serializer("others", when_used="json")
    def _what_they_say(self, others: tuple[MetricAssessment, ...]) -> list[dict[str, Any]]:
        return [one.model_dump(mode="json", exclude_defaults=True) for one in others]

    @classmethod
    def of(cls, assessment: Assessment, *, table: bool = False) -> AssessmentBrief:
        """What is said of an assessment."""
        rows: dict[str, dict[MetricName, MetRow]] = {item.cohort: {} for item in assessment.items if table}
        met: dict[str, tuple[MetBrief, ...]] = {item.cohort: () for item in assessment.items if not table}
        for item in assessment.items:
            brief = _met(item)
            row = _row(brief) if table and brief else None
            if row is not None:
                rows[item.cohort][item.metric] = row
            elif brief is not None:
                met[item.cohort] = (*met.get(item.cohort, ()), brief)
        return cls(
            digest=assessment.digest,
            as_of=assessment.as_of,
            columns=MetRow._fields if table else (),
            rows=rows,
            met=met,
            others=tuple(item.model_copy(update={"quality": ()}) for item in assessment.items if _met(item) is None),
            stop=assessment.stop,
        )

    def against(self, plan: RolloutPlan, snapshot_digest: str) -> Assessment:
        """The assessment as a rollout holds it, cohort by cohort in the order of the plan's metrics. What the plan says
        of a metric is taken from the plan, which is the one it was judged by: the request names its digest, and that of
        the snapshot."""
        found = {(item.cohort, item.metric): item for item in self.others}
        for cohort, rows in self.rows.items():
            found |= {(cohort, metric): _item(plan, cohort, _of_row(metric, row)) for metric, row in rows.items()}
        for cohort, items in self.met.items():
            found |= {(cohort, one.metric): _item(plan, cohort, one) for one in items}
        cohorts, metrics = list(self.rows or self.met), [one.metric for one in plan.metrics]
        return Assessment(
            evidence_id=f"assessment-{self.digest.removeprefix('sha256:')[:16]}",
            digest=self.digest,
            snapshot_digest=self.snapshot_digest or snapshot_digest,
            as_of=self.as_of,
            items=tuple(
                found[key] for key in sorted(found, key=lambda it: (cohorts.index(it[0]), metrics.index(it[1])))
            ),
            stop=self.stop,
        )


class LookBrief(Lean):
    """What a look came to, as one table: `metrics` names its rows and `columns` what stands in each, once for all
    cohorts; a cohort has a row for each metric, None for one of which there is more to be said in `met` or `others`.

    As of when it was is in the request, and from which snapshot in the evidence that `digest` names.
    """

    digest: str
    metrics: tuple[MetricName, ...] = ()
    columns: tuple[str, ...] = MetRow._fields
    cohorts: dict[str, tuple[MetRow | None, ...]] = {}
    met: dict[str, tuple[MetBrief, ...]] = {}
    others: tuple[MetricAssessment, ...] = ()
    stop: tuple[StopTrigger, ...] = ()

    @model_serializer(mode="wrap")
    def _what_is_set(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """The columns always: a reader does not know them by heart."""
        written: dict[str, Any] = write(self)
        return {name: value for name, value in written.items() if value or name == "columns"}

    @field_serializer("others", when_used="json")
    def _what_they_say(self, others: tuple[MetricAssessment, ...]) -> list[dict[str, Any]]:
        return [one.model_dump(mode="json", exclude_defaults=True) for one in others]

    @classmethod
    def of(cls, brief: AssessmentBrief) -> LookBrief:
        """The same as a table for all cohorts.

        Args:
            brief: with tables.
        """
        metrics = tuple(dict.fromkeys(metric for rows in brief.rows.values() for metric in rows))
        return cls(
            digest=brief.digest,
            metrics=metrics,
            cohorts={name: tuple(rows.get(metric) for metric in metrics) for name, rows in brief.rows.items()},
            met=brief.met,
            others=brief.others,
            stop=brief.stop,
        )

    def at_length(self, as_of: Instant) -> AssessmentBrief:
        """The same by cohort and metric."""
        return AssessmentBrief(
            digest=self.digest,
            as_of=as_of,
            columns=self.columns,
            rows={
                name: {metric: row for metric, row in zip(self.metrics, rows, strict=True) if row is not None}
                for name, rows in self.cohorts.items()
            },
            met=self.met,
            others=self.others,
            stop=self.stop,
        )


def _reading(one: CohortReading) -> ReadingBrief:
    return ReadingBrief(
        metric=one.metric,
        value=one.group.value,
        reason=one.group.reason,
        n_partners=one.group.n_partners,
        n_facts=one.group.n_facts,
        definition_version=one.definition_version,
    )


def _met(item: MetricAssessment) -> MetBrief | None:
    """None for what has more to be said of."""
    more = item.beyond_threshold or item.untrusted or item.partners or item.leads
    plain = item.minimum_sample_reached and item.data_current and not more
    if item.verdict is not Verdict.MET or item.value is None or not plain:
        return None
    return MetBrief(
        metric=item.metric,
        value=float(f"{item.value:.7g}"),
        baseline=None if item.baseline is None else float(f"{item.baseline:.7g}"),
        n_partners=item.n_partners,
        n_facts=item.n_facts,
        breaches=item.breaches,
        warning=item.warning,
        reasons=item.reasons if item.warning else item.reasons[:1] if item.by_change else (),
    )


def _row(one: MetBrief) -> MetRow | None:
    """None for what does not fit into a row."""
    row = MetRow(one.value, one.baseline, one.n_partners, one.n_facts)
    return row if _of_row(one.metric, row) == one else None


def _of_row(metric: MetricName, row: MetRow) -> MetBrief:
    return MetBrief(metric=metric, value=row.value, baseline=row.baseline, n_partners=row.partners, n_facts=row.facts)


def _item(plan: RolloutPlan, cohort: str, one: MetBrief) -> MetricAssessment:
    metric = plan.metric(one.metric)
    if metric is None:
        raise ValueError(f"the plan does not measure {one.metric.value}")
    return MetricAssessment(
        cohort=cohort,
        metric=one.metric,
        use=metric.purpose,
        on_breach=metric.on_breach,
        verdict=Verdict.MET,
        reasons=one.reasons,
        value=one.value,
        thresholds=metric.agreed,
        baseline=one.baseline,
        n_partners=one.n_partners,
        n_facts=one.n_facts,
        minimum_sample_reached=True,
        data_current=True,
        data_through=None,
        data_age=None,
        breaches=one.breaches,
        warning=one.warning,
        must=metric.must,
        weight=metric.weight,
        by_thresholds=Verdict.MET if metric.change and metric.thresholds else None,
        by_change=Verdict.MET if metric.change else None,
    )
