"""The decision log of all rollouts, by filters that stand in its address."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from console.pages.asked import PER_PAGE, Paging, offset_of, page_number, word
from console.pages.asking import digest_of
from console.pages.render import page
from console.person import SignedIn
from console.signin import pool_of
from models.log import EntryKind, Outcome
from store.views import read_log_page

router = APIRouter(include_in_schema=False)


@router.get("/audit")
async def audit(request: Request, person: SignedIn) -> Response:
    """Entries of the log, the newest first."""
    number = page_number(request)
    pool = pool_of(request)
    async with pool.acquire() as conn:
        found = await read_log_page(
            conn,
            rollout=word(request, "rollout"),
            kind=word(request, "kind"),
            actor=word(request, "actor"),
            outcome=word(request, "outcome"),
            words=word(request, "q"),
            limit=PER_PAGE,
            offset=offset_of(number),
        )
    return page(
        request,
        "audit.html",
        person,
        lines=found.lines,
        paging=Paging(number, len(found.lines), None, found.more),
        kinds=tuple(EntryKind),
        outcomes=tuple(Outcome),
        digest=digest_of,
    )
