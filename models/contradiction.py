"""Facts that contradict each other: what each contradiction is, of which facts, and which metric rests on it.

Facts come in any order, so none can be refused for what another one says: they are found by `rollouts data check`.
What a single row can never rightly say is refused where it comes in.
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple


class Contradiction(StrEnum):
    """One way in which facts contradict each other; each is found by the statement of its name."""

    SHARES_BELOW_ONE = "shares-below-one"
    RETURN_OF_ANOTHER_PARTNER = "return-of-another-partner"
    RETURN_BEFORE_SALE = "return-before-sale"
    RETURNED_MORE_THAN_SOLD = "returned-more-than-sold"
    NET_NOT_LIST_LESS_DISCOUNT = "net-not-list-less-discount"
    COST_OF_ANOTHER_PARTNER = "cost-of-another-partner"
    COST_OF_ANOTHER_SHARE = "cost-of-another-share"
    DEAL_CLOSED_TOO_EARLY = "deal-closed-too-early"
    LEAD_BEFORE_ASSIGNMENT = "lead-before-assignment"
    LEAD_WITHOUT_PARTNER = "lead-without-partner"
    REQUEST_OF_ANOTHER_PARTNER = "request-of-another-partner"
    REQUEST_APPROVED_ABOVE_ASKED = "request-approved-above-asked"
    REQUEST_OUT_OF_ORDER = "request-out-of-order"
    REQUEST_PAID_ABOVE_APPROVED = "request-paid-above-approved"
    CLAIM_OF_ANOTHER_PARTNER = "claim-of-another-partner"
    CLAIM_PAID_UNAPPROVED = "claim-paid-unapproved"
    CLAIM_OVERPAID = "claim-overpaid"
    CLAIM_APPROVED_ABOVE_CLAIMED = "claim-approved-above-claimed"
    CLAIM_WITHOUT_APPROVED_REQUEST = "claim-without-approved-request"
    CLAIM_LATE = "claim-late"
    CLAIM_OUT_OF_ORDER = "claim-out-of-order"
    PERSON_OF_ANOTHER_PARTNER = "person-of-another-partner"
    COURSE_UNKNOWN = "course-unknown"
    ASSIGNED_AFTER_DUE = "assigned-after-due"
    COMPLETED_BEFORE_ASSIGNED = "completed-before-assigned"
    CERTIFICATE_LAPSED_AT_ONCE = "certificate-lapsed-at-once"
    RESULT_LAPSED_AT_ONCE = "result-lapsed-at-once"
    RESULT_BEFORE_VERSION = "result-before-version"
    WAIVER_OF_UNKNOWN_CHECK = "waiver-of-unknown-check"


class Meaning(NamedTuple):
    """`kind` is the kind of fact that is named, as `rollouts data import` takes it; `says` what is found, in plain
    words; `moves` what the numbers of the framework that rest on it do."""

    kind: str
    says: str
    moves: str


_SALES, _COSTS, _LEADS, _REQUESTS, _CLAIMS = "transactions", "costs", "leads", "mdf-requests", "mdf-claims"
_COURSES, _RESULTS = "enablement", "compliance-results"

MEANINGS: Final = MappingProxyType(
    {
        Contradiction.SHARES_BELOW_ONE: Meaning(
            _SALES,
            "sourced shares of one transaction that add up to less than 1",
            "`contribution_margin` rests on less revenue, lower where the costs of the sale count in full; right "
            "where the rest is the vendor's own or that of partners who are not measured",
        ),
        Contradiction.RETURN_OF_ANOTHER_PARTNER: Meaning(
            _SALES,
            "a return or credit of a sale that is other partners'",
            "`contribution_margin` lower for the one it is written to, higher for those who sold",
        ),
        Contradiction.RETURN_BEFORE_SALE: Meaning(
            _SALES,
            "a return or credit dated before its sale",
            "`contribution_margin` lower in the earlier window, higher in that of the sale",
        ),
        Contradiction.RETURNED_MORE_THAN_SOLD: Meaning(
            _SALES,
            "returns and credits of more than was sold to begin with",
            "`contribution_margin` lower: more revenue is taken back than there was",
        ),
        Contradiction.NET_NOT_LIST_LESS_DISCOUNT: Meaning(
            _SALES,
            "a net amount more than 1 off list value less discount",
            "`contribution_margin` counts the net amount, what asks for discounts the other two: one of them is "
            "wrong, in either direction",
        ),
        Contradiction.COST_OF_ANOTHER_PARTNER: Meaning(
            _COSTS,
            "a cost of a sale that is other partners'",
            "`contribution_margin` lower for the one who bears it, higher for those who sold",
        ),
        Contradiction.COST_OF_ANOTHER_SHARE: Meaning(
            _COSTS,
            "product cost or freight counted by another share than its sale",
            "`contribution_margin` lower where the cost's share is the greater one, higher where it is the smaller one",
        ),
        Contradiction.DEAL_CLOSED_TOO_EARLY: Meaning(
            "opportunities",
            "a deal closed before it was qualified, or a day before it was registered",
            "closed before it was qualified, it is left out of `pipeline_velocity` (`invalid`): lower by what was won",
        ),
        Contradiction.LEAD_BEFORE_ASSIGNMENT: Meaning(
            _LEADS,
            "a lead contacted, answered or taken away before it was assigned",
            "contacted so, it is left out of `lead_follow_up_sla` (`invalid`), and answered so of what asks for "
            "answers: off by what it would have been, in either direction",
        ),
        Contradiction.LEAD_WITHOUT_PARTNER: Meaning(
            _LEADS,
            "a lead assigned to a partner a day or more before its first day, or after its last",
            "`lead_follow_up_sla` lower: nobody was there to call",
        ),
        Contradiction.REQUEST_OF_ANOTHER_PARTNER: Meaning(
            _REQUESTS,
            "a request for another partner's allocation",
            "`mdf_spend` lower, for it is no spend of that allocation; once approved it is `unbudgeted`, which is "
            "a breach by itself",
        ),
        Contradiction.REQUEST_APPROVED_ABOVE_ASKED: Meaning(
            _REQUESTS,
            "a request approved for more than was asked",
            "`mdf_spend` higher: all that is approved is reserved until it is claimed",
        ),
        Contradiction.REQUEST_OUT_OF_ORDER: Meaning(
            _REQUESTS,
            "a request decided or released a day or more before it was handed in",
            "`mdf_spend` as of moments in between higher or lower; in another currency also by the rate of "
            "another month",
        ),
        Contradiction.REQUEST_PAID_ABOVE_APPROVED: Meaning(
            _REQUESTS,
            "claims of one request paid for more than it was approved for",
            "`mdf_spend` higher and `contribution_margin` lower: what is paid counts in full",
        ),
        Contradiction.CLAIM_OF_ANOTHER_PARTNER: Meaning(
            _CLAIMS,
            "a claim of another partner's request",
            "`mdf_spend` higher: what the request reserves stays reserved, and what is claimed is `unbudgeted` "
            "where the allocation is not the claimant's",
        ),
        Contradiction.CLAIM_PAID_UNAPPROVED: Meaning(
            _CLAIMS,
            "a claim paid that nobody approved",
            "`mdf_spend` higher and `contribution_margin` lower: what is paid counts, whoever approved it",
        ),
        Contradiction.CLAIM_OVERPAID: Meaning(
            _CLAIMS,
            "a claim paid above its approval, or above what is left of it after co-pay",
            "`mdf_spend` higher and `contribution_margin` lower: what is paid counts in full (`overpaid_claims`)",
        ),
        Contradiction.CLAIM_APPROVED_ABOVE_CLAIMED: Meaning(
            _CLAIMS,
            "a claim approved for more than was claimed",
            "nothing until it is paid: of the two the lower is owed; paid so, `mdf_spend` higher, "
            "`contribution_margin` lower",
        ),
        Contradiction.CLAIM_WITHOUT_APPROVED_REQUEST: Meaning(
            _CLAIMS,
            "a claim approved or paid whose request was rejected or is not decided",
            "`mdf_spend` higher: money goes to what nobody promised; paid, `contribution_margin` lower",
        ),
        Contradiction.CLAIM_LATE: Meaning(
            _CLAIMS,
            "a claim approved or paid that came after the claim deadline, and that nobody let pass",
            "`mdf_spend` higher and, paid, `contribution_margin` lower (`late_claims`)",
        ),
        Contradiction.CLAIM_OUT_OF_ORDER: Meaning(
            _CLAIMS,
            "a claim decided or paid a day or more before it was handed in, or paid so before it was decided",
            "`mdf_spend` and `contribution_margin` count a payment by its moment: it may belong to another window",
        ),
        Contradiction.PERSON_OF_ANOTHER_PARTNER: Meaning(
            _COURSES,
            "an assignment of a person who is known as another partner's",
            "`enablement_completion` counts it for the partner of the assignment, higher or lower there and not "
            "at the person's own; right where the person works for both",
        ),
        Contradiction.COURSE_UNKNOWN: Meaning(
            _COURSES,
            "an assignment of a course or a version that is not known, where any course is",
            "`enablement_completion` higher: a certificate without a last day of its own never lapses",
        ),
        Contradiction.ASSIGNED_AFTER_DUE: Meaning(
            _COURSES,
            "an assignment made after the day it was due",
            "left out of `enablement_completion` (`assigned_after_due`): it rests on fewer, higher where they are "
            "not completed",
        ),
        Contradiction.COMPLETED_BEFORE_ASSIGNED: Meaning(
            _COURSES,
            "a course passed a day or more before it was assigned, and not marked as prior credit",
            "`enablement_completion` higher: it counts as completed, and in time",
        ),
        Contradiction.CERTIFICATE_LAPSED_AT_ONCE: Meaning(
            _COURSES,
            "a certificate whose last day lies more than a day before its course was passed",
            "`enablement_completion` lower: it counts as expired from the first",
        ),
        Contradiction.RESULT_LAPSED_AT_ONCE: Meaning(
            _RESULTS,
            "a result whose last day lies more than a day before its assessment",
            "`compliance_score` rests on less, in either direction, and has no value below 80 percent of the "
            "weight: it counts as expired from the first",
        ),
        Contradiction.RESULT_BEFORE_VERSION: Meaning(
            _RESULTS,
            "a result of a version of its check that came into force more than a day later",
            "`compliance_score` weighs it by that version: higher or lower",
        ),
        Contradiction.WAIVER_OF_UNKNOWN_CHECK: Meaning(
            "compliance-waivers",
            "a waiver of a check that is not known",
            "`compliance_score` lower: it excuses nothing",
        ),
    }
)
"""Every contradiction, in the order of the kinds in which facts are imported."""
