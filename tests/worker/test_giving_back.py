"""A worker gives free memory back for as long as it works, wherever the C library can."""

from __future__ import annotations

import asyncio
import ctypes
import inspect
import sys
from datetime import timedelta

import pytest

from worker.giving_back import giving_back, trim
from worker.running import beside


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
