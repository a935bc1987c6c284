"""Before a release is put to work it replays what is open, and finds what it could not advance."""

from __future__ import annotations

from uuid import uuid4

import pytest
from temporalio.client import Client
from temporalio.worker import Worker

from models.names import WATCH, WATCH_ID
from models.work import WatchInput
from tests.worker.others import OtherWatch
from tests.worker.process import patiently
from worker.replay import replay_open


def in_another_release(client: Client) -> Client:
    """The same connection without the plugin that would bring this release's workflows."""
    return Client(client.service_client, namespace=client.namespace, data_converter=client.data_converter)


async def first_step(worker: Worker, client: Client) -> None:
    """Start the watch and let it come to its first wait."""
    handle = await client.start_workflow(WATCH, WatchInput(), id=WATCH_ID, task_queue=worker.task_queue)

    async def taken() -> bool | None:
        return (await handle.describe()).history_length > 3 or None

    async with worker:
        await patiently(taken)


async def replayed(client: Client, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Exit code and output, as soon as the server lists what is open, which takes it a moment."""

    async def look() -> tuple[int, str] | None:
        code, said = await replay_open(client), capsys.readouterr().out
        return None if "nothing was tried" in said else (code, said)

    return await patiently(look)


async def test_what_this_release_began_it_can_go_on_with(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    await first_step(Worker(client, task_queue=f"queue-{uuid4().hex[:8]}"), client)
    code, said = await replayed(client, capsys)
    assert (code, said) == (0, f"namespace {client.namespace}: 1 of 1 open histories replay\n")


async def test_a_history_that_this_release_would_not_have_made_is_named(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    other = in_another_release(client)
    await first_step(Worker(other, task_queue=f"queue-{uuid4().hex[:8]}", workflows=[OtherWatch]), other)
    code, said = await replayed(client, capsys)
    assert code == 1
    assert said.startswith(f"{WATCH_ID}: does not replay: ")
    assert "Nondeterminism" in said
    assert said.endswith(f"namespace {client.namespace}: 0 of 1 open histories replay\n")


async def test_nothing_to_replay_is_no_pass(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    assert await replay_open(client) == 1
    assert "nothing was tried" in capsys.readouterr().out
