"""The demonstration as a newcomer runs it: the whole story, exit code 0, and nothing left behind."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

STORY = (
    "Decision log opened",
    "Entered pilot",
    "Paused (guardrail): Lead follow-up SLA of pilot",
    "Resume refused: fresh evidence still stands in the way",
    "Resumed",
    "Entered validate",
    "approved validate_to_scale (3 of 3)",
    "Cohort wave-emea enrolled",
    "Cohort wave-amer enrolled",
    "Cohort wave-apac enrolled",
    "Rollout completed: 4 cohorts enrolled",
)
"""What the log tells, in this order."""


@pytest.mark.timeout(300)
def test_the_demonstration_tells_its_whole_story_and_leaves_nothing_behind(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("rollouts")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ROLLOUTS_", "TEMPORAL_"))}
    done = subprocess.run(
        [program, "demo"], cwd=tmp_path, env=kept, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "confirmed ownership as finance_owner" in done.stdout
    assert "Baselines measured: 30 of 30 have a value" in done.stdout
    at = 0
    for line in STORY:
        found = done.stdout.find(line, at)
        assert found >= 0, f"{line!r} does not follow in\n{done.stdout}"
        at = found
    home = Path(done.stderr.rpartition("--dir ")[2].split()[0])
    assert home.is_absolute()
    assert not home.exists()
    assert not _processes_of(home)


def _processes_of(home: Path) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return [one for one in found if str(home) in one]
