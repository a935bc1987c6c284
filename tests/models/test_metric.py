"""The catalogue of metrics: the framework's six, each whole, and the same six everywhere else."""

from __future__ import annotations

import pytest

from judgement.values import _FORMULA
from models.metric import CATALOGUE, Direction, MetricName, MetricUse
from models.plan_rules_metric import OF_A_HUNDRED, RATES
from store.metrics import _DATA_THROUGH, _METRIC


def test_the_six_of_the_framework_are_in_it_and_nothing_else() -> None:
    assert list(CATALOGUE) == list(MetricName)
    assert {name.value: (spec.use.value, spec.direction.value) for name, spec in CATALOGUE.items()} == {
        "contribution_margin": ("outcome", "higher is better"),
        "pipeline_velocity": ("outcome", "higher is better"),
        "compliance_score": ("outcome", "higher is better"),
        "mdf_spend": ("guardrail", "both sides are alarms"),
        "enablement_completion": ("guardrail", "higher is better"),
        "lead_follow_up_sla": ("guardrail", "higher is better"),
    }


@pytest.mark.parametrize("metric", MetricName)
def test_a_metric_is_known_under_its_name_and_tells_what_people_need(metric: MetricName) -> None:
    spec = CATALOGUE[metric]
    assert spec.name is metric
    assert spec.title
    assert spec.unit
    assert spec.owner_role
    assert spec.definition_version >= 1


@pytest.mark.parametrize("metric", MetricName)
def test_a_metric_can_be_read_aged_and_combined(metric: MetricName) -> None:
    assert metric in _METRIC
    assert metric in _DATA_THROUGH
    assert metric in _FORMULA


def test_outcomes_let_go_on_and_guardrails_pause() -> None:
    uses = [spec.use for spec in CATALOGUE.values()]
    assert uses.count(MetricUse.OUTCOME) == uses.count(MetricUse.GUARDRAIL) == 3


def test_what_lies_between_nothing_and_a_hundred_has_one_good_side() -> None:
    assert RATES < OF_A_HUNDRED
    assert all(CATALOGUE[metric].direction is not Direction.TWO_SIDED for metric in RATES)


def test_titles_and_names_do_not_repeat() -> None:
    assert len({spec.title for spec in CATALOGUE.values()}) == len(MetricName)
