"""A worker's name is short enough to stand in every task of a history, and tells an operator which worker it was."""

from __future__ import annotations

import os

import pytest

from worker.called import called


@pytest.mark.parametrize(
    ("host", "process", "name"),
    [
        ("partner-rollouts-worker-5d9c7b6f4-x2x9z", 1, "x2x9z"),
        ("partner-rollouts-worker-0", 1, "worker-0"),
        ("partner-rollouts-effects-5d9c7b6f4-q8k7w", 1, "q8k7w"),
        ("worker-0", 1, "worker-0"),
        ("3f1c9a7be204", 1, "3f1c9a7be204"),
        ("vm", 31242, "31242@vm"),
        ("rollouts-production-eu-7", 812, "812@production-eu-7"),
        ("a.host.whose.name.has.no.dash.at.all", 5, "5@a.host.whose.name.has.no.dash.at.all"),
    ],
)
def test_a_name_keeps_what_tells_a_worker_from_others(host: str, process: int, name: str) -> None:
    assert called(host, process) == name
    assert host.endswith(name.partition("@")[2] or name)


def test_it_is_this_host_and_process_where_nobody_says_otherwise() -> None:
    assert called().startswith(f"{os.getpid()}@")
