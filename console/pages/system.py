"""The system's own health: who works, whether the watch looks, what was refused, which versions run."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Awaitable
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, NamedTuple, TypeVar

from fastapi import APIRouter, Request
from starlette.responses import Response
from temporalio.service import RPCError

from console.errors import GatewayError
from console.pages.asking import PATIENCE
from console.pages.render import page
from console.person import SignedIn
from console.signin import pool_of, site_of
from models.work import WatchView
from store.alarms import standing
from store.tallies import read_tallies
from store.views import read_log_page

router = APIRouter(include_in_schema=False)

T = TypeVar("T")


class Told(NamedTuple):
    """What somebody said of a part, or why nobody did."""

    found: Any
    problem: str | None


@router.get("/system")
async def system(request: Request, person: SignedIn) -> Response:
    """How the system itself is."""
    pool = pool_of(request)
    gateway = site_of(request).gateway
    pollers, watches, retention = await asyncio.gather(
        _told(gateway.pollers()), _told(_watches(gateway)), _told(gateway.retention())
    )
    async with pool.acquire() as conn:
        tallies = await read_tallies(conn)
        alarms = await standing(conn)
        refusals = await read_log_page(conn, outcome="refused", limit=10)
        postgresql = await conn.fetchval("show server_version")
        schema = await conn.fetchrow(
            "select number, name, applied_at from schema_migration order by number desc limit 1"
        )
    return page(
        request,
        "system.html",
        person,
        pollers=pollers,
        watches=watches,
        retention=retention,
        tallies=tallies,
        alarms=alarms,
        refusals=refusals.lines,
        postgresql=postgresql,
        schema=schema,
        now=datetime.now(UTC),
        versions=(
            ("Partner Rollouts", version("partner-rollouts")),
            ("Temporal SDK", version("temporalio")),
            ("Python", platform.python_version()),
        ),
    )


async def _watches(gateway: Any) -> tuple[WatchView, ...]:
    """Every shard of the watch."""
    first: WatchView = await gateway.watch(0)
    rest = [await gateway.watch(number) for number in range(1, first.shards)]
    return (first, *rest)


async def _told(asked: Awaitable[T]) -> Told:
    try:
        async with asyncio.timeout(PATIENCE):
            return Told(await asked, None)
    except TimeoutError:
        return Told(None, "nobody answers")
    except (RPCError, GatewayError, RuntimeError) as problem:
        # The SDK says by RuntimeError that it cannot connect.
        return Told(None, str(problem).split("\n")[0][:200])
