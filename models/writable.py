"""Text that the store can hold: PostgreSQL has no character with the code nought, in no text and in no JSON."""

from __future__ import annotations

import re
from typing import Any, TypeVar

from pydantic import BaseModel

NUL, INSTEAD = "\x00", "\N{REPLACEMENT CHARACTER}"
_ESCAPED = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
"""In JSON; behind an odd number of backslashes it is no escape, but says what one looks like."""

M = TypeVar("M", bound=BaseModel)


def where_unwritable(value: Any, name: str = "") -> str | None:
    """The first field of a model's JSON data with such a character, None where there is none."""
    if isinstance(value, str):
        return (name or "the text") if NUL in value else None
    if isinstance(value, dict):
        return next((name for name in value if NUL in name), None) or _first(value.items())
    return _first((name, one) for one in value) if isinstance(value, list | tuple) else None


def _first(parts: Any) -> str | None:
    return next((found for name, one in parts if (found := where_unwritable(one, name)) is not None), None)


def written(text: str) -> str:
    """The text as it is written down."""
    return text.replace(NUL, INSTEAD)


def writable(model: M) -> M:
    """The same message with nothing in it that cannot be written down.

    A run that began before requests were refused for it may have taken such a request: without this its log could not
    be written any more, and nobody be told of anything.
    """
    text = model.model_dump_json(by_alias=True)
    clean = _ESCAPED.sub(r"\1\\ufffd", text)
    return model if clean == text else type(model).model_validate_json(clean)
