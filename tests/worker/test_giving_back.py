"""A worker gives free memory back for as long as it works, wherever the C library can."""

from __future__ import annotations

import asyncio
import ctypes
import inspect
import sys
from collections.abc import Callable
from datetime import timedelta

import pytest

import worker.main
from tests.worker.process import PATIENCE
from worker.giving_back import giving_back, trim
from worker.running import beside
from worker.settings import load_settings


async def test_it_is_given_back_again_and_again_until_the_worker_ends() -> None:
    given: list[int] = []
    often = asyncio.Event()
    loop = asyncio.get_running_loop()

    def give() -> None:
        given.append(1)
        if len(given) == 3:
            loop.call_soon_threadsafe(often.set)

    work = giving_back(give, timedelta(0))
    async with beside(work):
        await asyncio.wait_for(often.wait(), 60)
    assert inspect.getcoroutinestate(work) == inspect.CORO_CLOSED


async def test_a_worker_gives_back_while_it_works(
    settings: dict[str, str], own_environment: pytest.MonkeyPatch, own_logging: None
) -> None:
    for name, value in settings.items():
        own_environment.setenv(name, value)
    given: list[object] = []
    stop = asyncio.Event()

    async def noticed(give: Callable[[], object] | None) -> None:
        given.append(give)
        try:
            stop.set()
            await asyncio.Event().wait()
        finally:
            given.append("ended")

    def ours() -> None:
        """In place of what the C library has for it."""

    own_environment.setattr(worker.main, "trim", lambda: ours)
    own_environment.setattr(worker.main, "giving_back", noticed)
    async with asyncio.timeout(PATIENCE):
        # Where it does not give back, nothing stops it.
        assert await worker.main.run_worker(load_settings(), stop=stop) == 0
    assert given == [ours, "ended"]


async def test_where_nothing_can_be_given_back_it_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    assert trim() is None
    await asyncio.wait_for(giving_back(trim()), 60)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="another C library")
def test_the_c_library_is_asked_for_it() -> None:
    give = trim()
    if give is None:
        pytest.skip("another C library")
    assert give() in (0, 1)
