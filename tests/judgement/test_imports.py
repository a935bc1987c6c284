"""What judgement stands on: numpy, scipy.special and the models; imported when a worker starts, and by no terminal."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ALLOWED = {"numpy", "numpy.typing", "scipy.special"}
OURS = {"judgement", "models"}


def imported(path: Path) -> set[str]:
    """Names of the modules that a file imports from."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


@pytest.mark.parametrize("path", sorted((ROOT / "judgement").glob("*.py")), ids=lambda path: path.name)
def test_judgement_imports_numbers_and_models_and_nothing_else(path: Path) -> None:
    outside = {
        name
        for name in imported(path)
        if name.split(".")[0] not in OURS | set(sys.stdlib_module_names) and name not in ALLOWED
    }
    assert not outside


@pytest.mark.parametrize(("program", "loads"), [("worker.main", True), ("cli.main", False)])
def test_numbers_are_loaded_when_a_worker_starts_and_not_for_a_terminal(program: str, loads: bool) -> None:
    code = f"import sys, {program}; print('numpy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == str(loads)
