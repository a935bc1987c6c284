"""The partner scorecard: a page of partners with their figures, and the same as a file."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import NamedTuple

from fastapi import APIRouter, Request
from starlette.responses import Response

from console.pages.asked import PER_PAGE, Paging, offset_of, page_number, word
from console.pages.csvtext import BOM, write_rows
from console.pages.render import page, words_of
from console.pages.scorecard import SIX, day_of, enough, read_figures, window_of
from console.person import SignedIn
from console.problems import Problem
from console.signin import pool_of
from drawing.charts import spark
from models.plan import RolloutPlan
from store.pool import Connection
from store.rollouts import read_plan
from store.views import Partners, read_line, read_partners, read_scope, regions, tiers

router = APIRouter(include_in_schema=False)

BEFORE = timedelta(days=90)
"""How long before the present figures the earlier ones stand where no rollout has a baseline."""

MOST = 2000
"""Partners of one file."""


class Frame(NamedTuple):
    """As of when figures are shown, and with whose windows and cohorts."""

    as_of: datetime
    baseline_at: datetime
    plan: RolloutPlan | None
    cohorts: tuple[str, ...]
    title: str | None


@router.get("/partners")
async def partners(request: Request, person: SignedIn) -> Response:
    """Partners by name with their six figures; nobody is ranked."""
    words = words_of(request)
    pool = pool_of(request)
    number = page_number(request)
    async with pool.acquire() as conn:
        frame = await _frame(conn, request)
        found = await _partners(conn, request, PER_PAGE, offset_of(number))
        choices = {"tiers": await tiers(conn), "regions": await regions(conn)}
    ids = [one.partner_id for one in found.partners]
    figures = await read_figures(pool, ids, frame.as_of, frame.plan, frame.baseline_at)
    shown = len(ids)
    return page(
        request,
        "partners.html",
        person,
        frame=frame,
        found=found.partners,
        figures=figures,
        metrics=SIX,
        enough=enough,
        window=lambda metric: window_of(metric, frame.plan),
        spark=lambda name, title, values: spark(name, title, values),
        paging=Paging(number, shown, found.total if shown else 0, offset_of(number) + shown < found.total),
        query=request.url.query,
        lang=words.language,
        tiers=choices["tiers"],
        regions=choices["regions"],
    )


@router.get("/partners.csv")
async def partners_csv(request: Request, person: SignedIn) -> Response:
    """The same as a file that a spreadsheet shows and never runs.

    Raises:
        Problem: there are too many of them for one file.
    """
    pool = pool_of(request)
    async with pool.acquire() as conn:
        frame = await _frame(conn, request)
        found = await _partners(conn, request, MOST, 0)
    if found.total > MOST:
        told = f"{found.total} partners; allowed in one file: {MOST}. Choose a tier, a region or a cohort"
        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, told)
    ids = [one.partner_id for one in found.partners]
    figures = await read_figures(pool, ids, frame.as_of, frame.plan, frame.baseline_at)
    head = ["partner", "name", "tier", "region", "cohort", "as_of"]
    for metric in SIX:
        head += [metric.value, f"{metric.value}_baseline", f"{metric.value}_facts", f"{metric.value}_enough"]
    rows: list[list[object]] = [list(head)]
    for one in found.partners:
        row: list[object] = [one.partner_id, one.name, one.tier, one.region, one.cohort, frame.as_of.isoformat()]
        for metric in SIX:
            figure = figures[one.partner_id, metric]
            row += [figure.value, figure.baseline, figure.facts, "no" if figure.few else "yes"]
        rows.append(row)
    body = BOM + await asyncio.to_thread(write_rows, rows)
    named = {"Content-Disposition": 'attachment; filename="partners.csv"'}
    return Response(body, media_type="text/csv; charset=utf-8", headers=named)


async def _partners(conn: Connection, request: Request, limit: int, offset: int) -> Partners:
    return await read_partners(
        conn,
        tier=word(request, "tier"),
        region=word(request, "region"),
        rollout=word(request, "rollout"),
        cohort=word(request, "cohort") if word(request, "rollout") else None,
        words=word(request, "q"),
        limit=limit,
        offset=offset,
    )


async def _frame(conn: Connection, request: Request) -> Frame:
    """With a rollout its clock and windows; otherwise up to the newest fact that is not in the future."""
    name = word(request, "rollout")
    line = await read_line(conn, name) if name else None
    if line is not None:
        plan = await read_plan(conn, line.key)
        scope = (await read_scope(conn, [line.key]))[line.key]
        as_of = day_of(line.clock.programme(line.updated_at if not line.open else datetime.now(UTC)))
        newest = await _newest(conn)
        began = line.clock.programme_start
        return Frame(min(as_of, newest), min(began, newest), plan, tuple(one.name for one in scope), line.title)
    as_of = await _newest(conn)
    return Frame(as_of, as_of - BEFORE, None, (), None)


async def _newest(conn: Connection) -> datetime:
    """The midnight after the newest fact, and not after the present one."""
    now = datetime.now(UTC)
    found = await conn.fetchval(
        "select greatest((select max(assigned_at) from lead where assigned_at <= $1),"
        " (select max(transaction_date)::timestamptz from partner_transaction where transaction_date <= $1::date))",
        now,
    )
    return min(day_of(found) + timedelta(days=1), now) if found else day_of(now)
