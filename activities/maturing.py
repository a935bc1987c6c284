"""What is measured and looked up for metrics that are judged by their change: stretches, and frozen baselines."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from judgement.changes import Sums
from judgement.horizon import beginnings, matured_through
from models.evidence import Baseline, Matured
from models.metric import MetricName
from models.plan import RolloutPlan
from models.plan_metric import MetricPlan
from models.rollout import CohortMembers
from models.work import RolloutKey
from store import enrolments, frozen
from store.enrolments import Enrolled
from store.evidence import Measured
from store.frozen import Rows
from store.pool import Connection


class Stretches(NamedTuple):
    """The matured days to measure, and the partners beside the cohorts."""

    matured: tuple[Matured, ...] = ()
    beside: CohortMembers | None = None


NO_STRETCHES = Stretches()


def judged_by_change(plan: RolloutPlan, metrics: Collection[MetricName] | None = None) -> tuple[MetricPlan, ...]:
    """The metrics of a plan (or those among some of them) of which it judges the change."""
    return tuple(one for one in plan.metrics if one.change and (metrics is None or one.metric in metrics))


async def stretches_of(
    conn: Connection,
    key: RolloutKey,
    plan: RolloutPlan | None,
    cohorts: Sequence[CohortMembers],
    beside: CohortMembers | None,
    as_of: datetime,
    metrics: Collection[MetricName],
) -> Stretches:
    """The stretches of one rollout's cohorts as of a moment."""
    if plan is None or not judged_by_change(plan, metrics):
        return NO_STRETCHES
    enrolled = await enrolments.enrolled_at(conn, [(key, as_of)])
    return stretches(plan, cohorts, beside, enrolled[key], as_of, metrics)


def stretches(
    plan: RolloutPlan,
    cohorts: Sequence[CohortMembers],
    beside: CohortMembers | None,
    enrolled: Enrolled,
    as_of: datetime,
    metrics: Collection[MetricName] | None,
) -> Stretches:
    """For each cohort that is enrolled, and each of the metrics that are judged by their change, the matured days."""
    found = tuple(
        Matured(
            cohort=cohort.name,
            metric=one.metric,
            since=since,
            through=matured_through(as_of, one.change.maturity),
            compared=beside.name if beside else None,
            members=(cohort.size, beside.size if beside else 0),
        )
        for cohort in cohorts
        for one in judged_by_change(plan, metrics)
        if one.change is not None and (since := beginnings(plan, cohort.name, enrolled))
    )
    return Stretches(found, beside)


def sums_of(measured: Measured, before: Rows, beside: CohortMembers | None) -> Sums:
    """What the changes of a snapshot are judged from."""
    since = {(one.cohort, one.metric, one.since): one.partners for one in measured.stretches}
    return Sums(before, since, frozenset(beside.partners) if beside else ())


async def frozen_rows(
    conn: Connection, key: RolloutKey, baselines: Sequence[Baseline], metrics: Collection[MetricName] | None = None
) -> Rows:
    """The rows of frozen baselines; none where there are no baselines. Arguments and errors are those of
    `frozen.frozen_rows`."""
    return await frozen.frozen_rows(conn, key, baselines[0].evidence_digest, metrics) if baselines else {}
