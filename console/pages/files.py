"""Static files: each may be kept for ever, since its address changes with its content."""

from __future__ import annotations

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope


class Files(StaticFiles):
    """A folder of files."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        found = await super().get_response(path, scope)
        asked = b"v=" in scope.get("query_string", b"")
        found.headers["Cache-Control"] = "public, max-age=31536000, immutable" if asked else "no-cache"
        found.headers["X-Content-Type-Options"] = "nosniff"
        found.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        return found
