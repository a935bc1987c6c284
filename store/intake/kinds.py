"""The kinds of fact a file can hold: per kind the table, and per field its type and what it may contain.

The tables' own constraints stay the authority and are checked again while importing; what is written here is what a
mapping can be judged by before any database is at hand. A test keeps the two in step.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from models.base import Frozen
from store.intake.fields import FieldSpec, FieldType
from store.intake.fields import change as _change
from store.intake.fields import deadline as _due
from store.intake.fields import last_day as _until
from store.intake.fields import one_of as _one_of
from store.intake.fields import optional as _f
from store.intake.fields import required as _must
from store.intake.fields import whether as _whether

__all__ = ["KINDS", "FactKind", "FieldSpec", "FieldType", "KindSpec"]


class FactKind(StrEnum):
    """What `rollouts data import KIND` takes. Import referenced kinds first: calendars, partners, then the rest."""

    CALENDARS = "calendars"
    HOLIDAYS = "holidays"
    LEAD_POLICIES = "lead-policies"
    PARTNERS = "partners"
    FX_RATES = "fx-rates"
    TRANSACTIONS = "transactions"
    COSTS = "costs"
    REBATE_RUNS = "rebate-runs"
    OPPORTUNITIES = "opportunities"
    OPPORTUNITY_REOPENINGS = "opportunity-reopenings"
    OPPORTUNITY_STAGES = "opportunity-stages"
    LEADS = "leads"
    LEAD_PAUSES = "lead-pauses"
    LEAD_EVENTS = "lead-events"
    MDF_BUDGETS = "mdf-budgets"
    MDF_ALLOCATIONS = "mdf-allocations"
    MDF_REQUESTS = "mdf-requests"
    MDF_CLAIMS = "mdf-claims"
    PEOPLE = "people"
    ENABLEMENT_COURSES = "enablement-courses"
    ENABLEMENT = "enablement"
    COMPLIANCE_CHECKS = "compliance-checks"
    COMPLIANCE_RESULTS = "compliance-results"
    COMPLIANCE_WAIVERS = "compliance-waivers"


class KindSpec(Frozen):
    """One kind. `id_field`, where set, is the key other kinds refer to; unmapped, it equals source_id."""

    kind: FactKind
    table: str
    fields: tuple[FieldSpec, ...]
    id_field: str | None = None

    @property
    def by_name(self) -> dict[str, FieldSpec]:
        """Fields by name."""
        return {field.name: field for field in self.fields}

    @property
    def answered(self) -> tuple[tuple[str, str, str], ...]:
        """Fields that another one answers where they are empty: the field, the other, its value that makes it true."""
        return tuple((field.name, *field.true_where) for field in self.fields if field.true_where)

    @property
    def ordered(self) -> tuple[tuple[str, str], ...]:
        """Moments and days that must not lie before another of the row: the field, and the other."""
        return tuple((field.name, field.not_before) for field in self.fields if field.not_before)

    @property
    def changes(self) -> tuple[str, ...]:
        """Things that happen to a fact later: each stem `s` has an instant `s_at` and its `s_known_at`."""
        names = [field.name for field in self.fields if field.name.endswith("_known_at")]
        return tuple(name.removesuffix("_known_at") for name in names)


def _kind(kind: FactKind, table: str, *fields: FieldSpec, id_field: str | None = None) -> KindSpec:
    common = (_must("source_id"), *fields, _f("known_at", FieldType.INSTANT))
    return KindSpec(kind=kind, table=table, fields=common, id_field=id_field)


_ATTRIBUTION = _one_of("attribution", "sourced", "influenced", default="sourced")
_OUTCOMES = ("won", "lost", "cancelled", "duplicate")
_LEAD_EVENTS = (
    *("assigned", "accepted", "rejected", "attempted", "contacted", "auto_reply"),
    *("reassigned", "recalled", "converted", "closed"),
)
_DECISION = _one_of("decision", "approved", "rejected")

_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_SPECS: Final = (
    _kind(
        FactKind.CALENDARS,
        "business_calendar",
        _f("calendar_id"),
        _f("name"),
        _must("time_zone", FieldType.ZONE),
        _f("public_holidays", FieldType.HOLIDAYS),
        *(_f(day, FieldType.HOURS) for day in _WEEKDAYS),
        id_field="calendar_id",
    ),
    _kind(
        FactKind.HOLIDAYS,
        "holiday",
        _must("calendar_id"),
        _must("day", FieldType.DATE),
        _f("name"),
        _f("closed", FieldType.BOOLEAN, "true"),
    ),
    _kind(
        FactKind.LEAD_POLICIES,
        "lead_policy",
        _must("policy_version"),
        _f("class", default="*"),
        _must("effective_from", FieldType.DATE),
        _f("accept_within", FieldType.INTEGER),
        _one_of("accept_counts", "business", "elapsed", default="business"),
        _f("contact_within", FieldType.INTEGER),
        _one_of("contact_counts", "business", "elapsed", default="business"),
        _f("pauses", FieldType.TEXTS),
        _f("pause_limit", FieldType.INTEGER, "4800"),
    ),
    _kind(
        FactKind.PARTNERS,
        "partner",
        _f("partner_id"),
        _must("name"),
        _f("type", default="reseller"),
        _f("tier"),
        _f("region"),
        _f("country"),
        _f("time_zone", FieldType.ZONE, "UTC"),
        _f("calendar_id"),
        _f("currency", FieldType.CURRENCY),
        _f("parent_id"),
        _f("account_manager"),
        _f("active_from", FieldType.DATE),
        _f("active_to", FieldType.DATE),
        id_field="partner_id",
    ),
    _kind(
        FactKind.FX_RATES,
        "fx_rate",
        _must("currency", FieldType.CURRENCY),
        _must("reporting_currency", FieldType.CURRENCY),
        _must("month", FieldType.MONTH),
        _must("rate", FieldType.NUMBER),
    ),
    _kind(
        FactKind.TRANSACTIONS,
        "partner_transaction",
        _f("transaction_id"),
        _must("partner_id"),
        _f("credit_share", FieldType.SHARE, "1"),
        _ATTRIBUTION,
        _one_of("kind", "sale", "return", "credit", required=True),
        _must("transaction_date", FieldType.DATE),
        _f("recognised_on", FieldType.DATE),
        _f("list_amount", FieldType.MONEY),
        _f("discount_amount", FieldType.MONEY),
        _must("net_amount", FieldType.MONEY),
        _f("tax_amount", FieldType.MONEY),
        _must("currency", FieldType.CURRENCY),
        _f("original_id"),
        _f("deal_id"),
        id_field="transaction_id",
    ),
    _kind(
        FactKind.COSTS,
        "partner_cost",
        _must("partner_id"),
        _f("transaction_id"),
        _f("credit_share", FieldType.SHARE, "1"),
        _ATTRIBUTION,
        _one_of("kind", "product", "freight", "commission", "rebate", "spiff", "support", required=True),
        _must("amount", FieldType.MONEY),
        _must("currency", FieldType.CURRENCY),
        _must("recognised_on", FieldType.DATE),
        _f("earned_period", FieldType.MONTH),
    ),
    _kind(
        FactKind.REBATE_RUNS,
        "rebate_run",
        _must("earned_period", FieldType.MONTH),
        _must("closed_at", FieldType.INSTANT),
    ),
    _kind(
        FactKind.OPPORTUNITIES,
        "opportunity",
        _must("partner_id"),
        _one_of("origin", "partner", "vendor", "influenced", default="partner"),
        _f("registered_at", FieldType.INSTANT),
        _f("qualified_at", FieldType.INSTANT),
        _f("last_activity_at", FieldType.INSTANT),
        *_change("closed"),
        _one_of("outcome", *_OUTCOMES),
        _f("amount", FieldType.MONEY),
        _must("currency", FieldType.CURRENCY),
    ),
    _kind(
        FactKind.OPPORTUNITY_REOPENINGS,
        "opportunity_reopening",
        _must("opportunity_id"),
        _must("closed_at", FieldType.INSTANT),
        _f("closed_known_at", FieldType.INSTANT),
        _one_of("outcome", *_OUTCOMES, required=True),
        _f("amount", FieldType.MONEY),
        _must("reopened_at", FieldType.INSTANT),
        _f("reopened_known_at", FieldType.INSTANT),
    ),
    _kind(
        FactKind.OPPORTUNITY_STAGES,
        "opportunity_stage",
        _must("opportunity_id"),
        _must("stage"),
        _must("entered_at", FieldType.INSTANT),
    ),
    _kind(
        FactKind.LEADS,
        "lead",
        _must("partner_id"),
        _f("class"),
        _f("policy_version"),
        _f("created_at", FieldType.INSTANT),
        _must("assigned_at", FieldType.INSTANT),
        _due("accept_due_at", "assigned_at"),
        _due("contact_due_at", "assigned_at"),
        *_change("accepted"),
        *_change("rejected"),
        _f("rejected_reason"),
        *_change("first_contact"),
        *_change("reassigned"),
        *_change("excluded"),
        _one_of("excluded_reason", "recalled", "duplicate", "junk"),
    ),
    _kind(
        FactKind.LEAD_PAUSES,
        "lead_pause",
        _must("lead_id"),
        _must("paused_at", FieldType.INSTANT),
        *_change("resumed"),
        _must("reason"),
    ),
    _kind(
        FactKind.LEAD_EVENTS,
        "lead_event",
        _must("lead_id"),
        _one_of("kind", *_LEAD_EVENTS, required=True),
        _must("at", FieldType.INSTANT),
        _f("actor"),
        _f("note"),
    ),
    _kind(
        FactKind.MDF_BUDGETS,
        "mdf_budget",
        _f("budget_id"),
        _one_of("fund_type", "accrual", "discretionary", default="discretionary"),
        _must("period_start", FieldType.DATE),
        _must("period_end", FieldType.DATE),
        _until("claim_deadline", "period_start"),
        _must("amount", FieldType.MONEY),
        _must("currency", FieldType.CURRENCY),
        id_field="budget_id",
    ),
    _kind(
        FactKind.MDF_ALLOCATIONS,
        "mdf_allocation",
        _f("allocation_id"),
        _must("budget_id"),
        _must("partner_id"),
        _must("amount", FieldType.MONEY),
        _must("currency", FieldType.CURRENCY),
        id_field="allocation_id",
    ),
    _kind(
        FactKind.MDF_REQUESTS,
        "mdf_request",
        _f("request_id"),
        _f("allocation_id"),
        _must("partner_id"),
        _f("activity"),
        _must("requested_amount", FieldType.MONEY),
        _f("approved_amount", FieldType.MONEY),
        _must("currency", FieldType.CURRENCY),
        _f("copay_share", FieldType.SHARE, "0"),
        _must("submitted_at", FieldType.INSTANT),
        _DECISION,
        *_change("decided"),
        _f("approver"),
        _f("activity_start", FieldType.DATE),
        _until("activity_end", "activity_start"),
        *_change("released"),
        _one_of("released_reason", "cancelled", "expired", "withdrawn"),
        id_field="request_id",
    ),
    _kind(
        FactKind.MDF_CLAIMS,
        "mdf_claim",
        _f("request_id"),
        _must("partner_id"),
        _must("claimed_amount", FieldType.MONEY),
        _f("approved_amount", FieldType.MONEY),
        _f("paid_amount", FieldType.MONEY),
        _must("currency", FieldType.CURRENCY),
        _must("submitted_at", FieldType.INSTANT),
        _DECISION,
        *_change("decided"),
        _f("approver"),
        _f("late_waived_by"),
        _f("settles_request", FieldType.BOOLEAN, "true"),
        *_change("paid"),
        *_change("withdrawn"),
        _f("invoice_ref"),
        _f("proof_ref"),
    ),
    _kind(
        FactKind.PEOPLE,
        "person",
        _f("person_id"),
        _f("partner_id"),
        _f("role"),
        _f("active_from", FieldType.DATE),
        _until("active_to", "active_from"),
        id_field="person_id",
    ),
    _kind(
        FactKind.ENABLEMENT_COURSES,
        "enablement_course",
        _must("course_id"),
        _must("version", FieldType.INTEGER),
        _f("title"),
        _f("roles", FieldType.TEXTS),
        _f("tiers", FieldType.TEXTS),
        _f("weight", FieldType.NUMBER, "1"),
        _f("validity_days", FieldType.INTEGER),
        _must("effective_from", FieldType.DATE),
        _f("retired_on", FieldType.DATE),
    ),
    _kind(
        FactKind.ENABLEMENT,
        "enablement_assignment",
        _must("partner_id"),
        _must("person_id"),
        _must("course_id"),
        _f("course_version", FieldType.INTEGER),
        _must("assigned_at", FieldType.INSTANT),
        _must("due_on", FieldType.DATE),
        _f("previous_due_on", FieldType.DATE),
        *_change("due_changed"),
        *_change("completed"),
        _f("passed", FieldType.BOOLEAN, "true"),
        _f("score", FieldType.NUMBER),
        _f("prior_credit", FieldType.BOOLEAN, "false"),
        _f("valid_until", FieldType.DATE),
        _f("waived_by"),
        *_change("waived"),
        *_change("withdrawn"),
    ),
    _kind(
        FactKind.COMPLIANCE_CHECKS,
        "compliance_check",
        _must("check_id"),
        _must("version", FieldType.INTEGER),
        _f("title"),
        _one_of("severity", "critical", "high", "moderate", "low", required=True),
        _must("weight", FieldType.NUMBER),
        _whether("critical", "severity", "critical"),
        _f("validity_days", FieldType.INTEGER),
        _f("grace_days", FieldType.INTEGER, "0"),
        _f("types", FieldType.TEXTS),
        _f("tiers", FieldType.TEXTS),
        _f("regions", FieldType.TEXTS),
        _must("effective_from", FieldType.DATE),
        _until("retired_on", "effective_from"),
    ),
    _kind(
        FactKind.COMPLIANCE_RESULTS,
        "compliance_result",
        _must("partner_id"),
        _must("check_id"),
        _must("version", FieldType.INTEGER),
        _one_of("outcome", "pass", "fail", "partial", "not_applicable", "inconclusive", required=True),
        _f("value", FieldType.SHARE),
        _must("assessed_at", FieldType.INSTANT),
        _f("valid_until", FieldType.DATE),
        _f("assessor"),
        _f("evidence_ref"),
    ),
    _kind(
        FactKind.COMPLIANCE_WAIVERS,
        "compliance_waiver",
        _must("partner_id"),
        _must("check_id"),
        _must("approved_by"),
        _must("reason"),
        _must("valid_from", FieldType.DATE),
        _must("valid_until", FieldType.DATE),
        *_change("revoked"),
    ),
)

KINDS: Final[dict[FactKind, KindSpec]] = {spec.kind: spec for spec in _SPECS}
"""Every kind by its name."""
