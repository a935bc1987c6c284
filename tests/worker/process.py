"""The worker as people run it, in a process of its own, and a gate in front of a server that a test can shut."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from deploy.embedded.processes import free_port

PATIENCE = 120.0
"""Seconds until a test gives up; nothing waited for here takes nearly as long."""

PROGRAMS = {
    "python -m worker": (sys.executable, "-m", "worker"),
    "rollouts worker run": (sys.executable, "-c", "from cli.main import main; main()", "worker", "run"),
}
"""The ways to start a worker, which are to behave the same."""

T = TypeVar("T")


async def patiently(look: Callable[[], Awaitable[T | None]], what: Callable[[], str] = lambda: "nothing came") -> T:
    """What `look` finds, as soon as it finds something; a look that never ends is not waited for either."""
    async with limited(PATIENCE, what):
        while True:
            found = await look()
            if found is not None:
                return found
            await asyncio.sleep(0.05)


@asynccontextmanager
async def limited(seconds: float, what: Callable[[], str]) -> AsyncIterator[None]:
    """Fail, with words, where something takes longer than so many seconds."""
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            yield
    except Exception as problem:
        # Some clients make an error of their own of being cancelled.
        if limit.expired():
            raise AssertionError(what()) from problem
        raise


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """An environment in which only these settings name servers."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ROLLOUTS_", "TEMPORAL_"))}
    return kept | {"TEMPORAL_CONFIG_FILE": os.devnull} | dict(settings)


@dataclass
class Running:
    """One worker process."""

    process: asyncio.subprocess.Process
    log: Path
    settings: Mapping[str, str]

    @property
    def text(self) -> str:
        return self.log.read_text()

    def lines(self) -> list[dict[str, Any]]:
        """What it said so far; fails on a line that is not a JSON object with the keys every line has."""
        found = []
        for line in self.text.split("\n")[:-1]:
            one = json.loads(line)
            assert isinstance(one, dict), line
            assert list(one)[:4] == ["timestamp", "level", "logger", "event"], line
            found.append(one)
        return found

    def said(self, event: str) -> list[dict[str, Any]]:
        return [one for one in self.lines() if event in one["event"]]

    async def until_said(self, event: str) -> dict[str, Any]:
        async def look() -> dict[str, Any] | None:
            found = self.said(event)
            if not found and self.process.returncode is not None:
                raise AssertionError(f"it ended: {self.text}")
            return found[0] if found else None

        return await patiently(look, lambda: f"it never said {event!r}: {self.text}")

    async def end(self) -> int:
        """Wait for its end, which somebody else brings about; the exit code."""
        return await asyncio.wait_for(self.process.wait(), PATIENCE)

    async def ask(self, setting: str, path: str) -> tuple[int, str]:
        """Status and body of a page that it serves at the address of a setting."""
        return await http("GET", self.settings[setting], path)

    async def ready(self) -> tuple[int, dict[str, str]]:
        status, body = await self.ask("ROLLOUTS_HEALTH_BIND", "/readyz")
        return status, json.loads(body)["checks"]


@asynccontextmanager
async def started(
    folder: Path, settings: Mapping[str, str], program: str = "python -m worker"
) -> AsyncIterator[Running]:
    """A worker with these settings and no others; it ends with the block, whatever happens in it."""
    log = folder / f"worker-{time.monotonic_ns()}.log"
    with log.open("wb") as stream:
        process = await asyncio.create_subprocess_exec(
            *PROGRAMS[program], stdin=asyncio.subprocess.DEVNULL, stdout=stream, stderr=stream,
            cwd=folder, env=environment(settings),
        )  # fmt: skip
    try:
        yield Running(process, log, settings)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def http(method: str, address: str, path: str) -> tuple[int, str]:
    """Ask a server the way a probe does."""
    host, _, port = address.rpartition(":")
    async with limited(PATIENCE, lambda: f"{address} does not answer {path}"):
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            # In two pieces, as it may arrive.
            writer.write(f"{method} {path} HTTP/1.1\r\n".encode())
            await writer.drain()
            writer.write(b"Host: worker\r\nAccept: */*\r\nConnection: close\r\n\r\n")
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            return int(head.split(b" ")[1]), body.decode()
        finally:
            writer.close()
            await writer.wait_closed()


class Gate:
    """Stands before a server at an address of its own: shut, nobody gets through, and who was inside is cut off."""

    def __init__(self, port: int) -> None:
        self.address = f"127.0.0.1:{free_port()}"
        self._port = port
        self._server: asyncio.Server | None = None
        self._inside: set[asyncio.StreamWriter] = set()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._let_in, *self.address.split(":"))

    async def shut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._inside:
            writer.transport.abort()

    async def _let_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._port)
        self._inside |= {writer, back}
        await asyncio.gather(_pass_on(reader, back), _pass_on(there, writer))
        self._inside -= {writer, back}


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


@asynccontextmanager
async def gate(port: int, *, shut: bool = False) -> AsyncIterator[Gate]:
    """A gate before the server on a port of this machine."""
    found = Gate(port)
    if not shut:
        await found.open()
    try:
        yield found
    finally:
        await found.shut()
