"""Pauses move deadlines: a lead's stored deadlines are amended from the moment at which a pause became known."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple, TypeAlias

import asyncpg

from models.deadline import Pause, TimeKind, moved
from store.calendars.book import CalendarBook
from store.pool import Connection
from store.statements import statement

Key: TypeAlias = tuple[str, str]
"""Source system and source id of a lead."""

_BATCH: Final = 5000
_SECONDS: Final = 3600.0
_CLOCKS: Final = statement("calendars/clocks_of")
_PAUSES: Final = statement("calendars/pauses_of")
_MOVE: Final = statement("calendars/move_deadlines")


class _Change(NamedTuple):
    """Deadlines of a lead from a moment on; None: since the lead stands as it does."""

    source_system: str
    source_id: str
    accept_due_at: datetime | None
    contact_due_at: datetime | None
    known_at: datetime | None


class PauseVersion(NamedTuple):
    """What a pause said from one moment to another; `resumed_known_at` beside it, as for every change."""

    since: datetime
    until: datetime | None
    until_known_at: datetime | None
    reason: str
    stands_since: datetime
    superseded_at: datetime | None

    def as_known(self, moment: datetime) -> Pause | None:
        """The pause as it was known, None if it was not. An end that is announced is known before it comes."""
        if self.stands_since > moment or (self.superseded_at is not None and self.superseded_at <= moment):
            return None
        ended = self.until is not None and (self.until_known_at is None or self.until_known_at <= moment)
        return Pause(self.since, self.until if ended else None)


async def move_deadlines(conn: Connection, keys: Sequence[Key]) -> None:
    """Bring the stored deadlines of these leads to what their pauses say, for every moment since they stand.

    Inside the transaction that took the pauses in. Leads whose deadlines the source gives are left alone.
    """
    books: dict[datetime, CalendarBook] = {}
    for start in range(0, len(keys), _BATCH):
        some = keys[start : start + _BATCH]
        # Locked first: what another transaction takes in meanwhile is seen below, or waits for this one.
        leads = await conn.fetch(_CLOCKS, [one[0] for one in some], [one[1] for one in some], timeout=_SECONDS)
        pauses = await pauses_of(conn, some)
        changes: list[_Change] = []
        for lead in leads:
            book = books.setdefault(lead["reckoned_at"], CalendarBook(conn, lead["reckoned_at"]))
            changes += await _changes(book, lead, pauses[lead["source_system"], lead["source_id"]])
        await conn.executemany(_MOVE, changes, timeout=_SECONDS)


async def pauses_of(conn: Connection, keys: Sequence[Key]) -> dict[Key, list[PauseVersion]]:
    """Every version of every pause of these leads."""
    found: dict[Key, list[PauseVersion]] = defaultdict(list)
    for row in await conn.fetch(_PAUSES, [one[0] for one in keys], [one[1] for one in keys]):
        found[row["source_system"], row["lead_id"]].append(
            PauseVersion(
                row["paused_at"],
                row["resumed_at"],
                row["resumed_known_at"],
                row["reason"],
                row["stands_since"],
                row["superseded_at"],
            )
        )
    return found


async def _changes(book: CalendarBook, lead: asyncpg.Record, pauses: Sequence[PauseVersion]) -> list[_Change]:
    agreed = [one for one in pauses if one.reason in lead["pauses"]]
    since = lead["stands_since"]
    turns = {moment for one in agreed for moment in (one.stands_since, one.until_known_at, one.superseded_at) if moment}
    moments = [since, *sorted(moment for moment in turns if moment > since)]
    dues = await _dues(book, lead, [_known(agreed, moment) for moment in moments])
    changes, stood = [], (lead["accept_now"], lead["contact_now"])
    for moment, due in zip(moments, dues, strict=True):
        if due != stood:
            known = None if moment == since else moment
            changes.append(_Change(lead["source_system"], lead["source_id"], *due, known))
        stood = due
    return changes


def _known(pauses: Iterable[PauseVersion], moment: datetime) -> list[Pause]:
    return [pause for one in pauses if (pause := one.as_known(moment)) is not None]


_Dues: TypeAlias = "tuple[datetime | None, datetime | None]"


async def _dues(book: CalendarBook, lead: asyncpg.Record, states: Sequence[Sequence[Pause]]) -> list[_Dues]:
    """Acceptance and contact due, for each state of knowledge; holidays are read as far as deadlines move."""
    assigned, limit = lead["assigned_at"], lead["pause_limit"]
    last = max(filter(None, (assigned, lead["accept_due_at"], lead["contact_due_at"])))
    while True:
        await book.read_calendar(lead["calendar_id"], assigned, last)
        clocks = book.clocks_of(lead["calendar_id"])
        accept, contact = (clocks.of(TimeKind(lead[name])) for name in ("accept_counts", "contact_counts"))
        dues = [
            (
                moved(accept, assigned, lead["accept_due_at"], pauses, limit),
                moved(contact, assigned, lead["contact_due_at"], pauses, limit),
            )
            for pauses in states
        ]
        last = max([last, *(due for both in dues for due in both if due is not None)])
        if book.covers(last):
            return dues
