"""A cell's text becomes a typed value, or a reason why not; also how wall-clock time becomes a moment."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from functools import lru_cache, partial
from typing import Final, TypeAlias, TypeVar
from zoneinfo import ZoneInfo

from models.base import Frozen
from models.calendar import read_hours, time_zones
from store.calendars.library import known_region
from store.intake.kinds import FieldSpec, FieldType

Value: TypeAlias = "str | int | bool | Decimal | date | datetime | list[str] | None"
Reader: TypeAlias = Callable[[str], Value]
Day = TypeVar("Day", date, datetime)

_MONEY_LIMIT: Final = Decimal(10) ** 14
_HALF_A_STEP: Final = Decimal("0.00005")
"""An amount this close below the limit would be rounded up to it."""

NAME_LENGTH: Final = 200
"""Characters of a name at most."""

_UNSEEN: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]").search
FIRST_YEAR: Final = 1900
"""Before that nothing is told of that anybody means: 0026 is 2026 cut short."""

_INTEGER_LIMIT: Final = 2**31
_DAYS_LIMIT: Final = 1_000_000
"""More than that after a day there may be no day, and whoever adds them up would not get to read any other fact."""

_DIGITS: Final = 40
"""More digits before or after the decimal point than that no amount, rate or weight has; the database counts them."""
_BOOLEANS: Final = {"true": True, "yes": True, "t": True, "y": True, "1": True} | {
    "false": False,
    "no": False,
    "f": False,
    "n": False,
    "0": False,
}


class Ambiguous(StrEnum):
    """Which of the two moments that a wall clock shows twice, while it is turned back, is meant."""

    EARLIER = "earlier"
    LATER = "later"
    REFUSE = "refuse"


class Nonexistent(StrEnum):
    """What to make of a time the wall clock skipped while it was turned forward: `shift` moves it on by as much
    as the clock was, so that 02:30 becomes 03:30."""

    SHIFT = "shift"
    REFUSE = "refuse"


class ReadingRules(Frozen):
    """What a file's cells are written in."""

    decimal: str = "."
    thousands: str = ""
    time_zone: str | None = None
    ambiguous: Ambiguous = Ambiguous.EARLIER
    nonexistent: Nonexistent = Nonexistent.SHIFT


def reader(spec: FieldSpec, rules: ReadingRules, time_format: str | None = None) -> Reader:
    """The function that reads this field's cells. It raises ValueError saying what was found and what is allowed.

    Recent results are remembered: dates, amounts and names repeat a lot in one file.
    """
    types: dict[FieldType, Reader] = {
        FieldType.TEXT: _name if spec.is_name else partial(_text, allowed=spec.allowed),
        FieldType.TEXTS: lambda text: [part.strip() for part in _text(text).split(";") if part.strip()],
        FieldType.MONEY: partial(_number, rules=rules, limit=_MONEY_LIMIT),
        FieldType.NUMBER: partial(_number, rules=rules),
        FieldType.SHARE: partial(_share, rules=rules),
        FieldType.INTEGER: partial(_integer, most=_DAYS_LIMIT if spec.name.endswith("_days") else _INTEGER_LIMIT - 1),
        FieldType.BOOLEAN: _boolean,
        FieldType.DATE: partial(_date, time_format=time_format),
        FieldType.MONTH: partial(_month, time_format=time_format),
        FieldType.INSTANT: _instant_reader(rules, time_format),
        FieldType.CURRENCY: _currency,
        FieldType.ZONE: _zone,
        FieldType.HOURS: _hours,
        FieldType.HOLIDAYS: known_region,
    }
    return lru_cache(maxsize=8192)(partial(_explained, types[spec.type], time_format or spec.type.value))


def _explained(read: Reader, allowed: str, text: str) -> Value:
    """Readers raise `_Unexplained` when the general answer will do."""
    try:
        return read(text)
    except _UnexplainedError as error:
        raise ValueError(f"found {text!r}; allowed: {allowed}") from error


class _UnexplainedError(ValueError):
    """Refused for the reason the field's type already tells."""


def _text(text: str, allowed: tuple[str, ...] = ()) -> str:
    if "\x00" in text:
        raise ValueError("holds a NUL character")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"holds half a character: {text[error.start]!a}") from error
    if allowed and text not in allowed:
        raise ValueError(f"found {text!r}; allowed: {', '.join(allowed)}")
    return text


def _name(text: str) -> str:
    """As events have them: what is longer PostgreSQL may not find again, and what nobody sees nobody can tell apart."""
    _text(text)
    if len(text) > NAME_LENGTH:
        raise ValueError(f"found {text[:40]!r} and {len(text) - 40} more; allowed: at most {NAME_LENGTH} characters")
    odd = _UNSEEN(text)
    if odd:
        raise ValueError(f"found {text!r}; allowed: no {odd[0]!a}, which nobody sees")
    return text


def _number(text: str, rules: ReadingRules, limit: Decimal | None = None) -> Decimal:
    plain = text
    if rules.thousands and rules.thousands in text:
        whole, _, rest = text.partition(rules.decimal)
        first, *groups = whole.lstrip("+-").split(rules.thousands)
        # 12.50 where a point parts thousands is no 1250: whoever wrote it meant something else.
        if rules.thousands in rest or not first or len(groups[-1]) != 3 or {2, 3} < {2, 3, *map(len, groups)}:
            raise ValueError(f"found {text!r}; allowed: {rules.thousands!r} between groups of three digits alone")
        plain = text.replace(rules.thousands, "")
    if not plain.isascii():
        raise _UnexplainedError
    if rules.decimal != ".":
        if "." in plain:
            raise _UnexplainedError
        plain = plain.replace(rules.decimal, ".")
    if "_" in plain:
        raise _UnexplainedError
    try:
        number = Decimal(plain)
    except InvalidOperation as error:
        raise _UnexplainedError from error
    if not number.is_finite() or (limit is not None and abs(number) >= limit - _HALF_A_STEP):
        raise _UnexplainedError
    if number and not -_DIGITS <= number.adjusted() <= _DIGITS:
        raise _UnexplainedError
    return number


def _share(text: str, rules: ReadingRules) -> Decimal:
    number = _number(text, rules)
    if not 0 <= number <= 1:
        raise _UnexplainedError
    return number


def _integer(text: str, most: int) -> int:
    if not (text.isascii() and text.lstrip("+-").isdecimal()):
        raise _UnexplainedError
    try:
        number = int(text)
    except ValueError as error:
        raise _UnexplainedError from error
    if not -_INTEGER_LIMIT <= number < _INTEGER_LIMIT:
        raise _UnexplainedError
    if number > most:
        raise ValueError(f"found {text!r}; allowed: at most {most}")
    return number


def _boolean(text: str) -> bool:
    value = _BOOLEANS.get(text.lower())
    if value is None:
        raise _UnexplainedError
    return value


def _date(text: str, time_format: str | None) -> date:
    try:
        day = date.fromisoformat(text) if time_format is None else _naive(text, time_format).date()
    except ValueError as error:
        raise _UnexplainedError from error
    return _meant(text, day)


def _meant(text: str, day: Day) -> Day:
    if day.year < FIRST_YEAR:
        raise ValueError(f"found {text!r}; allowed: years from {FIRST_YEAR} on")
    return day


def _month(text: str, time_format: str | None) -> date:
    plain = f"{text}-01" if time_format is None and len(text) == len("2025-12") else text
    return _date(plain, time_format).replace(day=1)


def _naive(text: str, time_format: str | None) -> datetime:
    if time_format is None:
        return datetime.fromisoformat(text)
    return datetime.strptime(text, time_format)  # noqa: DTZ007 - the caller knows the zone


def _instant_reader(rules: ReadingRules, time_format: str | None) -> Reader:
    zone = ZoneInfo(rules.time_zone) if rules.time_zone else None

    def read(text: str) -> datetime:
        try:
            moment = _naive(text, time_format)
            in_utc = None if moment.tzinfo is None else moment.astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise _UnexplainedError from error
        _meant(text, moment)
        if in_utc is not None:
            return in_utc
        if zone is None:
            raise ValueError(f"found {text!r}, which has no offset; give the mapping a time_zone")
        try:
            return from_wall_clock(moment, zone, rules.ambiguous, rules.nonexistent)
        except OverflowError as error:
            raise _UnexplainedError from error

    return read


def from_wall_clock(local: datetime, zone: ZoneInfo, ambiguous: Ambiguous, nonexistent: Nonexistent) -> datetime:
    """The UTC moment at which a wall clock in `zone` shows `local`.

    Raises:
        ValueError: the clock shows it twice or never, and the rule for that is `refuse`.
    """
    first, second = local.replace(tzinfo=zone, fold=0), local.replace(tzinfo=zone, fold=1)
    before, after = first.utcoffset(), second.utcoffset()
    if before == after or before is None or after is None:
        return first.astimezone(UTC)
    if before < after:
        if nonexistent is Nonexistent.REFUSE:
            raise ValueError(f"{local} never came in {zone.key}: the clock was turned forward over it")
        return first.astimezone(UTC)
    if ambiguous is Ambiguous.REFUSE:
        raise ValueError(f"{local} came twice in {zone.key}: the clock was turned back over it")
    return (first if ambiguous is Ambiguous.EARLIER else second).astimezone(UTC)


def _currency(text: str) -> str:
    if len(text) != 3 or not (text.isascii() and text.isalpha() and text.isupper()):
        raise _UnexplainedError
    return text


def _zone(text: str) -> str:
    if text not in time_zones():
        raise _UnexplainedError
    return text


def _hours(text: str) -> list[str]:
    parts = [part.strip() for part in text.split(";") if part.strip()]
    try:
        read_hours(tuple(parts))
    except ValueError as error:
        raise ValueError(f"found {text!r}; {error}") from error
    return parts
