"""The language switch: it remembers a choice in a cookie, and nothing else."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from console.pages.asked import word
from console.pages.words import COOKIE, LANGUAGES

router = APIRouter(include_in_schema=False)

A_YEAR = 365 * 86400


@router.get("/language/{code}")
async def language(request: Request, code: str) -> Response:
    """Show pages in this language from now on; back to where the reader was."""
    back = word(request, "back") or "/"
    # Only a path of ours: `//other.example` and `/\other` are somebody else's.
    if not back.startswith("/") or back.startswith(("//", "/\\")) or "\\" in back or any(ord(c) < 32 for c in back):
        back = "/"
    answer = RedirectResponse(back, HTTPStatus.SEE_OTHER)
    if code in LANGUAGES:
        secure = request.url.scheme == "https"
        answer.set_cookie(COOKIE, code, max_age=A_YEAR, httponly=True, samesite="lax", secure=secure)
    return answer
