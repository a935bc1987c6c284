"""The embedded service comes up where it says, also when somebody else takes its address at the last moment."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cli.embedded_console import ensure_keys, start
from cli.home import Place
from cli.output import CliError

ALIVE = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class Racing(Place):
    """Before the service is started somebody else listens at its address, so many times, and answers as it would."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.times = 0
        self.taken: list[str] = []
        self._others: list[asyncio.Task[asyncio.Server]] = []

    def start_console(self, bind: str) -> None:
        if len(self.taken) < self.times:
            host, _, port = bind.rpartition(":")
            other = socket.create_server((host, int(port)))
            self._others.append(asyncio.create_task(asyncio.start_server(_answer, sock=other)))
            self.taken.append(f"http://{bind}")
        super().start_console(bind)

    async def end(self) -> None:
        for other in await asyncio.gather(*self._others):
            other.close()
        await self.stop_console()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ALIVE)
        await writer.drain()
    writer.close()


@pytest.fixture
async def place(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Racing]:
    monkeypatch.setenv("ROLLOUTS_DATABASE_DSN", database)
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    found = Racing(tmp_path)
    ensure_keys(found)
    yield found
    await found.end()


async def test_it_goes_elsewhere_when_another_one_was_first_and_is_not_taken_for_that_one(place: Racing) -> None:
    place.times = 1
    await start(place)
    running = place.console()
    assert running is not None
    assert running[1] not in place.taken
    # It is not merely about to end.
    await asyncio.sleep(1)
    assert place.console() == running


async def test_it_gives_up_with_a_sentence_when_that_goes_on(place: Racing) -> None:
    place.times = 9
    with pytest.raises(CliError, match="finds no free port"):
        await start(place)


async def test_what_keeps_it_from_starting_is_told(place: Racing) -> None:
    place.signing_key.chmod(0o644)
    with pytest.raises(CliError, match=r"The console ended: .* has mode 0644"):
        await start(place)
