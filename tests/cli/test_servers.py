"""up, down, doctor, worker and db: servers come and go by command, and what is missing is said with what to do."""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from cli.connect import open_gateway
from cli.home import Place
from cli.output import Exit
from deploy.embedded.processes import end, free_port
from deploy.embedded.stack import EmbeddedStack
from models.names import WATCH_ID
from tests.cli.conftest import Terminal, Told, finished
from tests.memory import server_directory
from tests.store.desk import PARTNERS

NOBODY = "postgresql://me:hush-hush@127.0.0.1:1/facts"


@pytest.fixture
async def elsewhere() -> AsyncIterator[Terminal]:
    """A directory in which a test starts servers of its own."""
    directory = server_directory("partner-rollouts-tests-")
    typed = Terminal(directory, directory / "home")
    yield typed
    await typed("down")
    shutil.rmtree(directory)


def _checks(told: Told) -> dict[str, tuple[bool | None, str, str]]:
    return {one["check"]: (one["ok"], one["found"], one["advice"] or "") for one in told.data}


async def _ends_by_itself(place: Place, name: str) -> None:
    """A server of the stack, whose clients know where it was."""
    state = place.state()
    assert state is not None
    [server] = [one for one in state.servers if one.name == name]
    assert await end(server.process, (signal.SIGINT, 30.0))


async def test_servers_come_up_are_found_well_and_go_down_with_their_data_kept(elsewhere: Terminal) -> None:
    named = {name: free_port() for name in ("--port-postgres", "--port-console")}
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        there = somebody.getsockname()[1]
        refused = await elsewhere("up", "--port-ui", str(there))
    assert (refused.code, refused.err) == (
        Exit.UNAVAILABLE,
        f"Temporal's Web UI cannot listen on port {there}: somebody else does. Name another with --port-ui.\n",
    )
    up = await elsewhere.program("up", "-o", "json", *(str(part) for one in named.items() for part in one))
    assert (up.code, up.document["kind"], len(up.data["migrations_applied"]) > 1) == (Exit.OK, "up", True), up.err
    assert Place(elsewhere.home).ports().items() >= {(name[7:], port) for name, port in named.items()}
    assert up.data["console_url"] == f"http://127.0.0.1:{named['--port-console']}"
    assert "Waiting for the worker to ask for work, and for the console to answer ..." in up.err
    assert "hush" not in up.out
    other = str(named["--port-postgres"] + 1)
    again, well = await asyncio.gather(
        elsewhere("up", "--port-postgres", other), elsewhere.program("doctor", "-o", "json")
    )
    assert (again.code, "were up already" in again.err) == (Exit.OK, True)
    assert f"PostgreSQL runs on port {named['--port-postgres']} already; `rollouts down` first, and it can have" in (
        again.err
    )
    assert well.code == Exit.OK, well.out
    assert {ok for ok, _, _ in _checks(well).values()} == {True}
    assert set(_checks(well)) >= {"Python", "embedded servers", "PostgreSQL", "schema", "Temporal", "retention"} | {
        "worker",
        "watch",
        "console",
        "signing keys",
        "workflows",
    }
    assert "the issuer for trying things out" in _checks(well)["console"][1]
    assert "which is among 1 public key" in _checks(well)["signing keys"][1]
    assert "nothing is in it yet" in _checks(well)["decision log"][1]

    place = Place(elsewhere.home)
    watch = (await open_gateway(place)).client.get_workflow_handle(WATCH_ID)
    await watch.terminate("somebody thought it was in the way")
    silent = await elsewhere("doctor", "-o", "json")
    assert _checks(silent)["watch"][:2] == (False, "partner-watch does not run: terminated")
    await _ends_by_itself(place, "PostgreSQL")
    refused = await elsewhere("pause", "a-rollout", "--as", "sponsor@example.com", "-m", "because")
    assert (refused.code, "The database cannot be used now" in refused.err) == (Exit.UNAVAILABLE, True)
    cured, well = await elsewhere.program("up"), await elsewhere("doctor", "-o", "json")
    assert (cured.code, "were up already" in cured.err) == (Exit.OK, False)
    assert {ok for ok, _, _ in _checks(well).values()} == {True}, well.out

    state = place.state()
    assert state is not None
    connection = await asyncpg.connect(state.dsn)
    await connection.execute("delete from schema_migration where number = (select max(number) from schema_migration)")
    await connection.close()
    ill = await elsewhere("doctor")
    assert ill.code == Exit.ERROR
    assert "run `rollouts db migrate`" in ill.out

    down = await elsewhere.program("down", "-o", "json")
    assert (down.code, down.data["ended"]) == (Exit.OK, ["console", "worker", "Temporal", "PostgreSQL"])
    nothing = await elsewhere("down")
    assert (nothing.code, "Nothing was running" in nothing.out) == (Exit.OK, True)
    gone = await elsewhere("doctor", "-o", "json")
    assert gone.code == Exit.UNAVAILABLE
    found = _checks(gone)
    assert {name for name, (ok, _, _) in found.items() if ok is None} == {
        *("schema", "decision log", "retention", "workflows", "worker", "watch"),
        *("console", "signing keys"),
    }
    assert all("rollouts up" in found[name][2] for name in ("PostgreSQL", "Temporal"))

    await EmbeddedStack(elsewhere.home, fast=True).up()
    idle = await elsewhere("doctor", "-o", "json")
    assert idle.code == Exit.UNAVAILABLE
    found = _checks(idle)
    assert (found["Temporal"][0], found["worker"][0], found["watch"][0]) == (True, False, None)
    assert "nobody has asked for work" in found["worker"][1]
    assert all("rollouts up" in found[name][2] for name in ("worker", "console"))
    # What was taken out of the ledger before is still out of it: the data were kept.
    assert found["schema"][0] is False


async def test_every_command_that_needs_a_server_says_in_one_sentence_that_there_is_none(
    nowhere: Terminal, tmp_path: Path
) -> None:
    (tmp_path / "m.yaml").write_text(PARTNERS)
    (tmp_path / "p.csv").write_text("Id,Name,Parent,Tier\n")
    sponsor = ("--as", "sponsor@example.com", "-m", "because")
    program = await nowhere.program("get", "any", "-o", "json")
    told = [
        program,
        await nowhere("list"),
        await nowhere("explain", "any"),
        await nowhere("pause", "any", *sponsor),
        await nowhere("approve", "any", *sponsor),
        await nowhere("history", "any"),
        await nowhere("decisions", "any"),
        await nowhere("db", "status", "-o", "json"),
        await nowhere("db", "migrate"),
        await nowhere("data", "generate"),
        await nowhere("data", "import", "partners", str(tmp_path / "p.csv"), "--mapping", str(tmp_path / "m.yaml")),
    ]
    for one in told:
        assert (one.code, one.out) == (Exit.UNAVAILABLE, "")
        assert one.err.startswith("No servers: ")
        assert "start some with `rollouts up`" in one.err
        assert len(one.err.splitlines()) == 1
    assert not nowhere.home.exists()
    # A worker is told by its settings alone where its servers are.
    worker = await nowhere("worker", "run")
    assert (worker.code, "ROLLOUTS_DATABASE_DSN is not set" in worker.err) == (Exit.BAD_INPUT, True)


async def test_servers_that_do_not_answer_are_named_without_their_password(nowhere: Terminal) -> None:
    variables = {"ROLLOUTS_DATABASE_DSN": NOBODY, "TEMPORAL_ADDRESS": "127.0.0.1:1"}
    asked, listed, migrated, doctor = [
        await nowhere(*words, **variables)
        for words in (("get", "any"), ("list",), ("db", "migrate"), ("doctor", "-o", "json"))
    ]
    assert [one.code for one in (asked, listed, migrated, doctor)] == [Exit.UNAVAILABLE] * 4
    assert asked.err == "Temporal cannot be reached at 127.0.0.1:1 (connection refused); try `rollouts doctor`.\n"
    for one in (listed, migrated):
        assert one.err.startswith("PostgreSQL cannot be reached at 127.0.0.1:1/facts (")
    assert all("hush" not in one.out + one.err for one in (asked, listed, migrated, doctor))
    assert _checks(doctor)["PostgreSQL"][0] is False


async def test_a_setting_that_names_no_server_is_bad_input(nowhere: Terminal, tmp_path: Path) -> None:
    profile = tmp_path / "temporal.toml"
    profile.write_text("[profile\n")
    told = [
        await nowhere("list", ROLLOUTS_DATABASE_DSN="mysql://somewhere"),
        await nowhere("list", ROLLOUTS_DATABASE_DSN="postgresql://me@127.0.0.1:many/facts"),
        await nowhere("get", "any", TEMPORAL_CONFIG_FILE=str(profile)),
    ]
    assert [one.code for one in told] == [Exit.BAD_INPUT] * 3
    assert "ROLLOUTS_DATABASE_DSN does not name a PostgreSQL" in told[0].err
    assert told[1].err == told[0].err
    assert "Temporal's settings cannot be read" in told[2].err


async def test_up_warns_when_other_commands_would_use_other_servers(terminal: Terminal) -> None:
    told = await terminal("up", ROLLOUTS_DATABASE_DSN=NOBODY)
    assert told.code == Exit.OK
    assert "ROLLOUTS_DATABASE_DSN in the environment win" in told.err


async def test_a_worker_started_by_command_works_until_it_is_told_to_stop(terminal: Terminal) -> None:
    worker = await terminal.start("worker", "run")
    assert worker.stderr is not None
    said = b""
    while b"worker started" not in said:
        line = await worker.stderr.readline()
        assert line, f"it ended: {said.decode()}"
        said += line
    worker.send_signal(signal.SIGTERM)
    assert (await finished(worker)).code == Exit.OK


async def test_a_worker_with_a_setting_that_cannot_be_used_says_which(terminal: Terminal) -> None:
    told = await terminal.program("worker", "run", ROLLOUTS_DATABASE_CONNECTIONS="many")
    assert told.code == Exit.BAD_INPUT
    assert "ROLLOUTS_DATABASE_CONNECTIONS" in told.err
    assert "many" in told.err


async def test_migrations_are_applied_once_and_listed_with_their_state(terminal: Terminal) -> None:
    migrated = await terminal.program("db", "migrate", "-o", "json")
    assert (migrated.code, migrated.document["kind"], migrated.data) == (Exit.OK, "migrated", {"applied": []})
    status = await terminal.program("db", "status", "-o", "json")
    assert status.code == Exit.OK
    assert {one["state"] for one in status.data} == {"applied"}
    assert all(one["applied_at"] for one in status.data)

    place = Place(terminal.home)
    connection = await asyncpg.connect(place.dsn)
    try:
        await connection.execute("create database unmigrated")
        empty = f"{place.dsn.rpartition('/')[0]}/unmigrated"
        pending = await terminal("db", "status", ROLLOUTS_DATABASE_DSN=empty)
        assert (pending.code, "pending" in pending.out) == (Exit.ERROR, True)
        listed = await terminal("list", ROLLOUTS_DATABASE_DSN=empty)
        assert (listed.code, "run `rollouts db migrate`" in listed.err) == (Exit.ERROR, True)
        applied = await terminal("db", "migrate", ROLLOUTS_DATABASE_DSN=empty)
        assert (applied.code, applied.out.splitlines()[-1]) == (Exit.OK, "The schema is current.")
        assert "applied 0001_facts.sql" in applied.out
    finally:
        await connection.execute("drop database if exists unmigrated with (force)")
        await connection.close()
