"""Renders a page in the reader's language; `console/guard.py` puts it under headers that let in nothing but ours."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse, Response

from console.pages import terms
from console.pages.wishes import HINT
from console.pages.words import COOKIE, LANGUAGES, Words, language_of, words_in
from console.person import Person
from drawing.charts import NARROW, WIDE, Chart, draw
from models.base import short
from record.limits import limit_words

HERE = Path(__file__).parent
STATIC = HERE / "static"


def words_of(request: Request) -> Words:
    """The reader's language: chosen by the switch, or preferred by the browser."""
    return words_in(language_of(request.cookies.get(COOKIE), request.headers.get("accept-language", "")))


def page(
    request: Request, template: str, person: Person | None, status: int = HTTPStatus.OK, **context: Any
) -> Response:
    """A whole page."""
    words = words_of(request)
    found = environment(words.language).get_template(template)
    body = found.render(
        request=request,
        person=person,
        here=request.scope["path"],
        back=_back(request),
        csrf=getattr(request.state, "csrf", ""),
        trying=request.app.state.site.dev is not None,
        hints=HINT,
        address=lambda **changes: _address(request, changes),
        **context,
    )
    return HTMLResponse(body, status, {"Content-Language": words.language})


@cache
def environment(language: str) -> Environment:
    """Templates in one language. What is missing in a template is an error, and every text is escaped."""
    words = words_in(language)
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    # The extension adds it; the environment's type knows nothing of its extensions.
    made.install_gettext_translations(words.translations, newstyle=True)  # type: ignore[attr-defined]
    made.globals |= {
        "words": words,
        "terms": terms,
        "languages": LANGUAGES,
        "asset": asset,
        "chart": lambda one: Markup(draw(one, WIDE) + draw(one, NARROW)) if isinstance(one, Chart) else "",  # noqa: S704
    }
    made.filters |= {
        "moment": lambda at: moment(words, at),
        "day": lambda at: day(words, at),
        "short": short,
        "number": words.number,
        "count": words.count,
        "span": words.span,
        "agreed": lambda limits: words.listed([limit_words(words, str(one)) for one in limits]),
        "role": lambda name: terms.role(words, name),
    }
    return made


def moment(words: Words, at: datetime) -> Markup:
    """A moment as people read it, with the exact one for machines."""
    exact = at.astimezone(UTC).isoformat(timespec="seconds")
    return Markup('<time datetime="{}">{}</time>').format(exact, words.moment(at))


def day(words: Words, at: datetime) -> Markup:
    """A day in the same way."""
    return Markup('<time datetime="{}">{}</time>').format(at.astimezone(UTC).date().isoformat(), words.day(at))


@cache
def asset(name: str) -> str:
    """The address of a static file, which changes with its content, so that it may be kept for ever."""
    content = (STATIC / name).read_bytes()
    return f"/static/{name}?v={hashlib.sha256(content).hexdigest()[:12]}"


def _back(request: Request) -> str:
    """Where the language switch leads back to: this very page, where an address alone brings it."""
    path: str = request.scope["path"]
    query = request.scope["query_string"].decode("latin-1")
    return f"{path}?{query}" if query and request.method in ("GET", "HEAD") else path


def _address(request: Request, changes: dict[str, Any]) -> Markup:
    """This page's address with other values; an empty one is left out."""
    asked = {**request.query_params, **changes}
    told = urlencode({name: value for name, value in asked.items() if value not in (None, "")})
    return escape(f"{request.url.path}?{told}" if told else request.url.path)
