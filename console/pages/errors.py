"""An error as a page, for whoever reads pages."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import Request
from starlette.responses import Response

from console.pages.render import page
from console.person import API, NotSignedIn
from console.problems import Problem

_OTHERS = (API, "/live", "/static/")
"""What is not read by people."""


def dress(request: Request, problem: Problem) -> Response | None:
    """A page that tells what is wrong; None where a machine asked, or where the answer leads elsewhere."""
    asks_for_pages = "text/html" in request.headers.get("accept", "")
    if isinstance(problem, NotSignedIn) or not asks_for_pages or request.scope["path"].startswith(_OTHERS):
        return None
    answer = page(
        request,
        "error.html",
        None,
        problem.status,
        missing=problem.status is HTTPStatus.NOT_FOUND,
        away=problem.status is HTTPStatus.SERVICE_UNAVAILABLE,
        elsewhere=problem.status is HTTPStatus.MISDIRECTED_REQUEST,
        detail=problem.detail,
        home=request.app.state.site.url,
    )
    answer.headers.update(problem.headers)
    return answer
