"""Static files: each may be kept for ever, since its address changes with its content."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from console.pages.render import STATIC

router = APIRouter(include_in_schema=False)


@router.get("/favicon.ico")
async def icon() -> Response:
    """Browsers ask for it on pages that name none."""
    return FileResponse(STATIC / "icon.svg", media_type="image/svg+xml")


class Files(StaticFiles):
    """A folder of files."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        found = await super().get_response(path, scope)
        asked = b"v=" in scope.get("query_string", b"")
        found.headers["Cache-Control"] = "public, max-age=31536000, immutable" if asked else "no-cache"
        found.headers["X-Content-Type-Options"] = "nosniff"
        found.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        return found
