"""The service that bench pages looks at: the product's own, with a page beside it that nothing has to be asked for."""

from __future__ import annotations

import asyncio
import logging
import os

import asyncpg
from fastapi import FastAPI
from joserfc.jwk import OKPKey
from starlette.responses import HTMLResponse, Response

from console.app import create_app
from console.gateway import Gateway
from console.server import serve
from console.settings import ConsoleSettings, listen, place_of
from console.signing import Signer
from console.site import Site, dev_site

STATIC = "/bench/page"
"""Where the page is; `{STATIC}/{bytes}` has so many."""


def _with_a_static_page(pool: asyncpg.Pool[asyncpg.Record], settings: ConsoleSettings, site: Site | None) -> FastAPI:
    app = create_app(pool, settings, site)
    kept: dict[int, bytes] = {}

    # A coroutine as the pages are: what runs it costs the same.
    async def static(size: int) -> Response:
        return HTMLResponse(kept.setdefault(size, b"x" * size))

    app.get(STATIC + "/{size}")(static)
    return app


async def main() -> None:
    """Serve on a free port; stdout says which one."""
    logging.basicConfig(level=logging.ERROR)
    settings = ConsoleSettings()
    gateway = await Gateway.open(os.environ["TEMPORAL_ADDRESS"], lazy=True)
    signer = Signer(OKPKey.generate_key("Ed25519", auto_kid=True), settings.deployment)
    with listen("127.0.0.1:0") as listening:
        site = dev_site(settings, listening, signer, gateway)
        started = f"{place_of(listening)} {site.provider.issuer}"
        await serve(
            os.environ["ROLLOUTS_DATABASE_DSN"],
            settings,
            listening,
            lambda: print(started, flush=True),
            site=site,
            make=_with_a_static_page,
        )


if __name__ == "__main__":
    asyncio.run(main())
