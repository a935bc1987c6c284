"""Rules across what a plan says of a metric's change, each with the place at which it is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from models.metric import MetricName
from models.plan import RolloutPlan
from tests.models.changes import REDESIGN, broken, changed
from tests.plans import judged_by_change, make_plan

LONG = ("phases.baseline_window", "84d"), ("cohorts.waves.0.bake", "14d"), ("cohorts.waves.1.bake", "14d")
SLA, MARGIN = "metrics.0.change", "metrics.1.change"
SIGNED = "sha256:ddc5c5204f16a18f5941452de6bd7d808a35875d05a8eeb93e6272716252540c"
"""The digest of a plan that was signed when there was one method, by the release of then."""


def told(*changes: tuple[str, Any]) -> list[tuple[str, str]]:
    return [(rule.field, rule.message) for rule in broken(*changes)]


def valid(*changes: tuple[str, Any]) -> RolloutPlan:
    return RolloutPlan.model_validate_json(json.dumps(changed(*changes)))


def test_a_metric_may_be_judged_by_its_change_alone_or_beside_thresholds() -> None:
    plan = make_plan(**judged_by_change())
    sla = plan.metric(MetricName.LEAD_FOLLOW_UP_SLA)
    assert sla is not None
    assert sla.thresholds == ()
    assert sla.agreed == ("no more than 5pp worse than in comparable partners",)
    both = valid((SLA, {"margin": "10%"}), *LONG)
    assert both.metrics[0].agreed == (">= 85", "no more than 10% worse than in comparable partners")
    assert RolloutPlan.model_validate_json(both.model_dump_json(by_alias=True)).digest == both.digest


def test_a_plan_keeps_the_method_it_was_signed_with() -> None:
    """The number stands in what is signed: a later method is a later plan."""
    plan = make_plan(**judged_by_change())
    assert plan.model_dump(mode="json")["metrics"][0]["change"]["method"] == 2
    said = valid((SLA, {"margin": "5pp", "method": 2}), *LONG)
    assert said.digest == valid((SLA, {"margin": "5pp"}), *LONG).digest
    with pytest.raises(ValidationError, match=r"metrics\.0\.change\.method"):
        valid((SLA, {"margin": "5pp", "method": 3}), *LONG)


def test_a_plan_that_was_signed_before_there_was_a_second_method_keeps_the_first_and_its_digest() -> None:
    """As it was written down then: with the number, whatever the method of new plans is by now."""
    signed = valid((SLA, {"margin": "5pp", "method": 1}), *LONG)
    assert signed.digest == SIGNED
    read = RolloutPlan.model_validate_json(signed.model_dump_json(by_alias=True))
    change = read.metrics[0].change
    assert change is not None
    assert (change.method, read.digest) == (1, SIGNED)
    assert valid((SLA, {"margin": "5pp"}), *LONG).digest != SIGNED


def test_a_metric_of_which_nothing_is_agreed_is_refused() -> None:
    with pytest.raises(ValidationError, match="agree on at least one of thresholds and change"):
        valid(("metrics.0.thresholds", []))


@pytest.mark.parametrize(
    ("metric", "margin", "why"),
    [
        ("pipeline_velocity", "5pp", "is an amount (per day), so 5pp means nothing; write a part of the baseline"),
        ("pipeline_velocity", "100%", "can never get worse by 100%; write less than 100"),
        ("lead_follow_up_sla", "100pp", "can never get worse by 100pp; write less than 100"),
        ("lead_follow_up_sla", "100%", "can never get worse by 100%; write less than 100"),
    ],
)
def test_a_margin_that_can_never_be_lost_is_refused(metric: str, margin: str, why: str) -> None:
    [(field, message)] = _of_the_first(metric, margin)
    assert field == "metrics.0.change.margin"
    assert message.startswith(f"{metric} {why}")


@pytest.mark.parametrize(
    ("metric", "margin"),
    [("pipeline_velocity", "10%"), ("contribution_margin", "3pp"), ("mdf_spend", "120%"), ("discount_leakage", "100%")],
)
def test_margins_that_can_be_lost_are_taken(metric: str, margin: str) -> None:
    assert _of_the_first(metric, margin) == []


def _of_the_first(metric: str, margin: str) -> list[tuple[str, str]]:
    """What is told of a plan whose first metric is another one, judged by its change alone."""
    changes = [("metrics.0.metric", metric), ("metrics.0.thresholds", []), (SLA, {"margin": margin}), *LONG]
    try:
        valid(*changes)
    except ValidationError:
        return [one for one in told(*changes) if one[0].startswith(SLA)]
    raise AssertionError("another metric is missing, so the plan is refused at any rate")


def test_a_metric_that_is_counted_over_its_window_has_no_change() -> None:
    [(field, message)] = _of_the_first("partner_churn", "5pp")
    assert field == SLA
    assert message.endswith("a few weeks are no change of it; agree on thresholds instead")


@pytest.mark.parametrize(
    ("window", "instead"), [("27d", "28d or 35d"), ("21d", "28d or 35d"), ("90d", "84d or 91d"), ("28d12h", "28d or")]
)
def test_a_baseline_that_is_no_whole_weeks_or_too_short_is_refused(window: str, instead: str) -> None:
    [(field, message)] = told((SLA, {"margin": "5pp"}), *LONG, ("phases.baseline_window", window))
    assert field == "phases.baseline_window"
    assert f"write {instead}" in message.replace("4w", "28d").replace("5w", "35d").replace("12w", "84d").replace(
        "13w", "91d"
    )


def test_whoever_judges_no_change_may_have_any_baseline() -> None:
    assert valid(("phases.baseline_window", "10d")).phases.baseline_window.days == 10


def test_a_pilot_or_wave_that_ends_before_a_week_has_matured_is_refused() -> None:
    short = told((SLA, {"margin": "5pp"}), *LONG, ("phases.pilot", "12d"), ("cohorts.waves.1.bake", "7d"))
    assert [field for field, _ in short] == ["phases.pilot", "cohorts.waves.1.bake"]
    assert "its facts take 5d to mature, and a week of them is needed; at least 13d" in short[0][1]
    valid((SLA, {"margin": "5pp"}), *LONG, ("phases.pilot", "13d"))
    slow = told((SLA, {"margin": "5pp", "maturity": "3w"}), *LONG)
    assert {field for field, _ in slow} == {"cohorts.waves.0.bake", "cohorts.waves.1.bake"}


def test_under_the_other_options_the_time_that_they_measure_counts() -> None:
    change = (SLA, {"margin": "5pp"}), ("phases.baseline_window", "84d")
    assert [field for field, _ in told(*change, ("chosen", "A"))] == ["phases.validate"]
    redesign = ("chosen", "C"), ("approvals.prepare_to_scale", REDESIGN), ("reviews.first", "5d")
    [(field, _)] = told(*change, *redesign, ("phases.pilot", "7d"))
    assert field == "phases.pilot"
    valid(*change, *redesign, ("phases.pilot", "7d"), ("cohorts.waves.1.bake", "30d"))


def test_a_change_that_decides_needs_a_control_cohort() -> None:
    alone = (SLA, {"margin": "5pp"}), *LONG, ("cohorts.control", None)
    [(field, message)] = told(*alone)
    assert field == SLA
    assert "name a control cohort of comparable partners" in message
    valid(*alone, ("metrics.0.on_breach", "warn"))


def test_a_tolerance_without_thresholds_is_refused() -> None:
    [(field, _)] = told(
        (SLA, {"margin": "5pp"}), *LONG, ("metrics.0.thresholds", []), ("metrics.0.tolerance", {"in_a_row": 2})
    )
    assert field == "metrics.0.tolerance"
    valid((SLA, {"margin": "5pp"}), *LONG, ("metrics.0.tolerance", {"in_a_row": 2}))


def test_thresholds_still_face_the_bad_side_and_none_need_not() -> None:
    [(field, _)] = told((SLA, {"margin": "5pp"}), *LONG, ("metrics.0.thresholds", ["<= 90"]))
    assert field == "metrics.0.thresholds"


def test_the_example_of_the_page_on_plans_is_one() -> None:
    page = (Path(__file__).parents[2] / "docs" / "plans.md").read_text(encoding="utf-8")
    block = page.split("### By its change")[1].split("```yaml\n")[1].split("```")[0]
    [metric] = yaml.safe_load(block)
    valid(("metrics.0", metric), *LONG)
