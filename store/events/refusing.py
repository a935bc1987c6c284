"""What is wrong with events by themselves, whatever is known already: in time, and as beginnings of facts.

Each check tells what it finds, and the batch is refused for all of it at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from store.events.arrivals import Arrival
from store.events.errors import EventProblem
from store.events.folding import BASES, BEGINNINGS
from store.intake.kinds import KINDS

CLOCKS_DIFFER: Final = timedelta(days=1)
"""How far ahead of our clock an event may have happened."""

_ENDS: Final = {
    base.type: tuple(
        (name, None if begins == base.column else begins)
        for name, begins in KINDS[kind].ordered
        if name in base.fields and (begins == base.column or begins in base.fields)
    )
    for kind, base in BASES.items()
    if KINDS[kind].ordered
}
"""By type what of the data must not lie before the event, None, or before another of them, as it must not in a row of a
file."""


def in_the_future(batch: Sequence[Arrival]) -> list[EventProblem]:
    """An event tells of what happened. Clocks differ a little; a day ahead is a mistake."""
    latest = (datetime.now(UTC) + CLOCKS_DIFFER).isoformat()
    return [
        EventProblem(event=one.place, field="time", found=one.event.at, allowed=f"at most {latest}")
        for one in batch
        if one.event.at > latest
    ]


def beginnings_taken_back(batch: Sequence[Arrival]) -> list[EventProblem]:
    """A fact that was there is never deleted, so the event that begins it stands; what it says can be corrected."""
    return [
        EventProblem(
            event=one.place,
            field="retracted",
            found=f"true, of {one.event.type}",
            allowed="an event that happens to a fact, not the one that begins it: correct that, or end the fact",
        )
        for one in batch
        if one.event.retracted and one.event.type in BEGINNINGS
    ]


def ends_before_beginnings(fresh: Sequence[Arrival]) -> list[EventProblem]:
    """A lead that is due before it is assigned is a breach from its first moment, whatever its partner does; what is
    over before it began never was.

    Asked of what is new only: what was taken once is a duplicate when it comes again. Each version is whole, moments
    and all, so that none needs to be held against another.
    """
    return [
        EventProblem(
            event=one.place,
            field=f"data.{name}",
            found=end,
            allowed=f"{begun}, {f'as data.{begins} says' if begins else 'when the event happened'}, or later",
        )
        for one in fresh
        if one.event.type in _ENDS
        for name, begins in _ENDS[one.event.type]
        # Both in UTC and in one spelling, or both days, which sorts as they do.
        if (end := one.event.data.get(name)) is not None
        and (begun := one.event.data.get(begins) if begins else one.event.at) is not None
        and end < begun
    ]
