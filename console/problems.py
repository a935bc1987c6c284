"""Every error is an answer of one form, application/problem+json, and none of them tells more than its sender knows."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import asyncpg
from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from console.errors import GatewayError, Kind
from store.events import EventProblem, EventsConflict, EventsRefused

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
MOST_TOLD = 50
"""Errors told of one batch; the first ones are what a person mends first."""

RETRY_SECONDS = 5


_OF_KIND = {
    Kind.BAD_INPUT: HTTPStatus.UNPROCESSABLE_ENTITY,
    Kind.UNKNOWN: HTTPStatus.NOT_FOUND,
    Kind.REFUSED: HTTPStatus.CONFLICT,
    Kind.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    Kind.FAILED: HTTPStatus.SERVICE_UNAVAILABLE,
}


class Problem(Exception):
    """A request that is not served: status, what is wrong, and where; `more` are further members of the answer."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        errors: Sequence[EventProblem] = (),
        headers: dict[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = headers or {}
        self.more = dict(more or {})

    def answer(self) -> Response:
        """What goes out."""
        body: dict[str, Any] = {
            "type": "about:blank",
            "title": self.status.phrase,
            "status": self.status.value,
            "detail": self.detail,
            **self.more,
        }
        if self.errors:
            body["errors"] = [one.model_dump() for one in self.errors[:MOST_TOLD]]
            body["errors_found"] = len(self.errors)
        return Response(json.dumps(body), self.status.value, self.headers, MEDIA_TYPE)


def refused(found: EventsRefused) -> Problem:
    """What is wrong with events."""
    status = HTTPStatus.CONFLICT if isinstance(found, EventsConflict) else HTTPStatus.UNPROCESSABLE_ENTITY
    wrong = "1 error" if len(found.problems) == 1 else f"{len(found.problems)} errors"
    return Problem(status, f"{wrong}; no event of this batch was taken", found.problems)


def answer_of(request: Request, problem: Problem) -> Response:
    """What goes out: a page where a browser shows one, and the service has them (`app.state.dress`)."""
    dress = getattr(request.app.state, "dress", None)
    page: Response | None = dress(request, problem) if dress is not None else None
    return page or problem.answer()


def answer_problems(app: FastAPI) -> None:
    """Make every error of the app an answer of that form."""

    @app.exception_handler(Problem)
    async def _problem(request: Request, problem: Problem) -> Response:
        return answer_of(request, problem)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, problem: HTTPException) -> Response:
        status = HTTPStatus(problem.status_code)
        told = Problem(status, status.description or status.phrase, headers=dict(problem.headers or {}))
        return answer_of(request, told)

    @app.exception_handler(GatewayError)
    async def _gateway(request: Request, problem: GatewayError) -> Response:
        status = _OF_KIND[problem.kind]
        again = {"Retry-After": str(RETRY_SECONDS)} if status is HTTPStatus.SERVICE_UNAVAILABLE else {}
        return answer_of(request, Problem(status, str(problem), headers=again))

    # PostgreSQL away, busy or slow: the same request may succeed later.
    for kind in (
        OSError,
        TimeoutError,
        asyncpg.InterfaceError,
        asyncpg.PostgresConnectionError,
        asyncpg.QueryCanceledError,
        asyncpg.LockNotAvailableError,
        asyncpg.DeadlockDetectedError,
        asyncpg.InsufficientResourcesError,
        asyncpg.OperatorInterventionError,
        asyncpg.IdleInTransactionSessionTimeoutError,
    ):
        app.add_exception_handler(kind, _unavailable)

    @app.exception_handler(Exception)
    async def _broken(request: Request, problem: Exception) -> Response:
        status = HTTPStatus.INTERNAL_SERVER_ERROR
        return answer_of(request, Problem(status, "Something happened that must not; the service's log has it"))


async def _unavailable(request: Request, problem: Exception) -> Response:
    log.warning("PostgreSQL cannot be used: %s: %s", type(problem).__name__, " ".join(str(problem).split())[:300])
    told = "The database cannot be used now; nothing was taken, send it again"
    return answer_of(
        request, Problem(HTTPStatus.SERVICE_UNAVAILABLE, told, headers={"Retry-After": str(RETRY_SECONDS)})
    )
