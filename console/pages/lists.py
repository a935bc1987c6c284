"""The list of rollouts, by filters that stand in its address."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from console.pages import telling
from console.pages.asked import PER_PAGE, Paging, offset_of, page_number, word
from console.pages.render import page, words_of
from console.person import SignedIn, signer_of
from console.signin import pool_of
from models.rollout import Phase, Status
from store.views import list_lines

router = APIRouter(include_in_schema=False)


@router.get("/rollouts")
async def rollouts(request: Request, person: SignedIn) -> Response:
    """All rollouts, the newest first."""
    number = page_number(request)
    pool = pool_of(request)
    async with pool.acquire() as conn:
        found = await list_lines(
            conn,
            status=word(request, "status"),
            phase=word(request, "phase"),
            words=word(request, "q"),
            awaiting=person.identity if word(request, "mine") else None,
            signer=signer_of(person) if word(request, "mine") else None,
            limit=PER_PAGE,
            offset=offset_of(number),
        )
    shown = len(found.lines)
    return page(
        request,
        "rollouts.html",
        person,
        lines=found.lines,
        paging=Paging(number, shown, found.total, offset_of(number) + shown < found.total),
        where=lambda line: telling.where(words_of(request), line),
        told=telling,
        statuses=tuple(Status),
        phases=tuple(Phase),
    )
