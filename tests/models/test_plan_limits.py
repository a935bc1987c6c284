"""What lies just at the limit of a rule is allowed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from models.plan import RolloutPlan
from models.plan_rules import broken_rules
from tests.models.changes import REDESIGN, WINDOW, changed
from tests.plans import make_plan, plan_data


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param([], id="as it is"),
        pytest.param(
            [
                ("chosen", "A"),
                ("approvals.prepare_to_pilot", ...),
                ("approvals.validate_to_scale", ...),
                ("approvals.wave", ...),
                ("cohorts.waves", []),
            ],
            id="option A needs reviews only",
        ),
        pytest.param([("chosen", "C"), ("approvals.prepare_to_scale", REDESIGN)], id="option C with three roles"),
        pytest.param([("approvals.stop.roles", ["programme_owner"])], id="the proposer may stop their own change"),
        pytest.param([("proposer", "stranger@example.com")], id="the proposer need not be an owner"),
        pytest.param(
            [
                (
                    "owners.+",
                    {
                        "role": "programme_owner",
                        "name": "Deputy",
                        "identity": "deputy@example.com",
                        "contact": "deputy@example.com",
                    },
                ),
                ("approvals.wave.roles", ["programme_owner"]),
            ],
            id="somebody else with the proposer's role approves",
        ),
        pytest.param(
            [
                (
                    "freeze_windows",
                    [WINDOW, WINDOW | {"name": "next", "start": WINDOW["end"], "end": "2027-01-10T00:00:00Z"}],
                )
            ],
            id="windows that touch",
        ),
        pytest.param([("freeze_windows", [WINDOW | {"end": "2027-02-08T00:00:00Z"}])], id="a day is left"),
        pytest.param([("phases.cadence", "30d"), ("phases.watchdog", "31d")], id="one look at the end"),
        pytest.param([("phases.cadence", "1h"), ("phases.watchdog", "25h")], id="just longer than a quiet watch"),
        pytest.param([("reviews.first", "51d")], id="the first review at the very end"),
        pytest.param([("chosen", "A"), ("reviews.first", "90d")], id="option A waits for its review"),
        pytest.param([("metrics.1.on_breach", "warn")], id="one outcome that warns beside a guardrail"),
        pytest.param(
            [("metrics.0.on_breach", "stop"), ("metrics.1.must", False)], id="a guardrail stops, an outcome weighs"
        ),
        pytest.param([("metrics.1.thresholds", [">= 0", ">= -0.5pp"])], id="a margin of zero, half a point"),
        pytest.param([("metrics.0.thresholds", [">= 1"]), ("stop_conditions.0.unless", ">= 1")], id="one percent"),
        pytest.param([("metrics.0.thresholds", [">= 100"]), ("metrics.0.warning", [">= 100"])], id="all of them"),
        pytest.param([("metrics.0.warn_ahead", "1h")], id="warned an hour ahead"),
        pytest.param([("metrics.0.warn_ahead", "40h")], id="warned a working week ahead"),
        pytest.param([("metrics.1.warn_ahead", "4h")], id="what is usual says nothing, of whichever metric"),
        pytest.param([("stop_conditions.0.unless", ">= 85")], id="a stop at the threshold"),
        pytest.param([("stop_conditions.0.unless", ">= -3%")], id="a stop on another basis than the threshold"),
        pytest.param(
            [
                ("cohorts.pilot", {"name": "pilot", "select": {"region": ["emea"], "limit": 24}}),
                ("cohorts.control", {"name": "control", "select": {"region": ["amer"], "tier": ["gold"]}}),
                ("cohorts.waves.0", {"name": "rest", "bake": "7d", "select": {"region": ["emea", "amer"]}}),
                ("cohorts.waves.1", {"name": "more", "bake": "7d", "select": {"tier": ["gold"]}}),
            ],
            id="cohorts that overlap and leave something",
        ),
        pytest.param(
            [
                ("chosen", "C"),
                ("approvals.prepare_to_scale", REDESIGN),
                ("cohorts", {"pilot": {"name": "everybody", "select": {}}}),
            ],
            id="option C takes everybody",
        ),
        pytest.param(
            [
                ("chosen", "A"),
                ("cohorts.waves.1", {"name": "last", "bake": "7d", "partners": ["P041"]}),
            ],
            id="option A never judges a wave",
        ),
        pytest.param([("metrics.0.thresholds", [">= 85", "<= 85"])], id="exactly one value"),
        pytest.param([("metrics.0.warning", [">= 85", "<= 99"])], id="a warning at the threshold or another side"),
        pytest.param([("metrics.0.minimum_sample.partners", 12)], id="the whole pilot is the sample"),
        pytest.param([("metrics.0.on_breach", "warn")], id="one guardrail that warns beside an outcome"),
        pytest.param(
            [
                ("metrics.+", {**plan_data()["metrics"][0], "metric": "mdf_spend", "thresholds": ["<= 110"]}),
                ("not_measured.2", ...),
            ],
            id="MDF spend alarms on either side",
        ),
        pytest.param([("cohorts.pilot", {"name": "pilot", "select": {"region": ["North"]}})], id="a selected pilot"),
    ],
)
def test_what_is_at_the_limit_is_allowed(changes: list[tuple[str, Any]]) -> None:
    plan = RolloutPlan.model_validate_json(json.dumps(changed(*changes)))
    assert broken_rules(plan) == ()


def test_option_c_with_few_owners_asks_for_all_who_may_approve() -> None:
    few = {"roles": ["sponsor"], "quorum": 1, "due": "7d"}
    both = {"roles": ["sponsor", "finance_owner"], "quorum": 2, "due": "7d"}
    owners = plan_data()["owners"][:3]  # the sponsor, the proposer, finance
    approvals = {"override": few, "stop": few}
    reviews = plan_data()["reviews"]
    make_plan(chosen="C", owners=owners, approvals=approvals | {"prepare_to_scale": both}, reviews=reviews)
    with pytest.raises(ValidationError, match="needs at least 2"):
        make_plan(chosen="C", owners=owners, approvals=approvals | {"prepare_to_scale": few}, reviews=reviews)
