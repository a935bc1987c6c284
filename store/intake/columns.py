"""A column of a batch: its values, and the same in the words of COPY. Every different cell is read once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, NamedTuple

from store.intake.copytext import NULL, special, token
from store.intake.kinds import FieldType
from store.intake.rows import Field, instant
from store.intake.values import FIRST_YEAR, NAME_LENGTH, Value

_TIMES: Final = (FieldType.INSTANT, FieldType.DATE, FieldType.MONTH)


class _Bad:
    """Stands where a cell could not be read."""


BAD: Final = _Bad()
_Cells = Sequence[Sequence[str]]


class Column(NamedTuple):
    """`values` are there where times are reckoned with; elsewhere it is empty. `bad`: some token is missing."""

    tokens: Sequence[Any]
    values: Sequence[Any] = ()
    bad: bool = False

    def bad_places(self) -> list[int]:
        """Where."""
        return [place for place, one in enumerate(self.tokens) if one is BAD]

    def without(self, places: Collection[int]) -> Column:
        """The column without these rows."""

        def left(of: Sequence[Any]) -> list[Any]:
            return [one for place, one in enumerate(of) if place not in places]

        return Column(left(self.tokens), left(self.values))

    def required(self) -> Column:
        """Bad where there is nothing."""
        if NULL not in self.tokens:
            return self
        return Column([BAD if one == NULL else one for one in self.tokens], self.values, True)

    def or_else(self, other: Column) -> Column:
        """Where there is nothing, what the other says."""
        if NULL not in self.tokens:
            return self
        if self.tokens.count(NULL) == len(self.tokens):
            return other
        places = [number for number, one in enumerate(self.tokens) if one == NULL]
        tokens, values = list(self.tokens), list(self.values)
        for place in places:
            tokens[place] = other.tokens[place]
            if values:
                values[place] = other.values[place]
        return Column(tokens, values, self.bad or other.bad)

    def not_before(self, other: Column) -> Column:
        """Bad where it lies before the other."""
        early = {
            place
            for place, (one, least) in enumerate(zip(self.values, other.values, strict=False))
            if isinstance(one, date) and isinstance(least, date) and one < least
        }
        if not early:
            return self
        return Column([BAD if place in early else one for place, one in enumerate(self.tokens)], self.values, True)

    def equals(self, word: str) -> Column:
        """Whether a text is that one."""
        return Column([one if one is BAD else token(one == word) for one in self.tokens], bad=self.bad)

    def later(self, lag: timedelta) -> Column:
        """The moments that long after; a day counts from its midnight UTC. Bad where there is none as late as that."""
        if not lag and all(one is None or isinstance(one, datetime) for one in self.values):
            return self
        try:
            values: list[Any] = [one if one is None or one is BAD else instant(one) + lag for one in self.values]
        except OverflowError:
            values = [one if one is None or one is BAD else _moved(one, lag) for one in self.values]
        tokens = [one if one is BAD else NULL if one is None else one.isoformat() for one in values]
        return Column(tokens, values, BAD in values)

    def seen(self, moment: datetime) -> Column:
        """That moment, where there is something."""
        tokens, word = self.tokens, token(moment)
        values = [one if one is None or one is BAD else moment for one in self.values]
        return Column([one if one is BAD or one == NULL else word for one in tokens], values, self.bad)

    def present(self) -> list[Any]:
        """The values that are there, of a column without bad ones."""
        return [value for value in self.values if value is not None]


def constant(value: Value, size: int) -> Column:
    """The same in every row."""
    return Column([token(value)] * size, [value] * size if value is None or isinstance(value, date) else ())


def read_column(field: Field, cells: _Cells, size: int) -> Column:
    """A field's column, from the columns of the file."""
    if not field.places:
        value = _read(field, ())
        return Column([BAD] * size, [BAD] * size, True) if isinstance(value, _Bad) else constant(value, size)
    if len(field.places) > 1:
        found: Sequence[Any] = list(zip(*(cells[place] for place in field.places), strict=True))
        different = set(found)
        return _told(field, found, {one: _read(field, one) for one in different})
    found = cells[field.places[0]]
    different = set(found)
    quick = _names if field.spec.is_name else _QUICK.get(field.spec.type)
    if not field.plain:
        quick = None
    if quick is None:
        return _told(field, found, {cell: _read(field, (cell,)) for cell in different})
    empty = different & field.plain
    try:
        if not empty and 2 * len(different) > size:
            return quick(found)
        listed = list(different - empty)
        known = quick(listed)
    except (ValueError, OverflowError):
        return _told(field, found, {cell: _read(field, (cell,)) for cell in different})
    memo = {cell: _read(field, (cell,)) for cell in empty}
    words = dict(zip(listed, known.tokens, strict=True)) | _words(memo)
    memo |= dict(zip(listed, known.values, strict=False))
    timed = field.spec.type in _TIMES
    values = list(map(memo.__getitem__, found)) if timed else ()
    return Column(list(map(words.__getitem__, found)), values, BAD in words.values())


def _told(field: Field, found: Sequence[Any], memo: dict[Any, Any]) -> Column:
    """What every different cell says, where it stands."""
    words = _words(memo)
    values = list(map(memo.__getitem__, found)) if field.spec.type in _TIMES else ()
    return Column(list(map(words.__getitem__, found)), values, BAD in words.values())


def _words(memo: dict[Any, Any]) -> dict[Any, Any]:
    return {one: BAD if value is BAD else token(value) for one, value in memo.items()}


def _read(field: Field, cells: Sequence[str]) -> Value | _Bad:
    try:
        return field.value(cells)
    except ValueError:
        return BAD


def _moved(value: Any, lag: timedelta) -> Any:
    try:
        return instant(value) + lag
    except OverflowError:
        return BAD


def _moments(cells: Sequence[str]) -> Column:
    """Moments with their offset, all of them.

    Raises:
        ValueError, OverflowError: one is something else.
    """
    found = list(map(datetime.fromisoformat, cells))
    if found and min(cells) < str(FIRST_YEAR):
        raise ValueError
    if any(moment.tzinfo is None for moment in found):
        raise ValueError
    found = [moment.astimezone(UTC) for moment in found]
    # Most files write moments as PostgreSQL reads them: 2025-12-31T17:00:00Z.
    if {cell[4:17:3] for cell in cells} <= {"--T::", "-- ::"} and {cell[19:] for cell in cells} <= {"Z", "+00:00"}:
        return Column(cells, found)
    return Column([one.isoformat() for one in found], found)


def _names(cells: Sequence[str]) -> Column:
    """Plain texts that facts are found by, all of them.

    Raises:
        ValueError: one is no text, is too long, or may hold what nobody sees.
    """
    whole = "".join(cells)
    if not whole.isprintable() or (len(whole) > NAME_LENGTH and max(map(len, cells)) > NAME_LENGTH):
        raise ValueError
    return _texts(cells)


def _texts(cells: Sequence[str]) -> Column:
    """Plain texts, all of them.

    Raises:
        ValueError: one has spaces around it, or holds what is no text.
    """
    whole = "".join(cells)
    if "\x00" in whole or any(map(str.__ne__, cells, map(str.strip, cells))):
        raise ValueError
    whole.encode()
    return Column(cells if special(whole) is None else list(map(token, cells)))


_QUICK: Final[dict[FieldType, Callable[[Sequence[str]], Column]]] = {
    FieldType.INSTANT: _moments,
    FieldType.TEXT: _texts,
}
"""What reads many cells at once, where every one of them is as usual; otherwise each is read by itself."""
