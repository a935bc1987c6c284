"""A worker ends with its block: also when its core does not, and the block ends with it when it breaks."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker

from tests.worker.process import patiently
from worker.running import taking_work


@activity.defn
async def nothing() -> None:
    """Somebody must have something to do."""


def a_worker(client: Client) -> Worker:
    return Worker(client, task_queue=f"queue-{uuid4().hex[:8]}", activities=[nothing])


async def runs(worker: Worker) -> None:
    """It does so once the server has told it of its namespace."""

    async def look() -> bool | None:
        return worker.is_running or None

    await patiently(look, lambda: "it does not begin")


async def test_a_worker_ends_with_its_block(client: Client) -> None:
    worker = a_worker(client)
    async with taking_work(worker):
        await runs(worker)
    assert worker.is_shutdown


async def test_a_core_that_does_not_end_is_left(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    worker, forever = a_worker(client), asyncio.Event()
    ends = worker._bridge_worker.finalize_shutdown

    async def never() -> None:
        await forever.wait()

    monkeypatch.setattr(worker._bridge_worker, "finalize_shutdown", never)
    # All but that last step of the core is done in that time.
    async with asyncio.timeout(60), taking_work(worker, timedelta(seconds=3)):
        await runs(worker)
    assert worker.is_shutdown
    await ends()


async def test_what_breaks_a_worker_ends_the_block_and_is_raised(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = a_worker(client)

    async def broken() -> None:
        raise RuntimeError("no such namespace")

    monkeypatch.setattr(worker._bridge_worker, "validate", broken)
    with pytest.raises(RuntimeError, match="no such namespace"):
        async with taking_work(worker):
            await asyncio.sleep(60)


async def test_what_breaks_the_block_ends_the_worker_and_is_raised(client: Client) -> None:
    worker = a_worker(client)

    async def ours() -> None:
        async with taking_work(worker):
            await runs(worker)
            raise ValueError("ours")

    with pytest.raises(ValueError, match="ours"):
        await ours()
    assert worker.is_shutdown
