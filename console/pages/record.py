"""The decision record of a rollout as one page, in the reader's language, to read, print or keep as a file: the one
that was kept when it ended, or made anew."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from http import HTTPStatus

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from console.pages.render import words_of
from console.pages.rollout import show, unknown
from console.pages.words import Words
from console.person import SignedIn
from console.signin import pool_of
from learning.record import decision_record
from record.document import Document, Para, html
from record.keeping import compared
from record.writing import document
from store.evidence import EvidenceChanged
from store.hindsight import Hindsight, read_hindsight
from store.kept import KeptChanged, KeptRecord, read_kept
from store.rollouts import UnknownBaselines

router = APIRouter(include_in_schema=False)

POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
"""Its style stands in it, so that it is whole as a file; nothing else is allowed."""


@router.get("/rollouts/{name}/record")
async def record(request: Request, person: SignedIn, name: str) -> Response:
    """The record that was kept, as it was kept; with `?fresh=1`, or where none was, made of the store as it is now."""
    pool, words, fresh = pool_of(request), words_of(request), request.query_params.get("fresh") == "1"
    try:
        async with pool.acquire() as conn:
            found = await read_hindsight(conn, name)
            if found is None:
                return unknown(request, person, name)
            kept, changed = None, None
            try:
                kept = await read_kept(conn, found.key, found.log)
            except KeptChanged as problem:
                changed = problem
        if changed is not None and not fresh:
            return await show(request, person, name, HTTPStatus.CONFLICT, problem=str(changed))
        if kept is not None and not fresh:
            return _page(kept.files[f"{words.language}/record.html"])
        # Hundreds of readings are drawn: other readers need not wait for that.
        text = await asyncio.to_thread(_written, found, kept, changed, words)
    except (EvidenceChanged, UnknownBaselines, ValueError) as problem:
        return await show(request, person, name, HTTPStatus.CONFLICT, problem=str(problem))
    return _page(text.encode())


def _page(content: bytes) -> HTMLResponse:
    """The page with its digest (RFC 9530), which for the one that was kept is the one that the log names."""
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    return HTMLResponse(content, headers={"content-security-policy": POLICY, "repr-digest": f"sha-256=:{digest}:"})


def _written(found: Hindsight, kept: KeptRecord | None, changed: KeptChanged | None, words: Words) -> str:
    made = document(decision_record(found.plan, found.log, found.readings), words.language)
    notes = [Para(one) for one in _beside(found, kept, changed, words)]
    return html(Document(made.language, made.title, [*notes, *made.blocks]))


def _beside(found: Hindsight, kept: KeptRecord | None, changed: KeptChanged | None, words: Words) -> list[str]:
    """What a record that is made anew says of the one that was kept; nothing where none was."""
    if changed is not None:
        return [words("What was kept when the rollout ended cannot be shown: %(why)s", why=changed)]
    if kept is None:
        return []
    entries = kept.named.said.entries
    told = words("Made anew. A record was kept when the rollout ended, as of entry %(entry)s.", entry=entries)
    differs, later = compared(kept.files, found.plan, found.log[:entries], found.readings)
    notes = [told]
    if differs is None:
        notes.append(words("Made anew of the same entries, it states the same."))
    else:
        notes.append(words("Made anew of the same entries, it states something else: %(where)s", where=differs))
    if later:
        more = words("Readings of before the end that came after it was kept, and are none of its: %(num)s", num=later)
        notes.append(more)
    return notes
