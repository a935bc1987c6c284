"""Both servers together: up once, down for its own processes only, whatever the state file says."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import stat
import sys

import asyncpg
import pytest
from temporalio.client import Client

import deploy.embedded.temporal
from deploy.embedded.errors import AlreadyRunningError, StartFailedError
from deploy.embedded.processes import free_port, identify, is_alive
from deploy.embedded.stack import Condition, EmbeddedStack, StackState
from deploy.embedded.temporal import EmbeddedTemporal


def pids(state: StackState) -> set[int]:
    return {server.process.pid for server in state.servers}


async def test_up_status_down_and_up_again_with_the_data_of_before(stack: EmbeddedStack) -> None:
    # The very first time: there is no such directory yet.
    shutil.rmtree(stack.directory)
    assert stack.status().condition is Condition.DOWN
    state = await stack.up()
    status = stack.status()
    assert (status.condition, status.state, status.missing) == (Condition.UP, state, ())
    connection = await asyncpg.connect(state.dsn)
    await connection.execute("CREATE TABLE kept ()")
    await connection.close()
    client = await Client.connect(state.temporal_address, namespace=state.namespace)
    await client.start_workflow("Waiting", id="waiting", task_queue="nobody")

    assert await stack.down() == ("Temporal", "PostgreSQL")

    assert [is_alive(server.process) for server in state.servers] == [False, False]
    assert stack.status().condition is Condition.DOWN
    assert await stack.down() == ()

    again = await stack.up()
    assert pids(again) & pids(state) == set()
    connection = await asyncpg.connect(again.dsn)
    assert await connection.fetchval("SELECT count(*) FROM kept") == 0
    await connection.close()
    client = await Client.connect(again.temporal_address, namespace=again.namespace)
    assert (await client.get_workflow_handle("waiting").describe()).id == "waiting"


async def test_the_servers_outlive_the_command_that_starts_them(stack: EmbeddedStack) -> None:
    # `_exit`, because the SDK's threads may abort an interpreter that winds down.
    script = (
        "import asyncio, os, pathlib, sys; from deploy.embedded.stack import EmbeddedStack\n"
        "asyncio.run(EmbeddedStack(pathlib.Path(sys.argv[1]), fast=True).up()); os._exit(0)"
    )
    command = await asyncio.create_subprocess_exec(sys.executable, "-c", script, str(stack.directory))
    assert await command.wait() == 0
    status = stack.status()
    assert status.condition is Condition.UP
    assert status.state is not None
    client = await Client.connect(status.state.temporal_address)
    assert await client.service_client.check_health()
    connection = await asyncpg.connect(status.state.dsn)
    await connection.close()


async def test_a_second_up_is_refused_and_the_first_lives_on(stack: EmbeddedStack) -> None:
    state = await stack.up()
    with pytest.raises(AlreadyRunningError, match="up already"):
        await EmbeddedStack(stack.directory).up()
    assert stack.status().state == state
    assert [is_alive(server.process) for server in state.servers] == [True, True]


async def test_two_ups_at_the_same_moment_start_one_stack(stack: EmbeddedStack) -> None:
    results = await asyncio.gather(stack.up(), EmbeddedStack(stack.directory, fast=True).up(), return_exceptions=True)
    states = [result for result in results if isinstance(result, StackState)]
    assert len(states) == 1
    assert [type(result) for result in results if result not in states] == [AlreadyRunningError]
    assert stack.status().state == states[0]


async def test_down_leaves_a_process_alone_that_got_a_dead_servers_pid(stack: EmbeddedStack) -> None:
    state = await stack.up()
    await stack.down()
    stranger = await asyncio.create_subprocess_exec("sleep", "60")
    claimed = state.model_copy(
        update={
            "servers": tuple(
                server.model_copy(update={"process": server.process.model_copy(update={"pid": stranger.pid})})
                for server in state.servers
            )
        }
    )
    state_file = stack.directory / "state.json"
    state_file.write_text(claimed.model_dump_json())

    assert stack.status().condition is Condition.DOWN
    assert await stack.down() == ()

    assert stranger.returncode is None
    assert not state_file.exists()
    stranger.kill()
    await stranger.wait()


async def test_the_same_pid_with_another_start_time_is_another_process() -> None:
    process = await asyncio.create_subprocess_exec("sleep", "60")
    identity = identify(process.pid)
    assert identity is not None
    assert is_alive(identity)
    assert not is_alive(identity.model_copy(update={"started": identity.started - 10}))
    assert not is_alive(identity.model_copy(update={"name": "postgres"}))
    process.kill()
    await process.wait()
    assert not is_alive(identity)


async def test_a_state_file_of_a_machine_that_lost_power_does_not_hinder_the_next_up(
    stack: EmbeddedStack,
) -> None:
    state = await stack.up()
    kept = (stack.directory / "state.json").read_bytes()
    await stack.down()
    (stack.directory / "state.json").write_bytes(kept)
    assert stack.status().condition is Condition.DOWN
    again = await stack.up()
    assert pids(again) & pids(state) == set()
    assert stack.status().condition is Condition.UP


async def test_servers_are_found_and_ended_when_the_state_file_is_damaged(stack: EmbeddedStack) -> None:
    state = await stack.up()
    for damage in (b"", b'{"format": 1, "started_at":', b'{"format": 99}'):
        (stack.directory / "state.json").write_bytes(damage)
        status = stack.status()
        assert status.condition is Condition.BROKEN
        assert {server.process for server in status.running} == {server.process for server in state.servers}
    assert await stack.down() == ("Temporal", "PostgreSQL")
    assert [is_alive(server.process) for server in state.servers] == [False, False]


async def test_a_server_that_died_shows_and_up_mends_it(stack: EmbeddedStack) -> None:
    state = await stack.up()
    temporal = next(server for server in state.servers if server.name == "Temporal")
    os.kill(temporal.process.pid, signal.SIGKILL)
    while is_alive(temporal.process):  # noqa: ASYNC110 - another process ends, and says nothing
        await asyncio.sleep(0.02)
    status = stack.status()
    assert (status.condition, status.missing) == (Condition.BROKEN, ("Temporal",))
    mended = await stack.up()
    assert stack.status().condition is Condition.UP
    client = await Client.connect(mended.temporal_address)
    assert await client.service_client.check_health()


async def test_when_one_server_cannot_start_neither_runs(stack: EmbeddedStack, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = EmbeddedStack(stack.directory, fast=True, dynamic_config={"not a key=": object})
    with pytest.raises(TypeError):
        await broken.up()
    assert stack.status().condition is Condition.DOWN
    broken = EmbeddedStack(stack.directory, fast=True, namespace="no such\x7f name" * 300)
    # It runs and never serves such a namespace, however long one waits.
    with monkeypatch.context() as patched:
        patched.setattr(deploy.embedded.temporal, "START_SECONDS", 1.0)
        with pytest.raises(StartFailedError, match="Temporal did not start: it does not serve"):
            await broken.up()
    assert stack.status().condition is Condition.DOWN
    assert (await stack.up()).namespace == "default"


async def test_the_state_holds_a_password_and_is_for_its_owner_only(stack: EmbeddedStack) -> None:
    await stack.up()
    assert stat.S_IMODE((stack.directory / "state.json").stat().st_mode) == 0o600


async def test_a_port_that_somebody_takes_between_choosing_and_listening_is_chosen_anew(
    stack: EmbeddedStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as somebody:
        somebody.bind(("127.0.0.1", 0))
        somebody.listen()
        taken = somebody.getsockname()[1]
        chosen = iter([taken])
        monkeypatch.setattr("deploy.embedded.stack.free_port", lambda _preferred: next(chosen, None) or free_port())
        state = await stack.up()
    assert f":{taken}/" not in state.dsn
    assert stack.status().condition is Condition.UP


@pytest.mark.parametrize("of", ["postgres", "temporal"])
async def test_a_port_that_another_server_takes_while_ours_starts_is_chosen_anew(
    stack: EmbeddedStack, monkeypatch: pytest.MonkeyPatch, of: str
) -> None:
    """Two that begin at the same moment both find the usual port free, and one of them listens first."""
    async with EmbeddedTemporal(ui=False) as other:
        chosen = iter([other.port, None, None] if of == "postgres" else [None, other.port, None])
        monkeypatch.setattr("deploy.embedded.stack.free_port", lambda _preferred: next(chosen, None) or free_port())
        monkeypatch.setattr(f"deploy.embedded.{of}.require_free", lambda _port, _what: None)
        state = await stack.up()
        assert f":{other.port}" not in state.dsn + state.temporal_address
        assert stack.status().condition is Condition.UP
        client = await Client.connect(state.temporal_address)
        assert await client.service_client.check_health()
        assert is_alive(state.servers[1].process)
