"""The locks: complete hashes, nothing of this machine, and nothing in production that only tests need."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
JUDGES = "bench/judges.lock"
LOCKS = ("requirements.lock", "requirements-prod.lock", JUDGES)
PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)==([^\s;\\]+)(.*)", re.MULTILINE)


def pins(lock: str) -> dict[str, str]:
    return {name: version for name, version, _ in PIN.findall((ROOT / lock).read_text())}


def project() -> dict[str, object]:
    loaded = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert isinstance(loaded, dict)
    return loaded


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^a-z0-9._-]", requirement)[0] for requirement in requirements}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_of_a_lock_has_a_hash(lock: str) -> None:
    text = (ROOT / lock).read_text()
    blocks = [block for block in re.split(r"\n(?=[a-z0-9])", text) if PIN.match(block)]
    # A package may be pinned twice, for older and newer Pythons.
    assert len(blocks) == len(PIN.findall(text)) > 10
    assert [block for block in blocks if "--hash=sha256:" not in block] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_host_and_no_path(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert re.findall(r"https?:|index-url|find-links|file:|(?:^|\s)/\S+", text) == []


def test_both_locks_agree_on_versions() -> None:
    everything = pins("requirements.lock")
    assert {name: everything.get(name) for name in pins("requirements-prod.lock")} == pins("requirements-prod.lock")


def test_the_locks_hold_what_the_project_asks_for() -> None:
    dependencies = project()["dependencies"]
    extras = project()["optional-dependencies"]
    assert isinstance(dependencies, list)
    assert isinstance(extras, dict)
    assert names(dependencies) <= set(pins("requirements-prod.lock"))
    assert names([*dependencies, *extras["embedded"], *extras["dev"]]) <= set(pins("requirements.lock"))


def test_production_installs_neither_servers_nor_tools() -> None:
    extras = project()["optional-dependencies"]
    assert isinstance(extras, dict)
    # The Temporal SDK itself asks for these stubs.
    only_here = names([*extras["embedded"], *extras["dev"]]) - {"types-protobuf"}
    assert only_here & set(pins("requirements-prod.lock")) == set()


def test_what_benches_compare_with_is_locked_as_asked_for_and_in_no_other_lock() -> None:
    asked = {name: version for name, version, _ in PIN.findall((ROOT / "bench/judges.in").read_text())}
    assert asked.items() <= pins(JUDGES).items()
    assert asked.keys() & (pins("requirements.lock").keys() | pins("requirements-prod.lock").keys()) == set()
    assert len(asked) == 2
