"""The rows of a synthetic world on their way to the tables: columns per table, and one COPY for each."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

import asyncpg

from store.intake.copytext import token
from store.world_spec import SOURCE

COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "business_calendar": (
        *("calendar_id", "name", "time_zone", "monday", "tuesday", "wednesday", "thursday", "friday", "source_id"),
        "known_at",
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
        *("budget_id", "period_start", "period_end", "claim_deadline", "amount", "currency", "source_id"),
        "known_at",
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


class Rows:
    """Rows by table, each a line for COPY in the order of `COLUMNS`. `count` says how many there are."""

    def __init__(self) -> None:
        self.count = 0
        self._tables: defaultdict[str, list[str]] = defaultdict(list)

    def add(self, table: str, *values: Any) -> None:
        """One row."""
        self.count += 1
        self._tables[table].append("\t".join(map(token, (*values, SOURCE))))

    def many(self, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Several."""
        for row in rows:
            self.add(table, *row)

    async def copy(self, conn: asyncpg.Connection[asyncpg.Record], seconds: float) -> dict[str, int]:
        """Write all of them; how many went to which table."""
        counts = {table: len(self._tables[table]) for table in COLUMNS if table in self._tables}
        for table in counts:
            text = "\n".join((*self._tables.pop(table), "")).encode()
            columns = (*COLUMNS[table], "source_system")
            await conn.copy_to_table(table, source=io.BytesIO(text), columns=columns, timeout=seconds)
        return counts
