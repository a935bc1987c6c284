"""Who is signed in: the one answer for pages and API alike."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, Request
from starlette.responses import RedirectResponse, Response

from console.problems import Problem
from models.base import Frozen

API = "/v1/"
"""Where machines ask; everywhere else people read pages."""

LOGIN = "/login"


class Person(Frozen):
    """Somebody whom the issuer has vouched for: `issuer` and `subject` say who it is, the rest is for people to read.

    `identity` is the e-mail address a plan knows them by. `auth_time` is when they last proved who they are, in seconds
    since 1970; `amr` is how (RFC 8176).
    """

    issuer: str
    subject: str
    identity: str
    name: str
    auth_time: int
    amr: tuple[str, ...] = ()


def signer_of(person: Person) -> tuple[str, str]:
    """Issuer and subject."""
    return person.issuer, person.subject


class NotSignedIn(Problem):
    """Nobody is known: a browser is sent to sign in and back, a machine is told."""

    def __init__(self, back: str | None) -> None:
        told = "Sign in: a session of the browser or a token of `rollouts login` is needed"
        super().__init__(HTTPStatus.UNAUTHORIZED, told, headers={"WWW-Authenticate": 'Bearer realm="rollouts"'})
        self._back = back

    def answer(self) -> Response:
        """What goes out."""
        if self._back is None:
            return super().answer()
        return RedirectResponse(f"{LOGIN}?next={quote(self._back, safe='/')}", HTTPStatus.SEE_OTHER)


def page_of(request: Request) -> str | None:
    """Where a browser is, to come back to; None for a machine. What was sent is not sent again by coming back."""
    if request.url.path.startswith(API):
        return None
    if request.method not in ("GET", "HEAD"):
        return "/"
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


async def signed_in(request: Request) -> Person:
    """The person of a request. Tests may put another function in its place (`app.dependency_overrides`).

    Raises:
        NotSignedIn: nobody is known.
    """
    recognise = getattr(request.app.state, "recognise", None)
    person: Person | None = await recognise(request) if recognise else None
    if person is None:
        raise NotSignedIn(page_of(request))
    return person


SignedIn = Annotated[Person, Depends(signed_in)]
"""Whose request it is.

Raises:
    NotSignedIn: nobody's that is known.
"""
