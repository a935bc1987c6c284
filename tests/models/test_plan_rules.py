"""Each rule across a plan's fields, broken once: the field it names and what it says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from cli.plan import read_plan
from models.plan_rules import _durations
from tests.models.changes import REDESIGN, WINDOW, broken
from tests.plans import plan_data

PLANS = Path(__file__).parents[2] / "examples" / "plans"

SIGNER = {**plan_data()["owners"][0], "issuer": "https://id.example.com", "subject": "s-1"}


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        (
            [("supersedes", {"rollout": "test-plan", "plan_digest": "sha256:" + "0" * 64})],
            "supersedes.rollout",
            "test-plan is this plan's own id; a next cycle is another rollout and has another id",
        ),
        # Owners and approvals
        (
            [("owners.+", {**plan_data()["owners"][0], "role": "second", "identity": "SAM.Sponsor@example.com"})],
            "owners.6.identity",
            "SAM.Sponsor@example.com stands here as second and before as sponsor; one person holds one role",
        ),
        (
            [
                ("owners.0", SIGNER | {"identity": "a@example.com"}),
                ("owners.1", {**plan_data()["owners"][1], "issuer": "https://id.example.com", "subject": "s-1"}),
            ],
            "owners.1.subject",
            "pat.proposer@example.com signs in as the same person as a@example.com; one person holds one role",
        ),
        (
            [("decisions", "signed"), ("owners.0", SIGNER)],
            "owners.1.subject",
            "missing: decisions are signed, and nothing says whose signature is that of pat.proposer@example.com",
        ),
        ([("approvals.stop.roles", ["sponsor", "ghost"])], "approvals.stop.roles.1", "no owner holds the role ghost"),
        ([("approvals.wave.escalate_to", ["ghost"])], "approvals.wave.escalate_to.0", "no owner holds the role ghost"),
        ([("reviews.roles", ["ghost"])], "reviews.roles.0", "no owner holds the role ghost; owners hold compliance_ow"),
        (
            [("approvals.wave.required", ["finance_owner"])],
            "approvals.wave.required.0",
            "finance_owner is required but may not approve; roles are sponsor",
        ),
        (
            [("approvals.validate_to_scale.required", ["sponsor", "finance_owner", "compliance_owner"])],
            "approvals.validate_to_scale.quorum",
            "quorum is 2, but 3 roles are required",
        ),
        (
            [("approvals.wave.quorum", 2)],
            "approvals.wave.quorum",
            "quorum is 2, but only 1 of the roles can be counted (sponsor); each approval comes from another role",
        ),
        (
            [("approvals.wave.roles", ["programme_owner"])],
            "approvals.wave.quorum",
            "only 0 of the roles can be counted (none)",
        ),
        (
            [("proposer", "PAT.proposer@example.com"), ("approvals.override.roles", ["sponsor", "programme_owner"])],
            "approvals.override.quorum",
            "and the proposer does not count",
        ),
        (
            [
                ("approvals.wave.roles", ["sponsor", "programme_owner"]),
                ("approvals.wave.required", ["programme_owner"]),
            ],
            "approvals.wave.required.0",
            "only the proposer holds it",
        ),
        (
            [("approvals.validate_to_scale.remind_before", "7d")],
            "approvals.validate_to_scale.remind_before",
            "1w is not less than due, which is 1w",
        ),
        (
            [("approvals.prepare_to_pilot", ...)],
            "approvals.prepare_to_pilot",
            "missing: option B needs prepare_to_pilot",
        ),
        (
            [("approvals.validate_to_scale", None)],
            "approvals.validate_to_scale",
            "missing: option B needs prepare_to_pi",
        ),
        ([("cohorts.waves", [])], "cohorts.waves", "no wave is named; option B scales in at least one"),
        ([("chosen", "C")], "approvals.prepare_to_scale", "missing: option C needs prepare_to_scale"),
        (
            [("chosen", "C"), ("approvals.prepare_to_scale", REDESIGN | {"quorum": 2})],
            "approvals.prepare_to_scale.quorum",
            "quorum is 2; option C takes everybody at once and needs at least 3",
        ),
        (
            [
                ("chosen", "C"),
                ("approvals.prepare_to_scale", REDESIGN),
                ("approvals.stop", REDESIGN | {"quorum": 4}),
            ],
            "approvals.prepare_to_scale.quorum",
            "no less than any other rule, and approvals.stop asks for 4",
        ),
        # Time
        ([("phases.validate", "0d")], "phases.validate", "found no time at all; a duration is longer than zero"),
        ([("phases.baseline_window", "0d")], "phases.baseline_window", "found no time at all"),
        ([("metrics.1.freshness", "0h")], "metrics.1.freshness", "found no time at all"),
        ([("cohorts.waves.1.bake", "0m")], "cohorts.waves.1.bake", "found no time at all"),
        ([("approvals.validate_to_scale.remind_before", "0m")], "approvals.validate_to_scale.remind_before", "no time"),
        ([("reviews.grace", "0m")], "reviews.grace", "found no time at all"),
        ([("reviews.every", "1.5m")], "reviews.every", "found 90 seconds; use whole minutes"),
        ([("phases.pilot", "12h")], "phases.cadence", "1d is longer than the pilot (12h)"),
        ([("phases.watchdog", "1d")], "phases.watchdog", "1d is no longer than the watch keeps quiet when nothing"),
        (
            [("phases.cadence", "1h"), ("phases.watchdog", "3h")],
            "phases.watchdog",
            "3h is no longer than the watch keeps quiet when nothing changes (1d); use more",
        ),
        (
            [("phases.cadence", "16h"), ("phases.watchdog", "32h")],
            "phases.watchdog",
            "1d8h is no longer than the watch keeps quiet when nothing changes (1d8h); use more",
        ),
        ([("phases.cadence", "30d"), ("phases.watchdog", "30d")], "phases.watchdog", "nothing changes (30d); use more"),
        (
            [("reviews.first", "52d")],
            "reviews.first",
            "52d is longer than the rollout is planned to take (51d); no review would ever come",
        ),
        (
            [("chosen", "C"), ("approvals.prepare_to_scale", REDESIGN), ("reviews.first", "31d")],
            "reviews.first",
            "31d is longer than the rollout is planned to take (30d)",
        ),
        (
            [("freeze_windows", [WINDOW, WINDOW | {"start": "2028-01-01T00:00:00Z", "end": "2028-01-02T00:00:00Z"}])],
            "freeze_windows.1.name",
            "'year end' is the name of an earlier freeze window",
        ),
        (
            [
                (
                    "freeze_windows",
                    [
                        WINDOW,
                        {**WINDOW, "name": "other", "start": "2027-01-04T23:59:59Z", "end": "2027-02-01T00:00:00Z"},
                    ],
                )
            ],
            "freeze_windows.1",
            "'other' overlaps with 'year end'",
        ),
        (
            [("freeze_windows", [WINDOW | {"end": "2027-02-09T00:00:00Z"}])],
            "freeze_windows",
            "frozen for 51d, but what is planned takes 51d; a freeze must not cover the whole plan",
        ),
        (
            [("chosen", "A"), ("freeze_windows", [WINDOW])],
            "freeze_windows",
            "frozen for 16d, but what is planned takes 1w; a freeze must not cover the whole plan",
        ),
        (
            [("chosen", "A"), ("phases.cadence", "8d"), ("phases.watchdog", "20d")],
            "phases.cadence",
            "8d is longer than validate (1w), which would never be looked at",
        ),
        # Cohorts
        (
            [("cohorts.waves.0.name", "control")],
            "cohorts.waves.0.name",
            "control is the name of cohorts.control already",
        ),
        ([("cohorts.pilot.partners.+", "P001")], "cohorts.pilot.partners.12", "P001 stands in cohorts.pilot already"),
        (
            [("cohorts.waves.1.partners.+", "P061")],
            "cohorts.waves.1.partners.12",
            "P061 stands in cohorts.control alre",
        ),
        (
            [("cohorts.control", {"name": "control", "select": {}})],
            "cohorts.control.select",
            "selects every partner there is; name at least one of tier, region, type or limit",
        ),
        (
            [
                ("chosen", "C"),
                ("approvals.prepare_to_scale", REDESIGN),
                ("cohorts.control", {"name": "control", "select": {}}),
            ],
            "cohorts.control.select",
            "selects every partner there is",
        ),
        (
            [
                ("cohorts.control", {"name": "control", "select": {"region": ["emea", "apac"]}}),
                ("cohorts.waves.0", {"name": "wave", "bake": "7d", "select": {"region": ["apac"], "tier": ["gold"]}}),
            ],
            "cohorts.waves.0",
            "wave can have no partner: cohorts.control takes all of them, and comes first",
        ),
        (
            [
                ("chosen", "C"),
                ("approvals.prepare_to_scale", REDESIGN),
                ("cohorts.pilot", {"name": "everybody", "select": {}}),
                ("cohorts.waves", []),
            ],
            "cohorts.control",
            "control can have no partner: cohorts.pilot takes all of them",
        ),
        # Metrics
        (
            [("metrics.1.metric", "lead_follow_up_sla")],
            "metrics.1.metric",
            "lead_follow_up_sla stands in metrics already",
        ),
        (
            [("not_measured.+", {"metric": "contribution_margin", "reason": "none"})],
            "not_measured.4.metric",
            "contribution_margin stands in metrics already; each metric is either measured or not, once",
        ),
        (
            [("not_measured.+", {"metric": "mdf_spend", "reason": "again"})],
            "not_measured.4.metric",
            "mdf_spend stands in not_measured already",
        ),
        ([("not_measured.0", ...)], "metrics", "pipeline_velocity is missing; measure it here, or give the reason"),
        (
            [("metrics.0.on_breach", "warn"), ("metrics.1.on_breach", "warn"), ("metrics.1.use", "guardrail")],
            "metrics",
            "every metric only warns; at least one must decide something",
        ),
        (
            [("metrics.0.on_breach", "warn"), ("metrics.1.on_breach", "warn")],
            "metrics",
            "every metric only warns; at least one must decide something",
        ),
        (
            [("metrics.1.on_breach", "stop")],
            "metrics.1.on_breach",
            "contribution_margin is an outcome, which holds at its gate and never stops; make it a guardrail",
        ),
        (
            [("metrics.0.must", False)],
            "metrics.0.must",
            "lead_follow_up_sla is a guardrail, which always counts; only an outcome can count by weight",
        ),
        (
            [("metrics.0.thresholds", [">= 85", ">= 0.85"])],
            "metrics.0.thresholds.1",
            ">= 0.85 is less than one of a hundred; lead_follow_up_sla is given in %, write 85 and not 0.85",
        ),
        ([("metrics.1.warning", [">= 21", "<= 0.99"])], "metrics.1.warning.1", "<= 0.99 is less than one of a hundred"),
        (
            [("stop_conditions.0.unless", ">= 0.4")],
            "stop_conditions.0.unless",
            ">= 0.4 is less than one of a hundred",
        ),
        (
            [("metrics.1.thresholds", [">= -0.5"])],
            "metrics.1.thresholds.0",
            ">= -0.5 is less than one of a hundred",
        ),
        ([("metrics.0.thresholds", [">= 0", ">= 85"])], "metrics.0.thresholds.0", ">= 0 holds whatever happens"),
        ([("metrics.0.thresholds", [">= 85", "<= 100"])], "metrics.0.thresholds.1", "<= 100 holds whatever happens"),
        ([("stop_conditions.0.unless", "> -1")], "stop_conditions.0.unless", "> -1 holds whatever happens; lead_fo"),
        ([("metrics.0.thresholds", ["> 100"])], "metrics.0.thresholds.0", "> 100 never holds; lead_follow_up_sla lies"),
        ([("metrics.0.thresholds", [">= 1", "< 0"])], "metrics.0.thresholds.1", "< 0 never holds; lead_follow_up_sla"),
        (
            [("metrics.0.thresholds", [">= 85", "<= 80"])],
            "metrics.0.thresholds",
            ">= 85 and <= 80 can never hold together",
        ),
        (
            [("metrics.0.thresholds", [">= 85", "< 85"])],
            "metrics.0.thresholds",
            ">= 85 and < 85 can never hold together",
        ),
        ([("metrics.0.thresholds", ["> -2%", "<= -3%"])], "metrics.0.thresholds", "> -2% and <= -3% can never hold"),
        (
            [("metrics.0.thresholds", ["<= 85"])],
            "metrics.0.thresholds",
            "no threshold with >=, but for lead_follow_up_sla higher is better",
        ),
        (
            [("metrics.0.warning", [">= 90", ">= 84"])],
            "metrics.0.warning.1",
            ">= 84 is looser than the threshold >= 85",
        ),
        (
            [("metrics.0.thresholds", ["> 85"]), ("metrics.0.warning", [">= 85"])],
            "metrics.0.warning.0",
            ">= 85 is looser than the threshold > 85",
        ),
        (
            [("metrics.0.thresholds", [">= -5%", "<= +10%"]), ("metrics.0.warning", ["<= +12%"])],
            "metrics.0.warning.0",
            "<= +12% is looser than the threshold <= +10%",
        ),
        (
            [("metrics.0.warn_ahead", "59m")],
            "metrics.0.warn_ahead",
            "59m of business time; write 1h to 40h",
        ),
        ([("metrics.0.warn_ahead", "40h1m")], "metrics.0.warn_ahead", "1d16h1m of business time; write 1h to 40h"),
        (
            [("metrics.1.warn_ahead", "8h")],
            "metrics.1.warn_ahead",
            "contribution_margin is not warned of beforehand; only a lead follow-up SLA and a lead acceptance are",
        ),
        ([("metrics.0.warn_ahead", "8h"), ("metrics.0.use", "outcome")], "metrics.0.warn_ahead", "as a guardrail with"),
        (
            [("metrics.0.minimum_sample.partners", 13)],
            "metrics.0.minimum_sample.partners",
            "asks for 13 partners, but pilot has at most 12, wave-one has at most 12, wave-two has at most 12; it",
        ),
        (
            [
                ("cohorts.pilot", {"name": "pilot", "select": {"limit": 4}}),
                ("metrics.1", plan_data()["metrics"][1]),
                ("metrics.0.minimum_sample", {"partners": 1}),
            ],
            "metrics.1.minimum_sample.partners",
            "asks for 5 partners, but pilot has at most 4; it could never be told",
        ),
        (
            [
                ("cohorts.waves.1", {"name": "last", "bake": "7d", "partners": ["P041", "P042"]}),
                ("metrics.1.minimum_sample", {"partners": 2}),
            ],
            "metrics.0.minimum_sample.partners",
            "asks for 5 partners, but last has at most 2; it could never be told",
        ),
        (
            [("stop_conditions.0.metric", "mdf_spend")],
            "stop_conditions.0.metric",
            "mdf_spend is not measured in this rollout; measured are lead_follow_up_sla, contribution_margin",
        ),
        (
            [("stop_conditions.0.unless", "<= 40")],
            "stop_conditions.0.unless",
            "stops unless lead_follow_up_sla is <= 40, but higher is better: it would stop on good numbers",
        ),
        (
            [("stop_conditions.0.unless", "> 85")],
            "stop_conditions.0.unless",
            "> 85 is stricter than the threshold >= 85; it would stop a rollout whose metric is met",
        ),
    ],
)
def test_a_broken_rule_names_its_field_and_says_why(changes: list[tuple[str, Any]], field: str, said: str) -> None:
    rules = broken(*changes)
    assert [rule.field for rule in rules if said in rule.message] == [field], rules


def test_one_fault_breaks_one_rule() -> None:
    assert len(broken(("phases.validate", "0d"))) == 1
    assert len(broken(("phases.cadence", "0d"))) == 1
    assert len(broken(("stop_conditions.0.unless", "<= 40"))) == 1
    assert len(broken(("metrics.0.thresholds", ["<= 85"]))) == 1


def test_all_broken_rules_are_told_at_once() -> None:
    rules = broken(("phases.watchdog", "1h"), ("cohorts.waves", []), ("reviews.roles", ["ghost", "spirit"]))
    assert {rule.field for rule in rules} == {"phases.watchdog", "cohorts.waves", "reviews.roles.0", "reviews.roles.1"}


def _everything(value: object, path: str) -> Iterator[tuple[str, timedelta]]:
    """Every duration of a plan, by looking into each of its values."""
    if isinstance(value, timedelta):
        yield path, value
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _everything(item, f"{path}.{index}")
    elif isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            yield from _everything(getattr(value, name), f"{path}.{field.alias or name}".lstrip("."))


@pytest.mark.parametrize("path", sorted(PLANS.glob("*.yaml")), ids=lambda path: path.stem)
def test_no_duration_of_a_plan_is_passed_over(path: Path) -> None:
    """The rules look only where the types say that a duration may be."""
    plan = read_plan(path)
    found = list(_durations(plan, ""))
    assert len(found) > 10
    assert found == list(_everything(plan, ""))
