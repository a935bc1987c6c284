"""The kinds of fact a file can hold: per kind the table, and per field its type and what it may contain.

The tables' own constraints stay the authority and are checked again while importing; what is written here is what a
mapping can be judged by before any database is at hand. A test keeps the two in step.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from models.base import Frozen


class FactKind(StrEnum):
    """What `rollouts data import KIND` takes. Import referenced kinds first: partners before everything else."""

    PARTNERS = "partners"
    FX_RATES = "fx-rates"
    TRANSACTIONS = "transactions"
    COSTS = "costs"
    REBATE_RUNS = "rebate-runs"
    OPPORTUNITIES = "opportunities"
    OPPORTUNITY_REOPENINGS = "opportunity-reopenings"
    LEADS = "leads"
    MDF_BUDGETS = "mdf-budgets"
    MDF_ALLOCATIONS = "mdf-allocations"
    MDF_REQUESTS = "mdf-requests"
    MDF_CLAIMS = "mdf-claims"
    PEOPLE = "people"
    ENABLEMENT = "enablement"
    COMPLIANCE_CHECKS = "compliance-checks"
    COMPLIANCE_RESULTS = "compliance-results"
    COMPLIANCE_WAIVERS = "compliance-waivers"


class FieldType(StrEnum):
    """How a cell is read; the value says it to people."""

    TEXT = "text"
    TEXTS = "texts separated by ;"
    MONEY = "an amount with at most 14 digits before the decimal point"
    NUMBER = "a number"
    SHARE = "a share from 0 to 1"
    INTEGER = "a whole number"
    BOOLEAN = "true, false, yes, no, 1 or 0"
    DATE = "a date such as 2025-12-31"
    MONTH = "a month such as 2025-12, or any date in it"
    INSTANT = "a moment such as 2025-12-31T17:00:00+01:00"
    CURRENCY = "a currency code of three capital letters"
    ZONE = "a time zone name such as Europe/Berlin"


class FieldSpec(Frozen):
    """One field. `required`: no row without it. `default`: what an empty cell becomes."""

    name: str
    type: FieldType
    required: bool = False
    default: str | None = None
    allowed: tuple[str, ...] = ()

    @property
    def is_time(self) -> bool:
        """Whether it says when something happened."""
        return self.type in (FieldType.DATE, FieldType.MONTH, FieldType.INSTANT)


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
    def changes(self) -> tuple[str, ...]:
        """Things that happen to a fact later: each stem `s` has an instant `s_at` and its `s_known_at`."""
        names = [field.name for field in self.fields if field.name.endswith("_known_at")]
        return tuple(name.removesuffix("_known_at") for name in names)


def _f(name: str, type_: FieldType = FieldType.TEXT, default: str | None = None) -> FieldSpec:
    return FieldSpec(name=name, type=type_, default=default)


def _must(name: str, type_: FieldType = FieldType.TEXT) -> FieldSpec:
    return FieldSpec(name=name, type=type_, required=True)


def _one_of(name: str, *allowed: str, required: bool = False, default: str | None = None) -> FieldSpec:
    return FieldSpec(name=name, type=FieldType.TEXT, required=required, default=default, allowed=allowed)


def _change(stem: str) -> tuple[FieldSpec, FieldSpec]:
    return _f(f"{stem}_at", FieldType.INSTANT), _f(f"{stem}_known_at", FieldType.INSTANT)


def _kind(kind: FactKind, table: str, *fields: FieldSpec, id_field: str | None = None) -> KindSpec:
    common = (_must("source_id"), *fields, _f("known_at", FieldType.INSTANT))
    return KindSpec(kind=kind, table=table, fields=common, id_field=id_field)


_ATTRIBUTION = _one_of("attribution", "sourced", "influenced", default="sourced")
_OUTCOMES = ("won", "lost", "cancelled", "duplicate")
_DECISION = _one_of("decision", "approved", "rejected")

_SPECS: Final = (
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
        _f("list_amount", FieldType.MONEY),
        _f("discount_amount", FieldType.MONEY),
        _must("net_amount", FieldType.MONEY),
        _f("tax_amount", FieldType.MONEY),
        _must("currency", FieldType.CURRENCY),
        _f("original_id"),
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
        FactKind.LEADS,
        "lead",
        _must("partner_id"),
        _f("class"),
        _f("policy_version"),
        _f("created_at", FieldType.INSTANT),
        _must("assigned_at", FieldType.INSTANT),
        _f("accept_due_at", FieldType.INSTANT),
        _f("contact_due_at", FieldType.INSTANT),
        *_change("accepted"),
        *_change("first_contact"),
        *_change("reassigned"),
        *_change("excluded"),
        _one_of("excluded_reason", "recalled", "duplicate", "junk"),
    ),
    _kind(
        FactKind.MDF_BUDGETS,
        "mdf_budget",
        _f("budget_id"),
        _one_of("fund_type", "accrual", "discretionary", default="discretionary"),
        _must("period_start", FieldType.DATE),
        _must("period_end", FieldType.DATE),
        _f("claim_deadline", FieldType.DATE),
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
        _f("activity_end", FieldType.DATE),
        *_change("released"),
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
        _f("active_to", FieldType.DATE),
        id_field="person_id",
    ),
    _kind(
        FactKind.ENABLEMENT,
        "enablement_assignment",
        _must("partner_id"),
        _must("person_id"),
        _must("course_id"),
        _must("assigned_at", FieldType.INSTANT),
        _must("due_on", FieldType.DATE),
        _f("previous_due_on", FieldType.DATE),
        *_change("due_changed"),
        *_change("completed"),
        _f("passed", FieldType.BOOLEAN, "true"),
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
        _f("critical", FieldType.BOOLEAN, "false"),
        _f("validity_days", FieldType.INTEGER),
        _f("grace_days", FieldType.INTEGER, "0"),
        _f("types", FieldType.TEXTS),
        _f("tiers", FieldType.TEXTS),
        _f("regions", FieldType.TEXTS),
        _must("effective_from", FieldType.DATE),
        _f("retired_on", FieldType.DATE),
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
