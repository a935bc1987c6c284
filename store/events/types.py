"""The types of event that are taken, and what each one's `data` must and may hold.

`time` is when it happened, `subject` the fact that it happened to. Fields of `data` are named as the columns they fill.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, create_model, model_validator

from store.events.terms import Amount, Currency, Day, Instant, Money, Month, Score, Share, Source, Text, Words
from store.intake.kinds import FactKind

MOST_VERSIONS: Final = 2**31 - 1
"""The greatest integer that an attribute of a CloudEvent can be."""


class Data(BaseModel):
    """What an event says beyond that it happened. A field that is not known is refused: it would be lost in silence."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Nothing(Data):
    """The event says it all by having happened."""


class LeadAssigned(Data):
    """A lead is given to a partner. Without any deadline it gets those of the policy in force, if there is one."""

    partner_id: Text
    contact_due_at: Instant | None = None
    class_: Text | None = Field(default=None, alias="class")
    policy_version: Text | None = None
    created_at: Instant | None = None
    accept_due_at: Instant | None = None


class LeadRejected(Data):
    """The partner turns a lead down."""

    rejected_reason: Words | None = None


class LeadRecalled(Data):
    """A lead is taken out: it counts for nobody."""

    excluded_reason: Literal["recalled", "duplicate", "junk"] = "recalled"


class LeadPaused(Data):
    """A lead's clock stops, for a reason that its policy agrees to. The subject is the pause, one of maybe several."""

    lead_id: Text
    reason: Words


class LeadEventRecorded(Data):
    """Something that happened to a lead, to look back on; what counts comes with the types of the lead itself."""

    lead_id: Text
    kind: Literal[
        "assigned",
        "accepted",
        "rejected",
        "attempted",
        "contacted",
        "auto_reply",
        "reassigned",
        "recalled",
        "converted",
        "closed",
    ]
    actor: Text | None = None
    note: Words | None = None


class DealRegistered(Data):
    """A deal becomes known, for a partner and in a currency."""

    partner_id: Text
    currency: Currency
    origin: Literal["partner", "vendor", "influenced"] = "partner"
    amount: Money | None = None


class DealQualified(Data):
    """The sales cycle begins."""

    amount: Money | None = None


class DealClosed(Data):
    """A deal is over. A won one needs its amount."""

    outcome: Literal["won", "lost", "cancelled", "duplicate"]
    amount: Money | None = None

    @model_validator(mode="after")
    def _won_for_something(self) -> Self:
        if self.outcome == "won" and self.amount is None:
            raise ValueError("a deal that is won has an amount")
        return self


class DealStageEntered(Data):
    """A deal comes to a stage of its pipeline, to look back on. The subject is the coming, and not the deal."""

    opportunity_id: Text
    stage: Text


class RequestSubmitted(Data):
    """A partner asks for MDF."""

    partner_id: Text
    requested_amount: Amount
    currency: Currency
    allocation_id: Text | None = None
    activity: Words | None = None
    copay_share: Share = "0"
    activity_start: Day | None = None
    activity_end: Day | None = None


class RequestReleased(Data):
    """What an approved request kept for itself is free again."""

    released_reason: Literal["cancelled", "expired", "withdrawn"] | None = None


class Approved(Data):
    """Somebody says yes, to so much."""

    approved_amount: Amount
    approver: Text | None = None


class Rejected(Data):
    """Somebody says no."""

    approver: Text | None = None


class ClaimSubmitted(Data):
    """A partner shows what an activity cost. Without `request_id` nobody had approved it."""

    partner_id: Text
    claimed_amount: Amount
    currency: Currency
    request_id: Text | None = None
    settles_request: bool = True
    invoice_ref: Text | None = None
    proof_ref: Text | None = None


class ClaimApproved(Approved):
    """A claim is accepted, late ones by name."""

    late_waived_by: Text | None = None


class ClaimPaid(Data):
    """Money goes out."""

    paid_amount: Amount


class CourseAssigned(Data):
    """A partner's person is to complete a course by a day."""

    partner_id: Text
    person_id: Text
    course_id: Text
    due_on: Day
    prior_credit: bool = False
    course_version: int | None = Field(default=None, ge=1, le=MOST_VERSIONS)


class CourseDueChanged(Data):
    """The day it is due moves; until now the old one was in force."""

    due_on: Day


class CourseCompleted(Data):
    """A person passed. `valid_until` is the last day it counts; without it, for as long as the course says."""

    valid_until: Day | None = None
    score: Score | None = None


class CourseFailed(Data):
    """A person tried, and did not pass."""

    score: Score | None = None


class CourseWaived(Data):
    """Somebody lets a person off."""

    waived_by: Text


class ComplianceAssessed(Data):
    """A check of a partner came to a result."""

    partner_id: Text
    check_id: Text
    check_version: int = Field(ge=1, le=MOST_VERSIONS)
    outcome: Literal["pass", "fail", "partial", "not_applicable", "inconclusive"]
    value: Share | None = None
    valid_until: Day | None = None
    assessor: Text | None = None
    evidence_ref: Text | None = None

    @model_validator(mode="after")
    def _partly(self) -> Self:
        if (self.outcome == "partial") is not (self.value is not None):
            raise ValueError("a value for the outcome partial, and for no other")
        return self


class WaiverGranted(Data):
    """A partner need not meet a check for a while. A waiver always ends."""

    partner_id: Text
    check_id: Text
    approved_by: Text
    reason: Words
    valid_from: Day
    valid_until: Day

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.valid_until < self.valid_from:
            raise ValueError("a waiver that ends on or after the day it begins")
        return self


class TransactionRecorded(Data):
    """A line of revenue. Returns and credits are negative, on their own date."""

    partner_id: Text
    kind: Literal["sale", "return", "credit"]
    transaction_date: Day
    net_amount: Money
    currency: Currency
    transaction_id: Text | None = Field(default=None, description="default: the subject")
    credit_share: Share = "1"
    attribution: Literal["sourced", "influenced"] = "sourced"
    list_amount: Money | None = None
    discount_amount: Money | None = None
    tax_amount: Money | None = None
    original_id: Text | None = None
    recognised_on: Day | None = None
    deal_id: Text | None = None

    @model_validator(mode="after")
    def _signed(self) -> Self:
        negative = self.net_amount.startswith("-")
        if self.net_amount != "0" and negative is (self.kind == "sale"):
            raise ValueError("a sale that is not negative; a return or a credit that is not positive")
        return self


class CostRecorded(Data):
    """A variable cost of selling through a partner; one taken back is negative."""

    partner_id: Text
    kind: Literal["product", "freight", "commission", "rebate", "spiff", "support"]
    amount: Money
    currency: Currency
    recognised_on: Day
    transaction_id: Text | None = None
    credit_share: Share = "1"
    attribution: Literal["sourced", "influenced"] = "sourced"
    earned_period: Month | None = Field(default=None, description="the month that earned a rebate")

    @model_validator(mode="after")
    def _rebates_are_earned(self) -> Self:
        if self.kind == "rebate" and self.earned_period is None:
            raise ValueError("a rebate with its earned_period")
        return self


class Event(BaseModel):
    """The envelope, CloudEvents 1.0 in JSON. Attributes that are not known are allowed there, and not kept."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False)

    specversion: Literal["1.0"]
    id: Text = Field(description="names the event for its source, for ever")
    source: Source = Field(description="the source system; the key must be for it")
    type: str
    subject: Text = Field(description="the key of the fact that it is about, unique for its source and kind")
    time: Instant = Field(description="when it happened")
    version: int = Field(default=1, ge=1, le=MOST_VERSIONS, description="a higher one corrects the event")
    retracted: bool = Field(default=False, description="it never happened: what lower versions say is taken back")
    datacontenttype: Literal["application/json"] | None = None
    dataschema: Words | None = None
    data_base64: None = Field(default=None, description="data are JSON here")
    data: Any

    @model_validator(mode="after")
    def _takes_back_what_was_said(self) -> Self:
        if self.retracted and self.version == 1:
            raise ValueError("a version above 1 of an event that is taken back")
        return self


DATA: Final[dict[str, tuple[FactKind, type[Data]]]] = {
    "lead.assigned": (FactKind.LEADS, LeadAssigned),
    "lead.accepted": (FactKind.LEADS, Nothing),
    "lead.contacted": (FactKind.LEADS, Nothing),
    "lead.reassigned": (FactKind.LEADS, Nothing),
    "lead.rejected": (FactKind.LEADS, LeadRejected),
    "lead.recalled": (FactKind.LEADS, LeadRecalled),
    "lead.paused": (FactKind.LEAD_PAUSES, LeadPaused),
    "lead.resumed": (FactKind.LEAD_PAUSES, Nothing),
    "lead.event.recorded": (FactKind.LEAD_EVENTS, LeadEventRecorded),
    "deal.registered": (FactKind.OPPORTUNITIES, DealRegistered),
    "deal.qualified": (FactKind.OPPORTUNITIES, DealQualified),
    "deal.closed": (FactKind.OPPORTUNITIES, DealClosed),
    "deal.reopened": (FactKind.OPPORTUNITIES, Nothing),
    "deal.stage.entered": (FactKind.OPPORTUNITY_STAGES, DealStageEntered),
    "mdf.request.submitted": (FactKind.MDF_REQUESTS, RequestSubmitted),
    "mdf.request.approved": (FactKind.MDF_REQUESTS, Approved),
    "mdf.request.rejected": (FactKind.MDF_REQUESTS, Rejected),
    "mdf.request.released": (FactKind.MDF_REQUESTS, RequestReleased),
    "mdf.claim.submitted": (FactKind.MDF_CLAIMS, ClaimSubmitted),
    "mdf.claim.approved": (FactKind.MDF_CLAIMS, ClaimApproved),
    "mdf.claim.rejected": (FactKind.MDF_CLAIMS, Rejected),
    "mdf.claim.paid": (FactKind.MDF_CLAIMS, ClaimPaid),
    "mdf.claim.withdrawn": (FactKind.MDF_CLAIMS, Nothing),
    "enablement.assigned": (FactKind.ENABLEMENT, CourseAssigned),
    "enablement.due_changed": (FactKind.ENABLEMENT, CourseDueChanged),
    "enablement.completed": (FactKind.ENABLEMENT, CourseCompleted),
    "enablement.failed": (FactKind.ENABLEMENT, CourseFailed),
    "enablement.expired": (FactKind.ENABLEMENT, Nothing),
    "enablement.waived": (FactKind.ENABLEMENT, CourseWaived),
    "enablement.withdrawn": (FactKind.ENABLEMENT, Nothing),
    "compliance.result.recorded": (FactKind.COMPLIANCE_RESULTS, ComplianceAssessed),
    "compliance.waiver.granted": (FactKind.COMPLIANCE_WAIVERS, WaiverGranted),
    "compliance.waiver.revoked": (FactKind.COMPLIANCE_WAIVERS, Nothing),
    "transaction.recorded": (FactKind.TRANSACTIONS, TransactionRecorded),
    "cost.recorded": (FactKind.COSTS, CostRecorded),
}
"""Every type with the kind of fact it speaks of and what it carries."""


def _envelope(name: str, data: type[Data]) -> type[Event]:
    title = "".join(word.capitalize() for word in name.replace("_", ".").split("."))
    fields: dict[str, Any] = {
        "type": (Literal[name], ...),
        # Nothing that it carries is required: then neither is `data`.
        "data": (data, ... if any(one.is_required() for one in data.model_fields.values()) else data()),
    }
    made: type[Event] = create_model(f"{title}Event", __base__=Event, **fields)
    made.__doc__ = data.__doc__
    return made


EVENTS: Final[dict[str, type[Event]]] = {name: _envelope(name, data) for name, (_, data) in DATA.items()}
"""The model of each type."""

_kinds = tuple(EVENTS.values())
_union: Any = _kinds[0]
for _one in _kinds[1:]:
    _union = _union | _one

ONE: Final[TypeAdapter[Event]] = TypeAdapter(Annotated[_union, Field(discriminator="type")])
"""Reads one event."""

BATCH: Final[TypeAdapter[tuple[Event, ...]]] = TypeAdapter(tuple[Annotated[_union, Field(discriminator="type")], ...])
"""Reads a batch of them."""
