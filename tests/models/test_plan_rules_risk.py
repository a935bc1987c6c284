"""What a plan may name as showing a risk: something that the rollout will measure, or that its owners do."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from models.plan import RolloutPlan
from models.plan_risk import ShownBy, Wait
from tests.models.changes import broken
from tests.plans import make_plan


def with_risk(**shown: Any) -> RolloutPlan:
    return make_plan(risks=[{"risk": "weak data", "mitigation": "hold", "shown_by": shown}])


def test_what_shows_a_risk_is_read_as_it_is_written() -> None:
    plan = with_risk(metrics=["contribution_margin"], waits=["data", "people"], roles=["revops_owner"])
    [risk] = plan.risks
    assert risk.shown_by is not None
    assert risk.shown_by.waits == (Wait.DATA, Wait.PEOPLE)
    assert risk.shown_by.told == "contribution_margin, waiting for data, waiting for people, revops_owner"
    assert RolloutPlan.model_validate_json(plan.model_dump_json(by_alias=True)) == plan


def test_a_plan_that_does_not_name_it_keeps_its_digest_and_one_that_does_has_another() -> None:
    plan = make_plan()
    assert "shown_by" not in plan.model_dump(mode="json")["risks"][0]
    # As it was before a risk could name anything.
    assert plan.digest == "sha256:0a1db297fcd3badd18e3dc15b9f8d0bde00f01d836bab70834364f6c7c199a05"
    assert with_risk(waits=["data"]).digest != plan.digest


@pytest.mark.parametrize(
    ("shown", "field", "told"),
    [
        (
            {"metrics": ["contribution_margin", "pipeline_velocity"]},
            "risks.0.shown_by.metrics.1",
            "pipeline_velocity is not among the plan's metrics, so it shows nothing; they are lead_follow_up_sla, "
            "contribution_margin",
        ),
        (
            {"roles": ["sponsor", "astronaut"]},
            "risks.0.shown_by.roles.1",
            "no owner holds the role astronaut; owners hold compliance_owner, enablement_owner, finance_owner, "
            "programme_owner, revops_owner, sponsor",
        ),
    ],
)
def test_what_is_not_there_shows_nothing(shown: dict[str, Any], field: str, told: str) -> None:
    [rule] = broken(("risks.0", {"risk": "weak data", "mitigation": "hold", "shown_by": shown}))
    assert (rule.field, rule.message) == (field, told)


@pytest.mark.parametrize("shown", [{}, {"metrics": []}, {"waits": [], "roles": []}])
def test_to_name_nothing_is_no_way_to_name_it(shown: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="names nothing; name at least one of metrics, waits and roles"):
        ShownBy.model_validate_json(json.dumps(shown))
