"""The page on trusting data names every check with the bounds that hold where a plan is silent."""

from __future__ import annotations

import re

import pytest

from judgement import gates
from judgement.quality import ABSENT, AMOUNT_IMPROVED
from models.change import Gate
from models.plan_metric import MetricPlan
from models.quality import DEFAULTS, Check
from tests.judgement.readings import agreed
from tests.real_data import ROOT

PAGE = (ROOT / "docs" / "quality.md").read_text(encoding="utf-8")


def _row(check: Check) -> list[str]:
    (found,) = re.findall(rf"^\| `{check.value}` \|(.*)\|$", PAGE, re.MULTILINE)
    return [cell.strip() for cell in found.split("|")]


def _spelled(number: float | None) -> str:
    return "never" if number is None else f"{number:g}"


@pytest.mark.parametrize("check", Check)
def test_the_page_says_the_bounds_that_hold(check: Check) -> None:
    _, _, amber, red, means = _row(check)
    bounds = DEFAULTS[check]
    expected = _spelled(bounds.amber)
    if check is Check.IMPROVEMENT:
        expected += f"; {_spelled(AMOUNT_IMPROVED.amber)}"
    assert amber == expected
    assert red == ("the metric's `freshness`" if check is Check.FRESHNESS else _spelled(bounds.red))
    assert means.startswith("*no evidence*" if check in ABSENT else "*cannot tell*")


def test_every_field_of_a_bound_is_one_that_plans_have() -> None:
    """The example on the page uses the plan's own words."""
    assert "data_quality" in MetricPlan.model_fields
    assert agreed().data_quality == ()
    for name in re.findall(r"- \{check: (\w+)", PAGE):
        assert name in {check.value for check in Check}


@pytest.mark.parametrize(
    ("gate", "numbers"),
    [
        (Gate.BASELINE, [gates.LEAST_VOLUME]),
        (Gate.MATURE, [gates.LEAST_DAYS]),
        (Gate.PARTNERS, [gates.LEAST_PARTNERS, gates.ENOUGH_PARTNERS]),
        (Gate.VOLUME, [gates.LEAST_VOLUME]),
        (Gate.EVENTS, [gates.LEAST_EVENTS, gates.LEAST_EVENTS]),
        (Gate.COMPLETE, [gates.LEAST_COMPLETE]),
        (Gate.ALIKE, [gates.MOST_UNLIKE, 1 / gates.BY_CHANCE]),
        (Gate.DRIFT, []),
        (Gate.QUALITY, []),
        (Gate.DOMINANCE, [gates.DOMINANT]),
        (Gate.OUTLIERS, [gates.CAP_TIMES, 100 * gates.CAP_QUANTILE]),
        (Gate.CONTROL, []),
    ],
)
def test_the_page_says_when_each_gate_is_open(gate: Gate, numbers: list[float]) -> None:
    (found,) = re.findall(rf"^\| {re.escape(gate.value)} \| (.*) \| .* \|$", PAGE, re.MULTILINE)
    assert [float(one) for one in re.findall(r"[0-9.]+", found)] == [pytest.approx(one) for one in numbers]


def test_no_gate_is_left_out() -> None:
    table = PAGE.split("## Before a change is judged")[1].split("\n## ")[0]
    named = re.findall(r"^\| ([a-z ]*?) \|", table, re.MULTILINE)
    assert sorted(named) == sorted(["gate", *(gate.value for gate in Gate)])
