"""What intake adds to a file of leads or pauses: deadlines before the rows go over, and clocks and pauses after."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import asyncpg

from store.calendars.book import CalendarBook
from store.calendars.contacts import time_contacts
from store.calendars.deadlines import Assignment, Deadlines, reckon
from store.calendars.pauses import move_deadlines
from store.pool import Connection
from store.statements import statement

_BATCH: Final = 5000
_SECONDS: Final = 3600.0
_ANY: Final = statement("calendars/any_policy")
_LOCK: Final = statement("calendars/lock_reckoned")
_KEEP: Final = statement("calendars/keep_reckoned")
_TO_RECKON: Final = statement("calendars/to_reckon")
_FILL: Final = statement("calendars/fill_reckoned")
_REFUSE: Final = statement("calendars/refuse_reckoned")
_WRITE: Final = statement("calendars/write_clocks")
_DROP: Final = statement("calendars/drop_clocks")
_STAGED: Final = statement("calendars/staged_leads")
_PAUSED: Final = statement("calendars/paused_leads")
_LEADS_OF: Final = statement("calendars/leads_of_pauses")
_UNTIMED: Final = statement("calendars/untimed_contacts")
_COLUMNS: Final = (
    *("line", "policy_version", "accept_due_at", "accept_counts", "contact_due_at", "contact_counts", "pauses"),
    *("pause_limit", "calendar_id"),
)
_TABLES: Final = """
    create temp table if not exists lead_reckoned (
        line bigint primary key, policy_version text, accept_due_at timestamptz, accept_counts text,
        contact_due_at timestamptz, contact_counts text, pauses text[], pause_limit integer, calendar_id text
    ) on commit drop;
    create temp table if not exists lead_kept (
        line bigint primary key, policy_version text, accept_due_at timestamptz, contact_due_at timestamptz
    ) on commit drop;
    truncate lead_reckoned, lead_kept
"""


async def fill_deadlines(conn: Connection, moment: datetime) -> None:
    """Give the leads of `intake_staged` that come without deadlines those of the policy in force.

    Call it once all rows are staged and before they are judged: a row that cannot be reckoned goes to
    `intake_rejected`. A lead stored already keeps the deadlines that were reckoned when it was assigned.
    """
    await conn.execute(_TABLES)
    if not await conn.fetchval(_ANY):
        return
    await conn.execute(_LOCK, timeout=_SECONDS)
    await conn.execute(_KEEP, timeout=_SECONDS)
    book = CalendarBook(conn, moment)
    await conn.execute(f"declare to_reckon no scroll cursor for {_TO_RECKON}", timeout=_SECONDS)
    while rows := await conn.fetch(f"fetch {_BATCH} from to_reckon", timeout=_SECONDS):
        await _write_reckoned(conn, rows, await reckon(book, [Assignment(*row[1:]) for row in rows]))
    await conn.execute("close to_reckon")
    await conn.execute(_FILL, timeout=_SECONDS)


async def settle_leads(conn: Connection, moment: datetime) -> None:
    """After the leads of `intake_staged` went over: keep what their deadlines were made from, and time contacts."""
    if await conn.fetchval(_ANY):
        await conn.execute(_WRITE, moment, timeout=_SECONDS)
        await conn.execute(_DROP, timeout=_SECONDS)
        await move_deadlines(conn, _keys(await conn.fetch(_STAGED, timeout=_SECONDS)))
    await time_contacts(conn, _keys(await conn.fetch(_UNTIMED, timeout=_SECONDS)), moment)


async def settle_pauses(conn: Connection, moment: datetime) -> None:
    """After the pauses of `intake_staged` went over: move the deadlines of their leads, in the same transaction."""
    await _move(conn, _keys(await conn.fetch(_PAUSED, timeout=_SECONDS)), moment)


async def settle_pauses_of(conn: Connection, pauses: Sequence[tuple[str, str]], moment: datetime) -> None:
    """The same after pauses that came some other way: of the leads that these are of, and were of before."""
    given = ([source for source, _ in pauses], [one for _, one in pauses])
    await _move(conn, _keys(await conn.fetch(_LEADS_OF, *given, timeout=_SECONDS)), moment)


async def _move(conn: Connection, leads: Sequence[tuple[str, str]], moment: datetime) -> None:
    await move_deadlines(conn, leads)
    await time_contacts(conn, leads, moment)


def _keys(rows: Sequence[asyncpg.Record]) -> list[tuple[str, str]]:
    return [(row["source_system"], row["source_id"]) for row in rows]


async def _write_reckoned(conn: Connection, rows: Sequence[asyncpg.Record], found: Sequence[Deadlines | None]) -> None:
    pairs = [(row["line"], one) for row, one in zip(rows, found, strict=True) if one is not None]
    bad = [(line, one.problem) for line, one in pairs if one.problem]
    if bad:
        await conn.execute(_REFUSE, [line for line, _ in bad], [why for _, why in bad])
    records = [
        (
            *(line, one.policy_version, one.accept_due_at, one.terms.accept_counts.value, one.contact_due_at),
            *(one.terms.contact_counts.value, list(one.terms.pauses), one.terms.pause_limit, one.calendar_id),
        )
        for line, one in pairs
        if not one.problem
    ]
    await conn.copy_records_to_table(
        "lead_reckoned", schema_name="pg_temp", columns=_COLUMNS, records=records, timeout=_SECONDS
    )
