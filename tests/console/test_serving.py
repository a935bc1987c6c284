"""`rollouts serve` and `rollouts keys`: a process that listens where it is told, ends cleanly, and keeps no secret."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from pathlib import Path

import asyncpg
import httpx
import pytest

from cli.output import Exit
from tests.cli.conftest import PATIENCE, Terminal, Told, finished
from tests.console.conftest import CHECKED, assigned, event

BATCH = "application/cloudevents-batch+json"


@pytest.fixture
def typed(tmp_path: Path, database: str) -> Terminal:
    """A terminal whose environment names the test's database."""
    return Terminal(tmp_path, tmp_path / "none", {"ROLLOUTS_DATABASE_DSN": database})


async def started(typed: Terminal, *words: str) -> tuple[asyncio.subprocess.Process, str]:
    """A service, and where it says that it listens."""
    process = await typed.start("serve", *words)
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), PATIENCE)).decode().strip()
    if not line.startswith("Listening at http://"):
        raise AssertionError(f"{line} {await finished(process)}")
    return process, line.removeprefix("Listening at ")


async def ended(process: asyncio.subprocess.Process) -> Told:
    process.send_signal(signal.SIGTERM)
    return await finished(process)


async def test_a_key_is_made_used_listed_and_revoked(typed: Terminal, database: str) -> None:
    made = await typed("keys", "add", "crm-live", "--source", "crm")
    assert made.code == Exit.OK, made.err
    key = made.out.strip()
    assert "cannot be shown again" in made.err
    conn = await asyncpg.connect(database)
    await conn.execute(CHECKED)
    process, address = await started(typed, "--bind", "127.0.0.1:0")
    headers = {"authorization": f"Bearer {key}", "content-type": BATCH}
    async with httpx.AsyncClient(base_url=address, headers=headers) as client:
        told = await client.post("/v1/events", content=json.dumps([assigned("L1")]))
        assert told.status_code == 200, told.text
        assert (await client.post("/v1/events", content="[NaN]")).status_code == 400
        listed = await typed("keys", "list", "-o", "json")
        assert [(one["name"], one["source_system"], one["revoked_at"]) for one in listed.data] == [
            ("crm-live", "crm", None)
        ]
        assert listed.data[0]["last_used_at"]
        assert (await typed("keys", "revoke", "crm-live")).code == Exit.OK
        assert (await client.post("/v1/events", content=b"[]")).status_code == 401
    done = await ended(process)
    assert (done.code, done.out.strip()) == (0, "Stopped."), done.err
    secret = key.rpartition("_")[2]
    assert all(secret not in text for text in (done.out, done.err, listed.out, (await typed("keys", "list")).out))
    assert await conn.fetchval("select received_by from fact_event") == "crm-live"
    await conn.close()


async def test_keys_that_cannot_be_made_or_revoked_say_why(typed: Terminal) -> None:
    assert (await typed("keys", "add", "one", "--source", "crm")).code == Exit.OK
    for words, why in (
        (("add", "one", "--source", "crm"), "There is a key one already"),
        (("add", "two words", "--source", "crm"), "is no name for a key"),
        (("add", "two", "--source", "C R M"), "is no source system"),
        (("revoke", "two"), "There is no key two"),
    ):
        told = await typed("keys", *words)
        assert (told.code, told.out) == (Exit.BAD_INPUT, "")
        assert why in told.err
    assert (await typed("keys", "revoke", "one")).code == Exit.OK
    # The name is free again; what came with the old one keeps it.
    assert (await typed("keys", "add", "one", "--source", "erp")).code == Exit.OK
    assert len((await typed("keys", "list", "-o", "json")).data) == 2


async def test_a_request_that_is_open_when_it_is_told_to_stop_is_still_answered(typed: Terminal, database: str) -> None:
    key = (await typed("keys", "add", "crm-live", "--source", "crm")).out.strip()
    process, address = await started(typed, "--bind", "127.0.0.1:0")
    # Whoever looks who waits does so outside of the transaction, in which it would see those who were there at first.
    holder, onlooker = await asyncpg.connect(database), await asyncpg.connect(database)
    lock = holder.transaction()
    await lock.start()
    await holder.execute("lock fact_subject")
    headers = {"authorization": f"Bearer {key}", "content-type": BATCH}
    async with httpx.AsyncClient(base_url=address, headers=headers, timeout=30) as client:
        body = json.dumps([event("lead.contacted", "L1")])
        sending = asyncio.create_task(client.post("/v1/events", content=body))
        waiting = (
            "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
        )
        while not await onlooker.fetchval(waiting):
            await asyncio.sleep(0.02)
            assert not sending.done()
        process.send_signal(signal.SIGTERM)
        await lock.rollback()
        assert (await sending).json()["events"][0]["state"] == "waiting"
    done = await finished(process)
    assert done.code == 0, done.err
    await holder.close()
    await onlooker.close()


async def test_it_listens_on_loopback_unless_told_otherwise(typed: Terminal) -> None:
    process, address = await started(typed, "--bind", "0.0.0.0:0")
    done = await ended(process)
    assert done.code == 0
    assert "can be reached by others" in done.err
    assert address.startswith("http://0.0.0.0:")
    for bind, why in (
        ("localhost:8320", "is no place to listen"),
        ("127.0.0.1", "is no place to listen"),
        ("127.0.0.1:99999", "is no place to listen"),
        ("192.0.2.1:0", "cannot be used"),
    ):
        told = await typed.program("serve", "--bind", bind)
        assert (told.code, told.out) == (Exit.BAD_INPUT, ""), told
        assert why in told.err
    with socket.create_server(("127.0.0.1", 0)) as taken:
        told = await typed.program("serve", "--bind", f"127.0.0.1:{taken.getsockname()[1]}")
    assert (told.code, "Address already in use" in told.err) == (Exit.BAD_INPUT, True)


async def test_without_a_database_or_its_schema_it_does_not_start(typed: Terminal, database: str) -> None:
    nowhere = Terminal(typed.folder, typed.home)
    assert (await nowhere.program("serve")).code == Exit.UNAVAILABLE
    conn = await asyncpg.connect(database)
    await conn.execute("delete from schema_migration where number = (select max(number) from schema_migration)")
    await conn.close()
    told = await typed.program("serve", "--bind", "127.0.0.1:0")
    assert (told.code, "run `rollouts db migrate`" in told.err) == (Exit.ERROR, True)
    wrong = await typed.program("serve", "--bind", "127.0.0.1:0", ROLLOUTS_CONSOLE_BATCH_EVENTS="many")
    assert wrong.code != 0
