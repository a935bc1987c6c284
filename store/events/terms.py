"""What a word, an amount, a share or a moment of an event may be: read strictly, and kept in one canonical spelling.

Every reader takes what JSON can carry and returns text, so that the same thing said in two ways has one digest and goes
to the database as it is. Money may be a number or text; text is exact at any size.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import GetPydanticSchema, StringConstraints, WithJsonSchema
from pydantic_core import core_schema

FIRST_YEAR, LAST_YEAR = 1970, 2199
"""Between which years a moment or a day can be meant."""

_YEARS = r"(19[7-9][0-9]|2[01][0-9]{2})"
_DAY = rf"{_YEARS}-[0-9]{{2}}-[0-9]{{2}}"
_INSTANT = rf"{_DAY}[Tt][0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}(\.[0-9]{{1,9}})?([Zz]|[+-][0-9]{{2}}:[0-9]{{2}})"
_MONEY = r"-?(0|[1-9][0-9]{0,13})(\.[0-9]{1,4})?"
_SHARE = r"0(\.[0-9]{1,8})?|1(\.0{1,8})?"
_MONTH = rf"{_YEARS}-(0[1-9]|1[0-2])"
_SCORE = r"(0|[1-9][0-9]{0,5})(\.[0-9]{1,4})?|1000000(\.0{1,4})?"

_is_day, _is_instant, _is_money, _is_share, _is_month, _is_score = (
    re.compile(one).fullmatch for one in (_DAY, _INSTANT, _MONEY, _SHARE, _MONTH, _SCORE)
)
# What most systems send: whole seconds in UTC, whose one spelling is nearly their own.
_is_utc = re.compile(rf"{_DAY}T(?:[01][0-9]|2[0-3]):[0-9]{{2}}:[0-9]{{2}}(?:Z|\+00:00)").fullmatch
# A day that every month, or this one, has; the last of February has to be asked for.
_COMMON_DAY = (
    rf"{_YEARS}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
)
_COMMON_SECOND = rf"{_COMMON_DAY}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
_MICROSECONDS = re.compile(r"(\.[0-9]{6})[0-9]+")
# Nothing that a terminal, a log or PostgreSQL would not take.
_ODD = r"\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff"
_PRINTABLE = rf"^[^{_ODD}]+$"
_KEY = rf"^[^\s{_ODD}]([^{_ODD}]*[^\s{_ODD}])?$"


def _instant(value: Any) -> str:
    utc = isinstance(value, str) and _is_utc(value)
    if not (utc or (isinstance(value, str) and _is_instant(value))):
        raise ValueError("a moment such as 2025-12-31T17:00:00+01:00")
    try:
        if utc:
            datetime.fromisoformat(value)
            return f"{value[:19]}+00:00"
        moment = datetime.fromisoformat(_MICROSECONDS.sub(r"\1", value).upper() if "." in value else value.upper())
        return (moment if moment.tzinfo is UTC else moment.astimezone(UTC)).isoformat()
    except (ValueError, OverflowError):
        raise ValueError("a moment that exists, such as 2025-12-31T17:00:00+01:00") from None


def _day(value: Any) -> str:
    if not (isinstance(value, str) and _is_day(value)):
        raise ValueError("a date such as 2025-12-31")
    try:
        date.fromisoformat(value)
    except ValueError:
        raise ValueError("a date that exists, such as 2025-12-31") from None
    return value


def _month(value: Any) -> str:
    if not (isinstance(value, str) and _is_month(value)):
        raise ValueError("a month such as 2025-12")
    return f"{value}-01"


def _spelled_out(value: str) -> str:
    return f"{value[:-1]}+00:00"


SPELLINGS: Final[dict[Callable[[Any], str], tuple[tuple[str, Callable[[str], str] | None], ...]]] = {
    _instant: ((rf"^{_COMMON_SECOND}\+00:00$", None), (f"^{_COMMON_SECOND}Z$", _spelled_out)),
    _day: ((f"^{_COMMON_DAY}$", None),),
}
"""By reader the texts of which it is known, by their letters alone, that the reader takes them, and what it makes of
them; None: it returns them as they are."""


def _money(value: Any) -> str:
    return _plain(value, _is_money, "an amount with at most 14 digits before the decimal point and 4 after it")


def _amount(value: Any) -> str:
    text = _money(value)
    if text.startswith("-"):
        raise ValueError("an amount that is not negative")
    return text


def _share(value: Any) -> str:
    return _plain(value, _is_share, "a share from 0 to 1 with at most 8 decimals")


def _score(value: Any) -> str:
    return _plain(value, _is_score, "a number from 0 to 1000000 with at most 4 decimals")


def _plain(value: Any, fits: Any, allowed: str) -> str:
    """A number in its shortest spelling, without an exponent."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(allowed)
    text = value if isinstance(value, str) else format(Decimal(repr(value)), "f")
    if not fits(text):
        raise ValueError(allowed)
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _schema(pattern: str, example: str, **more: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^({pattern})$", "examples": [example], **more})


def _numeric(pattern: str, example: str, least: float, most: float) -> WithJsonSchema:
    number = {"type": "number", "minimum": least, "maximum": most}
    text = {"type": "string", "pattern": f"^({pattern})$", "examples": [example]}
    return WithJsonSchema({"anyOf": [text, number]})


def _read_by(reader: Callable[[Any], str]) -> GetPydanticSchema:
    """A reader of ours. What it returns is plain text, and written as such without asking Python for each value."""
    text = core_schema.simple_ser_schema("str")
    return GetPydanticSchema(lambda _, __: core_schema.no_info_plain_validator_function(reader, serialization=text))


Instant = Annotated[str, _read_by(_instant), _schema(_INSTANT, "2026-03-02T09:00:00Z", format="date-time")]
"""Always in UTC, in one spelling: two of them compare as text as the moments do."""

Day = Annotated[str, _read_by(_day), _schema(_DAY, "2026-03-31", format="date")]
Month = Annotated[str, _read_by(_month), _schema(_MONTH, "2026-03")]
Money = Annotated[str, _read_by(_money), _numeric(_MONEY, "-120.50", -99999999999999, 99999999999999)]
Amount = Annotated[str, _read_by(_amount), _numeric(_MONEY.removeprefix("-?"), "120.50", 0, 99999999999999)]
Share = Annotated[str, _read_by(_share), _numeric(_SHARE, "0.5", 0, 1)]
Score = Annotated[str, _read_by(_score), _numeric(_SCORE, "87.5", 0, 1000000)]
Currency = Annotated[str, StringConstraints(pattern="^[A-Z]{3}$")]


Text = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_KEY)]
"""A name or a key: blanks around it would make it another one."""

Words = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=_PRINTABLE)]
"""What a person wrote."""

SOURCE_PATTERN = r"^[a-z0-9][a-z0-9_.-]{0,62}$"
Source = Annotated[str, StringConstraints(pattern=SOURCE_PATTERN)]
"""A source system, as in a mapping."""
