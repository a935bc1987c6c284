"""Every command in the documents does what a reader expects, and every link leads somewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.documents import DOCUMENTS, ROOT, Command, commands, links
from tests.memory import server_directory

PROGRAM = Path(sys.executable).with_name("rollouts")
WAITS, PAUSED, UNFINISHED = 3, 4, 8
"""Exit codes of `get`, `explain` and `backtest` that tell of a person who is awaited, of days that are over, and of
nothing wrong."""


def _mentions(program: str) -> list[Path]:
    return [document for document in DOCUMENTS if any(program in one.text for one in commands(document))]


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_every_link_leads_to_a_file(document: Path) -> None:
    missing = [target for target in links(document) if not (ROOT / document).parent.joinpath(target).exists()]
    assert not missing


@pytest.mark.parametrize("document", _mentions("make"), ids=str)
def test_every_make_target_exists(document: Path) -> None:
    for command in commands(document):
        if command.text.startswith("make "):
            target = command.text.split()[1]
            done = _run(f"make --dry-run --always-make {target}", ROOT, {})
            assert done.returncode == 0, f"{document}: {command.text}: {done.stderr}"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """A reader's directory, with the examples in it and the program on the path; servers end with it."""
    home = server_directory("partner-rollouts-docs-")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / ".venv").symlink_to(PROGRAM.parents[1])
    own = {"ROLLOUTS_HOME": str(home), "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}"}
    yield tmp_path, own
    assert _run("rollouts down", tmp_path, own).returncode == 0
    shutil.rmtree(home)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("document", _mentions("rollouts "), ids=str)
def test_commands_run_in_the_order_in_which_they_are_read(document: Path, desk: tuple[Path, dict[str, str]]) -> None:
    directory, own = desk
    for command in commands(document):
        if command.text.startswith("make ") or _is_for_later(command):
            continue
        done = _run(_bounded(command.text), directory, own)
        fine = (0, WAITS, PAUSED, UNFINISHED) if re.search(r"rollouts (get|explain|backtest)\b", command.text) else (0,)
        assert done.returncode in fine, f"{document}: {command.text}: {done.returncode}\n{done.stdout}{done.stderr}"


def _is_for_later(command: Command) -> bool:
    """The last thing a reader does is what the fixture does for all documents."""
    return command.text.endswith("rollouts down")


def _bounded(text: str) -> str:
    """Somebody who watches a rollout has seen enough after a while."""
    return f"{text} --timeout 3" if re.search(r"rollouts get .*-w\b", text) else text


def _run(text: str, directory: Path, own: dict[str, str]) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ROLLOUTS_", "TEMPORAL_"))}
    return subprocess.run(
        ["/bin/sh", "-c", text], cwd=directory, env=kept | own, capture_output=True, text=True, timeout=600, check=False
    )
