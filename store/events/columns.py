"""Columns of many values as one text each: what the driver does value by value is half the cost of taking an event."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, cast

SEPARATOR: Final = "\x1f"
"""Stands between values. No event can hold it: its texts have no control characters, and JSON escapes them."""

NOTHING: Final = "\x1e"
"""Stands for NULL."""


def joined(values: Iterable[str]) -> str:
    """Values as one text."""
    return SEPARATOR.join(values)


def separate(text: str | None) -> list[str]:
    """The values of a text that the database joined; it has none to join where there are no values."""
    return [] if text is None else text.split(SEPARATOR)


def joined_or_null(values: Sequence[str | None]) -> str:
    """The same for values that may be missing, and that may come from a file, which can hold any character."""
    found: Sequence[str]
    if None in values:
        if values.count(None) == len(values):
            # Beside longer columns, what is missing is read as NULL: no need to spell each.
            return NOTHING
        found = [NOTHING if one is None else one for one in values]
    else:
        found = cast(Sequence[str], values)
    text = SEPARATOR.join(found)
    if text.count(SEPARATOR) == len(found) - 1:
        return text
    return SEPARATOR.join(one.replace(SEPARATOR, "\N{REPLACEMENT CHARACTER}") for one in found)


def array(place: int) -> str:
    """The SQL that reads the parameter of this number back."""
    return rf"string_to_array(${place}, E'\x1f', E'\x1e')"
