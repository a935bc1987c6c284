"""Signing in and out: to the issuer and back, and a session in the browser."""

from __future__ import annotations

import secrets
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import asyncpg
from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from console.guard import SESSION, SIGN_IN, cookie, csrf_of
from console.oidc import IssuerAway, Unproven, Vouched
from console.person import LOGIN, Person, SignedIn
from console.problems import RETRY_SECONDS, Problem
from console.site import CALLBACK, Site
from models.base import Frozen
from store.sessions import (
    TO_SIGN_IN,
    Attempt,
    Holder,
    begin_sign_in,
    end_session,
    finish_sign_in,
    keep_draft,
    new_secret,
    open_session,
    read_session,
    take_draft,
)

DRAFT: Final = "draft"
"""The parameter of a page's address under which a draft comes back."""

_ANSWER: Final = ("code", "state", "iss", "error")

router = APIRouter(include_in_schema=False)
api = APIRouter(prefix="/v1", tags=["signing in"])


class Me(Frozen):
    """Who is signed in, as the API says it."""

    issuer: str
    subject: str
    identity: str
    name: str
    auth_time: int


async def recognise(request: Request) -> Person | None:
    """The person of a request: by the session of its cookie, or by the token of a terminal's."""
    authorization = request.headers.get("authorization")
    if authorization is not None:
        scheme, _, secret = authorization.partition(" ")
        secret = secret.strip() if scheme.lower() == "bearer" else ""
    else:
        secret = cookie(request.headers, SESSION) or ""
        request.state.csrf = csrf_of(secret) if secret else ""
    if not secret:
        return None
    settings = request.app.state.settings
    async with pool_of(request).acquire() as conn:
        found = await read_session(conn, secret, settings.session_idle, settings.session_longest)
    return Person(**found._asdict()) if found else None


def pool_of(request: Request) -> asyncpg.Pool[asyncpg.Record]:
    pool: asyncpg.Pool[asyncpg.Record] = request.app.state.pool
    return pool


def site_of(request: Request) -> Site:
    site: Site = request.app.state.site
    return site


def own_path(given: str) -> str:
    """Where to go after signing in: a page of ours, whatever a link says."""
    try:
        parts = urlsplit(given)
    except ValueError:
        return "/"
    odd = "\\" in given or any(ord(one) <= 0x20 or ord(one) == 0x7F for one in given)
    if odd or parts.scheme or parts.netloc or not given.startswith("/") or given.startswith("//") or len(given) > 2000:
        return "/"
    return given


@router.get(LOGIN)
async def login(request: Request) -> Response:
    """Off to the issuer. `next` is where to go then, `again` asks the issuer to sign in anew, `as` whom to propose."""
    site, settings = site_of(request), request.app.state.settings
    site.sign_ins.take(request.client.host if request.client else "")
    asked, again = request.query_params, "again" in request.query_params
    max_age = int((settings.decision_max_age if again else settings.session_longest).total_seconds())
    state, browser = new_secret(), new_secret()
    attempt = Attempt(new_secret(), secrets.token_urlsafe(48), own_path(asked.get("next", "/")), max_age)
    try:
        address = await site.provider.address(
            state=state,
            nonce=attempt.nonce,
            verifier=attempt.verifier,
            max_age=max_age,
            again=again,
            hint=asked.get("as", "")[:200],
        )
    except IssuerAway as problem:
        raise _away(problem) from problem
    async with pool_of(request).acquire() as conn:
        await begin_sign_in(conn, state, browser, attempt)
    answer = RedirectResponse(address, HTTPStatus.SEE_OTHER)
    _set_cookie(answer, SIGN_IN, browser, int(TO_SIGN_IN.total_seconds()))
    return answer


@router.get(CALLBACK)
async def come_back(request: Request) -> Response:
    """From the issuer: a new session, if it vouches for somebody in the way it was asked to."""
    site = site_of(request)
    site.sign_ins.take(request.client.host if request.client else "")
    pairs = [pair for pair in parse_qsl(request.url.query, keep_blank_values=True) if pair[0] in _ANSWER]
    answer = dict(pairs)
    if len(answer) != len(pairs):
        raise _unproven("The issuer's answer says something twice")
    async with pool_of(request).acquire() as conn:
        browser = cookie(request.headers, SIGN_IN) or ""
        attempt = await finish_sign_in(conn, answer.get("state", ""), browser)
    if attempt is None:
        raise _unproven("This browser did not begin to sign in, or it took too long; begin again")
    try:
        vouched = await site.provider.vouched(
            answer, nonce=attempt.nonce, verifier=attempt.verifier, max_age=attempt.max_age
        )
    except Unproven as problem:
        raise _unproven(str(problem)) from problem
    except IssuerAway as problem:
        raise _away(problem) from problem
    secret = await _begin_session(request, _holder(site, vouched))
    back = RedirectResponse(attempt.back, HTTPStatus.SEE_OTHER)
    _set_cookie(back, SESSION, secret, int(request.app.state.settings.session_longest.total_seconds()))
    _set_cookie(back, SIGN_IN, "", 0)
    return back


def _holder(site: Site, vouched: Vouched) -> Holder:
    """The person as plans know them: as the file of people says, else by the address that the issuer has verified."""
    known = site.people.find(vouched.issuer, vouched.subject)
    identity = (known.identity if known else None) or vouched.email
    if identity is None:
        told = f"The issuer says no verified e-mail address of {vouched.subject[:100]}; the file of people can name one"
        raise Problem(HTTPStatus.FORBIDDEN, told)
    name = (known.name if known else None) or vouched.name or identity
    return Holder(vouched.issuer, vouched.subject, identity[:200], name[:200], vouched.auth_time, vouched.amr)


async def _begin_session(request: Request, holder: Holder) -> str:
    """A new secret each time: one that somebody planted in the browser before never becomes this person's."""
    former = cookie(request.headers, SESSION)
    async with pool_of(request).acquire() as conn, conn.transaction():
        if former:
            await end_session(conn, former, "signed in again")
        return await open_session(conn, holder)


@router.post("/logout")
async def logout(request: Request) -> Response:
    """The session ends, here and in the browser."""
    secret = cookie(request.headers, SESSION)
    if secret:
        async with pool_of(request).acquire() as conn:
            await end_session(conn, secret, "signed out")
    answer = RedirectResponse("/", HTTPStatus.SEE_OTHER)
    _set_cookie(answer, SESSION, "", 0)
    return answer


async def again(request: Request, person: Person, back: str, fields: dict[str, str]) -> Response:
    """To the issuer to sign in anew, and back to a page of ours with what was written there, for the same person alone.

    The page finds it by `draft_of`.
    """
    path = own_path(back).partition("?")[0]
    async with pool_of(request).acquire() as conn:
        draft = await keep_draft(conn, person.issuer, person.subject, path, fields)
    there = f"{path}?{urlencode({DRAFT: draft})}"
    return RedirectResponse(f"{LOGIN}?{urlencode({'again': '1', 'next': there})}", HTTPStatus.SEE_OTHER)


async def draft_of(request: Request, person: Person) -> dict[str, str]:
    """What this person had written on this page when they were asked to sign in anew; empty if nothing."""
    given = request.query_params.get(DRAFT)
    if not given:
        return {}
    async with pool_of(request).acquire() as conn:
        return await take_draft(conn, given, person.issuer, person.subject, request.url.path) or {}


@api.get("/me")
async def me(person: SignedIn) -> Me:
    """Who is signed in."""
    return Me(**person.model_dump(include=set(Me.model_fields)))


@api.delete("/session", status_code=HTTPStatus.NO_CONTENT)
async def end_terminal(request: Request, _: SignedIn) -> None:
    """The session of the token ends."""
    secret = request.headers.get("authorization", "").partition(" ")[2].strip() or cookie(request.headers, SESSION)
    async with pool_of(request).acquire() as conn:
        await end_session(conn, secret or "", "signed out")


def _set_cookie(answer: Response, name: str, value: str, seconds: int) -> None:
    """`__Host-`: this host alone, all of it, and never without TLS; browsers make an exception for loopback."""
    answer.set_cookie(name, value, max_age=seconds, path="/", secure=True, httponly=True, samesite="lax")


def _unproven(why: str) -> Problem:
    return Problem(HTTPStatus.UNAUTHORIZED, f"{why}; nobody is signed in", headers={"WWW-Authenticate": "Bearer"})


def _away(problem: IssuerAway) -> Problem:
    told = f"The issuer cannot be used now. {problem}"
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, told, headers={"Retry-After": str(RETRY_SECONDS)})
