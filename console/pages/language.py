"""The language switch: it remembers a choice in a cookie, and nothing else."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from console.pages.words import COOKIE, LANGUAGES
from console.signin import own_path, site_of

router = APIRouter(include_in_schema=False)

A_YEAR = 365 * 86400


@router.get("/language/{code}")
async def language(request: Request, code: str) -> Response:
    """Show pages in this language from now on; back to where the reader was."""
    answer = RedirectResponse(own_path(request.query_params.get("back", "/")), HTTPStatus.SEE_OTHER)
    if code in LANGUAGES:
        secure = site_of(request).secure
        answer.set_cookie(COOKIE, code, max_age=A_YEAR, httponly=True, samesite="lax", secure=secure)
    return answer
