"""No test lasts for ever, be it the first try of it, the second one, or what it leaves behind.

Three limits stand one behind the other, each for what the one before cannot end:

1. A coroutine that is waiting is cancelled by its own event loop, so that the failure says where it stood and what it
   had open is closed. Left to a signal it would go on in the loop, beside its second try.
2. pytest-timeout raises in whatever runs: a fixture, a test without a loop, one that does not mind being cancelled.
   It sets its timer once a test and takes it back at the first failure; here it is set for every phase of every try.
3. A process in which neither came through, because an exception of a signal was taken for one of a callback's or
   nothing of Python is run, says where all its threads are and ends. What ran counts as failed, the rest goes on.
"""

from __future__ import annotations

import asyncio
import faulthandler
import functools
import inspect
import os
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

CANCELLED_AT = 0.9
"""The part of a test's time after which its own loop ends it."""

GRACE = 30.0
"""Seconds that a process has to do what a signal asked of it."""

_SET = pytest.StashKey[Any]()
_STDERR = pytest.StashKey[int]()


def pytest_configure(config: pytest.Config) -> None:
    """Keep the true stderr: while a test runs, what is written to the usual one is kept for its report."""
    capture = config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        config.stash[_STDERR] = os.dup(2)


@pytest.hookimpl(tryfirst=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: Any) -> None:
    """Remember how pytest-timeout would have it, and let it."""
    item.stash[_SET] = settings


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    _anew(item)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    _anew(item)
    if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj) and item.stash.get(_SET, None):
        item.obj = _cancelled(item.obj, CANCELLED_AT * item.stash[_SET].timeout)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    _anew(item)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """What goes on after the last test has its time, too."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        _or_end(session.config, float(session.config.getini("timeout")))


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """Who is through before the others are waits for them without a limit of its own."""
    faulthandler.cancel_dump_traceback_later()


def _anew(item: pytest.Item) -> None:
    settings = item.stash.get(_SET, None)
    if settings is None:
        return
    item.ihook.pytest_timeout_cancel_timer(item=item)
    item.ihook.pytest_timeout_set_timer(item=item, settings=settings)
    _or_end(item.config, settings.timeout)


def _or_end(config: pytest.Config, seconds: float) -> None:
    faulthandler.dump_traceback_later(seconds + GRACE, exit=True, file=config.stash[_STDERR])


def _cancelled(test: Callable[..., Awaitable[None]], seconds: float) -> Callable[..., Awaitable[None]]:
    if hasattr(test, "hypothesis") or hasattr(test, "__limited__"):
        return test

    @functools.wraps(test)
    async def limited(*args: Any, **kwargs: Any) -> None:
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                await test(*args, **kwargs)
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise TimeoutError(f"not through after {seconds:g} s; where it stood is the first traceback") from error

    limited.__limited__ = True  # type: ignore[attr-defined]
    return limited
