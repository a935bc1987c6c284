"""Reads bodies that anybody may have written: bounded before they are parsed, and JSON in the strictest sense.

JSON readers differ in what they make of a name that comes twice, of NaN and of half a surrogate pair. Here each of them
is refused: what two readers understand differently must not become a fact.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from email.message import Message
from http import HTTPStatus
from typing import Any, Final, TypeVar

from pydantic import ValidationError
from starlette.requests import ClientDisconnect, Request

from console.problems import Problem
from store.events import EventProblem, EventsRefused
from store.events.errors import shown

T = TypeVar("T")

BODY_SECONDS: Final = 30.0
"""How long a sender may take for a body."""


class NotStrict(ValueError):
    """What some readers take and others do not."""


async def read_body(request: Request, most: int) -> bytes:
    """The whole body, unless it is too large.

    Raises:
        Problem: it is, or is compressed, or ends early.
    """
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "The body is compressed; send it as it is",
            headers={"Accept-Encoding": "identity"},
        )
    too_large = Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body is too large; allowed: {most} bytes")
    stated = request.headers.get("content-length", "")
    if stated.isascii() and stated.isdigit() and len(stated) < 20 and int(stated) > most:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most:
                    raise too_large
    except TimeoutError:
        raise Problem(HTTPStatus.REQUEST_TIMEOUT, f"The body was not here after {BODY_SECONDS:g} s") from None
    except ClientDisconnect:
        raise Problem(HTTPStatus.BAD_REQUEST, "The body ends before its end") from None
    return bytes(body)


def media_type(request: Request, allowed: Sequence[str]) -> str:
    """The body's media type.

    Raises:
        Problem: it is none of those that are allowed, or not in UTF-8.
    """
    stated = request.headers.get("content-type", "")
    head = Message()
    head["content-type"] = stated
    found, charset = head.get_content_type(), head.get_param("charset", "utf-8")
    # What cannot be read at all is text/plain to the standard library.
    if stated and found in allowed and str(charset).lower() in ("utf-8", "utf8"):
        return found
    raise Problem(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        f"Found content type {shown(stated)}; allowed: {', '.join(allowed)}, in UTF-8",
        headers={"Accept": ", ".join(allowed)},
    )


def parse(body: bytes) -> Any:
    """The body as JSON in the strictest sense.

    Raises:
        Problem: it is none.
    """
    try:
        return json.loads(body.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_number)
    except UnicodeDecodeError as problem:
        raise _malformed(f"byte {problem.start} is not UTF-8") from None
    except json.JSONDecodeError as problem:
        raise _malformed(f"line {problem.lineno}, column {problem.colno}: {problem.msg}") from None
    except RecursionError:
        raise _malformed("it is nested too deeply") from None
    except ValueError as problem:
        told = str(problem) if isinstance(problem, NotStrict) else "a number in it is too large to be read"
        raise _malformed(told) from None


def read_events(body: bytes, read: Callable[[bytes], T]) -> T:
    """The events of a body that has been parsed; `read` parses it again, which is faster than walking through it.

    Raises:
        Problem: it holds what is no JSON to the reader, for instance half a surrogate pair.
        EventsRefused: it says what it must not.
    """
    try:
        return read(body)
    except ValidationError as problem:
        errors = problem.errors(include_url=False)
        if errors[0]["type"] == "json_invalid":
            raise _malformed(errors[0]["msg"].removeprefix("Invalid JSON: ")) from None
        raise EventsRefused([_told(one) for one in errors]) from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise NotStrict(
            f"the name {shown(next(one for one in names if names.count(one) > 1))} comes twice in one object"
        )
    return found


def _no_number(name: str) -> Any:
    raise NotStrict(f"{name} is no number in JSON")


def _malformed(why: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, f"The body is not JSON: {why}")


_SAID: Final = {
    "missing": "a value; it is required",
    "extra_forbidden": "no such field",
    "union_tag_invalid": "one of {expected_tags}",
    "union_tag_not_found": "a type of event",
    "string_pattern_mismatch": "text of the form {pattern}",
    "string_too_short": "text that is not empty",
    "tuple_type": "a list of events",
    "int_type": "a whole number",
    "none_required": "nothing here: data are JSON, in `data`",
}


def _told(error: Any) -> EventProblem:
    """A reader's complaint in our words."""
    place = list(error["loc"])
    index = int(place.pop(0)) if place and isinstance(place[0], int) else 0
    # After the place in the batch stands the type by which the event was read, which is no field.
    if place and error["type"] not in ("union_tag_invalid", "union_tag_not_found"):
        place.pop(0)
    kind, context = error["type"], error.get("ctx", {})
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        place, found = ["type"], shown(context.get("tag")) if "tag" in context else "nothing"
    else:
        found = "nothing" if kind == "missing" else shown(error["input"])
    allowed = _SAID[kind].format(**context) if kind in _SAID else error["msg"]
    for start in ("Value error, ", "Input should be "):
        allowed = allowed.removeprefix(start)
    return EventProblem(event=index, field=".".join(map(str, place)) or "event", found=found, allowed=allowed)
