"""Every bench runs, at a size that only shows that it works, and prints each figure beside what it is compared with."""

from __future__ import annotations

import asyncio
import json
import math
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import PIPE, STDOUT
from typing import Any

import pytest

from cli.output import Exit
from deploy.embedded.account import temporary_directory
from deploy.embedded.processes import ProcessIdentity, identify, is_alive
from tests.programs import GOODBYE, run_to_end
from tests.worker.process import patiently

ROOT = Path(__file__).parents[2]
HALVES = (
    ("history", "replay", "crowded", "scale", "judgement"),
    ("approval", "reaction", "watch", "intake", "events", "pages", "takeover"),
)
"""Each runs in a process of its own, side by side; the first two share a simulated rollout."""

HUNG = 900.0
"""Seconds after which one of the two is taken for hung; together they take a small part of that."""

NAMES = tuple(name for half in HALVES for name in half)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench", *arguments]
    return run_to_end(command, seconds=HUNG, cwd=ROOT)


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """What all of them found, and the machine they say they ran on."""
    with ThreadPoolExecutor() as threads:
        runs = list(threads.map(lambda half: run(*half, "--quick", "-o", "json"), HALVES))
    assert [done.returncode for done in runs] == [0, 0], [done.stderr for done in runs]
    first, second = (json.loads(done.stdout)["data"] for done in runs)
    return {**first, "benches": first["benches"] | second["benches"]}


@pytest.mark.timeout(HUNG + 2 * GOODBYE)
@pytest.mark.parametrize("name", NAMES)
def test_a_bench_prints_the_ratio_to_what_it_is_compared_with(name: str, found: dict[str, Any]) -> None:
    comparisons = found["benches"][name]["comparisons"]
    assert comparisons
    for one in comparisons:
        assert one["against"]
        assert math.isfinite(one["ratio"])
        # Of a dozen rollouts none may have been paused falsely; nothing takes no time.
        assert one["ratio"] > 0 or one["unit"] == "%"


@pytest.mark.timeout(HUNG + 2 * GOODBYE)
@pytest.mark.parametrize("whose", ["", " of the usual plan"], ids=["example", "usual"])
def test_the_history_of_a_fortnight_keeps_its_size(whose: str, found: dict[str, Any]) -> None:
    """324 events and 63 KiB of the example plan, 330 and 61 of the usual one: what a release adds to a history shows
    here long before 90 days of it miss their bars. The same each time but for a timer more or less, and for digits."""
    sizes = {one["what"]: one["ours"] for one in found["benches"]["history"]["comparisons"]}
    [days] = {
        what.removeprefix("bytes in ") for what in sizes if what.startswith("bytes in ") and _whose(what) == whose
    }
    [[events], [kib]] = sizes[f"events in {days}"], sizes[f"bytes in {days}"]
    assert 250 < events <= 345
    assert 50 < kib <= 66


def _whose(what: str) -> str:
    """The plan that a comparison is about, as it is named behind the days."""
    return what.partition(" days")[2]


@pytest.mark.timeout(HUNG + 2 * GOODBYE)
def test_a_run_says_what_its_figures_depend_on(found: dict[str, Any]) -> None:
    assert {"at", "cores", "load", "Python", "temporalio"} <= set(found["machine"])
    assert found["quick"] is True


@pytest.mark.timeout(HUNG + 2 * GOODBYE)
def test_a_bench_that_is_told_to_end_ends_its_servers() -> None:
    folder = temporary_directory()
    command = [sys.executable, "-m", "bench", "intake", "--quick"]
    places = {**os.environ, "TMPDIR": str(folder)}
    with subprocess.Popen(command, stdout=PIPE, stderr=STDOUT, text=True, cwd=ROOT, env=places) as process:

        async def server() -> ProcessIdentity | None:
            pids = [file.read_text().partition("\n")[0] for file in folder.glob("*/postgres/**/postmaster.pid")]
            # While the data are made, that of another process stands there, below zero.
            return identify(int(pids[0])) if pids and pids[0].isdigit() else None

        started = asyncio.run(patiently(server, lambda: "no server came"))
        process.terminate()
        said, _ = process.communicate(timeout=GOODBYE)
    assert process.returncode == Exit.INTERRUPTED, said
    assert "its servers are ended as well" in said
    assert not is_alive(started)
    assert list(folder.iterdir()) == []


def test_every_bench_is_listed_with_what_it_measures() -> None:
    done = run("--list")
    lines = done.stdout.splitlines()[1:]
    assert sorted(line.split()[0] for line in lines) == sorted(NAMES)
    assert all(", against " in line for line in lines)


def test_an_unknown_bench_is_refused_with_the_names_there_are() -> None:
    done = run("histroy")
    assert done.returncode == 2
    assert done.stdout == ""
    assert all(name in done.stderr for name in ("histroy", *NAMES))
