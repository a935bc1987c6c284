"""The plan: the framework's decision and the rollout that carries it out, as owners sign it off."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from models.base import Duration, Frozen, Instant, digest
from models.metric import MetricName
from models.plan_metric import Limit, MetricPlan
from models.plan_rules import broken_rules

# Control characters would steer the terminal of whoever reads a plan, and PostgreSQL cannot store all of them.
_VISIBLE = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]*$"

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000, pattern=_VISIBLE)]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{1,62}$")]
Identity = Annotated[str, StringConstraints(pattern=r"^[^\s@\x00-\x1f\x7f]+@[^\s@\x00-\x1f\x7f]+$", max_length=200)]
Role = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{1,40}$")]
PartnerId = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=_VISIBLE)]
Attribute = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=_VISIBLE)]


class OptionKey(StrEnum):
    """The framework's three options."""

    MAINTAIN = "A"
    STAGED = "B"
    REDESIGN = "C"


class Quality(StrEnum):
    DRAFT = "draft"
    REVIEWED = "reviewed"
    APPROVED = "approved"


class NameVariants(Frozen):
    english: Text
    katakana: Text
    kanji: Text


class Source(Frozen):
    """What a statement of the plan rests on."""

    title: Text
    reference: Text


class ConflictPolicy(StrEnum):
    """What a declared conflict of interest does to a decision."""

    BAR = "bar"
    RECORD = "record"


class ConflictOfInterest(Frozen):
    statement: Text
    policy: ConflictPolicy = ConflictPolicy.BAR


class PlanOption(Frozen):
    """One option with what it gains and what it costs."""

    description: Text
    gains: tuple[Text, ...] = Field(min_length=1)
    costs: tuple[Text, ...] = Field(min_length=1)


class Options(Frozen):
    A: PlanOption
    B: PlanOption
    C: PlanOption


class Risk(Frozen):
    risk: Text
    mitigation: Text


class Owner(Frozen):
    """A named person with the one role they hold here. `contact` is where notices go."""

    role: Role
    name: Text
    identity: Identity
    contact: Identity


class Selector(Frozen):
    """Partners by their attributes: any of the values within a list, all of the lists together."""

    tier: tuple[Attribute, ...] = ()
    region: tuple[Attribute, ...] = ()
    type: tuple[Attribute, ...] = ()
    limit: int | None = Field(default=None, ge=1, description="at most so many, in order of partner id")


class CohortSpec(Frozen):
    """A cohort: explicit partner ids, or a selector; resolved once, at prepare, and frozen."""

    name: Slug
    partners: tuple[PartnerId, ...] = ()
    select: Selector | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.partners) == (self.select is not None):
            raise ValueError("name either partners or select, and not both")
        return self


class WaveSpec(CohortSpec):
    bake: Duration = Field(description="how long the wave is watched before the next one")


class Cohorts(Frozen):
    """A partner selected by several cohorts belongs to the first of them: pilot, control, then waves in order."""

    pilot: CohortSpec
    control: CohortSpec | None = None
    waves: tuple[WaveSpec, ...] = ()


class Phases(Frozen):
    """Durations in programme time."""

    baseline_window: Duration = Field(description="how far back baselines are measured, ending at the start")
    pilot: Duration = Field(description="least time the pilot runs")
    validate_for: Duration = Field(alias="validate", description="least time the validate phase runs")
    cadence: Duration = Field(description="how often the numbers are looked at")
    watchdog: Duration = Field(description="silence of the watch after which the rollout holds")


class ApprovalRule(Frozen):
    """Who must agree: `quorum` distinct persons of these roles, each with another role, `required` among them."""

    roles: tuple[Role, ...] = Field(min_length=1)
    quorum: int = Field(default=1, ge=1)
    required: tuple[Role, ...] = Field(default=(), description="roles that must be among those who approve")
    due: Duration = Field(description="time to decide, from the moment the gate opens")
    remind_before: Duration | None = None
    escalate_to: tuple[Role, ...] = ()


class GateName(StrEnum):
    """Transitions that people approve."""

    PREPARE_TO_PILOT = "prepare_to_pilot"
    PILOT_TO_VALIDATE = "pilot_to_validate"
    VALIDATE_TO_SCALE = "validate_to_scale"
    PREPARE_TO_SCALE = "prepare_to_scale"
    WAVE = "wave"


class Approvals(Frozen):
    """The approval rule per gate; a gate without one opens by evidence alone, where that is allowed."""

    prepare_to_pilot: ApprovalRule | None = None
    pilot_to_validate: ApprovalRule | None = None
    validate_to_scale: ApprovalRule | None = None
    prepare_to_scale: ApprovalRule | None = None
    wave: ApprovalRule | None = None
    override: ApprovalRule
    stop: ApprovalRule

    def rule(self, gate: GateName) -> ApprovalRule | None:
        """The rule of a gate, None where evidence alone decides."""
        found: ApprovalRule | None = getattr(self, gate.value)
        return found


class Reviews(Frozen):
    """Review checkpoints, counted from the moment preparation is complete."""

    first: Duration
    every: Duration
    grace: Duration = Field(description="how long after its due time a checkpoint counts as missed")
    roles: tuple[Role, ...] = Field(min_length=1)


class Fate(StrEnum):
    KEEP = "keep"
    WITHDRAW = "withdraw"


class StopResolution(Frozen):
    """What a stop does with finished, current and pending cohorts. A pending cohort has nothing to withdraw:
    `keep` leaves it eligible for a next cycle, `withdraw` takes it off the list."""

    finished: Fate
    current: Fate
    pending: Fate


class StopCondition(Frozen):
    """A condition under which the rollout stops. With a metric and limit it stops by itself when the value of
    an enrolled cohort lies beyond the limit (same spelling as thresholds); without, people call it."""

    condition: Text
    metric: MetricName | None = None
    unless: Limit | None = Field(default=None, description="stop unless this holds, for example >= 70")

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.metric is None) != (self.unless is None):
            raise ValueError("metric and unless go together")
        return self


class Audience(Frozen):
    """A team the plan is communicated to."""

    team: Text
    contact: Identity


class FreezeWindow(Frozen):
    """No transition happens in `[start, end)`; guardrails stay armed."""

    name: Text
    start: Instant
    end: Instant

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.end <= self.start:
            raise ValueError("end must lie after start")
        return self


class NotMeasured(Frozen):
    """A metric of the framework that this rollout does not measure, and why."""

    metric: MetricName
    reason: Text


class RolloutPlan(Frozen):
    """Everything owners sign off. Immutable for the run: a change is a new plan version and a new approval."""

    schema_version: Literal[1]
    framework: Literal["B0129"]
    id: Slug
    title: Text
    name_variants: NameVariants
    quality: Quality
    updated: date
    sources: tuple[Source, ...] = Field(min_length=1)
    conflict_of_interest: ConflictOfInterest
    context: Text
    options: Options
    chosen: OptionKey
    decision: Text
    trade_off: Text
    rationale: Text
    risks: tuple[Risk, ...] = Field(min_length=1)
    next_steps: tuple[Text, ...] = Field(min_length=1)
    proposer: Identity
    owners: tuple[Owner, ...] = Field(min_length=1)
    constraints: tuple[Text, ...] = ()
    cohorts: Cohorts
    metrics: tuple[MetricPlan, ...] = Field(min_length=1)
    not_measured: tuple[NotMeasured, ...] = ()
    weighted_pass: float = Field(
        default=0.75, gt=0, le=1, description="share of the weight of outcomes that are not must-meet"
    )
    phases: Phases
    approvals: Approvals
    reviews: Reviews
    stop_conditions: tuple[StopCondition, ...] = Field(min_length=1)
    on_automatic_stop: StopResolution
    communication: tuple[Audience, ...] = Field(min_length=1)
    freeze_windows: tuple[FreezeWindow, ...] = ()

    @model_validator(mode="after")
    def _rules_hold(self) -> Self:
        broken = broken_rules(self)
        if broken:
            told = "; ".join(f"{rule.field}: {rule.message}" for rule in broken)
            # The rules themselves travel along, so that a reader can show each at its own place.
            raise PydanticCustomError("broken_rules", "{told}", {"told": told, "rules": broken})
        return self

    @property
    def digest(self) -> str:
        """The digest decisions are bound to."""
        return digest(self)

    def metric(self, name: MetricName) -> MetricPlan | None:
        """What the plan says of a metric, None where it does not measure it."""
        return next((metric for metric in self.metrics if metric.metric is name), None)

    def owner(self, identity: str) -> Owner | None:
        """The owner with this identity, None for a stranger. Letter case does not matter."""
        folded = identity.casefold()
        return next((owner for owner in self.owners if owner.identity.casefold() == folded), None)

    def holders(self, *roles: str) -> tuple[Owner, ...]:
        """The owners who hold one of the roles."""
        return tuple(owner for owner in self.owners if owner.role in roles)

    def cohort_specs(self) -> tuple[CohortSpec, ...]:
        """All cohorts, in the order in which a partner is given to the first that selects it."""
        control = (self.cohorts.control,) if self.cohorts.control else ()
        return (self.cohorts.pilot, *control, *self.cohorts.waves)
