"""A small HTTP answer to: is the process alive, and can it work?"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus

from worker.settings import SettingsError, variable

Check = Callable[[], Awaitable[None]]
"""Raises when what it looks at does not work."""

PATIENCE = 3.0
"""Seconds a check or a client may take; probes give up soon after."""

_PAGES = ("/healthz", "/readyz")
_LONGEST = 300
"""Characters told of a problem."""


class _Silent(Exception):
    """The client went away, or sent what is no request: there is nobody to answer."""


@asynccontextmanager
async def health_server(bind: str | None, facts: Mapping[str, str], checks: Mapping[str, Check]) -> AsyncIterator[None]:
    """Serve `/healthz` (the event loop answers) and `/readyz` (every check passes) at host:port while inside.

    Liveness does not mean recent work: a worker whose rollouts wait for people is quiet and well. `checks` is read at
    every request, so that it may change over the life of the process.

    Raises:
        SettingsError: the address cannot be used.
    """
    if bind is None:
        yield
        return

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            method, path = await asyncio.wait_for(_request(reader), PATIENCE)
            status, body = await _answer(method, path, facts, checks)
            writer.write(_response(status, body, head=method == "HEAD"))
            await asyncio.wait_for(writer.drain(), PATIENCE)
        except (_Silent, TimeoutError, ConnectionError):
            pass
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    host, _, port = bind.rpartition(":")
    try:
        server = await asyncio.start_server(answer, host.strip("[]"), int(port))
    except OSError as problem:
        raise SettingsError(f"{variable('health_bind')} is {bind!r}: {problem.strerror or problem}") from problem
    async with server:
        yield


async def _request(reader: asyncio.StreamReader) -> tuple[str, str]:
    """Method and path, once the whole head has been read: what is left unread makes the client lose our answer."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as problem:
        raise _Silent from problem
    words = head.split(b"\r\n", 1)[0].decode("latin-1").split()
    if len(words) != 3:
        raise _Silent
    return words[0], words[1].partition("?")[0]


async def _answer(
    method: str, path: str, facts: Mapping[str, str], checks: Mapping[str, Check]
) -> tuple[HTTPStatus, dict[str, object]]:
    if method not in ("GET", "HEAD"):
        return HTTPStatus.METHOD_NOT_ALLOWED, {"status": "only GET and HEAD are answered"}
    if path == "/healthz":
        return HTTPStatus.OK, {"status": "alive", **facts}
    if path == "/readyz":
        names = list(checks)
        problems = dict(zip(names, await asyncio.gather(*(_problem(checks[name]) for name in names)), strict=True))
        ready = bool(problems) and not any(problems.values())
        told = {
            "status": "ready" if ready else "not ready",
            "checks": {key: why or "ok" for key, why in problems.items()},
        }
        return HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE, {**told, **facts}
    return HTTPStatus.NOT_FOUND, {"status": "no such page", "pages": _PAGES}


async def _problem(check: Check) -> str | None:
    try:
        async with asyncio.timeout(PATIENCE):
            await check()
    except TimeoutError as problem:
        return str(problem) or f"no answer within {PATIENCE:g} s"
    except Exception as problem:
        return f"{type(problem).__name__}: {problem}"[:_LONGEST]
    return None


def _response(status: HTTPStatus, body: Mapping[str, object], *, head: bool) -> bytes:
    payload = json.dumps(body).encode()
    lines = (
        f"HTTP/1.1 {status.value} {status.phrase}",
        "Content-Type: application/json",
        f"Content-Length: {len(payload)}",
        "Cache-Control: no-store",
        "Connection: close",
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (b"" if head else payload)
