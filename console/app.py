"""Puts the service together: its routes, its errors, its health, and the description of it all."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import asyncpg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.responses import JSONResponse, Response

from console import api, devissuer, signin, terminal
from console.asked import ASKED, JSON, START
from console.events import A_BATCH, ONE_EVENT, ProblemBody, router
from console.guard import Guard
from console.pages import add_pages
from console.problems import answer_problems, refused
from console.settings import ConsoleSettings
from console.site import Site
from store.events import BATCH, ONE, EventProblem, EventsRefused
from store.events.errors import shown


def create_app(pool: asyncpg.Pool[asyncpg.Record], settings: ConsoleSettings, site: Site | None = None) -> FastAPI:
    """The service, on a pool that whoever opened it closes after it. Without a site it takes events alone."""
    app = FastAPI(
        title="Partner Rollouts",
        version=version("partner-rollouts"),
        description="Takes events of partner facts" + ("." if site is None else ", and decisions of people."),
        # Their pages would load code from elsewhere.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.pool, app.state.settings, app.state.site = pool, settings, site
    answer_problems(app)
    app.add_exception_handler(RequestValidationError, _refused_parameter)
    app.include_router(router)
    if site is not None:
        _add_people(app, site)
    app.add_middleware(Guard, site=site)
    app.get("/healthz", tags=["health"])(_alive)
    app.get("/readyz", tags=["health"])(_ready)
    # FastAPI's own way to a description of one's own is to put it in place of the method.
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]
    return app


def _add_people(app: FastAPI, site: Site) -> None:
    """What is for people, and for machines that act for them."""
    app.state.recognise = signin.recognise
    for one in (signin.router, signin.api, terminal.router, terminal.api, api.router):
        app.include_router(one)
    add_pages(app)
    if site.dev is not None:
        app.include_router(devissuer.router)


async def open_pool(dsn: str, settings: ConsoleSettings) -> asyncpg.Pool[asyncpg.Record]:
    """Connections on which nothing lasts longer than a sender would wait."""
    from store.pool import prepare_connection

    limit = settings.console_statement_timeout
    milliseconds = str(int(limit.total_seconds() * 1000))
    return await asyncpg.create_pool(
        dsn,
        min_size=1,
        max_size=settings.console_connections,
        # The server ends a statement first; this is for a server that does not answer.
        command_timeout=limit.total_seconds() + 5,
        init=prepare_connection,
        reset=_leave_as_it_is,
        server_settings={
            "timezone": "UTC",
            "application_name": "partner-rollouts console",
            "statement_timeout": milliseconds,
            "lock_timeout": milliseconds,
            "idle_in_transaction_session_timeout": milliseconds,
        },
    )


async def _leave_as_it_is(_: object) -> None:
    """A connection goes back without another statement: what the service sets and locks ends with its transaction, and
    one that is open then has been rolled back already."""


async def _alive() -> dict[str, str]:
    """The process answers."""
    return {"status": "alive"}


async def _ready(request: Request) -> Response:
    """Events can be taken: PostgreSQL answers and has the tables."""
    try:
        await request.app.state.pool.fetch("select from fact_event limit 0", timeout=3)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as problem:
        return JSONResponse({"status": "not ready", "postgresql": type(problem).__name__}, 503)
    return JSONResponse({"status": "ready"})


async def _refused_parameter(_: Request, problem: Exception) -> Response:
    """A part of the path that cannot be what it is meant to be."""
    found = problem.errors() if isinstance(problem, RequestValidationError) else []
    told = [
        EventProblem(event=None, field=str(one["loc"][-1]), found=shown(one["input"]), allowed=one["msg"])
        for one in found
    ]
    answer = refused(EventsRefused(told))
    answer.detail = "The address cannot be used"
    return answer.answer()


def _described(app: FastAPI) -> dict[str, Any]:
    """OpenAPI, with the bodies that are read by hand and every type of event in them."""
    if app.openapi_schema:
        return app.openapi_schema
    described = FastAPI.openapi(app)
    schemas: dict[str, Any] = described["components"]["schemas"]
    bodies = {}
    for media, reader in ((ONE_EVENT, ONE), (A_BATCH, BATCH)):
        body = reader.json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(body.pop("$defs"))
        bodies[media] = {"schema": body}
    bodies[A_BATCH]["schema"]["maxItems"] = app.state.settings.console_batch_events
    # Events have receipts too, of another form: names of their own keep them apart.
    for one, prefix in ((ProblemBody, ""), (api.DecisionProblem, "DecisionProblem")):
        problem = one.model_json_schema(ref_template=f"#/components/schemas/{prefix}{{model}}")
        schemas.update({prefix + name: body for name, body in problem.pop("$defs", {}).items()})
        schemas[one.__name__] = problem
    paths = described["paths"]
    paths["/v1/events"]["post"]["requestBody"] = {"required": True, "content": bodies}
    for path, asked in (("/v1/rollouts/{name}/decisions", ASKED), ("/v1/rollouts", START)):
        if path in paths:
            body = asked.json_schema(ref_template="#/components/schemas/{model}")
            schemas.update(body.pop("$defs"))
            paths[path]["post"]["requestBody"] = {"required": True, "content": {JSON: {"schema": body}}}
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    return described
