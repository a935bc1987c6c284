"""Rules across a plan's fields: each names the field, what was found and what is allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.base import Frozen

if TYPE_CHECKING:
    from models.plan import RolloutPlan


class BrokenRule(Frozen):
    """A rule the plan breaks. `field` is a dotted path such as `approvals.wave.roles`."""

    field: str
    message: str


def broken_rules(plan: RolloutPlan) -> tuple[BrokenRule, ...]:
    """Every cross-field rule the plan breaks, in the order of its fields."""
    return ()
