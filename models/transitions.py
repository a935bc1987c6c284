"""The one way out of each phase and wave under the option a plan chose, and who must approve it."""

from __future__ import annotations

from enum import IntEnum

from models.base import Frozen
from models.outline import Outline
from models.plan import ApprovalRule, GateName, OptionKey, RolloutPlan
from models.rollout import Phase


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


def transition(plan: RolloutPlan | Outline, phase: Phase, wave: int | None) -> Transition:
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
