"""Behind TLS, as people reach it: they sign in over https, and browsers are told never to come without it."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from pydantic import SecretStr

from console.guard import SESSION, csrf_of
from console.settings import ConsoleSettings, listen, place_of
from console.signing import generate
from console.site import real_site
from tests.activities.receiver import certified
from tests.console.conftest import problem
from tests.console.issuers import SECRET, Liar, lying
from tests.console.visitors import serving_on


@asynccontextmanager
async def before(plain: str, trust: ssl.SSLContext) -> AsyncIterator[int]:
    """What ends TLS and passes everything on as it is; its port."""
    host, _, port = plain.rpartition(":")

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, outer = await asyncio.open_connection(host, int(port))
        there = asyncio.create_task(_pour(reader, outer))
        try:
            await _pour(inner, writer)
        finally:
            there.cancel()
            for one in (outer, writer):
                one.close()
                with contextlib.suppress(OSError):
                    await one.wait_closed()

    server = await asyncio.start_server(pass_on, "127.0.0.1", 0, ssl=trust)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(65536):
        writer.write(piece)
        await writer.drain()


async def test_over_tls_somebody_signs_in_with_a_cookie_for_tls_alone_and_every_answer_asks_for_tls(
    database: str, tmp_path: Path
) -> None:
    generate(tmp_path / "key.json", tmp_path / "public.json")
    ours, theirs = certified(tmp_path, "localhost")
    with listen("127.0.0.1:0") as listening:
        async with before(place_of(listening), ours) as port, lying(Liar()) as issuer:
            url = f"https://localhost:{port}"
            settings = ConsoleSettings(
                public_url=url,
                oidc_issuer=issuer.url,
                oidc_client_id="rollouts",
                oidc_client_secret=SecretStr(SECRET),
                signing_key=tmp_path / "key.json",
            )
            async with (
                serving_on(listening, database, settings, lambda gateway: real_site(settings, gateway)),
                # Its jar keeps what is for TLS from whatever is not, as a browser's does.
                httpx.AsyncClient(base_url=url, verify=theirs) as client,
                httpx.AsyncClient(base_url=f"http://{place_of(listening)}") as around,
            ):
                off = await client.get("/login?next=/system")
                async with httpx.AsyncClient() as elsewhere:
                    back = await elsewhere.get(off.headers["location"])
                assert back.headers["location"].startswith(f"{url}/login/callback?")
                done = await client.get(back.headers["location"])
                assert (done.status_code, done.headers["location"]) == (303, "/system"), done.text
                (session,) = [one for one in done.headers.get_list("set-cookie") if one.startswith(SESSION)]
                assert {"Secure", "HttpOnly", "Path=/"} <= set(session.split("; "))
                assert "domain" not in session.lower()
                me = await client.get("/v1/me")
                assert (me.status_code, me.json()["identity"]) == (200, "liar@example.com")
                page = await client.get("/rollouts")
                refused = await client.get("/nowhere")
                for answer in (off, done, me, page, refused):
                    assert answer.headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"
                assert not re.search(r"""(src|href|action)=["']http://""", page.text)
                # From a page without TLS nothing is taken, by whatever name the service is called.
                form = {"csrf": csrf_of(client.cookies[SESSION])}
                for origin, status in ((f"http://localhost:{port}", 403), (url, 303)):
                    told = await client.post("/logout", data=form, headers={"origin": origin})
                    assert told.status_code == status, told.text
                assert problem(await client.get("/v1/me"), 401)
                told = await around.get("/v1/me", headers={"cookie": session.partition(";")[0]})
                assert told.status_code == 421
