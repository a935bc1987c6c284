"""The page on trusting data names every check with the bounds that hold where a plan is silent."""

from __future__ import annotations

import re

import pytest

from judgement.quality import ABSENT, AMOUNT_IMPROVED
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
