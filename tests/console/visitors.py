"""People in front of the service: a browser that keeps cookies as browsers do, and the running service they look at."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import parse_qsl, urlsplit

import httpx
from joserfc.jwk import OKPKey

from console.gateway import Gateway
from console.guard import SESSION, csrf_of
from console.server import serve
from console.settings import ConsoleSettings, listen
from console.signing import Signer
from console.site import Site, dev_site
from tests.console.role import as_console
from tests.worker.process import PATIENCE, limited

NOWHERE = "127.0.0.1:1"
"""Where no Temporal is."""


class Browser:
    """Keeps cookies, also those with `Secure` on loopback, says where it comes from, and follows where it is led."""

    def __init__(self, url: str) -> None:
        self.url = url
        hooks = {"request": [self._send_cookies]}
        self.client = httpx.AsyncClient(base_url=url, timeout=30, event_hooks=hooks)

    async def _send_cookies(self, request: httpx.Request) -> None:
        """The client keeps from loopback what is for TLS alone; browsers do not."""
        kept = "; ".join(f"{one.name}={one.value}" for one in self.client.cookies.jar)
        if kept and "cookie" not in request.headers:
            request.headers["cookie"] = kept

    async def get(self, path: str, **more: object) -> httpx.Response:
        return await self.client.get(path, **more)  # type: ignore[arg-type]

    async def post(self, path: str, form: dict[str, str] | None = None, **headers: str) -> httpx.Response:
        """As a form of a page of ours does it; `csrf` is in it, unless the form says another."""
        said = {"sec-fetch-site": "same-origin", "origin": self.url} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        data = {"csrf": csrf_of(self.session or "")} | (form or {})
        return await self.client.post(path, data=data, headers={k: v for k, v in said.items() if v})

    @property
    def session(self) -> str | None:
        return next((one.value for one in self.client.cookies.jar if one.name == SESSION), None)

    async def sign_in(self, persona: str, path: str = "/login") -> httpx.Response:
        """By way of the issuer for trying things out; the answer that brings the session."""
        off = await self.get(path)
        assert off.status_code == 303, off.text
        there = off.headers["location"]
        page = await self.get(there)
        assert page.status_code == 200, page.text
        found = re.search(r'action="([^"]+)"', page.text)
        assert found is not None
        chosen = await self.client.post(
            found[1].replace("&amp;", "&"),
            data={"persona": persona},
            headers={"origin": self.url, "sec-fetch-site": "same-origin"},
        )
        assert chosen.status_code == 303, chosen.text
        return await self.get(chosen.headers["location"])


def query(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


def new_signer(audience: str = "partner-rollouts") -> Signer:
    return Signer(OKPKey.generate_key("Ed25519", auto_kid=True), audience)


@asynccontextmanager
async def serving_on(
    listening: socket.socket,
    database: str,
    settings: ConsoleSettings,
    make: Callable[[Gateway], Site],
    gateway: Gateway | None = None,
) -> AsyncIterator[Site]:
    """The service with people, on a socket that listens and real HTTP; without a gateway no Temporal answers. In the
    database it has the rights of the console's documented role."""
    database = await as_console(database)
    stop, started = asyncio.Event(), asyncio.Event()
    site = make(gateway or await Gateway.open(NOWHERE, lazy=True))
    running = asyncio.create_task(serve(database, settings, listening, started.set, stop, site))
    waiting = asyncio.create_task(started.wait())
    await asyncio.wait((running, waiting), timeout=30, return_when=asyncio.FIRST_COMPLETED)
    assert started.is_set(), running
    try:
        yield site
    finally:
        stop.set()
        async with limited(PATIENCE, lambda: f"the service does not end: {running!r}"):
            await running


@asynccontextmanager
async def serving(
    database: str, settings: ConsoleSettings, gateway: Gateway | None = None, signer: Signer | None = None
) -> AsyncIterator[Site]:
    """The same with the issuer for trying things out; without a signer, with a key that no worker knows."""
    with listen("127.0.0.1:0") as listening:

        def make(gateway: Gateway) -> Site:
            return dev_site(settings, listening, signer or new_signer(), gateway)

        async with serving_on(listening, database, settings, make, gateway) as site:
            yield site
