"""Children that end at any moment are collected by whoever finds out."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import psutil
import pytest

from deploy.embedded import processes
from deploy.embedded.processes import ProcessIdentity, end, identify, spawn


async def test_a_child_that_ends_just_as_it_is_looked_at_is_collected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise Python complains of it when it ends itself."""
    child = spawn(("sleep", "60"), tmp_path / "log")

    def ends_first(pid: int) -> ProcessIdentity | None:
        os.kill(pid, signal.SIGKILL)
        while psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            pass
        return identify(pid)

    monkeypatch.setattr(processes, "identify", ends_first)
    async with asyncio.timeout(60):
        assert await end(child, (signal.SIGTERM, 0.0))
    assert child.pid not in processes._children
    assert not psutil.pid_exists(child.pid)
