"""The base plan with some things changed, and the rules that it then breaks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from models.plan import RolloutPlan
from models.plan_rule import BrokenRule
from tests.plans import plan_data

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
