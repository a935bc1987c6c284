"""Rules across what a plan says of many looks. The base plan looks once a day: 30 times in its pilot, 7 in a wave."""

from __future__ import annotations

import json
from typing import Any

import pytest

from models.plan import RolloutPlan
from models.plan_metric import Tolerance
from tests.models.changes import REDESIGN, broken, changed
from tests.plans import judged_by_change, make_plan

SLA, MARGIN = "metrics.0.tolerance", "metrics.1.tolerance"


def valid(*changes: tuple[str, Any]) -> RolloutPlan:
    return RolloutPlan.model_validate_json(json.dumps(changed(*changes)))


def test_what_is_agreed_of_looks_is_read_back_as_it_was_written() -> None:
    plan = valid((SLA, {"met_in_a_row": 7, "cannot_tell": 29, "no_evidence_in_a_row": 4}))
    assert plan.metrics[0].tolerance == Tolerance(met_in_a_row=7, cannot_tell=29, no_evidence_in_a_row=4)
    assert RolloutPlan.model_validate_json(plan.model_dump_json(by_alias=True)).digest == plan.digest


def test_a_plan_that_is_silent_of_looks_keeps_its_digest() -> None:
    assert valid((SLA, {"met_in_a_row": 1})).digest == make_plan().digest
    assert valid((SLA, {"cannot_tell": 3})).digest != make_plan().digest


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        (
            [(MARGIN, {"cannot_tell": 3})],
            f"{MARGIN}.cannot_tell",
            "contribution_margin is an outcome, which holds for as long as nothing can be said; only a guardrail goes",
        ),
        ([(MARGIN, {"no_evidence_in_a_row": 3})], f"{MARGIN}.no_evidence_in_a_row", "only a guardrail goes blind"),
        (
            [(SLA, {"cannot_tell": 30})],
            f"{SLA}.cannot_tell",
            "tolerates 30 looks, but the pilot (30d), the longest, has 30; nothing would ever be blind",
        ),
        ([(SLA, {"no_evidence_in_a_row": 30})], f"{SLA}.no_evidence_in_a_row", "has 30; nothing would ever be blind"),
        (
            [(SLA, {"met_in_a_row": 8})],
            f"{SLA}.met_in_a_row",
            "asks for 8 looks in a row, but validate (1w), the shortest, has 7 at the plan's cadence",
        ),
        (
            [(SLA, {"met_in_a_row": 5, "in_all": 3})],
            f"{SLA}.met_in_a_row",
            "asks for 5 looks in a row and tolerates 3 breaches, but validate (1w), the shortest, has 7",
        ),
        (
            [("phases.cadence", "12h"), (SLA, {"met_in_a_row": 15})],
            f"{SLA}.met_in_a_row",
            "has 14 at the plan's cadence",
        ),
        (
            [(SLA, {"met_in_a_row": 2}), ("metrics.0.on_breach", "warn")],
            f"{SLA}.met_in_a_row",
            "lead_follow_up_sla only warns, so no gate waits until it is met",
        ),
        (
            [("chosen", "A"), ("reviews.first", "5d"), (SLA, {"no_evidence_in_a_row": 7})],
            f"{SLA}.no_evidence_in_a_row",
            "but validate (1w), the longest, has 7",
        ),
        (
            [("chosen", "C"), ("approvals.prepare_to_scale", REDESIGN), (SLA, {"cannot_tell": 30})],
            f"{SLA}.cannot_tell",
            "but the pilot (30d), the longest, has 30",
        ),
        ([("phases.cadence", "0m"), (SLA, {"cannot_tell": 3})], "phases.cadence", "longer than zero"),
    ],
)
def test_limits_of_looks_that_do_not_fit_the_plan_are_refused(
    changes: list[tuple[str, Any]], field: str, said: str
) -> None:
    assert any(rule.field == field and said in rule.message for rule in broken(*changes)), broken(*changes)


def test_limits_that_just_fit_are_taken() -> None:
    valid((SLA, {"cannot_tell": 29, "no_evidence_in_a_row": 29}))
    valid((SLA, {"met_in_a_row": 7}), (MARGIN, {"met_in_a_row": 4, "in_all": 3}))
    # Without a run nothing has to fit: plans that were signed before there were runs are read as ever.
    valid((SLA, {"in_all": 99, "in_a_row": 99}))


def test_a_change_is_given_its_time_to_mature_before_it_is_blind() -> None:
    """Five days to mature and a week of them with the day of enrolment: first judged after 13 days, 13 looks."""
    data = judged_by_change()
    change = "metrics.0.change", data["metrics"][0]["change"]
    longer = ("phases.baseline_window", "84d"), ("cohorts.waves.0.bake", "14d"), ("cohorts.waves.1.bake", "14d")
    valid(change, *longer, (SLA, {"no_evidence_in_a_row": 13}))
    (rule,) = broken(change, *longer, (SLA, {"no_evidence_in_a_row": 12}))
    assert rule.message == (
        "tolerates 12 looks, but its change is first judged after 13d; that is after 13 looks: every rollout would "
        "pause as blind"
    )


def test_what_is_agreed_of_looks_stands_beside_a_change_alone() -> None:
    """Breaches are of thresholds, and without these there are none to tolerate; looks there are."""
    data = judged_by_change()
    sla, *rest = data["metrics"]
    plan = make_plan(**{**data, "metrics": [{**sla, "tolerance": {"met_in_a_row": 3, "cannot_tell": 20}}, *rest]})
    assert plan.metrics[0].tolerance.met_in_a_row == 3
