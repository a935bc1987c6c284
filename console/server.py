"""Runs the service until it is told to stop, and lets what was begun end."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TypeAlias

import asyncpg
import uvicorn
from fastapi import FastAPI

from console.app import create_app, open_pool
from console.settings import ConsoleSettings
from console.site import Site

KEEP_ALIVE_SECONDS = 30
MOST_CONNECTIONS = 500
MakeApp: TypeAlias = Callable[["asyncpg.Pool[asyncpg.Record]", ConsoleSettings, "Site | None"], FastAPI]
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class _Server(uvicorn.Server):
    """uvicorn ends its process by the signal that it was stopped by; whoever stops us sees a clean end instead."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._started = started

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._started()


async def serve(
    dsn: str,
    settings: ConsoleSettings,
    listening: socket.socket,
    started: Callable[[], None] = lambda: None,
    stop: asyncio.Event | None = None,
    site: Site | None = None,
    make: MakeApp = create_app,
) -> None:
    """Serve on a socket that listens, until SIGTERM, SIGINT or `stop`.

    Requests that are open then get `graceful_shutdown` to end. `make` makes what is served; a bench adds a page of its
    own to it.
    """
    _spare_the_collector()
    stop = stop or asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, stop.set)
    try:
        async with _pool(dsn, settings) as pool:
            server = _Server(_config(make(pool, settings, site), settings), started)
            serving = asyncio.create_task(server.serve(sockets=[listening]))
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            _end_streams(server)
            server.should_exit = True
            await serving
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


def _end_streams(server: uvicorn.Server) -> None:
    """Open pages hold a connection as long as they are open; they find their way back by themselves."""
    pulse = getattr(getattr(server.config.app, "state", None), "pulse", None)
    if pulse is not None:
        pulse.end()


def _spare_the_collector() -> None:
    """A batch makes thousands of small objects, none of them in a circle: looking for circles took half its time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def _config(app: FastAPI, settings: ConsoleSettings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        # Whoever runs the process has set up its log; addresses hold nothing secret, and yet need not be kept.
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=max(1, int(settings.graceful_shutdown.total_seconds())),
    )


@asynccontextmanager
async def _pool(dsn: str, settings: ConsoleSettings) -> AsyncIterator[asyncpg.Pool[asyncpg.Record]]:
    """Closed at the end, also when a connection does not take leave in time."""
    pool = await open_pool(dsn, settings)
    try:
        yield pool
    finally:
        try:
            await asyncio.wait_for(pool.close(), 5)
        except TimeoutError:
            pool.terminate()
