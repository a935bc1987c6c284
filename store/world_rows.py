"""The rows of a synthetic world on their way to the tables: columns per table, and one COPY for each."""

from __future__ import annotations

import io
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeAlias

import asyncpg

from store.intake.copytext import token
from store.world_spec import SOURCE

COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "business_calendar": (
        *("calendar_id", "name", "time_zone", "public_holidays", "monday", "tuesday", "wednesday", "thursday"),
        *("friday", "source_id", "known_at"),
    ),
    "lead_policy": (
        *("policy_version", "class", "effective_from", "accept_within", "contact_within", "pauses", "source_id"),
        "known_at",
    ),
    "partner": (
        *("partner_id", "name", "type", "tier", "region", "country", "time_zone", "calendar_id", "currency"),
        *("account_manager", "active_from", "active_to", "source_id", "known_at"),
    ),
    "fx_rate": ("currency", "reporting_currency", "month", "rate", "source_id", "known_at"),
    "partner_transaction": (
        *("source_id", "transaction_id", "partner_id", "credit_share", "attribution", "kind", "transaction_date"),
        *("list_amount", "discount_amount", "net_amount", "currency", "original_id", "known_at"),
    ),
    "partner_cost": (
        *("source_id", "partner_id", "transaction_id", "credit_share", "attribution", "kind", "amount", "currency"),
        *("recognised_on", "earned_period", "known_at"),
    ),
    "rebate_run": ("source_id", "earned_period", "closed_at", "known_at"),
    "opportunity": (
        *("source_id", "partner_id", "origin", "registered_at", "qualified_at", "last_activity_at", "closed_at"),
        *("closed_known_at", "outcome", "amount", "currency", "known_at"),
    ),
    "opportunity_reopening": (
        *("source_id", "opportunity_id", "closed_at", "outcome", "reopened_at", "reopened_known_at", "known_at"),
    ),
    "opportunity_stage": ("source_id", "opportunity_id", "stage", "entered_at", "known_at"),
    "lead": (
        *("source_id", "partner_id", "class", "policy_version", "created_at", "assigned_at", "accept_due_at"),
        *("contact_due_at", "accepted_at", "accepted_known_at", "rejected_at", "rejected_known_at"),
        *("rejected_reason", "first_contact_at", "first_contact_known_at", "reassigned_at", "reassigned_known_at"),
        *("excluded_at", "excluded_known_at", "excluded_reason", "known_at"),
    ),
    "lead_event": ("source_id", "lead_id", "kind", "at", "actor", "known_at"),
    "mdf_budget": (
        *("budget_id", "fund_type", "period_start", "period_end", "claim_deadline", "amount", "currency"),
        *("source_id", "known_at"),
    ),
    "mdf_allocation": ("allocation_id", "budget_id", "partner_id", "amount", "currency", "source_id", "known_at"),
    "mdf_request": (
        *("request_id", "allocation_id", "partner_id", "activity", "requested_amount", "approved_amount"),
        *("currency", "copay_share", "submitted_at", "decision", "decided_at", "decided_known_at", "approver"),
        *("activity_start", "activity_end", "released_at", "released_known_at", "released_reason", "source_id"),
        "known_at",
    ),
    "mdf_claim": (
        *("source_id", "request_id", "partner_id", "claimed_amount", "approved_amount", "paid_amount", "currency"),
        *("submitted_at", "decision", "decided_at", "decided_known_at", "approver", "late_waived_by", "paid_at"),
        *("paid_known_at", "withdrawn_at", "withdrawn_known_at", "invoice_ref", "proof_ref", "known_at"),
    ),
    "person": ("person_id", "partner_id", "role", "active_from", "active_to", "source_id", "known_at"),
    "enablement_course": (
        *("course_id", "version", "title", "validity_days", "effective_from", "source_id", "known_at"),
    ),
    "enablement_assignment": (
        *("source_id", "partner_id", "person_id", "course_id", "course_version", "assigned_at", "due_on"),
        *("previous_due_on", "due_changed_at", "due_changed_known_at", "completed_at", "completed_known_at", "passed"),
        *("score", "prior_credit", "valid_until", "waived_by", "waived_at", "waived_known_at", "withdrawn_at"),
        *("withdrawn_known_at", "known_at"),
    ),
    "compliance_check": (
        *("check_id", "version", "title", "severity", "weight", "critical", "validity_days", "effective_from"),
        *("source_id", "known_at"),
    ),
    "compliance_result": (
        *("source_id", "partner_id", "check_id", "version", "outcome", "value", "assessed_at", "valid_until"),
        *("assessor", "evidence_ref", "known_at"),
    ),
    "compliance_waiver": (
        *("source_id", "partner_id", "check_id", "approved_by", "reason", "valid_from", "valid_until"),
        *("revoked_at", "revoked_known_at", "known_at"),
    ),
}
"""What each kind of row holds, in the order of a COPY: parents before children. source_system is added to all."""

FURTHER_COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "holiday": ("source_id", "calendar_id", "day", "name", "closed", "known_at"),
    "lead_pause": ("source_id", "lead_id", "paused_at", "resumed_at", "resumed_known_at", "reason", "known_at"),
    "lead_clock": (
        *("source_id", "partner_id", "class", "assigned_at", "policy_version", "accept_due_at", "accept_counts"),
        *("contact_due_at", "contact_counts", "pauses", "pause_limit", "calendar_id", "reckoned_at"),
    ),
    "lead_contact_time": (
        *("source_id", "partner_id", "assigned_at", "first_contact_at", "elapsed_minutes", "business_minutes"),
    ),
}
"""The same of what a world has only when it is asked for, and of what the intake would have reckoned."""

_ALL: Final = COLUMNS | FURTHER_COLUMNS
_AMEND: Final = """
    update {table} as fact
    set ({columns}, recorded_at) = (select {columns}, now() from jsonb_populate_record(fact, said.now_says::jsonb))
    from unnest($1::text[], $2::text[]) as said (source_id, now_says)
    where fact.source_system = $3 and fact.source_id = said.source_id
"""


class _Amendment(NamedTuple):
    """What a row says from a moment on, told as an UPDATE that is the `turn`-th of the row."""

    turn: int
    source_id: str
    says: dict[str, str | None]


class Rows:
    """Rows by table, each a line for COPY in the order of `COLUMNS`. `count` says how many there are.

    `heard` is told of every row before it is taken, and says what was heard of it first. `pauses` are the ids of
    pauses whose leads' deadlines are still to be moved.
    """

    def __init__(self, heard: Heard | None = None) -> None:
        self.count = 0
        self.pauses: list[str] = []
        self._heard = heard
        self._tables: defaultdict[str, list[str]] = defaultdict(list)
        self._amended: defaultdict[str, list[_Amendment]] = defaultdict(list)
        self._turns: Counter[tuple[str, str]] = Counter()

    def add(self, table: str, *values: Any) -> None:
        """One row."""
        self.count += 1
        if self._heard is not None:
            values = self._heard(self, table, values)
        self._tables[table].append("\t".join(map(token, (*values, SOURCE))))

    def many(self, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Several."""
        for row in rows:
            self.add(table, *row)

    def amend(self, table: str, source_id: str, known: datetime, **says: Any) -> None:
        """A row of these says something else from a moment on; several of one row come in order."""
        self._turns[table, source_id] += 1
        now = {name: None if value is None else token(value) for name, value in (says | {"amended_at": known}).items()}
        self._amended[table].append(_Amendment(self._turns[table, source_id], source_id, now))

    async def copy(self, conn: asyncpg.Connection[asyncpg.Record], seconds: float) -> dict[str, int]:
        """Write all of them, and then what is said of them anew; how many went to which table."""
        counts = {table: len(self._tables[table]) for table in _ALL if table in self._tables}
        for table in counts:
            text = "\n".join((*self._tables.pop(table), "")).encode()
            columns = (*_ALL[table], "source_system")
            await conn.copy_to_table(table, source=io.BytesIO(text), columns=columns, timeout=seconds)
        return counts

    async def write_amendments(self, conn: asyncpg.Connection[asyncpg.Record], seconds: float) -> dict[str, int]:
        """Amend what is written as an import would, so that the tables keep what it said before; how many of which."""
        counts = {table: len(said) for table, said in self._amended.items()}
        for table, said in self._amended.items():
            alike: defaultdict[tuple[int, str], list[_Amendment]] = defaultdict(list)
            for one in said:
                alike[one.turn, ", ".join(one.says)].append(one)
            for (_, columns), some in sorted(alike.items()):
                ids, says = [one.source_id for one in some], [json.dumps(one.says) for one in some]
                amend = _AMEND.format(table=table, columns=columns)
                await conn.execute(amend, ids, says, SOURCE, timeout=seconds)
        return counts


Heard: TypeAlias = Callable[[Rows, str, tuple[Any, ...]], tuple[Any, ...]]
"""Told of a row: the rows it goes to, its table, and its values as they are in the end; gives those heard first."""
