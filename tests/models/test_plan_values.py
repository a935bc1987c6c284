"""Single values of a plan: finite, of bounded length, and with nothing in them that nobody sees."""

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
from models.plan_rules import WATCH_SPEAKS
from tests.models.changes import changed


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
