"""Reads what a form of ours sends; `console/guard.py` has seen by then that it is one of ours."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import parse_qsl

from fastapi import Request

from console.bodies import media_type, read_body
from console.guard import FORM, FORM_BYTES
from console.problems import Problem

MOST_FIELDS = 40


async def read_form(request: Request) -> Mapping[str, str]:
    """The fields of a form; of several of one name the last.

    Raises:
        Problem: it is no form.
    """
    media_type(request, (FORM,))
    body = await read_body(request, FORM_BYTES)
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError:
        raise Problem(HTTPStatus.BAD_REQUEST, "The form cannot be read") from None
    return {name: value.replace("\r\n", "\n").replace("\x00", "") for name, value in pairs}
