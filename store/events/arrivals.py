"""Events as they arrive: what each one says, in one spelling, and what it is in the light of what is known already."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from functools import partial
from hashlib import sha256
from itertools import count, repeat
from operator import itemgetter
from typing import Any, Final, NamedTuple

import asyncpg
from pydantic_core import from_json

from store.events.errors import EventProblem, EventsConflict, shown
from store.events.folding import Happening
from store.events.said import Said, writer
from store.events.types import DATA, Nothing

_ATTRIBUTES: Final = itemgetter("type", "time", "version", "id", "subject", "retracted", "data")
_KINDS: Final = {type_: kind.value for type_, (kind, _) in DATA.items()}
_WRITERS: Final = {type_: None if data is Nothing else writer(data) for type_, (_, data) in DATA.items()}
"""What writes the data of each type; None: there are none."""


class State(StrEnum):
    """What became of an event that was taken."""

    NEW = "new"
    DUPLICATE = "duplicate"
    """The very same was taken before."""

    SUPERSEDED = "superseded"
    """A higher version of it is known: kept, and of no effect."""

    WAITING = "waiting"
    """Kept; its fact is made as soon as the event it needs is there."""


class Key(NamedTuple):
    """A fact that events speak of."""

    source_system: str
    kind: str
    subject: str


class Arrival(NamedTuple):
    """One event of a batch. `text` is its data in canonical JSON, `sha256` of all that it says."""

    place: int
    key: Key
    event: Happening
    text: str
    sha256: bytes

    @property
    def id(self) -> str:
        return self.event.event_id


class Known(NamedTuple):
    """What is known of one event id."""

    type: str
    subject: str
    versions: dict[int, bytes]


class Sorted(NamedTuple):
    """A batch in the light of what is known: its states by index, and the arrivals that are to be kept."""

    states: list[State]
    fresh: list[Arrival]


def arrivals(source: str, events: Sequence[Said]) -> list[Arrival]:
    """A batch, ready to be taken."""
    if not events:
        return []
    # Attribute by attribute: what is done a thousand times is done by the interpreter's own loops.
    types, times, versions, ids, subjects, retracted, said = zip(*map(_ATTRIBUTES, events), strict=True)
    texts = list(map(_text, types, said))
    keys = map(_key, zip(repeat(source), map(_KINDS.__getitem__, types), subjects))
    happenings = map(_happening, zip(types, times, versions, ids, said, retracted, strict=True))
    digests = map(_digest, types, subjects, times, texts, retracted)
    return list(map(_arrival, zip(count(), keys, happenings, texts, digests)))


_key: Final = partial(tuple.__new__, Key)
_happening: Final = partial(tuple.__new__, Happening)
_arrival: Final = partial(tuple.__new__, Arrival)


def _text(type_: str, said: dict[str, Any]) -> str:
    """The data in the order of their model's fields, each value in its one spelling: the same has the same text."""
    write = _WRITERS[type_]
    return "{}" if write is None else write(said, exclude_none=True).decode()


def _digest(type_: str, subject: str, at: str, text: str, retracted: bool) -> bytes:
    return sha256((f"{type_}\0{subject}\0{at}\0{text}" + "\0retracted" * retracted).encode()).digest()


def sort_out(batch: Sequence[Arrival], rows: Sequence[asyncpg.Record]) -> Sorted:
    """Tell new events from repeats, also within the batch.

    Raises:
        EventsConflict: an id and version that was taken with other content, or an id that named another type or fact.
    """
    if len({one.event.event_id for one in batch}) == len(batch):
        if not rows:
            # Nothing that could be contradicted, repeated or superseded.
            return Sorted([State.NEW] * len(batch), list(batch))
        if set(map(_told, batch)) == set(map(tuple, rows)):
            # All of it again, and nothing more is known of it.
            return Sorted([State.DUPLICATE] * len(batch), [])
    known: dict[str, Known] = {}
    for row in rows:
        one = known.setdefault(row["event_id"], Known(row["type"], row["subject"], {}))
        one.versions[row["version"]] = row["sha256"]
    states: list[State] = []
    fresh, problems = [], []
    for arrival in batch:
        event = arrival.event
        seen = known.setdefault(event.event_id, Known(event.type, arrival.key.subject, {}))
        found = _contradiction(arrival, seen)
        if found is not None:
            problems.append(found)
            continue
        if event.version in seen.versions:
            states.append(State.DUPLICATE)
            continue
        states.append(State.NEW)
        seen.versions[event.version] = arrival.sha256
        fresh.append(arrival)
    if problems:
        raise EventsConflict(problems)
    for arrival in fresh:
        if arrival.event.version < max(known[arrival.id].versions):
            states[arrival.place] = State.SUPERSEDED
    return Sorted(states, fresh)


def _told(arrival: Arrival) -> tuple[str, int, str, str, bytes]:
    """What is kept of an event to know it again."""
    _, (_, _, subject), (type_, _, version, event_id, *_), _, digest = arrival
    return event_id, version, type_, subject, digest


def _contradiction(arrival: Arrival, seen: Known) -> EventProblem | None:
    event = arrival.event
    taken = seen.versions.get(event.version)
    same_fact = event.type == seen.type and arrival.key.subject == seen.subject
    if same_fact and (taken is None or taken == arrival.sha256):
        return None
    place = f"id {shown(event.event_id)}, version {event.version}"
    if not same_fact:
        return EventProblem(
            event=arrival.place,
            field="id",
            found=f"{place}, of {event.type} of {shown(arrival.key.subject)}",
            allowed=f"with this id only corrections of {seen.type} of {shown(seen.subject)}",
        )
    return EventProblem(
        event=arrival.place,
        field="version",
        found=f"{place} with content sha256:{arrival.sha256.hex()}",
        allowed=f"the content that it was taken with, sha256:{(taken or b'').hex()}, or a higher version",
    )


def happened(rows: Sequence[asyncpg.Record]) -> Iterator[tuple[str, Happening]]:
    """Events as they were kept, each with its subject: rows of `events_of`."""
    if not rows:
        return iter(())
    subjects, types, moments, versions, ids, said, retracted = zip(*rows, strict=True)
    times = map(datetime.isoformat, moments)
    data = from_json(f"[{','.join(said)}]")
    return zip(subjects, map(_happening, zip(types, times, versions, ids, data, retracted, strict=True)), strict=True)
