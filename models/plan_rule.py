"""What a rule across a plan's fields is, and how a plan breaks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeAlias

from models.base import Frozen

if TYPE_CHECKING:
    from models.plan import RolloutPlan


class BrokenRule(Frozen):
    """A rule the plan breaks. `field` is a dotted path such as `approvals.wave.roles` or `metrics.0.metric`."""

    field: str
    message: str


Broken: TypeAlias = Iterator[BrokenRule]
Rule: TypeAlias = "Callable[[RolloutPlan], Broken]"
