"""Where workflow code asks the server for something, compared with a list: a change that could break the replay of
running rollouts is noticed also on paths that no recorded history takes."""

from __future__ import annotations

import ast
import json
from pathlib import Path

ROOT = Path(__file__).parents[2]
BASELINE = Path(__file__).with_name("commands.json")
COMMANDS = frozenset(
    {
        "continue_as_new",
        "deprecate_patch",
        "execute_activity",
        "execute_child_workflow",
        "execute_local_activity",
        "patched",
        "sleep",
        "start_activity",
        "start_child_workflow",
        "start_local_activity",
        "upsert_memo",
        "upsert_search_attributes",
        "uuid4",
        "wait_condition",
    }
)
"""What of `temporalio.workflow` leaves a command or a timer in the history, or draws on its random seed."""


class _Calls(ast.NodeVisitor):
    """The commands of each function, in the order in which they stand."""

    def __init__(self) -> None:
        self.found: dict[str, list[str]] = {}
        self._where: list[str] = []

    def _scope(self, node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._where.append(node.name)
        self.generic_visit(node)
        self._where.pop()

    visit_ClassDef = visit_FunctionDef = visit_AsyncFunctionDef = _scope  # noqa: N815  (the visitor's own names)

    def visit_Call(self, node: ast.Call) -> None:
        called = node.func
        if isinstance(called, ast.Attribute) and called.attr in COMMANDS and _is_workflow(called.value):
            timed = [word.arg for word in node.keywords if word.arg == "timeout"]
            self.found.setdefault(".".join(self._where), []).append("+".join([called.attr, *filter(None, timed)]))
        self.generic_visit(node)


def _is_workflow(value: ast.expr) -> bool:
    return isinstance(value, ast.Name) and value.id == "workflow"


def commands() -> dict[str, list[str]]:
    """By function, the commands that workflow code may issue."""
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "workflows").glob("*.py")):
        calls = _Calls()
        calls.visit(ast.parse(path.read_text(encoding="utf-8")))
        found |= {f"{path.stem}.{where}": names for where, names in calls.found.items()}
    return found


def test_workflow_code_asks_for_what_it_always_asked_for() -> None:
    known = json.loads(BASELINE.read_text(encoding="utf-8"))
    assert commands() == known, (
        "workflow code asks the server for something else than before. Rollouts that are running replay their history "
        "with this code: gate the change with workflow.patched, record a history of the new path, and only then write "
        f"{BASELINE.name} anew with `python -m tests.replay.test_commands`"
    )


if __name__ == "__main__":
    BASELINE.write_text(json.dumps(commands(), indent=2) + "\n", encoding="utf-8")
