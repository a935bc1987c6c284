"""Workflow code reaches for nothing that differs from one replay to the next, and shares nothing that changes.

One copy of it serves all workflows, so the sandbox does not stand between its modules and what they import. What the
sandbox would refuse is looked for in the code instead: in everything that a workflow can get to.
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from temporalio.worker.workflow_sandbox import SandboxRestrictions
from temporalio.worker.workflow_sandbox._restrictions import RestrictionContext

from worker.plugin import OURS, WORKFLOWS

ROOT = Path(__file__).parent.parent.parent
MUTABLE = (dict, list, set, bytearray)


def _file(module: str) -> Path | None:
    path = ROOT.joinpath(*module.split("."))
    found = path.with_suffix(".py") if path.with_suffix(".py").is_file() else path / "__init__.py"
    return found if module.split(".")[0] in OURS and found.is_file() else None


def _imported(tree: ast.AST) -> dict[str, str]:
    """Every name that an import anywhere in it binds, and what it stands for."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                names[one.asname or one.name.split(".")[0]] = one.name if one.asname else one.name.split(".")[0]
        elif isinstance(node, ast.ImportFrom):
            for one in node.names:
                names[one.asname or one.name] = f"{node.module}.{one.name}"
    return names


def _code() -> dict[str, ast.AST]:
    """The modules of ours that workflows can get to."""
    found: dict[str, ast.AST] = {}
    waiting = [workflow.__module__ for workflow in WORKFLOWS]
    while waiting:
        name = waiting.pop()
        path = _file(name)
        if path is None or name in found:
            continue
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
        for stands_for in _imported(found[name]).values():
            waiting += [stands_for, stands_for.rpartition(".")[0]]
    return found


def _dotted(node: ast.AST) -> list[str]:
    """The names of `a.b.c`; nothing where it begins with anything but a name."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute) and (before := _dotted(node.value)):
        return [*before, node.attr]
    return []


def _refused(tree: ast.AST) -> Iterator[str]:
    """What the sandbox would not let a workflow do, were the module its own."""
    matcher, context = SandboxRestrictions.invalid_module_members_default, RestrictionContext()
    context.is_runtime = True
    names = _imported(tree)
    for node in ast.walk(tree):
        first, *rest = _dotted(node) or [""]
        if first in names:
            path = [*names[first].split("."), *rest]
        elif first in vars(builtins) and isinstance(getattr(node, "ctx", None), ast.Load):
            path = ["__builtins__", first]
        else:
            continue
        # What it only warns of when called counts as well.
        if any(matcher.match_access(context, *path, *called, include_use=True) for called in ((), ("__call__",))):
            yield f"line {getattr(node, 'lineno', 0)}: {'.'.join(path)}"


CODE = _code()


def test_all_code_of_the_workflows_is_looked_at() -> None:
    ours = {name for name in sys.modules if name.split(".")[0] == "workflows"}
    assert len(CODE) > 60
    assert {"workflows.rollout", "workflows.watch", "models.plan", "models.base"} <= set(CODE)
    assert ours - set(CODE) <= {"workflows"}


@pytest.mark.parametrize("name", sorted(CODE))
def test_workflow_code_reaches_for_nothing_that_the_sandbox_refuses(name: str) -> None:
    assert list(_refused(CODE[name])) == []


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("from datetime import datetime\ndatetime.now()", "datetime.datetime.now"),
        ("import datetime as d\nd.datetime.utcnow()", "datetime.datetime.utcnow"),
        ("from datetime import date\ntoday = date.today", "datetime.date.today"),
        ("import random\nrandom.random()", "random.random"),
        ("from uuid import uuid4\nnew = uuid4", "uuid.uuid4"),
        ("def f():\n    import time\n    return time.monotonic()", "time.monotonic"),
        ("import os\nos.environ['HOME']", "os.environ"),
        ("open('facts.csv')", "__builtins__.open"),
        ("import asyncio\nasyncio.wait(())", "asyncio.wait"),
    ],
)
def test_what_it_must_not_reach_for_is_recognised(code: str, what: str) -> None:
    assert any(one.endswith(f": {what}") for one in _refused(ast.parse(code))), list(_refused(ast.parse(code)))


def _changeable(holder: ModuleType | type, but: Collection[str] = ()) -> list[str]:
    found = vars(holder).items()
    return [name for name, value in found if type(value) in MUTABLE and not name.startswith("__") and name not in but]


def test_nothing_of_the_modules_that_workflows_stand_in_can_change() -> None:
    """What one workflow wrote there all others would see."""
    for workflow in WORKFLOWS:
        name = workflow.__module__
        assert _changeable(sys.modules[name], _imported(CODE[name])) == []
        for one in workflow.__mro__[:-1]:
            assert _changeable(one) == []


@pytest.mark.parametrize("name", sorted(CODE))
def test_workflow_code_changes_no_global(name: str) -> None:
    assert not [node for node in ast.walk(CODE[name]) if isinstance(node, ast.Global)]
