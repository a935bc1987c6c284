"""Stands before every request: the right host, nothing forged by other pages, and headers that keep answers in bounds.

A browser sends its cookie along with whatever any page makes it send. What changes something is therefore taken only
when the browser itself says that it comes from a page of ours, *and* with a token that only such a page can know.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from console.devissuer import PATH as DEV
from console.problems import Problem, answer_of
from console.site import Site

SESSION: Final = "__Host-session"
SIGN_IN: Final = "__Host-signin"
CSRF_FIELD: Final = "csrf"
CSRF_HEADER: Final = "x-csrf-token"

FORM: Final = "application/x-www-form-urlencoded"
FORM_BYTES: Final = 64 * 1024

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
MACHINES: Final = ("/v1/events", "/healthz", "/readyz")
"""What systems send to, by keys of their own and by whatever name they reach us; browsers have no business there."""

_YEAR: Final = 31_536_000


def csrf_of(secret: str) -> str:
    """The token that belongs to a session: who knows it has read one of its pages."""
    return hmac.new(secret.encode("utf-8", "surrogateescape"), b"csrf", hashlib.sha256).hexdigest()


def cookie(headers: Mapping[str, str], name: str) -> str | None:
    """A cookie of a request; None where there is none, or several by that name."""
    try:
        found = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return None
    return found[name].value if name in found and headers.get("cookie", "").count(f"{name}=") == 1 else None


class Guard:
    """Goes around the app. Without a site there are machines only, and no cookie to protect."""

    def __init__(self, app: ASGIApp, site: Site | None) -> None:
        self._app = app
        self._site = site
        self._headers = _headers(site)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def bounded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            if self._site is not None and not _of_machines(scope["path"]):
                receive = await self._checked(scope, Headers(scope=scope), receive, self._site)
        except Problem as problem:
            await answer_of(Request(scope), problem)(scope, receive, bounded)
            return
        await self._app(scope, receive, bounded)

    async def _checked(self, scope: Scope, headers: Headers, receive: Receive, site: Site) -> Receive:
        """The body to read on with.

        Raises:
            Problem: it is for another host, or forged.
        """
        if headers.get("host", "").lower() != site.host:
            told = f"This service answers at {site.url} alone"
            raise Problem(HTTPStatus.MISDIRECTED_REQUEST, told)
        if scope["method"] in SAFE or scope["path"] == f"{DEV}/token":
            return receive
        if headers.get("authorization", "").lower().startswith("bearer "):
            # No page of elsewhere can send that, and who sends it is known by it alone.
            return receive
        _check_origin(headers, site)
        secret = cookie(headers, SESSION)
        if secret is None or scope["path"].startswith(f"{DEV}/"):
            # There is nobody in whose name it could be; what needs somebody refuses it.
            return receive
        return await _check_token(headers, receive, secret)


def _check_origin(headers: Headers, site: Site) -> None:
    fetched = headers.get("sec-fetch-site")
    origin = headers.get("origin")
    if fetched is not None and fetched != "same-origin":
        raise _forged(f"The browser says that this comes from elsewhere ({fetched[:20]})")
    if origin is not None and origin != site.url:
        raise _forged(f"This comes from a page of {origin[:100]}")
    if fetched is None and origin is None:
        raise _forged("Neither Sec-Fetch-Site nor Origin says where this comes from")


async def _check_token(headers: Headers, receive: Receive, secret: str) -> Receive:
    given = headers.get(CSRF_HEADER)
    if given is None and headers.get("content-type", "").partition(";")[0].strip().lower() == FORM:
        body = await _whole(receive)
        fields = parse_qs(body.decode("latin-1"), keep_blank_values=True).get(CSRF_FIELD, [])
        given = fields[0] if len(fields) == 1 else None
        receive = _again(body, receive)
    if given is None:
        raise _forged(f"The form's token is missing ({CSRF_FIELD}, or the header {CSRF_HEADER})")
    if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), csrf_of(secret).encode()):
        raise _forged("The form's token is not that of your session; load the page again")
    return receive


async def _whole(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Problem(HTTPStatus.BAD_REQUEST, "The body ends before its end")
        body += message.get("body", b"")
        if len(body) > FORM_BYTES:
            raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The form is too large; allowed: {FORM_BYTES} bytes")
        if not message.get("more_body"):
            return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    """The same body once more, for whoever reads the form."""
    given = False

    async def replayed() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


def _forged(why: str) -> Problem:
    return Problem(HTTPStatus.FORBIDDEN, f"{why}; nothing was changed")


def _of_machines(path: str) -> bool:
    return any(path == one or path.startswith(f"{one}/") for one in MACHINES)


def _headers(site: Site | None) -> dict[str, str]:
    """What every answer says, unless it says so itself: what it may load, and that nobody keeps or frames it."""
    # A form's answer may lead to the issuer, to sign in again; Chromium counts that as where the form goes.
    forms = "'self'"
    if site is not None and site.dev is None:
        parts = urlsplit(site.provider.issuer)
        forms += f" {parts.scheme}://{parts.netloc}"
    found = {
        "content-security-policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
            f"connect-src 'self'; form-action {forms}; frame-ancestors 'none'; base-uri 'none'"
        ),
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        "cache-control": "no-store",
    }
    if site is not None and site.secure:
        found["strict-transport-security"] = f"max-age={_YEAR}; includeSubDomains"
    return found
