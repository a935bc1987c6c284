"""Whom a phase or wave enrols, and at which gate that was approved."""

from __future__ import annotations

from models.outline import Outline
from models.plan import ApprovalRule, GateName, OptionKey, RolloutPlan


def cohorts_to_enrol(plan: RolloutPlan | Outline, phase: str, wave: int | None) -> tuple[str, ...]:
    """The cohorts a phase or wave enrols at its start."""
    if plan.chosen is OptionKey.MAINTAIN:
        return ()
    if phase == "pilot":
        return (plan.cohorts.pilot.name,)
    if phase != "scale":
        return ()
    if plan.chosen is OptionKey.REDESIGN:
        return (plan.cohorts.pilot.name, *(one.name for one in plan.cohorts.waves))
    return (plan.cohorts.waves[(wave or 1) - 1].name,)


def gate_into(plan: RolloutPlan, phase: str, wave: int | None) -> tuple[str, ApprovalRule] | None:
    """The gate that people approved for what a phase or wave enrols, by the key decisions name, and its rule.

    A later wave without a gate of its own rests on the approval to scale. None: no gate leads there.
    """
    if plan.chosen is OptionKey.MAINTAIN or phase not in ("pilot", "scale"):
        return None
    if phase == "pilot":
        name = GateName.PREPARE_TO_PILOT
    elif plan.chosen is OptionKey.REDESIGN:
        name = GateName.PREPARE_TO_SCALE
    elif (wave or 1) > 1 and plan.approvals.wave is not None:
        return f"wave_{wave}", plan.approvals.wave
    else:
        name = GateName.VALIDATE_TO_SCALE
    rule = plan.approvals.rule(name)
    return (name.value, rule) if rule else None
