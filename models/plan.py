"""The plan: the framework's decision and the rollout that carries it out, as owners sign it off."""

from __future__ import annotations

from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated, ClassVar, Literal, Self

from pydantic import ConfigDict, StringConstraints, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from models.base import Duration, Frozen, Grown, Instant, digest
from models.metric import MetricName
from models.owner import Attribute, Identity, PartnerId, Role, Slug, Text, holders_of, owner_called, said
from models.owner import Owner as Owner
from models.plan_metric import Limit, MetricPlan
from models.plan_risk import Risk as Risk
from models.plan_rules import broken_rules

KEPT = object()
"""The context to validate with what was a plan a moment ago, in one's own memory: its rules were held to then. Never
what came from anywhere else."""

PlanDigest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]


class OptionKey(StrEnum):
    """The framework's three options."""

    MAINTAIN = "A"
    STAGED = "B"
    REDESIGN = "C"


class Decisions(StrEnum):
    """Whether what people ask of a rollout must be proven by a signature."""

    SIGNED = "signed"
    UNSIGNED = "unsigned"


class Quality(StrEnum):
    DRAFT = "draft"
    REVIEWED = "reviewed"
    APPROVED = "approved"


class NameVariants(Frozen):
    """What the framework is called."""

    english: Text = said("its English name")
    katakana: Text = said("its name in katakana")
    kanji: Text = said("its name in kanji")


class Source(Frozen):
    """What a statement of the plan rests on."""

    title: Text = said("what it is")
    reference: Text = said("where it is found: a document, a page, a chapter")


class ConflictPolicy(StrEnum):
    """What a declared conflict of interest does to a decision."""

    BAR = "bar"
    RECORD = "record"


class ConflictOfInterest(Frozen):
    """Who gains from the change, and what a declared conflict does."""

    statement: Text = said("the declaration; `none` is one, too")
    policy: ConflictPolicy = said(
        "`bar`: whoever declares a conflict cannot decide; `record`: it is written down and they can",
        default=ConflictPolicy.BAR,
    )


class PlanOption(Frozen):
    """One option with what it gains and what it costs."""

    description: Text = said("what would be done")
    gains: tuple[Text, ...] = said("what speaks for it", min_length=1)
    costs: tuple[Text, ...] = said("what speaks against it", min_length=1)


class Options(Frozen):
    """The framework's three options; all of them are weighed, one is chosen."""

    A: PlanOption = said("maintain: nobody is enrolled, the would-be pilot is measured and reviewed")
    B: PlanOption = said("staged: pilot, validate, scale in waves")
    C: PlanOption = said("redesign: pilot and all waves at once, same guardrails, stricter approval")


class Selector(Frozen):
    """Partners by their attributes: any of the values within a list, all of the lists together."""

    tier: tuple[Attribute, ...] = said("any of these tiers; empty: every tier", default=())
    region: tuple[Attribute, ...] = said("any of these regions; empty: every region", default=())
    type: tuple[Attribute, ...] = said("any of these types; empty: every type", default=())
    limit: int | None = said("at most so many, in order of partner id", default=None, ge=1)


class CohortSpec(Frozen):
    """A cohort: explicit partner ids, or a selector; resolved once, at prepare, and frozen."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["partners"]}, {"required": ["select"]}]})

    name: Slug = said("its name, unlike any other cohort's")
    partners: tuple[PartnerId, ...] = said("partners by id; unknown ids hold the rollout at prepare", default=())
    select: Selector | None = said("partners by their attributes, as known at prepare", default=None)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.partners) == (self.select is not None):
            raise ValueError("name either partners or select, and not both")
        return self


class WaveSpec(CohortSpec):
    """A cohort that scaling enrols, and how long it is watched."""

    bake: Duration = said("how long the wave is watched before the next one, or before the rollout closes")


class Cohorts(Frozen):
    """A partner selected by several cohorts belongs to the first of them: pilot, control, then waves in order."""

    pilot: CohortSpec = said("the cohort that goes first; under option A the one that is only measured")
    control: CohortSpec | None = said("partners who are measured for comparison and never enrolled", default=None)
    waves: tuple[WaveSpec, ...] = said("the cohorts of the scale phase, in their order", default=())


class Phases(Grown):
    """Durations in programme time. A pause stops the clock of a phase, a resume runs the remaining time."""

    later: ClassVar[frozenset[str]] = frozenset({"baseline_from"})

    baseline_window: Duration = said("how far back baselines are measured; they are frozen before anybody is enrolled")
    baseline_from: date | None = said(
        "the first day that may stand in a baseline: prepare holds until the whole window lies after it; "
        "`rollouts next-cycle` writes it where the cycle before was paused or failed",
        default=None,
    )
    pilot: Duration = said("least time the pilot runs; under option C the least time of the whole rollout")
    validate_for: Duration = said(
        "least time the validate phase runs; under option A the whole rollout", alias="validate"
    )
    cadence: Duration = said("how often the numbers are looked at")
    watchdog: Duration = said("silence of the watch after which the rollout holds")


class ApprovalRule(Frozen):
    """Who must agree: `quorum` distinct persons of these roles, each with another role, `required` among them."""

    roles: tuple[Role, ...] = said("roles that may approve", min_length=1)
    quorum: int = said("how many must approve: distinct persons, each of another role", default=1, ge=1)
    required: tuple[Role, ...] = said("roles that must be among those who approve", default=())
    due: Duration = said(
        "time to decide, from the moment the gate opens; after it the rollout holds, nothing is decided"
    )
    remind_before: Duration | None = said("how long before it is due to remind those who may approve", default=None)
    escalate_to: tuple[Role, ...] = said("roles that are told when it is overdue", default=())


class GateName(StrEnum):
    """Transitions that people approve."""

    PREPARE_TO_PILOT = "prepare_to_pilot"
    PILOT_TO_VALIDATE = "pilot_to_validate"
    VALIDATE_TO_SCALE = "validate_to_scale"
    PREPARE_TO_SCALE = "prepare_to_scale"
    WAVE = "wave"


class Approvals(Frozen):
    """The approval rule per gate; a gate without one opens by evidence alone, where that is allowed."""

    prepare_to_pilot: ApprovalRule | None = said("into the pilot; option B needs it", default=None)
    pilot_to_validate: ApprovalRule | None = said("from the pilot into validate", default=None)
    validate_to_scale: ApprovalRule | None = said("into the first wave; option B needs it", default=None)
    prepare_to_scale: ApprovalRule | None = said("to everybody at once; option C needs it", default=None)
    wave: ApprovalRule | None = said("into the second wave and each one after it", default=None)
    override: ApprovalRule = said("to let a metric be until a date")
    stop: ApprovalRule = said("to stop the rollout; here the proposer counts, too")

    def rule(self, gate: GateName) -> ApprovalRule | None:
        """The rule of a gate, None where evidence alone decides."""
        found: ApprovalRule | None = getattr(self, gate.value)
        return found


class Reviews(Frozen):
    """Review checkpoints, counted from the moment preparation is complete."""

    first: Duration = said("when the first review is due")
    every: Duration = said("the time from one review to the next")
    grace: Duration = said("how long after its due time a checkpoint counts as missed, which holds the rollout")
    roles: tuple[Role, ...] = said("roles that may hold a review", min_length=1)


class Fate(StrEnum):
    KEEP = "keep"
    WITHDRAW = "withdraw"


class StopResolution(Frozen):
    """What a stop does with finished, current and pending cohorts. A pending cohort has nothing to withdraw:
    `keep` leaves it eligible for a next cycle, `withdraw` takes it off the list."""

    finished: Fate = said("cohorts of phases and waves that are over")
    current: Fate = said("cohorts of the phase or wave in which it stops")
    pending: Fate = said("cohorts that were not enrolled yet")


class StopCondition(Frozen):
    """A condition under which the rollout stops. With a metric and limit it stops by itself when the value of
    an enrolled cohort lies beyond the limit (same spelling as thresholds); without, people call it."""

    model_config = ConfigDict(json_schema_extra={"dependentRequired": {"metric": ["unless"], "unless": ["metric"]}})

    condition: Text = said("the condition in words")
    metric: MetricName | None = said("the measured metric it is about; without one, people call it", default=None)
    unless: Limit | None = said("stop unless this holds, for example `>= 70`", default=None)

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.metric is None) != (self.unless is None):
            raise ValueError("metric and unless go together")
        return self


class Audience(Frozen):
    """A team the plan is communicated to."""

    team: Text = said("who they are")
    contact: Identity = said("where the message goes: an e-mail address")


class FreezeWindow(Frozen):
    """No transition happens in `[start, end)`; guardrails stay armed."""

    name: Text = said("its name, unlike any other window's")
    start: Instant = said("when it begins: a moment with its time zone, `2026-12-20T00:00:00Z`")
    end: Instant = said("when it is over, exclusive")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.end <= self.start:
            raise ValueError("end must lie after start")
        return self


class NotMeasured(Frozen):
    """A metric of the framework that this rollout does not measure, and why."""

    metric: MetricName = said("the metric that is left out")
    reason: Text = said("why")


class Supersedes(Frozen):
    """The cycle before this one, and the very plan it ran."""

    rollout: Slug = said("its plan's id")
    plan_digest: PlanDigest = said("its plan's digest, as `rollouts plan validate -o json` shows it")


class RolloutPlan(Grown):
    """Everything owners sign off. Immutable for the run: a change is a new plan version and a new approval."""

    model_config = ConfigDict(title="Partner Rollouts plan")
    later: ClassVar[frozenset[str]] = frozenset({"decisions", "supersedes"})

    schema_version: Literal[1] = said("version of this format")
    framework: Literal["B0129"] = said("the decision framework the plan follows")
    id: Slug = said("the rollout's name everywhere; a plan with another id is another rollout")
    supersedes: Supersedes | None = said(
        "the cycle this one learnt from and comes after; `rollouts next-cycle` writes it", default=None
    )
    title: Text = said("one line that says what changes")
    name_variants: NameVariants = said("the framework's name in three scripts")
    quality: Quality = said("how far the decision text has come")
    updated: date = said("the day it was last changed: `2026-01-31`")
    sources: tuple[Source, ...] = said("what the figures and statements rest on", min_length=1)
    conflict_of_interest: ConflictOfInterest = said("the declaration, and what a declared conflict does")
    context: Text = said("what recurs, who reads what differently, and why it must be decided")
    options: Options = said("the three options with their gains and costs")
    chosen: OptionKey = said("the option that is carried out")
    decision: Text = said("what was decided")
    trade_off: Text = said("what is given up for what")
    rationale: Text = said("why this option")
    risks: tuple[Risk, ...] = said("what may go wrong, each with its mitigation", min_length=1)
    next_steps: tuple[Text, ...] = said("the framework's Next list", min_length=1)
    proposer: Identity = said("who proposes the change; never counts as one of those who approve it")
    owners: tuple[Owner, ...] = said("the named persons who decide; each confirms at prepare", min_length=1)
    decisions: Decisions | None = said(
        "`signed`: what people ask for is proven by a signature, which needs `issuer` and `subject` of every owner; "
        "`unsigned`: anybody who reaches Temporal can ask in an owner's name; unset: as the installation does",
        default=None,
    )
    constraints: tuple[Text, ...] = said("what must not happen; read by people", default=())
    cohorts: Cohorts = said("who goes when")
    metrics: tuple[MetricPlan, ...] = said("what is measured, and what it must show", min_length=1)
    not_measured: tuple[NotMeasured, ...] = said("metrics of the framework left out, each with its reason", default=())
    weighted_pass: float = said(
        "share of the weight of outcomes with `must: false` that must be met", default=0.75, gt=0, le=1
    )
    phases: Phases = said("how long each phase runs, and how often it is looked at")
    approvals: Approvals = said("who approves what")
    reviews: Reviews = said("the review checkpoints")
    stop_conditions: tuple[StopCondition, ...] = said("when to give up", min_length=1)
    on_automatic_stop: StopResolution = said("what becomes of the cohorts when a stop condition stops the rollout")
    communication: tuple[Audience, ...] = said("the teams that are told before anybody is enrolled", min_length=1)
    freeze_windows: tuple[FreezeWindow, ...] = said("times in which nothing moves; guardrails stay armed", default=())

    @model_validator(mode="after")
    def _rules_hold(self, info: ValidationInfo) -> Self:
        broken = () if info.context is KEPT else broken_rules(self)
        if broken:
            told = "; ".join(f"{rule.field}: {rule.message}" for rule in broken)
            # The rules themselves travel along, so that a reader can show each at its own place.
            raise PydanticCustomError("broken_rules", "{told}", {"told": told, "rules": broken})
        return self

    @property
    def digest(self) -> str:
        """The digest decisions are bound to."""
        return digest(self)

    @property
    def planned_length(self) -> timedelta:
        """How long the rollout takes under its option if nothing holds it, once it is prepared."""
        bakes = [wave.bake for wave in self.cohorts.waves]
        match self.chosen:
            case OptionKey.MAINTAIN:
                return self.phases.validate_for
            case OptionKey.REDESIGN:
                return max((self.phases.pilot, *bakes))
            case _:
                return sum(bakes, self.phases.pilot + self.phases.validate_for)

    def metric(self, name: MetricName) -> MetricPlan | None:
        """What the plan says of a metric, None where it does not measure it."""
        return next((metric for metric in self.metrics if metric.metric is name), None)

    def owner(self, identity: str) -> Owner | None:
        """The owner with this identity, None for a stranger. Letter case does not matter."""
        return owner_called(self.owners, identity)

    def signer(self, issuer: str, subject: str) -> Owner | None:
        """The owner who signs in as this person, None for a stranger."""
        return next((owner for owner in self.owners if owner.signs_as(issuer, subject)), None)

    def holders(self, *roles: str) -> tuple[Owner, ...]:
        """The owners who hold one of the roles."""
        return holders_of(self.owners, roles)

    def cohort_specs(self) -> tuple[CohortSpec, ...]:
        """All cohorts, in the order in which a partner is given to the first that selects it."""
        control = (self.cohorts.control,) if self.cohorts.control else ()
        return (self.cohorts.pilot, *control, *self.cohorts.waves)
