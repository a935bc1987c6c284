"""Tells open pages that something has changed, as server-sent events; they then read themselves anew.

One question a second to the store serves all open pages of a process, however many there are.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import TypeAlias

import asyncpg
from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from console.pages.asked import word
from console.person import SignedIn
from console.problems import Problem

router = APIRouter(include_in_schema=False)
log = logging.getLogger(__name__)

EVERY = 1.0
"""Seconds between two looks at the store."""

OVERLAP = timedelta(seconds=15)
"""How far back each look goes: a transaction may show what it wrote some time after it began."""

STREAMS = 6
"""Open pages of one person at a time; a browser opens no more connections to one host anyway."""

LASTS = 300.0
"""Seconds after which a stream ends; the browser opens another one, and whoever signed out gets none."""

BEAT = 20.0
"""Seconds of silence after which something is sent, so that whatever lies between knows that both are there."""

_CHANGED = "select rollout_id, chain_id, sequence from rollout where updated_at > now() - $1::interval"


Heard: TypeAlias = "asyncio.Queue[str | None]"
"""What a stream hears: ids of rollouts, and None at its end."""


class Pulse:
    """Looks for what has changed while anybody listens."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool
        self._listeners: dict[Heard, str | None] = {}
        self._seen: dict[tuple[str, str], int] = {}
        self._looking: asyncio.Task[None] | None = None
        self.streams: Counter[tuple[str, str]] = Counter()

    def listen(self, rollout: str | None) -> Heard:
        """Ids of rollouts as they change: of one, or of all; and at once of what has changed just now, which may have
        been after the page was read."""
        heard: Heard = asyncio.Queue(maxsize=100)
        self._listeners[heard] = rollout
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        else:
            self._tell({name for name, _ in self._seen}, {heard: rollout})
        return heard

    def leave(self, heard: Heard) -> None:
        """Stop listening; with the last listener the looking ends."""
        self._listeners.pop(heard, None)
        if not self._listeners and self._looking is not None:
            self._looking.cancel()
            self._looking, self._seen = None, {}

    def end(self) -> None:
        """Every stream ends: the service is being stopped, and would wait for them."""
        for heard in self._listeners:
            while heard.full():
                heard.get_nowait()
            heard.put_nowait(None)

    async def _look(self) -> None:
        while True:
            try:
                rows = await self._pool.fetch(_CHANGED, OVERLAP)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as problem:
                log.warning("open pages cannot be kept current: %s", type(problem).__name__)
                rows = []
            found = {(row["rollout_id"], row["chain_id"]): row["sequence"] for row in rows}
            changed = {key[0] for key, number in found.items() if self._seen.get(key) != number}
            self._seen = found
            self._tell(changed, self._listeners)
            await asyncio.sleep(EVERY)

    def _tell(self, changed: set[str], listeners: Mapping[Heard, str | None]) -> None:
        for heard, wanted in listeners.items():
            for name in sorted(changed):
                # A page that does not keep up reads itself anew all the same, at the first word.
                if wanted in (None, name) and not heard.full():
                    heard.put_nowait(name)


@router.get("/live")
async def live(request: Request, person: SignedIn) -> Response:
    """`changed` whenever a rollout has changed: the one that is named, or any.

    Raises:
        Problem: the person has too many pages open.
    """
    pulse: Pulse = request.app.state.pulse
    who = (person.issuer, person.subject)
    if pulse.streams[who] >= STREAMS:
        told = f"{STREAMS} pages are kept current already; reload this one to see what is new"
        raise Problem(HTTPStatus.TOO_MANY_REQUESTS, told, headers={"Retry-After": "30"})
    pulse.streams[who] += 1
    heard = pulse.listen(word(request, "rollout"))
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff"}
    return _Stream(pulse, who, heard, headers)


class _Stream(StreamingResponse):
    """A stream that is counted until it ends, however it ends."""

    def __init__(self, pulse: Pulse, who: tuple[str, str], heard: Heard, headers: dict[str, str]) -> None:
        super().__init__(_events(heard), headers=headers, media_type="text/event-stream")
        self._pulse, self._who, self._heard = pulse, who, heard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._pulse.leave(self._heard)
            self._pulse.streams[self._who] -= 1


async def _events(heard: Heard) -> AsyncIterator[str]:
    loop = asyncio.get_running_loop()
    until = loop.time() + LASTS
    yield "retry: 3000\n: what changes is told here\n\n"
    while loop.time() < until:
        try:
            name = await asyncio.wait_for(heard.get(), BEAT)
        except TimeoutError:
            yield ": still here\n\n"
            continue
        if name is None:
            return
        yield f"event: changed\ndata: {name}\n\n"
