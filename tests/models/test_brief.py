"""What a history says of evidence is enough to act on, never says more than the evidence, and is short."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from models.brief import AssessmentBrief, SnapshotBrief, baselines_of
from models.evidence import (
    Assessment,
    Breaches,
    CohortReading,
    GroupValue,
    MetricAssessment,
    Snapshot,
    StopTrigger,
    Verdict,
    Window,
)
from models.metric import MetricName
from models.plan import RolloutPlan
from tests.plans import make_plan

NOW = datetime(2026, 3, 1, tzinfo=UTC)
MONTH = timedelta(days=28)
PLAN: RolloutPlan = make_plan()
METRICS = [one.metric for one in PLAN.metrics]


def judged(cohort: str, metric: MetricName, verdict: Verdict = Verdict.MET, **changes: Any) -> MetricAssessment:
    plan = PLAN.metric(metric)
    assert plan is not None
    fields: dict[str, Any] = {
        "cohort": cohort,
        "metric": metric,
        "use": plan.purpose,
        "on_breach": plan.on_breach,
        "verdict": verdict,
        "reasons": ("90.00 %, agreed >= 85", "12 partners, 300 facts", "data 2m old"),
        "value": 90.0,
        "thresholds": tuple(map(str, plan.thresholds)),
        "baseline": 92.5,
        "n_partners": 12,
        "n_facts": 300,
        "minimum_sample_reached": True,
        "data_current": True,
        "data_through": NOW,
        "data_age": timedelta(minutes=2),
        "must": plan.must,
        "weight": plan.weight,
    }
    return MetricAssessment(**{**fields, **changes})


def assessment(*items: MetricAssessment, stop: tuple[StopTrigger, ...] = ()) -> Assessment:
    return Assessment(
        evidence_id="assessment-0123456789abcdef",
        digest="sha256:0123456789abcdef" + "0" * 48,
        snapshot_digest="sha256:s",
        as_of=NOW,
        items=items,
        stop=stop,
    )


def there_and_back(whole: Assessment) -> Assessment:
    """As a rollout has it: written into a history, and read from there."""
    found = [
        AssessmentBrief.model_validate_json(to_json(AssessmentBrief.of(whole, table=table))).against(
            PLAN, whole.snapshot_digest
        )
        for table in (False, True)
    ]
    assert found[0] == found[1], "a table says something else"
    return found[0]


EVERYTHING = st.builds(
    judged,
    st.sampled_from(["pilot", "wave-one"]),
    st.sampled_from(METRICS),
    st.sampled_from(list(Verdict)),
    value=st.none() | st.floats(0, 1e6),
    minimum_sample_reached=st.booleans(),
    data_current=st.booleans(),
    warning=st.booleans(),
    beyond_threshold=st.booleans(),
    breaches=st.builds(Breaches, in_a_row=st.integers(0, 3), in_all=st.integers(0, 9)),
    partners=st.sampled_from([(), ("P001", "P002")]),
)


@given(st.lists(EVERYTHING, max_size=6, unique_by=lambda item: (item.cohort, item.metric)))
def test_a_rollout_acts_on_a_brief_as_on_the_whole(items: list[MetricAssessment]) -> None:
    """All that is decided by, of every metric of every cohort; none is lost and none is added."""

    def decisive(found: Assessment) -> set[Any]:
        return {
            (
                *(one.cohort, one.metric, one.use, one.on_breach, one.verdict, one.minimum_sample_reached),
                *(one.data_current, one.warning, one.beyond_threshold, one.must, one.weight, one.breaches),
                *(one.partners, one.leads, one.thresholds),
            )
            for one in found.items
        }

    whole = assessment(*items)
    found = there_and_back(whole)
    assert decisive(found) == decisive(whole)
    assert len(found.items) == len(whole.items)
    assert (found.digest, found.snapshot_digest, found.as_of, found.evidence_id) == (
        whole.digest,
        whole.snapshot_digest,
        whole.as_of,
        whole.evidence_id,
    )


@pytest.mark.parametrize("verdict", [Verdict.NOT_MET, Verdict.CANNOT_TELL, Verdict.NO_EVIDENCE])
def test_what_is_not_met_is_told_with_every_reason(verdict: Verdict) -> None:
    item = judged("pilot", METRICS[0], verdict, partners=("P001",), leads=("L1",))
    assert there_and_back(assessment(item)).items == (item,)


@pytest.mark.parametrize(
    "reservation",
    [{"untrusted": True}, {"minimum_sample_reached": False}, {"data_current": False}, {"beyond_threshold": True}],
)
def test_what_is_met_with_a_reservation_is_told_with_it(reservation: dict[str, Any]) -> None:
    item = judged("pilot", METRICS[0], **reservation)
    assert there_and_back(assessment(item)).items == (item,)


def test_a_warning_is_told_with_its_reasons() -> None:
    item = judged("pilot", METRICS[0], warning=True)
    [found] = there_and_back(assessment(item)).items
    assert (found.verdict, found.warning, found.reasons) == (Verdict.MET, True, item.reasons)


def test_a_stop_condition_that_is_fulfilled_is_told() -> None:
    trigger = StopTrigger(condition="too bad", metric=METRICS[0], cohort="pilot", value=12.0)
    whole = assessment(judged("pilot", METRICS[0], Verdict.NOT_MET), stop=(trigger,))
    assert there_and_back(whole).stop == (trigger,)


def test_items_come_cohort_by_cohort_in_the_order_of_the_plan() -> None:
    items = [
        judged(cohort, metric, verdict)
        for cohort in ("wave-one", "pilot")
        for metric, verdict in zip(METRICS, (Verdict.NOT_MET, Verdict.MET), strict=False)
    ]
    found = there_and_back(assessment(*items))
    assert [(one.cohort, one.metric) for one in found.items] == [(one.cohort, one.metric) for one in items]


def test_nothing_judged_stays_nothing_judged() -> None:
    assert there_and_back(assessment()).items == ()


def test_a_metric_that_is_met_takes_a_hundred_bytes() -> None:
    whole = assessment(*(judged(f"wave-{number}", metric) for number in range(6) for metric in METRICS))
    assert len(to_json(AssessmentBrief.of(whole))) < 300 + 6 * 20 + 100 * len(whole.items)


def test_as_a_table_it_takes_half_of_that_and_names_its_columns_once() -> None:
    whole = assessment(*(judged(f"wave-{number}", metric) for number in range(6) for metric in METRICS))
    said = json.loads(to_json(AssessmentBrief.of(whole, table=True)))
    assert len(to_json(said)) < 300 + 6 * 20 + 50 * len(whole.items)
    assert said["columns"] == ["value", "baseline", "partners", "facts"]
    assert said["rows"]["wave-0"][METRICS[0].value] == [90.0, 92.5, 12, 300]
    assert "met" not in said


def test_what_has_more_to_be_said_of_stands_beside_the_table() -> None:
    warned = judged("pilot", METRICS[0], warning=True)
    said = json.loads(to_json(AssessmentBrief.of(assessment(warned, judged("pilot", METRICS[1])), table=True)))
    assert list(said["rows"]["pilot"]) == [METRICS[1].value]
    assert [one["metric"] for one in said["met"]["pilot"]] == [METRICS[0].value]


def reading(cohort: str, metric: MetricName, value: float | None) -> CohortReading:
    group = GroupValue(value=value, reason=None if value is not None else "no_data", n_partners=3, n_facts=7)
    window = Window(start=NOW - MONTH, end=NOW)
    return CohortReading(cohort=cohort, metric=metric, window=window, group=group, data_through=NOW)


def test_baselines_told_by_their_values_are_those_of_the_snapshot() -> None:
    """To the last digit: a threshold against them must not depend on where they are read."""
    values = (92.59259259259262, None, 340033.7789203051, 0.1 + 0.2)
    readings = [reading(f"cohort-{n // 2}", METRICS[n % 2], value) for n, value in enumerate(values)]
    snapshot = Snapshot(evidence_id="s", digest="sha256:s", as_of=NOW, readings=tuple(readings))
    brief = SnapshotBrief.model_validate_json(to_json(SnapshotBrief.of(snapshot)))
    assert brief.baselines(dict.fromkeys(METRICS, MONTH)) == baselines_of(snapshot)
