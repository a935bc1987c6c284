"""A small HTTP answer to: is the process alive, and can it work?"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from worker.settings import SettingsError

Check = Callable[[], Awaitable[None]]
"""Raises when what it looks at does not work."""

PATIENCE = 3.0
"""Seconds a check or a client may take."""


@asynccontextmanager
async def health_server(bind: str | None, facts: Mapping[str, str], checks: Mapping[str, Check]) -> AsyncIterator[None]:
    """Serve `/healthz` (the event loop answers) and `/readyz` (every check passes) at host:port while inside.

    Liveness does not mean recent work: a worker whose rollouts wait for people is quiet and well.

    Raises:
        SettingsError: the address cannot be used.
    """
    if bind is None:
        yield
        return

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            status, body = await asyncio.wait_for(_answer(reader, facts, checks), 3 * PATIENCE)
            payload = json.dumps(body).encode()
            head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(payload)}\r\n"
            writer.write(head.encode() + b"Connection: close\r\n\r\n" + payload)
            await writer.drain()
        except (TimeoutError, ConnectionError, ValueError):
            pass
        finally:
            writer.close()

    host, _, port = bind.rpartition(":")
    try:
        server = await asyncio.start_server(answer, host or None, int(port))
    except (OSError, ValueError) as problem:
        raise SettingsError(f"ROLLOUTS_HEALTH_BIND is {bind!r}: {problem}") from problem
    async with server:
        yield


async def _answer(
    reader: asyncio.StreamReader, facts: Mapping[str, str], checks: Mapping[str, Check]
) -> tuple[str, dict[str, object]]:
    request = (await reader.readuntil(b"\r\n"))[:1000].decode("latin-1").split()
    path = request[1] if len(request) > 1 else ""
    if path == "/healthz":
        return "200 OK", {"status": "alive", **facts}
    if path == "/readyz":
        found = {name: await _passes(check) for name, check in checks.items()}
        ready = all(problem is None for problem in found.values())
        told = {name: problem or "ok" for name, problem in found.items()}
        return ("200 OK" if ready else "503 Service Unavailable"), {
            "status": "ready" if ready else "not ready",
            "checks": told,
            **facts,
        }
    return "404 Not Found", {"status": "no such page", "pages": ["/healthz", "/readyz"]}


async def _passes(check: Check) -> str | None:
    try:
        await asyncio.wait_for(check(), PATIENCE)
    except Exception as problem:
        return f"{type(problem).__name__}: {problem}"[:200]
    return None
