"""How far the facts of a file reach, and from when to when they became known: what the ledger keeps of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

from store.intake.kinds import FieldSpec, FieldType, KindSpec

_DAYS: Final = ("transaction_date", "recognised_on", "month", "earned_period")
"""Days and months on which something happened; other dates say until when or from when something holds."""


class Reach(NamedTuple):
    """`through`: when the latest event happened, of those that are not later than the import. All in UTC."""

    through: datetime | None = None
    known_from: datetime | None = None
    known_to: datetime | None = None

    def __or__(self, other: Reach) -> Reach:
        """Of both together."""
        return Reach(
            latest((self.through, other.through)),
            min((one for one in (self.known_from, other.known_from) if one is not None), default=None),
            latest((self.known_to, other.known_to)),
        )


def latest(moments: Iterable[datetime | None]) -> datetime | None:
    """The last of several moments, leaving out those that are not there."""
    return max((one for one in moments if one is not None), default=None)


def events_of(spec: KindSpec) -> tuple[FieldSpec, ...]:
    """The fields that say when something happened. A deadline is no event, nor is when it became known; kinds that
    have none say what is, such as partners."""
    return tuple(field for field in spec.fields if _is_event(field))


def _is_event(field: FieldSpec) -> bool:
    if field.type is FieldType.INSTANT:
        return not field.name.endswith(("known_at", "due_at"))
    return field.is_time and field.name in _DAYS


def reached(spec: KindSpec) -> str:
    """SQL that aggregates rows of the kind to the moment of their latest event that is not later than $1, or null.

    Days begin at midnight UTC, whatever the session's zone.
    """
    moments = [
        one.name if one.type is FieldType.INSTANT else f"({one.name}::timestamp at time zone 'UTC')"
        for one in events_of(spec)
    ]
    last = ", ".join(f"max({one}) filter (where {one} <= $1)" for one in moments)
    return f"greatest({last})" if last else "null::timestamptz"
