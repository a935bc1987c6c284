"""What time and evidence do to a rollout: pure transitions from one phase to the next."""

from __future__ import annotations

from datetime import datetime, timedelta

from models.base import format_duration, short
from models.clock import ProgrammeClock
from models.evidence import Assessment, Baseline
from models.log import EntryKind
from models.metric import CATALOGUE
from models.plan import Decisions, RolloutPlan
from models.plan_metric import OnBreach
from models.proof import Proofs
from models.rollout import (
    CohortMembers,
    FrozenCohort,
    GateState,
    HoldKind,
    Phase,
    PhaseClock,
    PhaseRecord,
    RolloutState,
    Status,
)
from workflows.closing import begin
from workflows.course import Transition, members, required_time, rule_of, transition, unenrolled
from workflows.hindsight import left_unjudged
from workflows.journal import Now, hold, notify, release, write
from workflows.judge import Block, blocks, breached, title
from workflows.looks import ALL, NOTHING_ASKED, Answered, still_asked
from workflows.pauses import all_roles, pause_for_breach, resume_decided, stop
from workflows.words import describe, tally, verdicts


def initial_state(
    plan: RolloutPlan,
    chain_id: str,
    clock: ProgrammeClock,
    now: Now,
    *,
    decisions: Decisions = Decisions.UNSIGNED,
    start_token: str | None = None,
    started_at: datetime | None = None,
    short_retention: timedelta | None = None,
) -> RolloutState:
    """A rollout at its very start. What the plan says of signatures goes before what its starter says."""
    state = RolloutState(
        chain_id=chain_id,
        plan=plan,
        plan_digest=plan.digest,
        clock=clock,
        decisions=plan.decisions or decisions,
        started_at=started_at,
        proofs=Proofs(start=start_token),
    )
    state = state.model_copy(update={"history": (PhaseRecord(phase=Phase.PREPARE, entered_at=now.programme),)})
    return write(
        state,
        now,
        EntryKind.PHASE,
        f"Decision log opened. {plan.title}: option {plan.chosen.value}, plan {short(state.plan_digest)}, "
        f"programme time {now.programme:%Y-%m-%d %H:%M} at speed {clock.speed:g}; "
        f"decisions are {state.decisions.value}{_accepted(short_retention)}",
        actor=plan.proposer,
        rationale=plan.decision,
        detail={"plan": state.plan_digest},
    )


def _accepted(short_retention: timedelta | None) -> str:
    """What whoever started a rollout took upon them."""
    if short_retention is None:
        return ""
    return f"; Temporal keeps closed histories for {format_duration(short_retention)} only, which its starter accepts"


def cohorts_resolved(
    state: RolloutState, cohorts: tuple[FrozenCohort | CohortMembers, ...], now: Now, digest: str | None = None
) -> RolloutState:
    """Cohorts are frozen, their members in the store under a digest; an empty one would judge nothing, so it holds."""
    counts = ", ".join(f"{one.name} {one.size}" for one in cohorts)
    empty = [one.name for one in cohorts if not one.size]
    if empty:
        state = hold(state, now, HoldKind.BASELINE, f"no partner is selected by cohort {', '.join(empty)}")
        return look_again_after(state, "resolve", now)
    state = release(state, now, HoldKind.BASELINE)
    state = state.model_copy(update={"cohorts": cohorts, "cohorts_digest": digest})
    return write(state, now, EntryKind.PHASE, f"Cohorts resolved and frozen: {counts} partners")


def look_again_after(state: RolloutState, step: str, now: Now) -> RolloutState:
    """Do the step again no sooner than one cadence from now, should it still be wanted."""
    again = now.programme + state.plan.phases.cadence
    return state.model_copy(update={"look_again_at": {**state.look_again_at, step: again}})


def communicate(state: RolloutState, now: Now) -> RolloutState:
    """Tell affected teams, and ask the owners to confirm."""
    plan = state.plan
    roles = tuple(owner.role for owner in plan.owners)
    teams = ", ".join(audience.team for audience in plan.communication)
    state = write(state, now, EntryKind.NOTICE, f"Plan communicated to {teams}; owners asked to confirm")
    body = f"{plan.decision}\n\nReview: first after {plan.reviews.first}. Plan {short(state.plan_digest)}."
    state = notify(state, "communicate", (), f"{plan.title}: what will change", body)
    state = notify(state, "confirm", roles, f"{plan.title}: please confirm your ownership", body, must_act=roles)
    return state.model_copy(update={"communicated": True})


def baselines_measured(state: RolloutState, baselines: tuple[Baseline, ...], evidence: str, now: Now) -> RolloutState:
    """Freeze the baselines."""
    known = sum(one.value is not None for one in baselines)
    state = look_again_after(state.model_copy(update={"baselines": baselines}), "baseline", now)
    return write(
        state,
        now,
        EntryKind.BASELINE,
        f"Baselines measured: {known} of {len(baselines)} have a value",
        evidence_digest=evidence,
    )


def enrolled(state: RolloutState, cohort: str, changed: int, now: Now) -> RolloutState:
    """A cohort is in; once the phase's last one is, its clock starts."""
    size = members(state, cohort).size
    state = state.model_copy(update={"enrolled": (*state.enrolled, cohort)})
    state = write(
        state,
        now,
        EntryKind.ENROLMENT,
        f"Cohort {cohort} enrolled: {size} partners ({changed} newly)",
        detail={"cohort": cohort, "partners": size, "changed": changed},
    )
    return state if unenrolled(state) else start_clock(state, now)


def start_clock(state: RolloutState, now: Now) -> RolloutState:
    """The phase begins to serve its time, and breaches are counted from here."""
    required = required_time(state.plan, state.phase, state.wave) or timedelta(0)
    clock = PhaseClock(required=required, running_since=None if state.pause else now.programme)
    update = {
        "phase_clock": clock,
        "tolerance_since": now.programme,
        "last_evidence_at": now.programme,
        "assessment": None,
    }
    return state.model_copy(update=update)


def enter(state: RolloutState, way: Transition, now: Now, why: str, *, heed: bool = False) -> RolloutState:
    """Leave a phase or wave for the next one.

    Args:
        heed: what was asked and is not answered yet stays asked.
    """
    left = tuple(
        one.model_copy(update={"left_at": now.programme}) if one.left_at is None else one for one in state.history
    )
    record = PhaseRecord(phase=way.to, wave=way.wave, entered_at=now.programme)
    state = release(state, now, HoldKind.EVIDENCE, HoldKind.OUTCOME, HoldKind.APPROVAL_OVERDUE)
    update = {
        "phase": way.to,
        "wave": way.wave,
        "phase_clock": None,
        "phase_ended_at": None,
        "gate": None,
        **({} if heed and state.asked_at else NOTHING_ASKED),
        "history": (*left, record),
    }
    evidence = state.assessment.digest if state.assessment else None
    state = state.model_copy(update=update)
    name = way.to.value if way.wave is None else f"{way.to.value}, wave {way.wave}"
    state = write(state, now, EntryKind.PHASE, f"Entered {name}: {why}", gate=way.key, evidence_digest=evidence)
    if way.to is Phase.CLOSE:
        return begin(state, now) if state.exports else complete(state, now)
    if state.exports and way.gate is not None:
        state = state.model_copy(update={"export_due": way.key})
    return state if unenrolled(state) else start_clock(state, now)


def complete(state: RolloutState, now: Now) -> RolloutState:
    """The rollout ends as planned."""
    state = state.model_copy(update={"terminal": Status.COMPLETED})
    reach = f"{len(state.enrolled)} cohorts enrolled" if state.enrolled else "measured without a change"
    state = write(state, now, EntryKind.PHASE, f"Rollout completed: {reach}")
    return notify(state, "completed", all_roles(state), f"{state.plan.title}: completed", reach + left_unjudged(state))


def open_gate(state: RolloutState, way: Transition, evidence: str, now: Now) -> RolloutState:
    """Ask the owners. The decision will be bound to this evidence."""
    rule = rule_of(state.plan, way)
    if rule is None or way.gate is None:
        return state
    gate = GateState(
        name=way.gate,
        key=way.key,
        opened_at=now.programme,
        due_at=now.programme + rule.due,
        digest=evidence,
    )
    state = state.model_copy(update={"gate": gate})
    names = ", ".join(owner.name for owner in state.plan.holders(*rule.roles))
    state = write(
        state,
        now,
        EntryKind.PHASE,
        f"Gate {way.key} opened: {rule.quorum} of {names} to approve by {gate.due_at:%Y-%m-%d %H:%M}",
        gate=way.key,
        evidence_digest=evidence,
    )
    body = f"Evidence {short(evidence)}. {tally(state.assessment) if state.assessment else 'Baselines frozen.'}"
    facts = {"must_act": rule.roles, "due": gate.due_at}
    return notify(state, "awaiting", rule.roles, f"{state.plan.title}: {way.key} awaits your decision", body, **facts)


def close_gate(state: RolloutState, found: tuple[Block, ...], now: Now) -> RolloutState:
    """The evidence no longer allows the gate: approvals collected so far are void."""
    if state.gate is None:
        return state
    voided = len(state.gate.approvals)
    key = state.gate.key
    state = release(state.model_copy(update={"gate": None}), now, HoldKind.APPROVAL_OVERDUE)
    why = "; ".join(block.detail for block in found)
    return write(state, now, EntryKind.HOLD, f"Gate {key} closed, {voided} approvals void: {why}", gate=key)


def hold_for(state: RolloutState, found: tuple[Block, ...], now: Now) -> RolloutState:
    """Hold for every kind of block found, and let go of the kinds that are gone."""
    kinds = (HoldKind.EVIDENCE, HoldKind.OUTCOME)
    for kind in kinds:
        details = [block.detail for block in found if block.kind is kind]
        state = hold(state, now, kind, "; ".join(details)) if details else release(state, now, kind)
    return state


def findings(state: RolloutState) -> tuple[Block, ...]:
    """What stands in the way of the present phase's transition, by the evidence at hand."""
    way = transition(state.plan, state.phase, state.wave)
    return blocks(state, state.assessment, way.level)


def assessed(
    state: RolloutState, assessment: Assessment, because: str, now: Now, *, answered: Answered = ALL
) -> RolloutState:
    """Fresh evidence is in: write it down, and let stops, breaches and a waiting resume take effect.

    Args:
        answered: whom it answers; where nobody, it may halt, and nothing else.
    """
    asking = NOTHING_ASKED if answered.everything else still_asked(state, assessment, answered)
    state = state.model_copy(update={"assessment": assessment, **asking})
    state = write(
        state,
        now,
        EntryKind.ASSESSMENT,
        f"Assessed ({because}): {tally(assessment)}",
        evidence_digest=assessment.digest,
        detail={"as_of": assessment.as_of.isoformat(), "verdicts": verdicts(assessment)},
    )
    if state.terminal or state.stop_resolution:
        return state
    state = _bind_gate(state, assessment)
    if assessment.stop and state.enrolled:
        return stop(state, state.plan.on_automatic_stop, _stop_reason(assessment), now)
    must_stop = breached(state, assessment, OnBreach.STOP)
    if must_stop:
        return stop(state, state.plan.on_automatic_stop, "; ".join(map(describe, must_stop)), now)
    state = _warn(state, assessment, now)
    breaches = breached(state, assessment, OnBreach.PAUSE)
    if state.resume_request and answered.resume:
        return resume_decided(state, breaches, assessment, now)
    if breaches and state.pause is None:
        return pause_for_breach(state, breaches, now)
    return state


def _bind_gate(state: RolloutState, assessment: Assessment) -> RolloutState:
    """An open gate asks about the newest evidence: a decision that names an older one is stale."""
    if state.gate is None or state.gate.approved_at:
        return state
    return state.model_copy(update={"gate": state.gate.model_copy(update={"digest": assessment.digest})})


def _stop_reason(assessment: Assessment) -> str:
    return "; ".join(
        f"stop condition fulfilled: {one.condition} ({title(one.metric)} of {one.cohort} is {one.value:.1f})"
        for one in assessment.stop
    )


def _warn(state: RolloutState, assessment: Assessment, now: Now) -> RolloutState:
    warned = breached(state, assessment, OnBreach.WARN)
    if not warned:
        return state
    told = "; ".join(map(describe, warned))
    roles = tuple(dict.fromkeys(CATALOGUE[item.metric].owner_role for item in warned))
    state = write(state, now, EntryKind.ASSESSMENT, f"Warning: {told}", evidence_digest=assessment.digest)
    return notify(state, "warning", roles, f"{state.plan.title}: warning", told, cause="beyond limit")
