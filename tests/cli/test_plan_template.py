"""The template of `rollouts plan new`: its numbers are the catalogue's, and what is a comment in it is valid."""

from __future__ import annotations

import re

from cli.plan_template import plan_template
from cli.planfile import parse_plan
from models.base import parse_duration
from models.metric import CATALOGUE, MetricUse
from models.plan import RolloutPlan
from models.quality import Check, QualityBound


def _with_every_metric() -> RolloutPlan:
    """The template with the metrics that stand in it as a comment."""
    text = plan_template("a-plan", "B")
    metrics, rest = text.split("not_measured:", 1)
    before, metrics = metrics.split("\nmetrics:", 1)
    metrics = re.sub(r"^#( .*)$", r" \1", metrics, flags=re.MULTILINE)
    return parse_plan(f"{before}\nmetrics:{metrics}not_measured:{rest}", "plan.yaml")


def test_what_a_plan_must_answer_for_is_in_it_and_the_rest_is_a_comment() -> None:
    plan = parse_plan(plan_template("a-plan", "B"), "plan.yaml")
    assert [one.metric for one in plan.metrics] == [name for name, spec in CATALOGUE.items() if spec.framework]
    assert [one.metric for one in _with_every_metric().metrics] == list(CATALOGUE)


def test_every_number_of_a_metric_is_the_catalogue_s() -> None:
    for one in _with_every_metric().metrics:
        agreed = CATALOGUE[one.metric].defaults
        assert tuple(map(str, one.thresholds)) == agreed.thresholds
        assert tuple(map(str, one.warning)) == agreed.warns_unless
        assert (one.minimum_sample.partners, one.minimum_sample.facts) == (agreed.partners, agreed.facts)
        assert (one.window, one.freshness) == (parse_duration(agreed.window), parse_duration(agreed.freshness))
        assert one.purpose is CATALOGUE[one.metric].use


def test_a_new_plan_has_what_plans_from_before_are_silent_on_checked() -> None:
    agreed = {one.metric.value: one.data_quality for one in _with_every_metric().metrics if one.data_quality}
    drift, restated = _bound(Check.DRIFT, 15, 50), _bound(Check.RESTATEMENT, 1, 10)
    assert agreed == {
        "contribution_margin": (_bound(Check.COSTS, 5, 25),),
        "partner_churn": (_bound(Check.FRESHNESS, None, 100),),
        "discount_leakage": (_bound(Check.FRESHNESS, None, 21), _bound(Check.COMPLETENESS, 5, 25), drift, restated),
        "certified_partners": (_bound(Check.FRESHNESS, None, 45), drift, restated),
    }


def _bound(check: Check, amber: float | None, red: float) -> QualityBound:
    return QualityBound(check=check, amber=amber, red=red)


def test_every_stop_condition_is_the_catalogue_s() -> None:
    plan = parse_plan(plan_template("a-plan", "B"), "plan.yaml")
    written = [(one.metric, str(one.unless)) for one in plan.stop_conditions]
    assert written == [(name, limit) for name, spec in CATALOGUE.items() for limit in spec.defaults.stops_unless]


def test_a_guardrail_pauses_at_the_first_breach_and_says_what_people_often_agree() -> None:
    text = plan_template("a-plan", "B")
    for one in _with_every_metric().metrics:
        if one.purpose is MetricUse.GUARDRAIL:
            assert (one.tolerance.in_a_row, one.on_breach.value) == (0, "pause")
    assert text.count("people often agree 1") == sum(spec.defaults.looks_in_a_row == 2 for spec in CATALOGUE.values())
