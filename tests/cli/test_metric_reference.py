"""The page of metrics says what the catalogue says, and adding a metric goes as it tells."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from cli.metric_reference import PAGE, page_text
from models.base import parse_duration
from models.metric import CATALOGUE, MetricName, NoValue
from models.plan_metric import MetricPlan

ROOT = Path(__file__).parents[2]
TEXT = PAGE.read_text(encoding="utf-8")
ADDING = TEXT.partition("\n## Adding a metric\n")[2]
STEPS = re.findall(r"^\d+\. (.*?)(?=^\d+\. |^Whatever)", ADDING, re.MULTILINE | re.DOTALL)
FURTHER = [name for name, spec in CATALOGUE.items() if not spec.framework]


def blocks(text: str, language: str) -> list[str]:
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", block, flags=re.MULTILINE) for indent, block in found]


def test_the_page_is_the_catalogue_s_own() -> None:
    assert page_text(TEXT) == TEXT, "it is stale; run: .venv/bin/python -m cli.metric_reference"


def test_a_page_that_lost_its_marks_is_refused() -> None:
    with pytest.raises(ValueError, match=r"metrics\.md needs the lines"):
        page_text("# Metrics\n")


def test_the_page_names_every_metric_reason_and_part() -> None:
    parts = {part.name for spec in CATALOGUE.values() for part in spec.parts}
    assert {name for name in (*MetricName, *NoValue, *parts) if f"`{name}`" not in TEXT} == set()


def test_the_page_names_every_state_of_a_lead_and_no_other() -> None:
    (table,) = re.findall(r"^\| state \| when .*?\n\n", TEXT, re.MULTILINE | re.DOTALL)
    named = {name for row in table.strip().splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    statement = (ROOT / "store" / "sql" / "lead_readings.sql").read_text(encoding="utf-8")
    states = set(re.findall(r"state = '(\w+)'", statement))
    assert len(states) == 11
    assert named == states


def test_the_code_a_step_shows_stands_in_the_file_it_names() -> None:
    shown = 0
    for step in STEPS:
        files = [(PAGE.parent / link).read_text(encoding="utf-8") for link in re.findall(r"\]\((\.\./[^)]+)\)", step)]
        for block in (*blocks(step, "python"), *blocks(step, "sql")):
            # Lines of a class or a statement stand deeper in the file than on the page.
            lines = [line.strip() for line in block.strip().splitlines()]
            assert any(all(line in file for line in lines) for file in files), block
            shown += 1
    assert (len(STEPS), shown) == (7, 4)


def test_every_step_names_files_that_all_of_them_have() -> None:
    for metric in FURTHER:
        for folder in ("metrics", "data_through"):
            assert (ROOT / "store" / "sql" / folder / f"{metric}.sql").is_file()
    tests = [link for link in re.findall(r"\]\(\.\./(tests/[^)]+)\)", ADDING)]
    about = "".join((ROOT / link).read_text(encoding="utf-8") for link in tests)
    assert [metric for metric in FURTHER if f"MetricName.{metric.name}" not in about] == []


def test_what_a_plan_may_say_of_them_is_valid_and_is_what_people_usually_agree() -> None:
    (text,) = blocks(ADDING, "yaml")
    shown = [MetricPlan.model_validate_json(json.dumps(one)) for one in yaml.safe_load(text)]
    assert [one.metric for one in shown] == FURTHER
    for one in shown:
        agreed = CATALOGUE[one.metric].defaults
        assert (tuple(map(str, one.thresholds)), tuple(map(str, one.warning))) == (
            agreed.thresholds,
            agreed.warns_unless,
        )
        assert (one.minimum_sample.partners, one.minimum_sample.facts) == (agreed.partners, agreed.facts)
        assert (one.window, one.freshness) == (parse_duration(agreed.window), parse_duration(agreed.freshness))


def test_no_workflow_activity_rule_or_template_knows_them_by_name() -> None:
    """Whoever adds a metric touches none of these."""
    touched = [
        path.relative_to(ROOT).as_posix()
        for room in ("workflows", "activities", "worker", "cli", "console", "store", "judgement", "learning", "models")
        for path in (ROOT / room).rglob("*.py")
        if re.search("|".join(rf"{one.name}|{one.value}" for one in FURTHER), path.read_text(encoding="utf-8"))
    ]
    assert sorted(touched) == ["judgement/values.py", "models/metric_further.py", "models/metric_terms.py"]
