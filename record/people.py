"""Who somebody is, as a plan names them."""

from __future__ import annotations

from collections.abc import Sequence

from models.outline import Outline
from models.plan import RolloutPlan
from models.rollout import Delegation


def name_of(plan: RolloutPlan | Outline | None, identity: str | None, given: Sequence[Delegation] = ()) -> str:
    """Somebody by name, where the plan names them, or an owner who lets them act."""
    if identity is None:
        return ""
    owner = plan.owner(identity) if plan else None
    stands_in = next((one for one in given if one.identity.casefold() == identity.casefold()), None)
    known = owner or stands_in
    return known.name if known else identity
