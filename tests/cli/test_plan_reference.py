"""The published schema and the page of fields: generated, current, and true of what the reader takes and refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from cli.plan_reference import FIELDS_FILE, SCHEMA_FILE, fields_text, schema_text
from cli.plan_template import plan_template
from cli.planfile import PlanError, load_plan, parse_plan
from cli.plannodes import read_nodes
from models.base import Duration
from models.plan import OptionKey, RolloutPlan
from models.plan_change import MarginText
from models.plan_metric import Limit
from models.plan_rules import RULES
from tests.plans import plan_data

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(ROOT.glob("examples/plans/*.yaml"))
REWRITE = "it is stale; run: .venv/bin/python -m cli.plan_reference"


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_published_schema_is_the_models_own() -> None:
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text(), REWRITE


def test_the_page_of_fields_is_the_models_own() -> None:
    assert FIELDS_FILE.read_text(encoding="utf-8") == fields_text(), REWRITE


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_every_example_plan_is_valid_and_names_the_schema_for_editors(
    file: Path, validator: jsonschema.Draft202012Validator
) -> None:
    text = file.read_text(encoding="utf-8")
    validator.validate(read_nodes(text).value)
    assert load_plan(file).id == file.stem
    first = text.splitlines()[0]
    assert first == "# yaml-language-server: $schema=../../docs/plan.schema.json"
    assert (file.parent / first.partition("=")[2]).resolve() == SCHEMA_FILE


@pytest.mark.parametrize("option", OptionKey)
def test_the_template_of_every_option_is_valid(option: OptionKey, validator: jsonschema.Draft202012Validator) -> None:
    text = plan_template("a-plan", option.value)
    validator.validate(read_nodes(text).value)
    plan = parse_plan(text, "a-plan.yaml")
    assert (plan.id, plan.chosen) == ("a-plan", option)


@pytest.mark.parametrize("plan_id", ["123", "true", "null", "1e5", "0x1f", "2026-01-05", "no", "a" * 63])
def test_an_id_that_looks_like_something_else_is_an_id(plan_id: str) -> None:
    assert parse_plan(plan_template(plan_id, "B"), "plan.yaml").id == plan_id


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("bogus", 1),
        ("title", 7),
        ("title", ""),
        ("id", "Test Plan"),
        ("chosen", "D"),
        ("schema_version", 2),
        ("framework", "B0130"),
        ("proposer", "pat"),
        ("risks", []),
        ("metrics.0.metric", "lead_folow_up_sla"),
        ("metrics.0.thresholds", []),
        ("metrics.0.thresholds.0", 85),
        ("metrics.0.thresholds.0", "about 85"),
        ("metrics.0.thresholds.0", ">= 5%"),
        ("metrics.0.window", "28 days"),
        ("metrics.0.minimum_sample.partners", 0),
        ("metrics.0.weight", 0),
        ("weighted_pass", 1.5),
        ("phases.pilot", 30),
        ("phases.pilots", "30d"),
        ("phases.pilot", ...),
        ("approvals.override", ...),
        ("approvals.wave.quorum", "1"),
        ("owners.0.contact", "nowhere"),
        ("cohorts.pilot.select", {"limit": 3}),
        ("cohorts.pilot.partners", ...),
        ("stop_conditions.0.unless", ...),
        ("metrics.0.thresholds", ...),
        ("metrics.0.change", {"margin": "0pp"}),
        ("metrics.0.change", {"margin": "5"}),
        ("metrics.0.change", {"margin": "5pp", "pause_risk": 0.3}),
        ("metrics.0.change", {"margin": "5pp", "method": 3}),
        ("freeze_windows", [{"name": "x", "start": "2026-01-01T00:00:00Z"}]),
    ],
)
def test_what_an_editor_marks_the_reader_refuses_too(
    path: str, value: Any, validator: jsonschema.Draft202012Validator
) -> None:
    data = plan_data()
    *steps, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    here: Any = data
    for step in steps:
        here = here[step]
    if value is ...:
        del here[last]
    else:
        here[last] = value
    assert not validator.is_valid(data)
    with pytest.raises(PlanError):
        parse_plan(yaml.safe_dump(data, allow_unicode=True), "plan.yaml")


def _agree(reader: TypeAdapter[Any], text: str) -> bool:
    """Whether editors and the reader think the same of a text."""
    try:
        reader.validate_python(text)
    except ValidationError as error:
        if "longer than" in str(error) or "finite" in str(error):
            return True  # no pattern can count
        return re.search(reader.json_schema()["pattern"], text) is None
    return re.search(reader.json_schema()["pattern"], text) is not None


@given(st.text("0129.wdhm +-", max_size=8) | st.from_regex(r"[0-9]{1,3}(\.[0-9])?[wdhmy]", fullmatch=True))
def test_editors_and_the_reader_agree_on_durations(text: str) -> None:
    assert _agree(TypeAdapter(Duration), text)


@given(
    st.text("<>=+-0129.%p ", max_size=8)
    | st.from_regex(r" ?[<>]=? ?[+-]?[0-9]{1,3}(\.[0-9])? ?(%|pp)?", fullmatch=True)
)
def test_editors_and_the_reader_agree_on_limits(text: str) -> None:
    assert _agree(TypeAdapter(Limit), text)


@given(st.text("0129.%p ", max_size=8) | st.from_regex(r" ?[0-9]{1,3}(\.[0-9])? ?(%|pp)?", fullmatch=True))
def test_editors_and_the_reader_agree_on_margins(text: str) -> None:
    assert _agree(TypeAdapter(MarginText), text)


def _fields(schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, found in schema.get("properties", {}).items():
        yield f"{path}{name}", found
    for name, found in schema.get("$defs", {}).items():
        yield from _fields(found, f"{name}.")


def test_every_field_says_what_it_means() -> None:
    fields = dict(_fields(RolloutPlan.model_json_schema()))
    assert len(fields) > 90
    assert [name for name, found in fields.items() if not found.get("description")] == []


def test_every_rule_says_first_what_it_refuses() -> None:
    page = FIELDS_FILE.read_text(encoding="utf-8").split("## Rules across fields")[1]
    assert page.count("\n- ") == len(RULES) == len({rule.__doc__ for rule in RULES})


def test_the_page_has_every_field_with_its_default() -> None:
    page = FIELDS_FILE.read_text(encoding="utf-8")
    for row in (
        "| `weighted_pass` | a number above 0 to 1 | `0.75` |",
        "| `on_breach` | `pause` \\| `stop` \\| `warn` | `pause` |",
        "| `quorum` | a whole number from 1 | `1` |",
        "| `limit` | a whole number from 1 | none |",
        "| `unless` | a limit | none |",
        "| `validate` | a duration | **required** |",
        "| `thresholds` | a list of limits | empty |",
        "| `roles` | a list of roles, 1 at least | **required** |",
        "| `margin` | a margin | **required** |",
        "| `maturity` | a duration | `5d` |",
    ):
        assert row in page, row
