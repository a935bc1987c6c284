"""Plans for tests: one small valid plan, and changes to it."""

from __future__ import annotations

import copy
import json
from typing import Any

from models.plan import RolloutPlan

PILOT = tuple(f"P{number:03d}" for number in range(1, 13))
WAVE_1 = tuple(f"P{number:03d}" for number in range(21, 33))
WAVE_2 = tuple(f"P{number:03d}" for number in range(41, 53))
CONTROL = tuple(f"P{number:03d}" for number in range(61, 73))


def _owner(role: str, name: str) -> dict[str, str]:
    address = f"{name.lower().replace(' ', '.')}@example.com"
    return {"role": role, "name": name, "identity": address, "contact": address}


def _option(text: str) -> dict[str, Any]:
    return {"description": text, "gains": ["a gain"], "costs": ["a cost"]}


def _rule(roles: list[str], quorum: int = 1, **more: Any) -> dict[str, Any]:
    return {"roles": roles, "quorum": quorum, "due": "7d", **more}


def _metric(name: str, thresholds: list[str], **more: Any) -> dict[str, Any]:
    return {
        "metric": name,
        "window": "28d",
        "thresholds": thresholds,
        "freshness": "7d",
        "minimum_sample": {"partners": 5, "facts": 10},
        **more,
    }


BASE: dict[str, Any] = {
    "schema_version": 1,
    "framework": "B0129",
    "id": "test-plan",
    "title": "Test plan",
    "name_variants": {"english": "Test plan", "katakana": "テスト", "kanji": "試験計画"},
    "quality": "reviewed",
    "updated": "2026-01-05",
    "sources": [{"title": "a source", "reference": "chapter 1"}],
    "conflict_of_interest": {"statement": "none", "policy": "bar"},
    "context": "Context.",
    "options": {"A": _option("maintain"), "B": _option("staged"), "C": _option("redesign")},
    "chosen": "B",
    "decision": "Choose option B.",
    "trade_off": "Coverage against control.",
    "rationale": "Because.",
    "risks": [{"risk": "weak data", "mitigation": "hold"}],
    "next_steps": ["confirm ownership"],
    "proposer": "pat.proposer@example.com",
    "owners": [
        _owner("sponsor", "Sam Sponsor"),
        _owner("programme_owner", "Pat Proposer"),
        _owner("finance_owner", "Fin Finance"),
        _owner("compliance_owner", "Com Pliance"),
        _owner("revops_owner", "Rev Ops"),
        _owner("enablement_owner", "Ena Blement"),
    ],
    "constraints": ["no change in December"],
    "cohorts": {
        "pilot": {"name": "pilot", "partners": list(PILOT)},
        "control": {"name": "control", "partners": list(CONTROL)},
        "waves": [
            {"name": "wave-one", "partners": list(WAVE_1), "bake": "7d"},
            {"name": "wave-two", "partners": list(WAVE_2), "bake": "7d"},
        ],
    },
    "metrics": [
        _metric("lead_follow_up_sla", [">= 85"]),
        _metric("contribution_margin", [">= 20"]),
    ],
    "not_measured": [
        {"metric": "pipeline_velocity", "reason": "not in this test"},
        {"metric": "compliance_score", "reason": "not in this test"},
        {"metric": "mdf_spend", "reason": "not in this test"},
        {"metric": "enablement_completion", "reason": "not in this test"},
    ],
    "phases": {
        "baseline_window": "90d",
        "pilot": "30d",
        "validate": "7d",
        "cadence": "1d",
        "watchdog": "3d",
    },
    "approvals": {
        "prepare_to_pilot": _rule(["sponsor"]),
        "validate_to_scale": _rule(["sponsor", "finance_owner", "compliance_owner"], 2, remind_before="1d"),
        "wave": _rule(["sponsor"], escalate_to=["finance_owner"]),
        "override": _rule(["sponsor", "revops_owner"], 2),
        "stop": _rule(["sponsor"]),
    },
    "reviews": {"first": "14d", "every": "30d", "grace": "7d", "roles": ["programme_owner", "sponsor"]},
    "stop_conditions": [{"condition": "the SLA collapses", "metric": "lead_follow_up_sla", "unless": ">= 40"}],
    "on_automatic_stop": {"finished": "keep", "current": "withdraw", "pending": "withdraw"},
    "communication": [{"team": "Channel managers", "contact": "channel@example.com"}],
}


def plan_data(**changes: Any) -> dict[str, Any]:
    """The base plan as plain data, with top-level fields replaced."""
    return {**copy.deepcopy(BASE), **changes}


def make_plan(**changes: Any) -> RolloutPlan:
    """A valid plan, with top-level fields replaced."""
    return RolloutPlan.model_validate_json(json.dumps(plan_data(**changes)))


def judged_by_change(**rule: Any) -> dict[str, Any]:
    """What makes the base plan's SLA judged by its change alone, for `make_plan` and `plan_data`: with days enough."""
    data = copy.deepcopy(BASE)
    sla, *rest = data["metrics"]
    sla = {name: value for name, value in sla.items() if name != "thresholds"} | {"change": {"margin": "5pp", **rule}}
    waves = [{**wave, "bake": "14d"} for wave in data["cohorts"]["waves"]]
    return {
        "metrics": [sla, *rest],
        "phases": {**data["phases"], "baseline_window": "84d"},
        "cohorts": {**data["cohorts"], "waves": waves},
    }


ISSUER = "https://id.example.com"


def subject_of(identity: str) -> str:
    """Who an owner of `signed_data` is at `ISSUER`."""
    return f"sub-{identity.partition('@')[0]}"


def signed_data(**changes: Any) -> dict[str, Any]:
    """The base plan with signed decisions: every owner signs in at one issuer."""
    data = plan_data(decisions="signed", **changes)
    for owner in data["owners"]:
        owner |= {"issuer": ISSUER, "subject": subject_of(owner["identity"])}
    return data


def signed_plan(**changes: Any) -> RolloutPlan:
    """The same as a plan."""
    return RolloutPlan.model_validate_json(json.dumps(signed_data(**changes)))
