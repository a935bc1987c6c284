"""Which commands the workflows issue, and in which order, as read from their source: recorded histories do not pass
every branch, so a change that would break the replay of a running rollout shows here also where none passes.

`python -m tests.replay.test_fingerprint` writes the baseline anew.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path

import pytest

import workflows

BASELINE = Path(__file__).parent / "fingerprint.json"
COMMANDS = {
    *("execute_activity", "start_activity", "execute_local_activity", "start_local_activity", "execute_child_workflow"),
    *(
        "start_child_workflow",
        "continue_as_new",
        "wait_condition",
        "sleep",
        "timeout",
        "gather",
        "wait",
        "as_completed",
    ),
    *("upsert_search_attributes", "upsert_memo", "get_external_workflow_handle", "signal", "cancel", "patched"),
    *("deprecate_patch", "Step"),
}
"""What issues a command or decides about one: the SDK's calls, and our steps, which next_step puts in order."""

ADVICE = """
The commands of a workflow changed. Rollouts that run now replay the old ones, and would be stuck for good.
1. Keep the old way for them: `if workflow.patched("what-changes"): <new> else: <old>`.
2. Record a history that passes the new way: a new path in tests/workflows/scenarios.py, then
   `python -m tests.replay.record`. Never replace a recorded one.
3. Write the new baseline: `python -m tests.replay.test_fingerprint`, and commit it with the change.
Where no command of a running rollout can change (a call was only moved or renamed), the last step is enough.
"""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def fingerprint(source: str) -> dict[str, list[str]]:
    """Each function of a module that issues commands, by itself or through another one, with its calls in order."""
    functions = {node.name: node for node in ast.walk(ast.parse(source)) if isinstance(node, Function)}
    calls = {name: list(_calls(node)) for name, node in functions.items()}
    counted = set(COMMANDS)
    while more := {
        name for name, found in calls.items() if name not in counted and counted & {one for one, _ in found}
    }:
        counted |= more
    return {name: [told for one, told in calls[name] if one in counted] for name in calls if name in counted}


def _calls(function: Function) -> Iterator[tuple[str, str]]:
    """The calls in a function in the order of the source: the name, and what tells one from another."""
    found = [node for part in function.body for node in ast.walk(part) if isinstance(node, ast.Call)]
    for call in sorted(found, key=lambda node: (node.end_lineno or 0, node.end_col_offset or 0)):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        named = {keyword.arg: keyword.value for keyword in call.keywords}
        about = [one for one in (*call.args[:1], named.get("kind")) if isinstance(one, ast.Constant | ast.Attribute)]
        timed = " with timeout" if "timeout" in named else ""
        yield name, f"{name}({', '.join(map(ast.unparse, about))}){timed}"


def _fingerprints() -> dict[str, dict[str, list[str]]]:
    folder = Path(workflows.__path__[0])
    found = {path.stem: fingerprint(path.read_text()) for path in sorted(folder.glob("*.py"))}
    return {module: functions for module, functions in found.items() if functions}


def _text() -> str:
    return json.dumps(_fingerprints(), indent=2) + "\n"


def test_the_commands_are_those_that_running_rollouts_replay() -> None:
    before, now = BASELINE.read_text(), _text()
    if before != now:
        changes = unified_diff(before.splitlines(), now.splitlines(), "the baseline", "the source", lineterm="", n=2)
        pytest.fail("\n".join(changes) + "\n" + ADVICE, pytrace=False)


_SOURCE = """
class Some:
    async def run(self):
        await self._call("first", summary="one")
        await workflow.wait_condition(lambda: self._woken)

    async def _call(self, name, summary):
        await workflow.execute_activity(name, summary=summary)
"""


@pytest.mark.parametrize(
    ("old", "new", "noticed"),
    [
        ('"first"', '"second"', True),
        ("self._woken)", "self._woken, timeout=SOON)", True),
        ('        await self._call("first", summary="one")\n', "", True),
        ('await self._call("first"', 'await self._call("zeroth", "")\n        await self._call("first"', True),
        ("workflow.execute_activity", "workflow.execute_local_activity", True),
        ('"one"', '"another one"', False),
        ("class Some:", "# a comment\nclass Some:", False),
    ],
)
def test_what_changes_a_command_is_noticed_and_nothing_else(old: str, new: str, noticed: bool) -> None:
    assert old in _SOURCE
    assert (fingerprint(_SOURCE) != fingerprint(_SOURCE.replace(old, new))) is noticed


if __name__ == "__main__":
    BASELINE.write_text(_text())
