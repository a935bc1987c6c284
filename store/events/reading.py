"""Looks at events: one of them, and those whose fact cannot be made yet."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Final

from models.base import Frozen, Instant
from store.events.arrivals import State
from store.pool import Connection
from store.statements import statement

_WAITING: Final = statement("events/waiting")
_ONE: Final = statement("events/one_event")


class WaitingEvents(Frozen):
    """How many events of a source wait, of how many facts, since when the oldest does, and for which type of event."""

    source_system: str
    kind: str
    waits_for: str
    subjects: int
    events: int
    since: datetime


class TakenVersion(Frozen):
    """One version of an event as it was taken."""

    version: int
    time: Instant
    data: dict[str, Any]
    retracted: bool
    sha256: str
    received_at: Instant
    state: State


class TakenEvent(Frozen):
    """An event as it was taken, the newest version first. `waits_for` is the type of the event its fact lacks."""

    source: str
    id: str
    type: str
    subject: str
    waits_for: str | None
    waits_for_subject: str | None
    versions: tuple[TakenVersion, ...]


async def waiting_events(conn: Connection) -> tuple[WaitingEvents, ...]:
    """Events that were taken and whose fact cannot be made yet, because the event it begins with has not come."""
    return tuple(WaitingEvents(**row) for row in await conn.fetch(_WAITING))


async def read_event(conn: Connection, source: str, event_id: str) -> TakenEvent | None:
    """An event with all its versions; None if it was never taken."""
    rows = await conn.fetch(_ONE, source, event_id)
    if not rows:
        return None
    newest = rows[0]
    standing = State.WAITING if newest["waits_for"] else State.NEW
    return TakenEvent(
        source=source,
        id=event_id,
        type=newest["type"],
        subject=newest["subject"],
        waits_for=newest["waits_for"],
        waits_for_subject=newest["waits_for_subject"],
        versions=tuple(
            TakenVersion(
                version=row["version"],
                time=row["happened_at"],
                data=json.loads(row["data"]),
                retracted=row["retracted"],
                sha256=row["sha256"],
                received_at=row["received_at"],
                state=standing if row is newest else State.SUPERSEDED,
            )
            for row in rows
        ),
    )
