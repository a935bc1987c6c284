"""A run that the time-skipping server has lost is recognised and begun anew, a few times and not for ever."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.service import RPCError, RPCStatusCode

from cli.backtest import running
from cli.backtest.owners import ScriptedOwners
from cli.backtest.running import ATTEMPTS, NotRun, run_over
from cli.backtest.server import Stranded
from models.backtest import Trace
from models.names import WATCH_ID
from models.script import Script
from tests.cli.backtest.worlds import plan, span

STARTED = EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED
COMPLETED = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
BEGINS = datetime(2025, 4, 1, tzinfo=UTC)


class Lost:
    """A run that the server loses so many times before it answers."""

    def __init__(self, times: int, failed: str | None = None) -> None:
        self.left = times
        self._failed = failed

    async def __call__(self, *given: Any) -> Trace:
        if self.left:
            self.left -= 1
            raise Stranded("a worker's task stays open", self._failed)
        return Trace(plan(), BEGINS, BEGINS, "completed", "", {}, (), (), ())


async def test_a_lost_run_is_begun_anew_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_once", Lost(2))
    told: list[str] = []
    ran = await run_over("dsn", plan(), Script(), span("2025-04-01", 3), lambda done, total: None, told.append)
    assert ran.begun == 3
    assert len(told) == 2
    assert all("sdk-java#3088" in one for one in told)


async def test_one_that_is_lost_every_time_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = Lost(100)
    monkeypatch.setattr(running, "_once", lost)
    with pytest.raises(NotRun, match=f"{ATTEMPTS} times"):
        await run_over("dsn", plan(), Script(), span("2025-04-01", 3), lambda done, total: None, lambda text: None)
    assert lost.left == 100 - ATTEMPTS


async def test_one_that_could_never_begin_its_log_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_once", Lost(100, "StoreUnavailable: read-only"))
    with pytest.raises(NotRun, match=f"could not begin its log: StoreUnavailable: read-only; .* {ATTEMPTS} times"):
        await run_over("dsn", plan(), Script(), span("2025-04-01", 3), lambda done, total: None, lambda text: None)


class Clock:
    """A server whose clock stands still for so many real seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def sleep(self, wait: timedelta) -> None:
        await asyncio.sleep(self._seconds)


class Server:
    """A client whose every workflow has this history; those that are `gone` are not known to the server."""

    def __init__(self, *kinds: int, gone: bool = False) -> None:
        self._kinds = kinds
        self.gone = gone
        self.watch: Server | None = None

    def get_workflow_handle(self, workflow_id: str) -> Server:
        return self.watch if self.watch is not None and workflow_id == WATCH_ID else self

    async def fetch_history(self) -> Any:
        if self.gone:
            raise RPCError("execution not found", RPCStatusCode.NOT_FOUND, b"")
        events = [SimpleNamespace(event_type=kind, event_id=number) for number, kind in enumerate(self._kinds, 1)]
        return SimpleNamespace(events=events)


def _run(clock: Any, server: Any) -> Any:
    """A run beside hand-written ends of the outside world; it asks no store."""
    owners, no_store = ScriptedOwners(plan(), Script(), BEGINS), cast("Any", None)
    return running._Run(clock, server, no_store, plan(), owners)


async def test_a_task_that_stays_open_while_no_time_passes_is_a_lost_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "QUIET", 0.02)
    with pytest.raises(Stranded):
        await asyncio.wait_for(_run(Clock(60), Server(STARTED, COMPLETED, STARTED))._pass(timedelta(days=1)), 60)


async def test_slow_work_is_no_lost_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "QUIET", 0.02)
    await asyncio.wait_for(_run(Clock(0.2), Server(STARTED, COMPLETED))._pass(timedelta(days=1)), 60)


async def test_a_watch_that_has_not_begun_is_not_lost_and_one_that_had_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rollout that cannot be registered has no watch, and says why it cannot."""
    monkeypatch.setattr(running, "QUIET", 0.02)
    server = Server(STARTED, COMPLETED)
    server.watch = Server(STARTED, COMPLETED, gone=True)
    run = _run(Clock(0.2), server)
    await asyncio.wait_for(run._pass(timedelta(days=1)), 60)
    server.watch.gone = False
    await asyncio.wait_for(run._pass(timedelta(days=1)), 60)
    server.watch.gone = True
    with pytest.raises(Stranded):
        await asyncio.wait_for(run._pass(timedelta(days=1)), 60)
