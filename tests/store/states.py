"""States that facts may be in, each a table and what a row of it is: what people try things on shows all of them."""

from __future__ import annotations

STATES = (
    *(f"lead: {one}_at is not null" for one in ("accepted", "rejected", "first_contact", "reassigned")),
    *(f"lead: excluded_reason = '{one}'" for one in ("recalled", "duplicate", "junk")),
    *(f"lead_event: kind = '{one}'" for one in ("rejected", "reassigned", "recalled", "auto_reply")),
    *(f"opportunity: outcome = '{one}'" for one in ("won", "lost", "cancelled", "duplicate")),
    *(f"opportunity: origin = '{one}'" for one in ("partner", "vendor", "influenced")),
    *("opportunity: closed_at is null", "opportunity: qualified_at is null"),
    *(f"partner_transaction: kind = '{one}'" for one in ("sale", "return", "credit")),
    *("partner_transaction: credit_share < 1", "partner_transaction: attribution = 'influenced'"),
    *(f"partner_cost: kind = '{one}'" for one in ("product", "freight", "commission", "rebate", "spiff", "support")),
    *("mdf_request: decision = 'rejected'", "mdf_request: approved_amount < requested_amount"),
    *(f"mdf_request: released_reason = '{one}'" for one in ("cancelled", "expired", "withdrawn")),
    *("mdf_claim: decision = 'rejected'", "mdf_claim: withdrawn_at is not null", "mdf_claim: paid_at is not null"),
    *("mdf_claim: late_waived_by is not null", "mdf_claim: claimed_amount * 0.5 > approved_amount"),
    *(f"enablement_assignment: {one}_at is not null" for one in ("waived", "withdrawn", "due_changed", "completed")),
    *("enablement_assignment: not passed", "enablement_assignment: prior_credit", "person: active_to is not null"),
    *("enablement_assignment: score > 60", "enablement_assignment: valid_until is null and completed_at is not null"),
    *(f"compliance_result: outcome = '{one}'" for one in ("pass", "fail", "partial")),
    *(f"compliance_result: outcome = '{one}'" for one in ("not_applicable", "inconclusive")),
    *("compliance_waiver: revoked_at is null", "compliance_waiver: revoked_at is not null"),
    *("partner: calendar_id is not null", "partner: active_to is not null", "business_calendar: monday is not null"),
)
