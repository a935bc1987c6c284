"""Metrics for which lower is better: limits, warnings, stops, baselines and names all turn round with them."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from rich.console import Console

from cli.plan_show import whole_plan
from judgement.contributions import contributions, worst_partners
from judgement.values import group_value
from models.evidence import PartnerReading, Verdict
from models.metric import CATALOGUE, Direction, MetricName
from models.plan import RolloutPlan
from models.plan_metric import parse_threshold
from tests.judgement.readings import AS_OF, DAY, agreed, baseline, judged, reading, window
from tests.plans import make_plan, plan_data

CHURN, LEAKAGE = MetricName.PARTNER_CHURN, MetricName.DISCOUNT_LEAKAGE
LOWER = [name for name, spec in CATALOGUE.items() if spec.direction is Direction.LOWER]


def partner(name: str, numerator: float, denominator: float, **parts: float) -> PartnerReading:
    return PartnerReading(partner_id=name, numerator=numerator, denominator=denominator, facts=1, parts=parts)


def planned(*thresholds: str, metric: MetricName = CHURN, stop: str | None = None, **more: Any) -> RolloutPlan:
    """The base plan with one more metric."""
    added = {**plan_data()["metrics"][0], "metric": metric.value, "thresholds": list(thresholds), **more}
    stops = plan_data()["stop_conditions"]
    if stop:
        stops = [*stops, {"condition": "too many leave", "metric": metric.value, "unless": stop}]
    return make_plan(metrics=[*plan_data()["metrics"], added], stop_conditions=stops)


@pytest.mark.parametrize(
    ("value", "verdict"),
    [(0.0, Verdict.MET), (10.0, Verdict.MET), (10.001, Verdict.NOT_MET), (100.0, Verdict.NOT_MET)],
)
def test_more_than_agreed_is_beyond_and_less_is_not(value: float, verdict: Verdict) -> None:
    item = judged(reading(value, CHURN), agreed("<= 10", metric=CHURN))
    assert (item.verdict, item.beyond_threshold) == (verdict, verdict is Verdict.NOT_MET)


def test_between_warning_and_threshold_there_is_a_warning_and_no_breach() -> None:
    plan = agreed("<= 10", metric=CHURN, warning=("<= 5",))
    found = [judged(reading(value, CHURN), plan) for value in (5.0, 6.0, 11.0)]
    assert [(item.verdict, item.warning) for item in found] == [
        (Verdict.MET, False),
        (Verdict.MET, True),
        (Verdict.NOT_MET, True),
    ]


def test_a_rise_against_the_baseline_is_beyond_and_a_fall_is_not() -> None:
    # The baseline is 0.2 percent; a point more is 1.2.
    plan, frozen = agreed("<= +1pp", metric=LEAKAGE), baseline(0.2, LEAKAGE)
    found = [judged(reading(value, LEAKAGE), plan, frozen).verdict for value in (0.0, 1.2, 1.3)]
    assert found == [Verdict.MET, Verdict.MET, Verdict.NOT_MET]
    assert judged(reading(0.0, LEAKAGE), plan).verdict is Verdict.CANNOT_TELL


def test_churn_over_a_longer_window_is_brought_to_the_length_of_the_reading() -> None:
    # 9 percent in 90 days are 3 in 30: a reading of 4 is a point more, one of 4.5 one and a half.
    plan, frozen = agreed("<= +1pp", metric=CHURN), baseline(9.0, CHURN, window=window(90 * DAY, AS_OF - 60 * DAY))
    found = [judged(reading(value, CHURN, window=window(30 * DAY)), plan, frozen) for value in (4.0, 4.5)]
    assert [item.verdict for item in found] == [Verdict.MET, Verdict.NOT_MET]
    assert [item.baseline for item in found] == [3.0, 3.0]


def test_discounts_are_a_ratio_and_have_no_length() -> None:
    frozen = baseline(0.9, LEAKAGE, window=window(90 * DAY, AS_OF - 60 * DAY))
    item = judged(reading(1.0, LEAKAGE, window=window(30 * DAY)), agreed("<= +1pp", metric=LEAKAGE), frozen)
    assert (item.verdict, item.baseline) == (Verdict.MET, 0.9)


@pytest.mark.parametrize("metric", LOWER)
def test_no_value_and_old_data_do_not_pass_for_low(metric: MetricName) -> None:
    """Nothing lost and nothing given away look exactly like a source that was cut off."""
    plan = agreed("<= 10", metric=metric)
    assert judged(reading(None, metric), plan).verdict is Verdict.NO_EVIDENCE
    assert judged(reading(0.0, metric, data_through=None), plan).verdict is Verdict.NO_EVIDENCE
    old = reading(0.0, metric, data_through=AS_OF - timedelta(days=8))
    assert judged(old, plan).verdict is Verdict.NO_EVIDENCE
    assert judged(reading(0.0, metric, n_partners=1), plan).verdict is Verdict.CANNOT_TELL


def test_churn_names_those_who_left_and_nobody_who_stayed() -> None:
    stayed, left, gone = partner("a", 0, 1), partner("b", 1, 1), partner("c", 1, 1)
    assert [one.partner_id for one in worst_partners(CHURN, (stayed, gone, left), 5)] == ["b", "c"]


def test_what_moved_churn_adds_up_to_the_change_against_the_scaled_baseline() -> None:
    # Three of ten lost in ninety days are one of ten in thirty. Two of ten lost since are ten points more.
    then = [partner(f"p{number}", float(number < 3), 1) for number in range(10)]
    now = [partner(f"p{number}", float(number in (5, 6)), 1) for number in range(10)]
    found = contributions(CHURN, now, then, scale=1 / 3)
    assert sum(one.change for one in found) == pytest.approx(10.0)
    assert [(one.partner_id, one.change) for one in found[:2]] == [
        ("p5", pytest.approx(10.0)),
        ("p6", pytest.approx(10.0)),
    ]


def test_leakage_names_those_who_give_away_most_beyond_their_share() -> None:
    # 60 of 2000 is 3 percent. Beyond their share: a gives 40 - 30 = 10, b 15 - 3 = 12, c 5 - 27.
    rows = (partner("a", 40, 1000), partner("b", 15, 100), partner("c", 5, 900))
    assert [one.partner_id for one in worst_partners(LEAKAGE, rows, 5)] == ["b", "a"]


@pytest.mark.parametrize("metric", LOWER)
def test_a_limit_on_the_good_side_alone_is_refused(metric: MetricName) -> None:
    with pytest.raises(ValidationError, match=f"no threshold with <=, but for {metric.value} lower is better"):
        planned(">= 1", metric=metric)


def test_a_stop_on_good_numbers_is_refused_and_so_is_one_before_the_threshold() -> None:
    assert planned("<= 10", stop="<= 20").stop_conditions[-1].unless == parse_threshold("<= 20")
    with pytest.raises(ValidationError, match="it would stop on good numbers"):
        planned("<= 10", stop=">= 1")
    with pytest.raises(ValidationError, match="is stricter than the threshold"):
        planned("<= 10", stop="<= 5")


def test_a_warning_looser_than_the_threshold_is_refused() -> None:
    assert planned("<= 10", warning=["<= 5"]).metric(CHURN) is not None
    with pytest.raises(ValidationError, match="is looser than the threshold"):
        planned("<= 10", warning=["<= 15"])


def test_a_limit_below_one_percent_is_merely_strict_and_one_that_nothing_breaks_is_refused() -> None:
    assert planned("<= 0.5", metric=LEAKAGE).metric(LEAKAGE) is not None
    with pytest.raises(ValidationError, match="holds whatever happens"):
        planned("<= 100", metric=CHURN)


def test_a_plan_that_does_not_name_them_is_whole_and_one_that_does_shows_them() -> None:
    assert {one.metric for one in make_plan().metrics}.isdisjoint(LOWER)
    console = Console(width=250, file=io.StringIO())
    console.print(whole_plan(planned("<= 10", warning=["<= 5"], stop="<= 20")))
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    (line,) = [one for one in shown.splitlines() if one.startswith("Partner churn")]
    assert [cell.strip() for cell in line.split("  ") if cell.strip()][1:4] == ["guardrail", "<= 10", "<= 5"]
    assert "unless Partner churn is <= 20" in shown


def test_a_plan_that_names_them_is_read_back_as_it_was_written() -> None:
    plan = planned("<= 10", warning=["<= 5"])
    assert RolloutPlan.model_validate_json(json.dumps(plan.model_dump(mode="json", by_alias=True))) == plan


def test_a_cohort_s_churn_is_a_share_of_those_who_were_there() -> None:
    value = group_value(CHURN, [partner("a", 1, 1), partner("b", 0, 1), partner("joined later", 0, 0)])
    # 1 of 2.
    assert value.value == 50.0
