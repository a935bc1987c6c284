"""Reads what a form of ours sends, and nothing that a page of somebody else made a browser send."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

from fastapi import Request

from console.bodies import media_type, read_body
from console.problems import Problem

FORM = "application/x-www-form-urlencoded"
LARGEST = 64 * 1024
MOST_FIELDS = 40


async def read_form(request: Request) -> Mapping[str, str]:
    """The fields of a form that one of our own pages sent; of several of one name the last.

    Raises:
        Problem: it comes from elsewhere, or is no form.
    """
    refuse_others(request)
    media_type(request, (FORM,))
    body = await read_body(request, LARGEST)
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError:
        raise Problem(HTTPStatus.BAD_REQUEST, "The form cannot be read") from None
    return {name: value.replace("\r\n", "\n").replace("\x00", "") for name, value in pairs}


def refuse_others(request: Request) -> None:
    """Take a request only from a page of this very origin: another port of the same host is another one.

    Raises:
        Problem: the browser says that it comes from elsewhere, or does not say where from.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        own = site == "same-origin"
    else:
        origin = urlsplit(request.headers.get("origin", ""))
        own = (origin.scheme, origin.netloc) == (request.url.scheme, request.headers.get("host", ""))
    if not own:
        raise Problem(HTTPStatus.FORBIDDEN, "The form was sent by a page of another origin; nothing was done")
