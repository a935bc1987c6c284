"""A worker on real servers: it starts on a bare namespace, works, tells how it is, and ends without losing anything."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client, WorkflowExecutionStatus

from models.names import ROLLOUT, WATCH_ID, rollout_workflow_id
from models.work import RolloutInput, WatchView
from tests.plans import make_plan
from tests.worker.process import gate, patiently, started
from workflows.attributes import SEARCH_ATTRIBUTES

WAITING = "select true from pg_stat_activity where wait_event_type = 'Lock' and query ~* 'insert into rollout'"


async def test_on_a_bare_namespace_it_registers_the_search_attributes_and_starts_the_watch(
    folder: Path, settings: dict[str, str], client: Client
) -> None:
    request = ListSearchAttributesRequest(namespace=client.namespace)
    before = (await client.operator_service.list_search_attributes(request)).custom_attributes
    ours = {key.name: int(key.indexed_value_type) for key in SEARCH_ATTRIBUTES}
    assert not ours.keys() & before.keys()
    async with started(folder, settings) as worker:
        await worker.until_said("worker started")
        after = (await client.operator_service.list_search_attributes(request)).custom_attributes
        assert {name: after[name] for name in ours} == ours

        async def looked() -> WatchView | None:
            view: WatchView = await client.get_workflow_handle(WATCH_ID).query("status", result_type=WatchView)
            return view if view.last else None

        assert (await patiently(looked)).problem is None


async def test_it_is_ready_while_its_servers_answer_and_alive_all_the_time(
    folder: Path, settings: dict[str, str]
) -> None:
    address = urlsplit(settings["ROLLOUTS_DATABASE_DSN"])
    assert address.port is not None
    async with gate(address.port) as database:
        dsn = settings["ROLLOUTS_DATABASE_DSN"].replace(address.netloc.rpartition("@")[2], database.address)
        async with started(folder, settings | {"ROLLOUTS_DATABASE_DSN": dsn}) as worker:
            await worker.until_said("worker started")
            assert await worker.ready() == (200, {"temporal": "ok", "postgresql": "ok", "worker": "ok"})

            await database.shut()
            status, checks = await worker.ready()
            assert status == 503
            assert checks["temporal"] == checks["worker"] == "ok"
            assert "Connect" in checks["postgresql"]
            assert (await worker.ask("ROLLOUTS_HEALTH_BIND", "/healthz"))[0] == 200

            await database.open()

            async def ready() -> bool | None:
                return (await worker.ready())[0] == 200 or None

            await patiently(ready)
            assert address.password
            assert address.password not in worker.text


async def test_started_before_its_servers_it_waits_for_them(folder: Path, settings: dict[str, str]) -> None:
    port = int(settings["TEMPORAL_ADDRESS"].rpartition(":")[2])
    async with (
        gate(port, shut=True) as temporal,
        started(folder, settings | {"TEMPORAL_ADDRESS": temporal.address}) as worker,
    ):
        told = await worker.until_said(f"Temporal at {temporal.address} cannot be used yet")
        assert told["problem"] == "Connection refused"
        status, checks = await worker.ready()
        assert status == 503
        assert set(checks.values()) == {"ConnectionError: not connected yet"}
        await temporal.open()
        await worker.until_said("worker started")
        assert (await worker.ready())[0] == 200


async def test_told_to_stop_while_it_waits_it_stops(folder: Path, settings: dict[str, str]) -> None:
    async with gate(1, shut=True) as nowhere:
        changed = settings | {"TEMPORAL_ADDRESS": nowhere.address, "ROLLOUTS_WAIT_FOR_SERVERS": "1h"}
        async with started(folder, changed) as worker:
            await worker.until_said("cannot be used yet")
            worker.process.send_signal(signal.SIGTERM)
            assert await worker.end() == 0
            assert worker.said("worker stopped before it had started")


@asynccontextmanager
async def held_up(dsn: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """Nobody registers a rollout while inside; the connection tells who waits for that."""
    holder, watcher = await asyncpg.connect(dsn), await asyncpg.connect(dsn)
    try:
        async with holder.transaction():
            await holder.execute("lock table rollout in access exclusive mode")
            yield watcher
    finally:
        await holder.close()
        await watcher.close()


@pytest.mark.parametrize(
    ("number", "program"),
    [(signal.SIGINT, "python -m worker"), (signal.SIGTERM, "rollouts worker run")],
)
async def test_told_to_stop_it_finishes_what_it_does(
    folder: Path, settings: dict[str, str], client: Client, number: signal.Signals, program: str
) -> None:
    plan = make_plan()
    async with started(folder, settings, program) as worker:
        await worker.until_said("worker started")
        async with held_up(settings["ROLLOUTS_DATABASE_DSN"]) as connection:
            rollout = await client.start_workflow(
                ROLLOUT,
                RolloutInput(plan=plan),
                id=rollout_workflow_id(plan.id),
                task_queue=settings["ROLLOUTS_TASK_QUEUE"],
            )

            async def registering() -> bool | None:
                found: bool | None = await connection.fetchval(WAITING)
                return found

            await patiently(registering)
            worker.process.send_signal(number)
            await worker.until_said("worker stopping")
            status, checks = await worker.ready()
            assert (status, checks["worker"]) == (503, "ConnectionError: stopping")
            assert worker.process.returncode is None
        assert await worker.end() == 0
        assert worker.lines()[-1]["event"] == "worker stopped"
        assert not worker.said("activity failed")
    history = await rollout.fetch_history()
    done = [event for event in history.events if event.HasField("activity_task_completed_event_attributes")]
    begun = [event for event in history.events if event.HasField("activity_task_started_event_attributes")]
    assert len(done) == 1
    assert [one.activity_task_started_event_attributes.attempt for one in begun] == [1]
    assert (await rollout.describe()).status is WorkflowExecutionStatus.RUNNING
