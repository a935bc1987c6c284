"""Whatever a test does, the run of all tests ends and says which one it was."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SETTINGS = """
[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = session
asyncio_default_test_loop_scope = session
timeout = 2
"""
# Of two seconds a tenth is no time to tell a failure in, where others use the processors as well.
GRACE = """
from tests import limits
limits.GRACE = 5.0
limits.CANCELLED_AT = 0.4
"""
BEGINNING = """
import asyncio, signal, threading
import pytest
tries = 0

def first():
    global tries
    tries += 1
    return tries == 1
"""
WAITS = """
closed = []

async def test_one():
    assert not first()
    try:
        await asyncio.Event().wait()
    finally:
        closed.append(True)

def test_other():
    assert closed
"""
BLOCKS = """
def test_one():
    assert not first()
    threading.Event().wait()

def test_other():
    pass
"""
DOES_NOT_MIND = """
def test_one():
    assert not first()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    threading.Event().wait()

def test_other():
    pass
"""
LEAVES = """
@pytest.fixture
def thing():
    yield
    if first():
        threading.Event().wait()

def test_one(thing):
    assert False

def test_other():
    pass
"""
ENDS_LATE = """
@pytest.fixture(scope="session")
async def thing():
    yield
    await asyncio.Event().wait()

def test_other(thing):
    pass

def test_one(thing):
    assert False
"""


def _run(tmp_path: Path, text: str) -> tuple[int, str]:
    """Its tests as `make test` runs them, with a time of two seconds each."""
    (tmp_path / "pytest.ini").write_text(SETTINGS)
    (tmp_path / "conftest.py").write_text(GRACE)
    (tmp_path / "test_it.py").write_text(BEGINNING + text)
    arguments = [
        "-p",
        "tests.limits",
        "--numprocesses",
        "1",
        "--dist",
        "loadfile",
        "--reruns",
        "1",
        "--rerun-show-tracebacks",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", str(tmp_path / "pytest.ini"), *arguments, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(WAITS, "not through after 0.8 s", id="a coroutine that waits"),
        pytest.param(BLOCKS, "Timeout (>2.0s) from pytest-timeout", id="a call that blocks"),
        pytest.param(DOES_NOT_MIND, "crashed while running 'test_it.py::test_one'", id="one that minds no signal"),
        pytest.param(LEAVES, "Timeout (>2.0s) from pytest-timeout", id="a fixture that does not end"),
        pytest.param(ENDS_LATE, "Timeout (>2.0s) from pytest-timeout", id="one of the whole run"),
    ],
)
def test_what_stands_still_at_the_second_try_or_later_is_ended_and_named(tmp_path: Path, text: str, said: str) -> None:
    code, output = _run(tmp_path, text)
    assert code == 1, output
    assert "test_one" in output
    assert said in output
    assert "1 passed" in output, output
