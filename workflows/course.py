"""The course of a rollout through the phases of its plan: which cohorts are touched, and how long each phase serves."""

from __future__ import annotations

from datetime import datetime, timedelta

from models.plan import FreezeWindow, OptionKey, RolloutPlan
from models.reach import cohorts_to_enrol
from models.rollout import CohortMembers, FrozenCohort, Phase, PhaseClock, RolloutState
from models.transitions import Level as Level
from models.transitions import Transition as Transition
from models.transitions import rule_of as rule_of
from models.transitions import transition as transition


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
