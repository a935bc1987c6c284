"""The catalogue of metrics: each entry whole, and whatever a metric needs elsewhere there for every one of them."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from cli.plan_template import plan_template
from judgement.contributions import MISSES
from judgement.thresholds import GROWS_WITH_WINDOW
from judgement.values import _FORMULA, _OF_THE_GROUP
from models.metric import (
    CATALOGUE,
    WHY_NO_VALUE,
    Direction,
    Grouping,
    MetricName,
    MetricUse,
    NoValue,
    Scale,
    in_words,
    worded,
)
from models.plan_metric import Threshold, parse_threshold
from models.plan_rules_metric import OF_A_HUNDRED, RATES
from store.metrics import _DATA_THROUGH, _METRIC

ROOT = Path(__file__).parents[2]
every_metric = pytest.mark.parametrize("metric", MetricName)


def limits(*texts: str) -> tuple[Threshold, ...]:
    return tuple(parse_threshold(one) for one in texts)


def test_the_six_of_the_framework_are_in_it_and_every_plan_answers_for_them() -> None:
    assert {
        name.value: (spec.use.value, spec.direction.value) for name, spec in CATALOGUE.items() if spec.framework
    } == {
        "contribution_margin": ("outcome", "higher is better"),
        "pipeline_velocity": ("outcome", "higher is better"),
        "compliance_score": ("outcome", "higher is better"),
        "mdf_spend": ("guardrail", "both sides are alarms"),
        "enablement_completion": ("guardrail", "higher is better"),
        "lead_follow_up_sla": ("guardrail", "higher is better"),
    }
    assert list(CATALOGUE) == list(MetricName)


def test_no_name_is_ever_taken_away() -> None:
    """Plans, histories and evidence hold them; whoever adds one adds it here."""
    released = {"contribution_margin", "pipeline_velocity", "compliance_score", "mdf_spend", "enablement_completion"}
    released |= {"lead_follow_up_sla", "partner_churn", "discount_leakage", "certified_partners"}
    released |= {"lead_acceptance"}
    assert {name.value for name in MetricName} == released


@every_metric
def test_a_metric_is_known_under_its_name_and_tells_what_people_need(metric: MetricName) -> None:
    spec = CATALOGUE[metric]
    assert spec.name is metric
    assert all((spec.title, spec.unit, spec.formula, spec.fact, spec.belongs_by, spec.reads, spec.parts))
    assert f"role: {spec.owner_role}" in plan_template("a-plan", "B")
    assert spec.definition_version >= 1


@every_metric
def test_a_metric_can_be_read_aged_and_combined(metric: MetricName) -> None:
    assert metric in _METRIC
    assert metric in _DATA_THROUGH
    assert metric in _FORMULA


@every_metric
def test_the_tables_an_entry_names_are_those_its_statement_reads(metric: MetricName) -> None:
    read = set(re.findall(r"\b(\w+)_as_of\(", _METRIC[metric]))
    assert read <= set(CATALOGUE[metric].reads)
    assert [table for table in CATALOGUE[metric].reads if table not in _METRIC[metric]] == []


@every_metric
def test_the_reasons_an_entry_names_are_those_its_formula_gives(metric: MetricName) -> None:
    given = {NoValue[name] for name in re.findall(r"NoValue\.(\w+)", inspect.getsource(_FORMULA[metric]))}
    assert given | {NoValue.NO_DATA} == set(CATALOGUE[metric].no_value)


def test_every_reason_has_a_meaning_and_a_metric() -> None:
    assert list(WHY_NO_VALUE) == list(NoValue)
    # What is not a number can happen to any.
    assert {reason for spec in CATALOGUE.values() for reason in spec.no_value} == set(NoValue) - {NoValue.NOT_A_NUMBER}


@every_metric
def test_the_parts_of_an_entry_stand_once_and_have_a_unit_and_a_meaning(metric: MetricName) -> None:
    parts = CATALOGUE[metric].parts
    assert len({part.name for part in parts}) == len(parts)
    assert all(part.unit and part.meaning for part in parts)
    assert _OF_THE_GROUP[metric] == {part.name for part in parts if part.of_group}


@every_metric
def test_defaults_face_the_bad_side_and_warnings_come_before_them(metric: MetricName) -> None:
    spec, agreed = CATALOGUE[metric], CATALOGUE[metric].defaults
    wanted = {Direction.HIGHER: {True}, Direction.LOWER: {False}, Direction.TWO_SIDED: {True, False}}[spec.direction]
    thresholds, warnings, stops = limits(*agreed.thresholds), limits(*agreed.warns_unless), limits(*agreed.stops_unless)
    assert {limit.at_least for limit in (*thresholds, *warnings, *stops)} <= wanted
    assert thresholds
    for outer, inner in ((thresholds, warnings), (stops, thresholds)):
        for limit in outer:
            for other in inner:
                if (limit.basis, limit.at_least) == (other.basis, other.at_least):
                    closer = other.number >= limit.number if limit.at_least else other.number <= limit.number
                    assert closer, f"{other} comes after {limit}"
    assert bool(agreed.promotes_when) == (spec.use is MetricUse.OUTCOME)
    assert bool(agreed.pauses_unless) == (spec.use is MetricUse.GUARDRAIL)
    assert min(agreed.partners, agreed.facts, agreed.looks_in_a_row) >= 1
    assert agreed.variation


@every_metric
def test_a_metric_has_tests_with_numbers_worked_out_by_hand(metric: MetricName) -> None:
    assert any(_is_about(path, metric) for path in (ROOT / "tests" / "store").glob("test_metric_*.py"))


def _is_about(path: Path, metric: MetricName) -> bool:
    return bool(re.search(rf"^[A-Z]+ = MetricName\.{metric.name}$", path.read_text(encoding="utf-8"), re.MULTILINE))


def test_what_enumerates_metrics_elsewhere_comes_from_the_catalogue() -> None:
    """A metric is what its entry says, and nobody keeps a list of their own."""
    assert {
        MetricName.LEAD_FOLLOW_UP_SLA,
        MetricName.ENABLEMENT_COMPLETION,
        MetricName.CERTIFIED_PARTNERS,
        MetricName.LEAD_ACCEPTANCE,
    } == MISSES
    assert {MetricName.PIPELINE_VELOCITY, MetricName.PARTNER_CHURN} == GROWS_WITH_WINDOW
    assert {name for name, spec in CATALOGUE.items() if spec.grouping is not Grouping.RATIO_OF_SUMS} == {
        MetricName.PIPELINE_VELOCITY,
        MetricName.COMPLIANCE_SCORE,
    }


def test_what_lies_between_nothing_and_a_hundred_has_one_good_side() -> None:
    assert RATES < OF_A_HUNDRED
    assert all(CATALOGUE[metric].direction is not Direction.TWO_SIDED for metric in RATES)
    assert {name for name, spec in CATALOGUE.items() if spec.scale is Scale.AMOUNT} == set(MetricName) - OF_A_HUNDRED


def test_defaults_are_those_people_usually_agree() -> None:
    """Channel practice, as far as plans can say it: bounds absolute and against the baseline, and a volume."""
    agreed = {
        name.value: (
            one.promotes_when or one.pauses_unless,
            one.warns_unless,
            one.stops_unless,
            one.partners,
            one.facts,
        )
        for name, one in ((name, spec.defaults) for name, spec in CATALOGUE.items())
    }
    assert agreed == {
        "contribution_margin": ((">= 25", ">= -1pp"), (), (">= -5pp",), 10, 30),
        "pipeline_velocity": ((">= -5%",), (), (">= -25%",), 8, 30),
        "compliance_score": ((">= 90", ">= -2pp"), (), (">= 80",), 10, 10),
        "mdf_spend": (("<= 110",), (">= 60",), (), 5, 5),
        "enablement_completion": ((">= 80", ">= -5pp"), (), (), 10, 50),
        "lead_follow_up_sla": ((">= 85", ">= -5pp"), (), (">= 40",), 10, 100),
        "partner_churn": (("<= 10",), ("<= 5",), (), 20, 20),
        "discount_leakage": (("<= +1pp",), ("<= +0.5pp",), (), 10, 30),
        "certified_partners": ((">= -5pp",), (), (), 20, 20),
        "lead_acceptance": ((">= 85", ">= -5pp"), (), (), 10, 100),
    }


def test_titles_and_names_do_not_repeat() -> None:
    assert len({spec.title for spec in CATALOGUE.values()}) == len(MetricName)


@pytest.mark.parametrize("reason", NoValue)
def test_why_there_is_no_value_is_said_in_words_beside_its_name(reason: NoValue) -> None:
    said = in_words(reason)
    assert said.endswith(f" ({reason.value})")
    assert WHY_NO_VALUE[reason].startswith(said.removesuffix(f" ({reason.value})"))
    # As logs and evidence of before have it, and as they have it now.
    for before in (f"no value: {reason}", f"Margin of pilot has no baseline: {reason}"):
        assert worded(f"{before}; 0 partners") == f"{before.removesuffix(reason.value)}{said}; 0 partners"
    assert worded(f"no value: {said}") == f"no value: {said}"


def test_what_is_no_reason_is_left_as_it_is() -> None:
    assert in_words("frozen") == "frozen"
    assert worded("no value: no_database, no baseline: no value") == "no value: no_database, no baseline: no value"
