"""Who sends: the key of a request, which opens one source system and nothing else."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from console.problems import Problem
from store.events.keys import Holder, holder_of

_scheme = HTTPBearer(auto_error=False, scheme_name="key", description="As `rollouts keys add` printed it.")


async def _holder(request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_scheme)]) -> Holder:
    if given is None:
        raise _unknown("A key is needed: Authorization: Bearer ...")
    async with request.app.state.pool.acquire() as conn:
        found = await holder_of(conn, given.credentials)
    if found is None:
        raise _unknown("The key is not known, or is revoked")
    return found


def _unknown(why: str) -> Problem:
    return Problem(HTTPStatus.UNAUTHORIZED, why, headers={"WWW-Authenticate": 'Bearer realm="events"'})


Sender = Annotated[Holder, Depends(_holder)]
"""Whose request it is.

Raises:
    Problem: nobody's that is known.
"""
