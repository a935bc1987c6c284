"""The course a plan sets: which phases it passes, what each transition asks for, which cohorts it touches."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import IntEnum

from models.base import Frozen
from models.plan import ApprovalRule, FreezeWindow, GateName, OptionKey, RolloutPlan
from models.reach import cohorts_to_enrol
from models.rollout import CohortMembers, FrozenCohort, Phase, PhaseClock, RolloutState


class Level(IntEnum):
    """How much evidence a transition asks for; each level includes the ones below."""

    NONE = 0
    BASELINE = 1
    GUARDRAILS = 2
    OUTCOMES = 3


class Transition(Frozen):
    """The one way out of a phase or wave."""

    to: Phase
    wave: int | None = None
    gate: GateName | None = None
    level: Level
    needs_review: bool = False

    @property
    def key(self) -> str:
        """The name of the gate as decisions write it, `wave_2` for the second wave."""
        if self.gate is None:
            return f"to_{self.to.value}"
        return f"wave_{self.wave}" if self.gate is GateName.WAVE else self.gate.value


def transition(plan: RolloutPlan, phase: Phase, wave: int | None) -> Transition:
    """The way out of a phase under the option the plan chose.

    A measures and reviews, B pilots, validates and scales in waves, C goes to everybody at once.
    """
    match plan.chosen, phase:
        case OptionKey.MAINTAIN, Phase.PREPARE:
            return Transition(to=Phase.VALIDATE, level=Level.BASELINE)
        case OptionKey.MAINTAIN, _:
            return Transition(to=Phase.CLOSE, level=Level.NONE, needs_review=True)
        case OptionKey.REDESIGN, Phase.PREPARE:
            return Transition(to=Phase.SCALE, wave=1, gate=GateName.PREPARE_TO_SCALE, level=Level.BASELINE)
        case OptionKey.REDESIGN, _:
            return Transition(to=Phase.CLOSE, level=Level.GUARDRAILS)
        case _, Phase.PREPARE:
            return Transition(to=Phase.PILOT, gate=GateName.PREPARE_TO_PILOT, level=Level.BASELINE)
        case _, Phase.PILOT:
            return Transition(to=Phase.VALIDATE, gate=GateName.PILOT_TO_VALIDATE, level=Level.GUARDRAILS)
        case _, Phase.VALIDATE:
            return Transition(to=Phase.SCALE, wave=1, gate=GateName.VALIDATE_TO_SCALE, level=Level.OUTCOMES)
        case _:
            upcoming = (wave or 0) + 1
            if upcoming <= len(plan.cohorts.waves):
                return Transition(to=Phase.SCALE, wave=upcoming, gate=GateName.WAVE, level=Level.OUTCOMES)
            return Transition(to=Phase.CLOSE, level=Level.GUARDRAILS)


def rule_of(plan: RolloutPlan, way: Transition) -> ApprovalRule | None:
    """Who must approve a transition; None where evidence alone decides."""
    return plan.approvals.rule(way.gate) if way.gate else None


def required_time(plan: RolloutPlan, phase: Phase, wave: int | None) -> timedelta | None:
    """The time a phase or wave has to serve; None for phases that are over when their work is done."""
    match phase:
        case Phase.PILOT:
            return plan.phases.pilot
        case Phase.VALIDATE:
            return plan.phases.validate_for
        case Phase.SCALE if plan.chosen is OptionKey.REDESIGN:
            return max((plan.phases.pilot, *(one.bake for one in plan.cohorts.waves)))
        case Phase.SCALE:
            return plan.cohorts.waves[(wave or 1) - 1].bake
        case _:
            return None


def members(state: RolloutState, name: str) -> FrozenCohort | CohortMembers:
    """A resolved cohort."""
    return next(cohort for cohort in state.cohorts if cohort.name == name)


def unenrolled(state: RolloutState) -> tuple[str, ...]:
    """The cohorts the present phase has still to enrol."""
    wanted = cohorts_to_enrol(state.plan, state.phase.value, state.wave)
    return tuple(name for name in wanted if name not in state.enrolled)


def watched(state: RolloutState) -> tuple[FrozenCohort | CohortMembers, ...]:
    """The cohorts whose numbers are judged now: the enrolled ones, or under option A the would-be pilot."""
    if state.phase in (Phase.PREPARE, Phase.CLOSE) or state.terminal:
        return ()
    if state.plan.chosen is OptionKey.MAINTAIN:
        return (members(state, state.plan.cohorts.pilot.name),)
    names = [name for name in state.enrolled if name not in state.withdrawn]
    return tuple(members(state, name) for name in names)


def freeze_at(plan: RolloutPlan, moment: datetime) -> FreezeWindow | None:
    """The freeze window a moment lies in."""
    return next((one for one in plan.freeze_windows if one.start <= moment < one.end), None)


def thawed_at(plan: RolloutPlan, moment: datetime) -> datetime | None:
    """When the latest freeze window before a moment ended."""
    return max((one.end for one in plan.freeze_windows if one.end <= moment), default=None)


def served(clock: PhaseClock, moment: datetime) -> timedelta:
    """The time a phase has served until a moment; a pause does not count."""
    if clock.running_since is None:
        return clock.served
    return clock.served + (moment - clock.running_since)


def deadline(clock: PhaseClock) -> datetime | None:
    """When the phase will have served its time; None while its clock stands still."""
    if clock.running_since is None:
        return None
    return clock.running_since + (clock.required - clock.served)


def stopped(clock: PhaseClock | None, moment: datetime) -> PhaseClock | None:
    """The clock with its time banked."""
    if clock is None:
        return None
    return clock.model_copy(update={"served": served(clock, moment), "running_since": None})


def restarted(clock: PhaseClock | None, moment: datetime) -> PhaseClock | None:
    """The clock running again with the remaining time."""
    return clock and clock.model_copy(update={"running_since": moment})
