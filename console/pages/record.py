"""The decision record of a rollout as one page, in the reader's language, to read, print or keep as a file."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from console.pages.render import words_of
from console.pages.rollout import show, unknown
from console.person import SignedIn
from console.signin import pool_of
from learning.record import decision_record
from record.document import html
from record.writing import document
from store.evidence import EvidenceChanged
from store.hindsight import Hindsight, read_hindsight
from store.rollouts import UnknownBaselines

router = APIRouter(include_in_schema=False)

POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
"""Its style stands in it, so that it is whole as a file; nothing else is allowed."""


@router.get("/rollouts/{name}/record")
async def record(request: Request, person: SignedIn, name: str) -> Response:
    """The record, made of the store as it is now."""
    pool = pool_of(request)
    try:
        async with pool.acquire() as conn:
            found = await read_hindsight(conn, name)
        if found is None:
            return unknown(request, person, name)
        # Hundreds of readings are drawn: other readers need not wait for that.
        text = await asyncio.to_thread(_written, found, words_of(request).language)
    except (EvidenceChanged, UnknownBaselines, ValueError) as problem:
        return await show(request, person, name, HTTPStatus.CONFLICT, problem=str(problem))
    return HTMLResponse(text, headers={"content-security-policy": POLICY})


def _written(found: Hindsight, language: str) -> str:
    return html(document(decision_record(found.plan, found.log, found.readings), language))
