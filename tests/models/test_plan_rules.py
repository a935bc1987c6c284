"""Each rule across a plan's fields, broken once: the field it names and what it says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from activities.telling import DAILY
from models.base import Duration
from models.plan import RolloutPlan
from models.plan_metric import Limit, Threshold
from models.plan_rule import BrokenRule
from models.plan_rules import WATCH_SPEAKS, broken_rules
from tests.plans import make_plan, plan_data

ALL = ["sponsor", "programme_owner", "finance_owner", "compliance_owner", "revops_owner", "enablement_owner"]
WINDOW = {"name": "year end", "start": "2026-12-20T00:00:00Z", "end": "2027-01-05T00:00:00Z"}
REDESIGN = {"roles": ALL, "quorum": 3, "due": "7d"}


def changed(*changes: tuple[str, Any]) -> dict[str, Any]:
    """The base plan's data with values set at dotted paths; `...` takes one away, a path ending in + appends."""
    data = plan_data()
    for path, value in changes:
        here: Any = data
        *steps, last = [int(part) if part.isdigit() else part for part in path.split(".")]
        for step in steps:
            here = here[step]
        if last == "+":
            here.append(value)
        elif value is ...:
            del here[last]
        else:
            here[last] = value
    return data


def broken(*changes: tuple[str, Any]) -> tuple[BrokenRule, ...]:
    """The rules that the changed plan breaks, as a reader of the refusal gets them."""
    with pytest.raises(ValidationError) as caught:
        RolloutPlan.model_validate_json(json.dumps(changed(*changes)))
    (error,) = caught.value.errors()
    assert error["type"] == "broken_rules", error
    rules = error["ctx"]["rules"]
    assert all(f"{rule.field}: {rule.message}" in str(caught.value) for rule in rules)
    return tuple(rules)


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        # Owners and approvals
        (
            [("owners.+", {**plan_data()["owners"][0], "role": "second", "identity": "SAM.Sponsor@example.com"})],
            "owners.6.identity",
            "SAM.Sponsor@example.com stands here as second and before as sponsor; one person holds one role",
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


@pytest.mark.parametrize("text", ["9" * 400 + "w", "99999999999999d", "5219w"])
def test_a_duration_beyond_all_reason_is_refused_not_a_crash(text: str) -> None:
    with pytest.raises(ValidationError, match="longer than a hundred years"):
        TypeAdapter(Duration).validate_python(text)


@given(
    st.builds(
        Threshold,
        at_least=st.booleans(),
        inclusive=st.booleans(),
        number=st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15),
    )
)
def test_a_limit_is_read_back_as_it_was_written(limit: Threshold) -> None:
    adapter: TypeAdapter[Threshold] = TypeAdapter(Limit)
    assert adapter.validate_json(adapter.dump_json(limit)) == limit


def test_the_watch_speaks_as_often_as_the_rules_believe() -> None:
    assert DAILY == WATCH_SPEAKS


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize("path", ["weighted_pass", "metrics.1.weight", "metrics.0.tolerance", "quorum"])
def test_a_number_that_is_not_finite_never_becomes_part_of_a_plan(path: str, number: str) -> None:
    changes: dict[str, tuple[str, Any]] = {
        "metrics.0.tolerance": ("metrics.0.tolerance", {"in_a_row": "@"}),
        "quorum": ("approvals.validate_to_scale.quorum", "@"),
    }
    text = json.dumps(changed(changes.get(path, (path, "@")))).replace('"@"', number)
    assert number in text
    with pytest.raises(ValidationError, match=r"finite|integer|JSON"):
        RolloutPlan.model_validate_json(text)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_limit_is_finite(number: float) -> None:
    with pytest.raises(ValidationError, match="finite"):
        Threshold(at_least=True, number=number)
    with pytest.raises(ValidationError, match="is not a threshold"):
        TypeAdapter(Limit).validate_python(f">= {number}")


@pytest.mark.parametrize(
    "path", ["title", "risks.0.risk", "owners.0.contact", "cohorts.pilot.partners.0", "metrics.0.metric"]
)
@pytest.mark.parametrize("character", ["\x00", "\x1b", "\x7f", "\x9b", "\u202e", "\u2066"])
def test_text_that_would_steer_a_terminal_or_break_the_store_is_refused(path: str, character: str) -> None:
    with pytest.raises(ValidationError) as caught:
        RolloutPlan.model_validate_json(json.dumps(changed((path, f"a{character}b@c"))))
    assert caught.value.errors()[0]["type"] in ("string_pattern_mismatch", "enum")


@pytest.mark.parametrize("character", ["\u200b", "\u00ad", "\u2060", "\ufeff", " ", "\u3000", "@"])
def test_one_person_cannot_look_like_two_by_what_nobody_sees(character: str) -> None:
    for path in ("proposer", "owners.0.identity", "owners.0.contact"):
        with pytest.raises(ValidationError) as caught:
            RolloutPlan.model_validate_json(json.dumps(changed((path, f"sam{character}@example.com"))))
        assert caught.value.errors()[0]["type"] == "string_pattern_mismatch"


def test_names_and_addresses_of_any_script_are_fine() -> None:
    joined = "क्\u200dष 株式会社 👩\u200d💻"  # joiners belong to the words
    plan = RolloutPlan.model_validate_json(
        json.dumps(changed(("title", joined), ("owners.0.identity", "佐藤@例え.jp"), ("owners.1.contact", "a.b+c@x")))
    )
    assert (plan.title, plan.owners[0].identity) == (joined, "佐藤@例え.jp")
