"""Events as they arrive: what each one says, in one spelling, and what it is in the light of what is known already."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from operator import itemgetter
from typing import Any, Final, NamedTuple

import asyncpg

from store.events.errors import EventProblem, EventsConflict, shown
from store.events.folding import Happening
from store.events.types import DATA, Data, Event, Nothing

_ATTRIBUTES: Final = itemgetter("type", "time", "version", "id", "subject", "retracted", "data")
_KINDS: Final = {
    type_: (kind.value, None if data is Nothing else data.__pydantic_serializer__.to_json)
    for type_, (kind, data) in DATA.items()
}
"""Of each type the kind of fact it speaks of, and what writes its data; None: it has none."""
_NOTHING: Final[dict[str, Any]] = {}


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


def arrivals(source: str, events: Sequence[Event]) -> list[Arrival]:
    """A batch, ready to be taken."""
    # Asked of a model, an attribute costs several times what it costs of the model's own dictionary.
    said = map(_ATTRIBUTES, map(vars, events))
    return [_arrival(place, source, *one) for place, one in enumerate(said)]


def _arrival(
    place: int, source: str, type_: str, at: str, version: int, id_: str, subject: str, retracted: bool, said: Data
) -> Arrival:
    kind, write = _KINDS[type_]
    if write is None:
        data, text = _NOTHING, "{}"
    else:
        # The model is frozen, and nobody changes what an event said: there is no need of a copy.
        data = vars(said)
        if "class_" in data:
            data = data | {"class": data["class_"]}
        # In the order of the model's fields, each value in its one spelling: the same thing has the same text.
        text = write(said, by_alias=True, exclude_none=True).decode()
    digest = sha256((f"{type_}\0{subject}\0{at}\0{text}" + "\0retracted" * retracted).encode()).digest()
    happening = Happening(type_, at, version, id_, data, retracted)
    return Arrival(place, Key(source, kind, subject), happening, text, digest)


def sort_out(batch: Sequence[Arrival], rows: Sequence[asyncpg.Record]) -> Sorted:
    """Tell new events from repeats, also within the batch.

    Raises:
        EventsConflict: an id and version that was taken with other content, or an id that named another type or fact.
    """
    if not rows and len({one.event.event_id for one in batch}) == len(batch):
        # Nothing that could be contradicted, repeated or superseded.
        return Sorted([State.NEW] * len(batch), list(batch))
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


def happening(type_: str, at: datetime, version: int, event_id: str, data: str, retracted: bool) -> Happening:
    """An event as it was kept."""
    found: Mapping[str, Any] = {} if data == "{}" else json.loads(data)
    return Happening(type_, at.isoformat(), version, event_id, found, retracted)
