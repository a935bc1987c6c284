"""The base every model shares: frozen, strict, no unknown fields, and a digest two machines agree on."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    WithJsonSchema,
    model_serializer,
)

from models.canonical import canonical


class Frozen(BaseModel):
    """A value: it never changes, it names all its fields, and it refuses what it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Grown(Frozen):
    """A value that has grown: a later field is not written while it says nothing. What was written before the field
    came keeps its digest, and so whatever is bound to it."""

    later: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _leave_out(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields, silent = type(self).model_fields, type(self).later
        written: dict[str, Any] = write(self)
        return {
            name: value
            for name, value in written.items()
            if name not in silent or getattr(self, name) != fields[name].default
        }


class Wire(BaseModel):
    """A message from outside. Unknown fields are ignored so that a newer sender's extra field cannot make an
    older worker drop an approval."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False)


_UNITS = {"w": timedelta(weeks=1), "d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1)}
_LONGEST = timedelta(days=36525)
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)([wdhm])")


def parse_duration(value: Any) -> Any:
    """Read `90d`, `2w`, `36h`, `30m` or a sum such as `1d12h`; anything else is left for pydantic to refuse.

    Raises:
        ValueError: a string that is not of that form.
    """
    if not isinstance(value, str):
        return value
    parts = _DURATION.findall(value)
    if not parts or "".join(f"{number}{unit}" for number, unit in parts) != value:
        raise ValueError(f"{value[:40]!r} is not a duration; write for example 90d, 2w, 36h, 30m or 1d12h")
    try:
        length = sum((float(number) * _UNITS[unit] for number, unit in parts), timedelta())
    except (OverflowError, ValueError):
        length = timedelta.max
    if length > _LONGEST:
        raise ValueError(f"{value[:40]!r} is longer than a hundred years")
    return length


def format_duration(value: timedelta) -> str:
    """The shortest exact spelling that `parse_duration` reads back (whole minutes)."""
    minutes = round(value.total_seconds() / 60)
    spelled = []
    for unit in "wdhm" if minutes % 10080 == 0 else "dhm":
        size = int(_UNITS[unit].total_seconds() // 60)
        count, minutes = divmod(minutes, size)
        if count:
            spelled.append(f"{count}{unit}")
    return "".join(spelled) or "0m"


def many(number: float, one: str, several: str | None = None) -> str:
    """A number with its noun, as people say it: `1 lead`, `3 leads`.

    Args:
        several: the plural, where it is not the noun with an s.
    """
    return f"{number:.15g} {one if number == 1 else several or f'{one}s'}"


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str, when_used="json"),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^([0-9]+(\.[0-9]+)?[wdhm])+$",
            "description": "A length of programme time: 90d, 2w, 36h, 30m, or a sum such as 1d12h.",
        }
    ),
]
"""A length of programme time, written `90d`."""

Instant = AwareDatetime
"""A moment with its time zone; stored and compared as UTC."""


def digest(value: BaseModel) -> str:
    """`sha256:` and the hex SHA-256 of the model's canonical JSON (RFC 8785)."""
    return digest_json(value.model_dump(mode="json"))


def digest_json(value: Any) -> str:
    """The same for plain JSON data."""
    return "sha256:" + hashlib.sha256(canonical(value)).hexdigest()


def short(digest_text: str) -> str:
    """The first eight hex digits, for people to compare by eye."""
    return digest_text.removeprefix("sha256:")[:8]


def earliest(*moments: datetime | None) -> datetime | None:
    """The nearest of several moments, leaving out those that are not set."""
    return min((moment for moment in moments if moment is not None), default=None)
