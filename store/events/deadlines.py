"""Deadlines of leads and pauses that come as events: reckoned, kept and moved by the same hands as those of a file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, cast

import asyncpg

from store.calendars.staged import fill_deadlines, settle_leads, settle_pauses_of
from store.events.columns import joined_or_null
from store.events.writing import Row
from store.intake.kinds import FactKind
from store.pool import Connection
from store.statements import statement

_ANY: Final = statement("events/any_calendar")
_STAGE: Final = statement("events/stage_leads")
_NAMES: Final = (
    *("partner_id", "class", "policy_version", "assigned_at", "accept_due_at", "contact_due_at"),
    "first_contact_at",
)
_TABLES: Final = """
    drop table if exists pg_temp.intake_staged, pg_temp.intake_rejected;
    create temp table intake_staged on commit drop as
    select 0::bigint as line, source_system, source_id, partner_id, class, policy_version, assigned_at, accept_due_at,
           contact_due_at, first_contact_at
    from lead with no data;
    create temp table intake_rejected (line bigint not null, field text not null, reason text not null) on commit drop
"""


class LeadDeadlines:
    """What is done about the leads of one batch: `fill` before they are written, `settle` after it."""

    def __init__(self, conn: Connection, moment: datetime, rows: Sequence[Row]) -> None:
        # Borrowed from a pool or not makes no difference to what is done with it.
        self._conn = cast("asyncpg.Connection[asyncpg.Record]", conn)
        self._moment = moment
        self._pauses = [row for row in rows if row.fact.kind is FactKind.LEAD_PAUSES]
        self._leads = [row for row in rows if row.fact.kind is FactKind.LEADS]
        self._staged = False

    async def fill(self) -> dict[tuple[str, str], str]:
        """Give leads whose source states no deadline those of the policy in force; why it cannot be done, by lead."""
        if not self._leads or not await self._conn.fetchval(_ANY):
            return {}
        self._staged = True
        await self._conn.execute(_TABLES)
        columns = [[row.fact.columns[name] for row in self._leads] for name in _NAMES]
        keys = [[row.source_system for row in self._leads], [row.fact.source_id for row in self._leads]]
        await self._conn.execute(_STAGE, *map(joined_or_null, [*keys, *columns]))
        await fill_deadlines(self._conn, self._moment)
        filled = "select line, policy_version, accept_due_at, contact_due_at from intake_staged"
        for line, policy, accept, contact in await self._conn.fetch(filled):
            self._leads[line - 1].fact.columns.update(
                policy_version=policy,
                accept_due_at=accept.isoformat() if accept else None,
                contact_due_at=contact.isoformat() if contact else None,
            )
        bad = await self._conn.fetch("select line, reason from intake_rejected")
        return {(self._leads[line - 1].source_system, self._leads[line - 1].fact.source_id): why for line, why in bad}

    async def settle(self) -> None:
        """Keep what the deadlines were made of, let pauses that are known move them, and time contacts."""
        if self._staged:
            await settle_leads(self._conn, self._moment)
        if self._pauses:
            keys = [(row.source_system, row.fact.source_id) for row in self._pauses]
            await settle_pauses_of(self._conn, keys, self._moment)
