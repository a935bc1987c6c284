"""Events as they arrive: what each one says, in one spelling, and what it is in the light of what is known already."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

import asyncpg

from store.events.errors import EventProblem, EventsConflict, shown
from store.events.folding import Happening
from store.events.types import DATA, Event
from store.intake.kinds import FactKind


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

    @property
    def kind(self) -> FactKind:
        return DATA[self.event.type][0]


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
    return [_arrival(place, source, event) for place, event in enumerate(events)]


def _arrival(place: int, source: str, event: Event) -> Arrival:
    data = {name: value for name, value in event.data.__dict__.items() if value is not None}
    if "class_" in data:
        data["class"] = data.pop("class_")
    # In the order of the model's fields, each value in its one spelling: the same thing has the same text.
    text = event.data.__pydantic_serializer__.to_json(event.data, by_alias=True, exclude_none=True).decode()
    said = f"{event.type}\0{event.subject}\0{event.time}\0{text}" + "\0retracted" * event.retracted
    happening = Happening(event.type, event.time, event.version, event.id, data, event.retracted)
    key = Key(source, DATA[event.type][0].value, event.subject)
    return Arrival(place, key, happening, text, hashlib.sha256(said.encode()).digest())


def sort_out(batch: Sequence[Arrival], rows: Sequence[asyncpg.Record]) -> Sorted:
    """Tell new events from repeats, also within the batch.

    Raises:
        EventsConflict: an id and version that was taken with other content, or an id that named another type or fact.
    """
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
