"""Readings, plans and baselines to judge, with everything in order until a test says otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from judgement.thresholds import judge
from models.evidence import (
    Baseline,
    CohortReading,
    GroupValue,
    LeadDriver,
    Look,
    MetricAssessment,
    PartnerReading,
    Snapshot,
    Verdict,
    Window,
)
from models.metric import MetricName
from models.plan_metric import MetricPlan, MinimumSample, OnBreach, Tolerance, parse_threshold

AS_OF = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SLA = MetricName.LEAD_FOLLOW_UP_SLA
MARGIN = MetricName.CONTRIBUTION_MARGIN
VELOCITY = MetricName.PIPELINE_VELOCITY
SCORE = MetricName.COMPLIANCE_SCORE
MDF = MetricName.MDF_SPEND


def window(length: timedelta = 28 * DAY, end: datetime = AS_OF) -> Window:
    return Window(start=end - length, end=end)


def group(value: float | None = 90.0, **changes: Any) -> GroupValue:
    """Built without checks, so that a test can put in what the model would refuse."""
    fields: dict[str, Any] = {
        "value": value,
        "reason": None if value is not None else "no_data",
        "numerator": None,
        "denominator": None,
        "n_partners": 12,
        "n_facts": 240,
        "parts": {},
    }
    return GroupValue.model_construct(**{**fields, **changes})


def reading(value: float | None = 90.0, metric: MetricName = SLA, **changes: Any) -> CohortReading:
    """Data one hour old, of twelve partners. Fields of the group may be named as well."""
    of_group = {name: changes.pop(name) for name in tuple(changes) if name in GroupValue.model_fields}
    fields: dict[str, Any] = {
        "cohort": "pilot",
        "metric": metric,
        "window": window(),
        "group": group(value, **of_group),
        "data_through": AS_OF - timedelta(hours=1),
        "definition_version": 1,
        "top_partners": (PartnerReading(partner_id="P007", numerator=1, denominator=9, facts=9),),
        "leads": (LeadDriver(partner_id="P007", lead_id="L1", due_at=AS_OF, state="open_breach"),),
    }
    return CohortReading.model_construct(**{**fields, **changes})


def agreed(*thresholds: str, metric: MetricName = SLA, **changes: Any) -> MetricPlan:
    """What a plan says of a metric; without thresholds `>= 85`."""
    limits = tuple(parse_threshold(one) for one in thresholds or (">= 85",))
    fields: dict[str, Any] = {
        "window": 28 * DAY,
        "thresholds": limits,
        "freshness": 7 * DAY,
        "minimum_sample": MinimumSample(partners=5, facts=50),
        "on_breach": OnBreach.PAUSE,
        "tolerance": Tolerance(),
    }
    changes["warning"] = tuple(parse_threshold(one) for one in changes.get("warning", ()))
    return MetricPlan(metric=metric, **{**fields, **changes})


def baseline(value: float | None = 90.0, metric: MetricName = SLA, **changes: Any) -> Baseline:
    fields: dict[str, Any] = {
        "cohort": "pilot",
        "metric": metric,
        "window": window(end=AS_OF - 60 * DAY),
        "value": value,
        "reason": None if value is not None else "no_data",
        "n_partners": 12,
        "n_facts": 240,
        "definition_version": 1,
        "evidence_digest": "sha256:0",
    }
    return Baseline.model_construct(**{**fields, **changes})


def judged(
    found: CohortReading,
    plan: MetricPlan | None = None,
    frozen: Baseline | None = None,
    past: Sequence[Look] = (),
    **more: Any,
) -> MetricAssessment:
    return judge(found, plan or agreed(metric=found.metric), frozen, past, AS_OF, **more)


def looks(*beyond: bool, every: timedelta = DAY) -> tuple[Look, ...]:
    """Earlier readings, one a day, the last of them a day ago."""
    return said(*(Verdict.NOT_MET if one else Verdict.MET for one in beyond), every=every)


def beyond(at: datetime) -> Look:
    """An earlier breach."""
    return Look(at, Verdict.NOT_MET, True)


def said(*verdicts: Verdict, every: timedelta = DAY) -> tuple[Look, ...]:
    """Earlier readings with these verdicts by themselves."""
    counts = {Verdict.NOT_MET: True, Verdict.MET: False}
    return tuple(
        Look(AS_OF - every * (len(verdicts) - place), one, counts.get(one)) for place, one in enumerate(verdicts)
    )


def snapshot(*readings: CohortReading) -> Snapshot:
    return Snapshot.model_construct(evidence_id="s", digest="sha256:5", as_of=AS_OF, readings=readings)
