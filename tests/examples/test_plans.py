"""Every plan and mapping of examples/ can be used, and is what the texts beside it say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from cli.plan import read_plan
from examples.run_history import HISTORIES
from store.intake import load_mapping
from store.intake.kinds import FactKind
from tests.real_data import ROOT

EXAMPLES = ROOT / "examples"
PLANS = sorted((EXAMPLES / "plans").glob("*.yaml"))
MAPPINGS = sorted((EXAMPLES / "mappings").glob("*/*.yaml"))


def test_the_program_finds_every_example_plan_valid() -> None:
    program = Path(sys.executable).with_name("rollouts")
    done = subprocess.run([program, "plan", "validate", *PLANS], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(PLANS) >= 3


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_a_plan_is_named_after_its_id_and_measures_or_explains_every_metric(path: Path) -> None:
    plan = read_plan(path)
    assert plan.id == path.stem
    assert len(plan.metrics) + len(plan.not_measured) == 6


@pytest.mark.parametrize("plan_id", HISTORIES)
def test_what_a_history_imports_is_there_with_partners_first(plan_id: str) -> None:
    history = HISTORIES[plan_id]
    assert EXAMPLES / "plans" / f"{plan_id}.yaml" in PLANS
    assert [load_mapping(one.mapping).kind for one in history.imports] == [one.kind for one in history.imports]
    assert history.imports[0].kind == FactKind.PARTNERS


def test_the_list_of_mappings_names_each_with_its_kind() -> None:
    listed = re.findall(r"^\| `(\S+\.yaml)` \| (\S+) \|", (EXAMPLES / "mappings" / "README.md").read_text(), re.M)
    found = [(str(path.relative_to(EXAMPLES / "mappings")), load_mapping(path).kind.value) for path in MAPPINGS]
    assert sorted(listed) == found
