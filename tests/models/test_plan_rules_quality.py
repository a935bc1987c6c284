"""What a plan may say of the checks of its data, and what it is refused for."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from models.plan import RolloutPlan
from models.quality import Check
from tests.plans import make_plan, plan_data


def with_bounds(*bounds: dict[str, Any]) -> RolloutPlan:
    first, *rest = plan_data()["metrics"]
    return make_plan(metrics=[{**first, "data_quality": list(bounds)}, *rest])


def test_bounds_are_read_as_they_are_written() -> None:
    plan = with_bounds(
        {"check": "completeness", "source": "crm", "amber": 10, "red": 40}, {"check": "drift", "amber": 20}
    )
    first, second = plan.metrics[0].data_quality
    assert (first.check, first.source, first.amber, first.red) == (Check.COMPLETENESS, "crm", 10, 40)
    assert (second.source, second.red) == (None, None)
    assert RolloutPlan.model_validate_json(plan.model_dump_json(by_alias=True)) == plan


@pytest.mark.parametrize(
    ("bounds", "told"),
    [
        ([{"check": "drift"}], "metrics.0.data_quality.0: drift has no bound; say from where on it is amber, or red"),
        ([{"check": "drift", "amber": 9, "red": 3}], "drift is red from 3 on, before it is amber from 9 on"),
        (
            [{"check": "drift", "amber": 9}, {"check": "drift", "red": 10}],
            "metrics.0.data_quality.1.check: drift of every source stands here already; say it once",
        ),
        (
            [{"check": "plausibility", "red": 50}],
            "plausibility is not checked of lead_follow_up_sla; it is of contribution_margin",
        ),
        (
            [{"check": "drift", "source": "crm", "amber": 9}],
            "drift is not checked source by source; freshness, completeness and costs are",
        ),
        (
            [{"check": "costs", "red": 25}],
            "costs is not checked of lead_follow_up_sla; it is of contribution_margin",
        ),
        (
            [{"check": "compared", "red": 25}],
            "lead_follow_up_sla is not judged by its change, so nothing rests on the compared partners",
        ),
        ([{"check": "gut feeling", "amber": 9}], "Input should be 'freshness', 'completeness'"),
        ([{"check": "drift", "amber": -1}], "greater than or equal to 0"),
    ],
)
def test_bounds_that_do_not_hold_are_refused_with_their_place(bounds: list[dict[str, Any]], told: str) -> None:
    with pytest.raises(ValidationError) as caught:
        with_bounds(*bounds)
    assert told in str(caught.value)
