"""How long leads waited for their first contact: all time, and the partner's opening hours without pauses."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import asyncpg

from models.deadline import time_on
from store.calendars.book import CalendarBook
from store.calendars.pauses import Key, PauseVersion, pauses_of
from store.pool import Connection
from store.statements import statement

_BATCH: Final = 5000
_SECONDS: Final = 3600.0
_CONTACTS: Final = statement("calendars/contacts_to_time")
_WRITE: Final = statement("calendars/write_contact_time")


async def time_contacts(conn: Connection, keys: Sequence[Key], moment: datetime) -> None:
    """Measure the first contacts of these leads that stand now, of partners with a calendar, and keep the result."""
    books: dict[datetime, CalendarBook] = {}
    for start in range(0, len(keys), _BATCH):
        some = keys[start : start + _BATCH]
        given = ([one[0] for one in some], [one[1] for one in some], moment)
        contacts = await conn.fetch(_CONTACTS, *given, timeout=_SECONDS)
        pauses = await pauses_of(conn, some)
        measured = []
        for row in contacts:
            book = books.setdefault(row["reckoned_at"], CalendarBook(conn, row["reckoned_at"]))
            measured.append(
                (*await _measured(book, row, pauses[row["source_system"], row["source_id"]], moment), moment)
            )
        await conn.executemany(_WRITE, measured, timeout=_SECONDS)


async def _measured(
    book: CalendarBook, row: asyncpg.Record, pauses: Sequence[PauseVersion], moment: datetime
) -> tuple[str, str, str, datetime, datetime, float, float]:
    assigned, contacted = row["assigned_at"], row["first_contact_at"]
    await book.read_calendar(row["calendar_id"], assigned, contacted)
    agreed = [one.as_known(moment) for one in pauses if one.reason in row["pauses"]]
    clock = book.clocks_of(row["calendar_id"]).business
    ran = time_on(clock, assigned, contacted, [one for one in agreed if one is not None])
    minutes = ((contacted - assigned).total_seconds() / 60, ran.total_seconds() / 60)
    return row["source_system"], row["source_id"], row["partner_id"], assigned, contacted, *minutes
