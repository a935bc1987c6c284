"""The plan as a value: what it answers about itself, and a digest that every agreed word is part of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from models.base import digest_json
from models.metric import MetricName, MetricUse
from models.plan import CohortSpec, FreezeWindow, GateName, RolloutPlan, Selector, StopCondition
from models.plan_metric import MetricPlan
from tests.plans import judged_by_change, make_plan, plan_data, signed_data

FULL = {
    "decisions": "signed",
    "supersedes": {"rollout": "the-cycle-before", "plan_digest": "sha256:" + "0" * 64},
    "owners": signed_data()["owners"],
    **judged_by_change(),
    "phases": {**judged_by_change().get("phases", plan_data()["phases"]), "baseline_from": "2025-12-01"},
    "metrics": [
        {
            **one,
            "data_quality": [{"check": "completeness", "source": "crm", "amber": 10, "red": 40}],
            "change": {"margin": "5pp"},
            "use": "guardrail",
            **({"warn_ahead": "8h"} if one["metric"] == "lead_follow_up_sla" else {}),
            "tolerance": {"met_in_a_row": 2, "cannot_tell": 15, "no_evidence_in_a_row": 15},
        }
        for one in plan_data()["metrics"]
    ],
    "freeze_windows": [{"name": "closing", "start": "2026-12-20T00:00:00Z", "end": "2027-01-06T00:00:00Z"}],
    "risks": [
        {
            "risk": "weak data",
            "mitigation": "hold",
            "shown_by": {"metrics": ["contribution_margin"], "waits": ["data"], "roles": ["sponsor"]},
        }
    ],
    "stop_conditions": [*plan_data()["stop_conditions"], {"condition": "a regulator objects"}],
}


def _fields(value: Any, path: str = "") -> Iterator[str]:
    """Every field of a model and of those inside it."""
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield f"{path}{name}"
            yield from _fields(getattr(value, name), f"{path}{name}.")
    elif isinstance(value, tuple):
        for index, one in enumerate(value):
            yield from _fields(one, f"{path}{index}.")


def _there(data: Any, path: str) -> bool:
    for step in path.split("."):
        if isinstance(data, str):
            return True  # a limit, a margin or a duration, written in one piece
        data = data[int(step)] if isinstance(data, list) else data.get(step, ...)
        if data is ...:
            return False
    return True


def test_every_agreed_word_is_part_of_the_digest() -> None:
    """Owners' decisions are bound to it: nothing that was signed can change behind their back."""
    plan = make_plan(**FULL)
    written = plan.model_dump(mode="json")
    assert plan.digest == digest_json(written)
    paths = list(_fields(plan))
    assert len(paths) > 150
    # Of a margin nobody can be warned beforehand, so nothing is agreed there.
    assert [path for path in paths if not _there(written, path)] == ["metrics.1.warn_ahead"]


def test_a_plan_that_says_nothing_of_its_data_keeps_the_digest_it_had_before_plans_could() -> None:
    """Taken from the release before: whatever owners signed then must fit still."""
    assert make_plan().digest == "sha256:0a1db297fcd3badd18e3dc15b9f8d0bde00f01d836bab70834364f6c7c199a05"
    assert make_plan(**FULL).digest != make_plan(**{**FULL, "metrics": plan_data()["metrics"]}).digest


@pytest.mark.parametrize("name", ["title", "context", "rationale", "trade_off", "decision", "proposer", "updated"])
def test_another_word_is_another_digest(name: str) -> None:
    other = {"proposer": "somebody@example.com", "updated": "2026-01-06"}.get(name, "another")
    assert make_plan(**{name: other}).digest != make_plan().digest


def test_a_plan_written_out_is_read_back_as_itself() -> None:
    plan = make_plan(**FULL)
    again = RolloutPlan.model_validate_json(plan.model_dump_json(by_alias=True))
    assert (again, again.digest) == (plan, plan.digest)


def test_a_default_written_out_is_the_same_plan() -> None:
    metrics = [{**one, "on_breach": "pause", "must": True, "warning": []} for one in plan_data()["metrics"]]
    assert make_plan(metrics=metrics, weighted_pass=0.75, freeze_windows=[]).digest == make_plan().digest


def test_an_owner_is_found_by_identity_in_any_letter_case_and_a_stranger_is_not() -> None:
    plan = make_plan()
    found = plan.owner("FIN.Finance@Example.com")
    assert found is not None
    assert found.role == "finance_owner"
    assert plan.owner("fin.finance@example.org") is None
    assert plan.owner("") is None


def test_several_persons_may_hold_one_role() -> None:
    deputy = {**plan_data()["owners"][0], "identity": "deputy@example.com"}
    plan = make_plan(owners=[*plan_data()["owners"], deputy])
    assert [one.identity for one in plan.holders("sponsor")] == ["sam.sponsor@example.com", "deputy@example.com"]
    assert [one.role for one in plan.holders("revops_owner", "finance_owner")] == ["finance_owner", "revops_owner"]
    assert plan.holders("nobody") == ()


def test_cohorts_stand_in_the_order_in_which_partners_are_given_out() -> None:
    assert [one.name for one in make_plan().cohort_specs()] == ["pilot", "control", "wave-one", "wave-two"]
    alone = {**plan_data()["cohorts"], "control": None}
    assert [one.name for one in make_plan(cohorts=alone).cohort_specs()] == ["pilot", "wave-one", "wave-two"]


def test_what_is_measured_is_found_and_what_is_not_is_not() -> None:
    plan = make_plan()
    found = plan.metric(MetricName.CONTRIBUTION_MARGIN)
    assert found is not None
    assert str(found.thresholds[0]) == ">= 20"
    assert plan.metric(MetricName.MDF_SPEND) is None


@pytest.mark.parametrize("gate", GateName)
def test_each_gate_has_its_rule_or_none(gate: GateName) -> None:
    rule = make_plan().approvals.rule(gate)
    assert (rule is not None) == (gate.value in plan_data()["approvals"])


def test_a_metric_does_what_the_framework_says_unless_the_plan_says_otherwise() -> None:
    base = plan_data()["metrics"][0]
    as_usual = MetricPlan.model_validate_json(json.dumps(base))
    otherwise = MetricPlan.model_validate_json(json.dumps({**base, "use": "outcome"}))
    assert (as_usual.purpose, otherwise.purpose) == (MetricUse.GUARDRAIL, MetricUse.OUTCOME)


@pytest.mark.parametrize(
    ("changes", "needs"),
    [
        ({}, False),
        ({"thresholds": [">= 85", ">= -5%"]}, True),
        ({"thresholds": [">= -2pp"]}, True),
        ({"warning": [">= -1%"]}, True),
    ],
)
def test_a_metric_needs_a_baseline_where_a_limit_is_a_change(changes: dict[str, Any], needs: bool) -> None:
    plan = MetricPlan.model_validate_json(json.dumps({**plan_data()["metrics"][0], **changes}))
    assert plan.needs_baseline is needs


def test_a_cohort_is_named_in_one_way() -> None:
    for wrong in ({}, {"partners": ["P1"], "select": {"limit": 1}}):
        with pytest.raises(ValidationError, match="name either partners or select, and not both"):
            CohortSpec.model_validate_json(json.dumps({"name": "pilot", **wrong}))
    assert CohortSpec(name="pilot", select=Selector()).partners == ()


def test_a_stop_condition_has_its_metric_and_its_limit_or_neither() -> None:
    for wrong in ({"metric": "mdf_spend"}, {"unless": ">= 40"}):
        with pytest.raises(ValidationError, match="metric and unless go together"):
            StopCondition.model_validate_json(json.dumps({"condition": "x", **wrong}))


def test_a_freeze_window_ends_after_it_starts() -> None:
    moment = "2026-12-20T00:00:00Z"
    for start, end in ((moment, moment), (moment, "2026-12-19T23:59:59Z"), (moment, "2026-12-20T01:00:00+01:00")):
        with pytest.raises(ValidationError, match="end must lie after start"):
            FreezeWindow.model_validate_json(json.dumps({"name": "x", "start": start, "end": end}))
