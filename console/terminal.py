"""A terminal's session: it shows a code, and a person who is signed in allows it to act as them.

The terminal holds the session's secret from the start, which opens nothing before: nothing secret goes through the
browser.
"""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.responses import Response

from console.pages.forms import read_form
from console.pages.render import page
from console.person import SignedIn
from console.signin import pool_of, site_of
from models.base import Frozen
from store.sessions import TO_SIGN_IN, Holder, allow_terminal, ask_for_terminal

router = APIRouter(include_in_schema=False)
api = APIRouter(prefix="/v1", tags=["signing in"])


class TerminalRequest(Frozen):
    """What a terminal that wants a session gets: a `token` that opens nothing until a person allows `code` at `url`."""

    token: str
    code: str
    url: str
    expires_in: int


@api.post("/terminal", status_code=HTTPStatus.CREATED)
async def ask_terminal(request: Request) -> TerminalRequest:
    """A session for a terminal, once a person allows it; until then the token opens nothing."""
    site = site_of(request)
    site.sign_ins.take(request.client.host if request.client else "")
    async with pool_of(request).acquire() as conn:
        token, code = await ask_for_terminal(conn)
    url = f"{site.url}/terminal?{urlencode({'code': code})}"
    return TerminalRequest(token=token, code=code, url=url, expires_in=int(TO_SIGN_IN.total_seconds()))


@router.get("/terminal")
async def ask_person(request: Request, person: SignedIn) -> Response:
    """Whether the person wants it."""
    code = request.query_params.get("code", "")[:20]
    return page(request, "terminal.html", person, done=None, code=code)


@router.post("/terminal")
async def allowed(request: Request, person: SignedIn) -> Response:
    """The person wants it."""
    code = (await read_form(request)).get("code", "")
    async with pool_of(request).acquire() as conn:
        done = await allow_terminal(conn, code, Holder(**person.model_dump()))
    return page(request, "terminal.html", person, HTTPStatus.OK if done else HTTPStatus.NOT_FOUND, done=done)
