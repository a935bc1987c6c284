"""Values and rows as PostgreSQL's COPY reads them in its text format."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Final

from store.intake.values import Value

NULL: Final = "\\N"
special: Final = re.compile(r"[\\\t\n\r]").search
"""Whether a text holds what COPY would not take as it stands."""

_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def token(value: Value) -> str:
    """One value; nothing is NULL."""
    if isinstance(value, str):
        return value.translate(_ESCAPES)
    if isinstance(value, date):
        return value.isoformat()
    if value is None:
        return NULL
    if isinstance(value, list):
        quoted = ('"' + one.replace("\\", "\\\\").replace('"', '\\"') + '"' for one in value)
        return ("{" + ",".join(quoted) + "}").translate(_ESCAPES)
    # PostgreSQL reads true and false as Python writes them, and numbers too.
    return str(value)


def text_of(columns: Sequence[Sequence[str]]) -> bytes:
    """Rows of tokens, given column by column. Text that is no text was refused before it became a token; what a
    message quotes of it is told in escapes."""
    lines = "\n".join(map("\t".join, zip(*columns, strict=True)))
    return f"{lines}\n".encode(errors="backslashreplace") if lines else b""
