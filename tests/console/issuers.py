"""Issuers that tests sign in at: a certified strict one, a lenient one in wide use, and one that lies as it is told."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import fcntl
import hashlib
import hmac
import json
import re
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest
import uvicorn
from joserfc import jwt
from joserfc.jwk import ECKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from console.settings import listen, place_of
from tests.console.visitors import query

SECRET = "a client secret of tests, and of nothing else"
HERE = Path(__file__).parent / "oidc"


async def strict_program() -> Path:
    """Where the strict issuer is installed, by its lock file; installed once per machine.

    Skips the test, saying why, where it cannot be.
    """
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed, and the strict OpenID Connect provider needs it")
    lock = (HERE / "package-lock.json").read_bytes() + (HERE / "server.js").read_bytes()
    home = Path(tempfile.gettempdir()) / f"partner-rollouts-oidc-{hashlib.sha256(lock).hexdigest()[:16]}"
    await asyncio.to_thread(_install, home)
    if not (home / "done").exists():
        pytest.skip(f"the strict OpenID Connect provider could not be installed by npm ci in {home}")
    return home / "server.js"


def _install(home: Path) -> None:
    """Whoever runs tests side by side installs it once."""
    import subprocess

    home.mkdir(exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (home / "done").exists():
            return
        for name in ("package.json", "package-lock.json", "server.js"):
            shutil.copy(HERE / name, home / name)
        npm = shutil.which("npm") or "npm"
        words = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        done = subprocess.run(words, cwd=home, capture_output=True, timeout=100, check=False)
        if done.returncode == 0:
            (home / "done").touch()


@asynccontextmanager
async def strict_issuer(redirect_uri: str) -> AsyncIterator[str]:
    """It runs; its name."""
    program = await strict_program()
    process = await asyncio.create_subprocess_exec(
        shutil.which("node") or "node",
        str(program),
        redirect_uri,
        SECRET,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        assert process.stdout is not None
        yield (await asyncio.wait_for(process.stdout.readline(), 30)).decode().strip()
    finally:
        process.kill()
        await process.communicate()


async def through_strict(client: httpx.AsyncClient, address: str, login: str) -> str:
    """Sign in there as anybody, agree to what it asks, and follow it to where it leads back to us."""
    home = address.partition("/auth")[0]
    answer = await client.get(address)
    for _ in range(12):
        if answer.is_redirect:
            there = urljoin(str(answer.url), answer.headers["location"])
            if not there.startswith(home):
                return there
            answer = await client.get(there)
            continue
        found = re.search(r'action="([^"]+)"', answer.text)
        prompt = re.search(r'name="prompt" value="([^"]+)"', answer.text)
        assert found is not None, answer.text
        assert prompt is not None, answer.text
        form = {"prompt": prompt[1], "login": login, "password": "any"}
        answer = await client.post(urljoin(str(answer.url), found[1]), data=form)
    raise AssertionError(f"no way back from {answer.url}")


@asynccontextmanager
async def lenient_issuer(users: list[dict[str, Any]]) -> AsyncIterator[str]:
    """The mock provider in a process of its own: it imports what warns."""
    with listen("127.0.0.1:0") as found:
        port = found.getsockname()[1]
    words = [word for one in users for word in ("--user-claims", json.dumps(one))]
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "oidc_provider_mock", "--port", str(port), *words, stdout=quiet, stderr=quiet
    )
    url = f"http://127.0.0.1:{port}"
    try:
        async with httpx.AsyncClient() as client:
            for _ in range(300):
                with contextlib.suppress(httpx.TransportError):
                    if (await client.get(f"{url}/.well-known/openid-configuration")).status_code == 200:
                        break
                await asyncio.sleep(0.1)
        yield url
    finally:
        process.kill()
        await process.communicate()


@dataclass
class Liar:
    """An issuer whose every word can be changed. It signs as told, and checks nothing."""

    url: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)
    back: dict[str, str] = field(default_factory=dict)
    sign: Callable[[Liar, dict[str, Any]], str] | None = None
    key: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256", auto_kid=True))
    asked: dict[str, str] = field(default_factory=dict)

    async def discovery(self, _: Request) -> Response:
        said = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
        }
        return JSONResponse(said | self.metadata)

    async def keys(self, _: Request) -> Response:
        published = {"kty": "oct", "kid": "published", "k": _encoded(SECRET.encode())}
        return JSONResponse({"keys": [self.key.as_dict(private=False), published]})

    async def authorize(self, request: Request) -> Response:
        self.asked = query(str(request.url))
        answer = {"code": "a-code", "state": self.asked["state"]} | self.back
        pairs = "&".join(f"{name}={value}" for name, value in answer.items())
        return RedirectResponse(f"{self.asked['redirect_uri']}?{pairs}", 303)

    async def token(self, _: Request) -> Response:
        now = int(time.time())
        claims = {
            "iss": self.url,
            "sub": "liar",
            "aud": "rollouts",
            "iat": now,
            "exp": now + 60,
            "auth_time": now,
            "nonce": self.asked["nonce"],
            "email": "liar@example.com",
            "email_verified": True,
        }
        claims = {name: value for name, value in (claims | self.claims).items() if name not in self.dropped}
        signed = self.sign(self, claims) if self.sign else self.signed(claims)
        return JSONResponse({"access_token": "x", "token_type": "Bearer", "id_token": signed})

    def signed(self, claims: dict[str, Any], key: ECKey | None = None) -> str:
        header = {"alg": "ES256", "kid": self.key.kid}
        return jwt.encode(header, claims, key or self.key, algorithms=["ES256"])

    def unsigned(self, claims: dict[str, Any]) -> str:
        return _by_hand({"alg": "none"}, claims, None)

    def with_our_secret(self, claims: dict[str, Any]) -> str:
        return _by_hand({"alg": "HS256"}, claims, SECRET.encode())

    def with_a_published_secret(self, claims: dict[str, Any]) -> str:
        return _by_hand({"alg": "HS256", "kid": "published"}, claims, SECRET.encode())

    def with_its_public_key(self, claims: dict[str, Any]) -> str:
        return _by_hand({"alg": "HS256", "kid": self.key.kid}, claims, self.key.as_pem(private=False))


def _by_hand(header: dict[str, Any], claims: dict[str, Any], secret: bytes | None) -> str:
    """What no library of ours would sign."""
    text = ".".join(_encoded(json.dumps(part).encode()) for part in (header, claims))
    signature = hmac.digest(secret, text.encode(), "sha256") if secret else b""
    return f"{text}.{_encoded(signature)}"


def _encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


@asynccontextmanager
async def lying(liar: Liar) -> AsyncIterator[Liar]:
    """It runs, at an address of its own."""
    app = Starlette(
        routes=[
            Route("/.well-known/openid-configuration", liar.discovery),
            Route("/keys", liar.keys),
            Route("/authorize", liar.authorize),
            Route("/token", liar.token, methods=["POST"]),
        ]
    )
    with listen("127.0.0.1:0") as listening:
        liar.url = f"http://{place_of(listening)}"
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
        running = asyncio.create_task(server._serve([listening]))
        try:
            yield liar
        finally:
            server.should_exit = True
            await running
