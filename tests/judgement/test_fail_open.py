"""Where other systems let absence pass: each spot that belongs to plans and verdicts, from rows to the verdict.

The spots that belong to the workflow are tested where it is; `fail_opens` lists all with their tests.
"""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import ValidationError

from judgement.assessment import assess
from judgement.values import group_value
from models.evidence import Assessment, Baseline, GroupValue, PartnerReading, Verdict
from models.metric import CATALOGUE, Direction, MetricName
from models.plan import RolloutPlan
from models.plan_change import ChangeRule, Margin
from models.plan_metric import Tolerance
from tests.judgement.fail_opens import SPOTS
from tests.judgement.readings import AS_OF, DAY, SLA, agreed, baseline, judged, reading, said, snapshot
from tests.plans import make_plan, plan_data
from tests.store.definitions_of import Sentence
from tests.store.test_definitions import missing

# What every partner of a cohort shows when all is well: numerator, denominator, facts, parts. Each gives 100, or 5
# where lower is better.
GOOD: dict[MetricName, tuple[float, float, int, dict[str, float]]] = {
    MetricName.CONTRIBUTION_MARGIN: (20.0, 20.0, 20, {"cost_lines": 1}),
    MetricName.PIPELINE_VELOCITY: (
        250.0,
        10.0,
        20,
        {"opportunities": 2, "won": 1, "lost": 1, "won_value": 50, "cycle_days": 3},
    ),
    MetricName.COMPLIANCE_SCORE: (100.0, 1.0, 20, {"weight_applicable": 23, "weight_assessed": 23}),
    MetricName.MDF_SPEND: (20.0, 20.0, 20, {"allocations": 1, "allocation": 40, "plan_to_date": 20}),
    MetricName.ENABLEMENT_COMPLETION: (20.0, 20.0, 20, {}),
    MetricName.LEAD_FOLLOW_UP_SLA: (20.0, 20.0, 20, {}),
    MetricName.PARTNER_CHURN: (1.0, 20.0, 20, {}),
    MetricName.DISCOUNT_LEAKAGE: (1.0, 20.0, 20, {"lines": 20}),
    MetricName.CERTIFIED_PARTNERS: (20.0, 20.0, 20, {}),
    MetricName.LEAD_ACCEPTANCE: (20.0, 20.0, 20, {}),
}

LIKEWISE = {">= 85": "<= 10", ">= 1": "<= 99", ">= -5%": "<= +5%", ">= -5pp": "<= +5pp"}
"""The limit that protects as much where lower is better."""


def row(metric: MetricName, number: int, **changes: Any) -> PartnerReading:
    numerator, denominator, facts, parts = GOOD[metric]
    fields = {"numerator": numerator, "denominator": denominator, "facts": facts, "parts": parts}
    return PartnerReading.model_construct(partner_id=f"P{number:03}", **{**fields, **changes})


def rows(metric: MetricName) -> list[PartnerReading]:
    """Six partners who do well."""
    return [row(metric, number) for number in range(6)]


def facing(metric: MetricName, threshold: str) -> str:
    """The threshold on the metric's bad side."""
    return LIKEWISE.get(threshold, threshold) if CATALOGUE[metric].direction is Direction.LOWER else threshold


def plan_of(metric: MetricName, *thresholds: str, **changes: Any) -> RolloutPlan:
    """A plan that asks for 85 of one metric (10 where lower is better), and of six partners at most."""
    limits = [facing(metric, one) for one in thresholds or (">= 85",)]
    measured = {**plan_data()["metrics"][0], "metric": metric.value, "thresholds": limits}
    left = [{"metric": name.value, "reason": "not here"} for name in MetricName if name is not metric]
    conditions = [{"condition": "somebody calls it"}]
    return make_plan(metrics=[{**measured, **changes}], not_measured=left, stop_conditions=conditions)


def verdict(
    metric: MetricName, partners: list[PartnerReading], *thresholds: str, frozen: tuple[Baseline, ...] = ()
) -> Verdict:
    """From the partners' rows to the verdict, as a rollout gets it."""
    measured = snapshot(reading(metric=metric, group=group_value(metric, partners)))
    (item,) = assess(plan_of(metric, *thresholds), measured, frozen, {}).items
    return item.verdict


def test_each_spot_of_the_survey_is_closed_by_tests_that_are_there() -> None:
    assert len(SPOTS) == 17
    assert [missing(Sentence(says, tests)) for says, tests in SPOTS] == [[]] * 17
    assert all(tests for _, tests in SPOTS)


every_metric = pytest.mark.parametrize("metric", MetricName)


@every_metric
def test_partners_who_do_well_are_met(metric: MetricName) -> None:
    """So that what follows fails for its own reason."""
    assert verdict(metric, rows(metric)) is Verdict.MET


def test_no_conditions_given_is_no_success() -> None:
    nothing: tuple[list[str] | None, ...] = ([], None)
    for empty in nothing:
        metrics = [{**plan_data()["metrics"][0], "thresholds": empty}, plan_data()["metrics"][1]]
        with pytest.raises(ValidationError, match="thresholds"):
            make_plan(metrics=metrics)
    assert judged(reading(), agreed().model_copy(update={"thresholds": ()})).verdict is Verdict.CANNOT_TELL


def test_nothing_to_judge_is_no_success() -> None:
    with pytest.raises(ValidationError, match="metrics"):
        make_plan(metrics=[], not_measured=[{"metric": name.value, "reason": "none"} for name in MetricName])
    assert assess(make_plan(), snapshot(), (), {}).items == ()


@every_metric
@pytest.mark.parametrize("threshold", [">= 85", ">= -5%", ">= -5pp"])
def test_infinity_does_not_pass(metric: MetricName, threshold: str) -> None:
    frozen = (baseline(50.0, metric),)
    for wrong in ({"numerator": math.inf}, {"parts": {**GOOD[metric][3], "won_value": math.inf}}):
        partners = [*rows(metric), row(metric, 9, **wrong)]
        assert verdict(metric, partners, threshold, frozen=frozen) is Verdict.NO_EVIDENCE
    slipped = judged(reading(math.inf, metric), agreed(facing(metric, threshold), metric=metric), frozen[0])
    assert slipped.verdict is Verdict.NO_EVIDENCE


@every_metric
@pytest.mark.parametrize("threshold", [">= 85", "<= 85", ">= -5%", "<= +5pp"])
def test_nan_neither_passes_nor_fails(metric: MetricName, threshold: str) -> None:
    frozen = baseline(50.0, metric)
    item = judged(reading(math.nan, metric), agreed(threshold, metric=metric), frozen)
    assert (item.verdict, item.beyond_threshold) == (Verdict.NO_EVIDENCE, False)
    assert group_value(metric, [*rows(metric), row(metric, 9, numerator=math.nan)]).reason == "not_a_number"


@pytest.mark.parametrize("name", ["lead_folow_up_sla", "Lead_follow_up_SLA", "lead-follow-up-sla", ""])
def test_a_misspelt_metric_does_not_pass(name: str) -> None:
    data = plan_data()
    for where in ("metrics", "not_measured", "stop_conditions"):
        changed = [{**data[where][0], "metric": name}, *data[where][1:]]
        with pytest.raises(ValidationError, match="contribution_margin"):
            make_plan(**{where: changed})


def test_a_metric_that_is_left_out_without_a_word_does_not_pass() -> None:
    with pytest.raises(ValidationError, match="pipeline_velocity is missing"):
        make_plan(not_measured=plan_data()["not_measured"][1:])


@every_metric
def test_a_group_with_no_data_does_not_score(metric: MetricName) -> None:
    nothing: dict[str, Any] = {"numerator": None, "denominator": None, "facts": 0, "parts": {}}
    for partners in ([], [row(metric, number, **nothing) for number in range(6)]):
        assert verdict(metric, partners) is Verdict.NO_EVIDENCE
        # A limit that nothing could break does not help either.
        assert verdict(metric, partners, ">= 1") is Verdict.NO_EVIDENCE


@every_metric
def test_a_missing_baseline_is_not_satisfied(metric: MetricName) -> None:
    for frozen in ((), (baseline(None, metric),), (baseline(99.0, metric, cohort="wave-one"),)):
        for threshold in (">= -5%", ">= -5pp"):
            assert verdict(metric, rows(metric), threshold, frozen=frozen) is Verdict.CANNOT_TELL
    assert verdict(metric, rows(metric), ">= -5%", frozen=(baseline(99.0, metric),)) is Verdict.MET


def test_metrics_that_only_inform_decide_nothing() -> None:
    metrics = [{**one, "on_breach": "warn"} for one in plan_data()["metrics"]]
    with pytest.raises(ValidationError, match="every metric only warns"):
        make_plan(metrics=metrics)


def test_a_failed_result_does_not_become_the_next_baseline() -> None:
    """The value sinks by four percent a day, each day less than the five agreed; what counts is the start."""
    plan = plan_of(SLA, ">= -5%")
    start, value, found = baseline(90.0), 90.0, list[Verdict]()
    for _ in range(5):
        value *= 0.96
        (item,) = assess(plan, snapshot(reading(value)), (start,), {}).items
        found.append(item.verdict)
        assert item.baseline == 90.0
    assert found == [Verdict.MET, *[Verdict.NOT_MET] * 4]


@every_metric
def test_no_traffic_does_not_advance(metric: MetricName) -> None:
    """Nothing happens in the window, or next to nothing: perfect numbers of too few, or of nobody."""
    few = [row(metric, number, facts=1) for number in range(6)]
    assert verdict(metric, few) is Verdict.CANNOT_TELL
    assert verdict(metric, rows(metric)[:4]) is Verdict.CANNOT_TELL
    quiet = snapshot(reading(metric=metric, group=group_value(metric, rows(metric)), data_through=AS_OF - 8 * DAY))
    (item,) = assess(plan_of(metric), quiet, (), {}).items
    assert item.verdict is Verdict.NO_EVIDENCE


def test_breaches_that_are_tolerated_are_not_met() -> None:
    """They do not pause; nor do they open a gate."""
    item = judged(reading(80.0), agreed(tolerance=Tolerance(in_a_row=3)))
    assert item.verdict is Verdict.CANNOT_TELL


@pytest.mark.parametrize("cadence", ["0m", "31d", "-1d", "never", "1e9d"])
def test_a_plan_that_would_never_be_looked_at_is_refused(cadence: str) -> None:
    """No time at all, longer than the pilot of 30 days, or no length of time."""
    with pytest.raises(ValidationError, match="cadence"):
        make_plan(phases={**plan_data()["phases"], "cadence": cadence})


def test_met_that_nobody_saw_is_no_success() -> None:
    """Two looks in a row are agreed: a silent one between two good ones begins the run anew."""
    plan = agreed(tolerance=Tolerance(met_in_a_row=2))
    assert judged(reading(), plan, past=said(Verdict.MET)).verdict is Verdict.MET
    for between in (Verdict.NO_EVIDENCE, Verdict.CANNOT_TELL, Verdict.NOT_MET):
        assert judged(reading(), plan, past=said(Verdict.MET, between)).verdict is Verdict.CANNOT_TELL


@pytest.mark.parametrize("metric", [name for name in MetricName if name is not MetricName.PARTNER_CHURN])
def test_a_change_that_was_not_measured_is_no_success(metric: MetricName) -> None:
    """The thresholds hold; of the change nothing is known."""
    rule = ChangeRule(margin=Margin(number=5, relative=True))
    limit = facing(metric, ">= 85")
    value = 5.0 if CATALOGUE[metric].direction is Direction.LOWER else 90.0
    for thresholds in ((limit,), ()):
        plan = agreed(limit, metric=metric, change=rule)
        plan = plan if thresholds else plan.model_copy(update={"thresholds": ()})
        assert judged(reading(value, metric), plan, baseline(value, metric)).verdict is Verdict.NO_EVIDENCE


def test_an_unknown_reason_for_no_value_is_no_success() -> None:
    group = GroupValue(value=None, reason="something_new", n_partners=12, n_facts=240)
    assert judged(reading(group=group)).verdict is Verdict.NO_EVIDENCE


@every_metric
def test_nothing_but_met_lets_go_on(metric: MetricName) -> None:
    """Of all that can be missing, alone or together, nothing ends as met."""
    missing: tuple[dict[str, Any], ...] = ({"value": None}, {"n_partners": 0}, {"n_facts": 0}, {"data_through": None})
    for one in missing:
        for other in missing:
            gone = {"value": 5.0 if CATALOGUE[metric].direction is Direction.LOWER else 90.0, **one, **other}
            found: Assessment = assess(plan_of(metric), snapshot(reading(metric=metric, **gone)), (), {})
            assert found.items[0].verdict in (Verdict.CANNOT_TELL, Verdict.NO_EVIDENCE)
