"""Where servers of tests keep their data."""

from __future__ import annotations

import pytest

from deploy.embedded.account import server_account
from tests import memory


@pytest.mark.parametrize("plenty", [0, 2**62])
def test_a_server_s_directory_is_one_that_its_account_passes_through(
    plenty: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "PLENTY", plenty)
    path = memory.server_directory("partner-rollouts-tests-")
    try:
        assert server_account().can_reach(path / "cluster")
        assert (memory.MEMORY in path.parents) is (plenty == 0 and memory.MEMORY.is_dir())
    finally:
        path.rmdir()
