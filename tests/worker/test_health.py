"""Probes get an answer whatever they send, and none of them disturbs the others."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

import worker.health
from deploy.embedded.processes import free_port
from tests.worker.process import http
from worker.health import Check, health_server
from worker.settings import SettingsError

FACTS = {"version": "1.2.3"}


@pytest.fixture
def checks() -> dict[str, Check]:
    async def works() -> None:
        return

    return {"temporal": works, "postgresql": works}


@pytest.fixture
async def address(checks: dict[str, Check]) -> AsyncIterator[str]:
    found = f"127.0.0.1:{free_port()}"
    async with health_server(found, FACTS, checks):
        yield found


async def test_alive_and_ready_say_which_release_it_is(address: str) -> None:
    status, body = await http("GET", address, "/healthz")
    assert (status, json.loads(body)) == (200, {"status": "alive", **FACTS})
    status, body = await http("GET", address, "/readyz?verbose=1")
    assert status == 200
    assert json.loads(body) == {"status": "ready", "checks": {"temporal": "ok", "postgresql": "ok"}, **FACTS}


async def test_one_check_that_fails_is_named_and_the_others_are_told_too(
    address: str, checks: dict[str, Check]
) -> None:
    async def refused() -> None:
        raise ConnectionRefusedError("nobody is there")

    checks["postgresql"] = refused
    status, body = await http("GET", address, "/readyz")
    told = {"temporal": "ok", "postgresql": "ConnectionRefusedError: nobody is there"}
    assert (status, json.loads(body)) == (503, {"status": "not ready", "checks": told, **FACTS})
    assert (await http("GET", address, "/healthz"))[0] == 200


async def test_a_check_that_never_ends_is_not_ready(
    address: str, checks: dict[str, Check], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hangs() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(worker.health, "PATIENCE", 0.1)
    checks["temporal"] = hangs
    status, body = await http("GET", address, "/readyz")
    assert status == 503
    assert json.loads(body)["checks"] == {"temporal": "no answer within 0.1 s", "postgresql": "ok"}


async def test_where_nothing_was_checked_nothing_is_ready() -> None:
    found = f"127.0.0.1:{free_port()}"
    async with health_server(found, FACTS, {}):
        assert (await http("GET", found, "/readyz"))[0] == 503


async def test_other_pages_and_other_methods_are_refused(address: str) -> None:
    assert (await http("GET", address, "/"))[0] == 404
    assert (await http("POST", address, "/healthz"))[0] == 405
    assert await http("HEAD", address, "/healthz") == (200, "")


@pytest.mark.parametrize("sent", [b"", b"\r\n\r\n", b"GET /healthz", b"\x16\x03\x01\x02\r\n\r\n", b"x" * 100_000])
async def test_what_is_no_request_is_dropped_and_the_next_one_answered(
    address: str, sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(sent)
    writer.write_eof()
    try:
        assert await reader.read() == b""
    except ConnectionResetError:
        # It did not read to the end of what was too long.
        assert len(sent) > 2**16
    writer.close()
    assert (await http("GET", address, "/healthz"))[0] == 200
    assert caplog.records == []


async def test_an_address_that_is_taken_is_named(address: str) -> None:
    with pytest.raises(SettingsError, match=f"ROLLOUTS_HEALTH_BIND is '{address}': .*address already in use"):
        async with health_server(address, FACTS, {}):
            pass


async def test_without_an_address_there_is_no_server() -> None:
    async with health_server(None, FACTS, {}):
        pass
