"""The decision log of all rollouts, or the timeline of one from both sources, by filters that stand in its address."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import NamedTuple

from fastapi import APIRouter, Request
from starlette.responses import Response

from audit.timeline import COLUMNS, Row, Wanted, as_markdown, cells, row_of
from console.errors import GatewayError, Kind
from console.pages.asked import PER_PAGE, Paging, offset_of, page_number, word
from console.pages.asking import digest_of
from console.pages.csvtext import BOM, write_rows
from console.pages.render import page
from console.person import SignedIn
from console.problems import Problem
from console.signin import pool_of, site_of
from console.trail import read_timeline
from models.command import Verb
from models.log import EntryKind, Outcome
from models.rollout import Phase
from store.views import LogLine, LogPage, read_log_page

router = APIRouter(include_in_schema=False)

MOST_ROWS = 20_000
"""Rows of a file at most."""

_ALWAYS_LEFT_OUT = ("word", "other")
"""The watch's daily words and Temporal's own steps are no part of a page: `rollouts history --all` has them."""


class Told(NamedTuple):
    """The timeline of one rollout, the newest first: the rows that fulfil the filters, and what has to be said."""

    rows: tuple[Row, ...]
    disagreements: int
    missing_run: str | None
    from_log_alone: bool


@router.get("/audit")
async def audit(request: Request, person: SignedIn) -> Response:
    """Entries of the log, the newest first; with a rollout, what its history tells beside them."""
    number = page_number(request)
    told = await _timeline(request)
    if told is not None:
        start = offset_of(number)
        rows = told.rows[start : start + PER_PAGE]
        paging = Paging(number, len(rows), len(told.rows), len(told.rows) > start + PER_PAGE)
        return _page(request, person, paging, told=told, rows=rows)
    found = await _log(request, PER_PAGE, offset_of(number))
    return _page(request, person, Paging(number, len(found.lines), None, found.more), lines=found.lines)


def _page(
    request: Request,
    person: SignedIn,
    paging: Paging,
    *,
    told: Told | None = None,
    rows: Sequence[Row] = (),
    lines: Sequence[LogLine] = (),
) -> Response:
    return page(
        request,
        "audit.html",
        person,
        paging=paging,
        told=told,
        rows=rows,
        lines=lines,
        kinds=tuple(EntryKind),
        outcomes=tuple(Outcome),
        verbs=tuple(Verb),
        phases=tuple(Phase),
        entry_kind=EntryKind,
        outcome=Outcome,
        known_outcomes=tuple(one.value for one in Outcome),
        digest=digest_of,
        query=str(request.url.query),
    )


@router.get("/audit.csv")
async def audit_csv(request: Request, person: SignedIn) -> Response:
    """The same rows as a file for spreadsheets, which runs nothing."""
    rows = [("rollout", *COLUMNS), *((name, *cells(row)) for name, row in await _rows(request))]
    return _file(BOM + await asyncio.to_thread(write_rows, rows), "text/csv; charset=utf-8", "audit.csv")


@router.get("/audit.json")
async def audit_json(request: Request, person: SignedIn) -> Response:
    """The same rows for programs."""
    rows = [{"rollout": name, **row.model_dump(mode="json")} for name, row in await _rows(request)]
    return _file(json.dumps(rows, ensure_ascii=True), "application/json", "audit.json")


@router.get("/audit.md")
async def audit_md(request: Request, person: SignedIn) -> Response:
    """The same rows as Markdown."""
    rows = await _rows(request)
    name = word(request, "rollout") or "all rollouts"
    return _file(as_markdown(name, [row for _, row in rows]), "text/markdown; charset=utf-8", "audit.md")


def _file(body: str, media_type: str, name: str) -> Response:
    named = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(body.encode("utf-8", errors="replace"), media_type=media_type, headers=named)


async def _rows(request: Request) -> list[tuple[str, Row]]:
    told = await _timeline(request)
    if told is not None:
        return [(word(request, "rollout") or "", row) for row in told.rows]
    found = await _log(request, MOST_ROWS, 0)
    if found.more:
        told_so = f"More than {MOST_ROWS} rows fulfil these filters; narrow them, for example by time."
        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, told_so)
    return [(line.key.rollout_id, row_of(line.run_id, line.entry)) for line in found.lines]


async def _timeline(request: Request) -> Told | None:
    """The timeline of the rollout that is asked for; None where none is, or where Temporal cannot be asked."""
    name = word(request, "rollout")
    if name is None:
        return None
    try:
        async with pool_of(request).acquire() as conn:
            found = await read_timeline(site_of(request).gateway, conn, name)
    except GatewayError as problem:
        if problem.kind in (Kind.UNAVAILABLE, Kind.UNKNOWN):
            return None
        raise
    wanted = _wanted(request)
    rows = [row for row in found.rows if row.kind.value not in _ALWAYS_LEFT_OUT and wanted.takes(row)]
    outcome = word(request, "outcome")
    rows = [row for row in rows if outcome is None or row.outcome == outcome]
    return Told(tuple(reversed(rows)), len(found.disagreements), found.missing_run, not found.runs)


def _wanted(request: Request) -> Wanted:
    return Wanted(
        kind=word(request, "kind"),
        verb=word(request, "verb"),
        who=word(request, "actor"),
        since=_day(word(request, "since")),
        until=_after(_day(word(request, "until"))),
        phase=word(request, "phase"),
        words=word(request, "q"),
    )


def _day(text: str | None) -> datetime | None:
    """The midnight (UTC) a day begins with; None where it is none."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC) if text else None
    except ValueError:
        return None


def _after(day: datetime | None) -> datetime | None:
    """The midnight a day ends with: pages name days, and mean the last one, too."""
    try:
        return day + timedelta(days=1) if day else None
    except OverflowError:
        return None


async def _log(request: Request, limit: int, offset: int) -> LogPage:
    wanted = _wanted(request)
    async with pool_of(request).acquire() as conn:
        return await read_log_page(
            conn,
            rollout=word(request, "rollout"),
            kind=wanted.kind,
            actor=wanted.who,
            outcome=word(request, "outcome"),
            words=wanted.words,
            verb=wanted.verb,
            since=wanted.since,
            until=wanted.until,
            phase=wanted.phase,
            limit=limit,
            offset=offset,
        )
