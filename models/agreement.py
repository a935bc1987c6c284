"""When enough people agree, and whose signature is whose: the one reading of it, for rollouts and for their effects."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple, Protocol

from models.claims import PROPOSER, Claims
from models.owner import Owner
from models.plan import ApprovalRule, RolloutPlan


class Agrees(Protocol):
    """Somebody who agrees: an owner by identity, with their role."""

    @property
    def identity(self) -> str: ...

    @property
    def role(self) -> str: ...


class StandsIn(Protocol):
    """Somebody who may act in an owner's place until a programme time."""

    @property
    def owner(self) -> str: ...

    @property
    def issuer(self) -> str | None: ...

    @property
    def subject(self) -> str | None: ...

    @property
    def until(self) -> datetime: ...


class Agreed(NamedTuple):
    """An agreement by itself."""

    identity: str
    role: str


def satisfied(rule: ApprovalRule, approvals: Iterable[Agrees]) -> bool:
    """Whether enough distinct persons of distinct roles agree, the required roles among them."""
    given = tuple(approvals)
    persons = {one.identity.casefold() for one in given}
    roles = {one.role for one in given}
    return min(len(persons), len(roles)) >= rule.quorum and set(rule.required) <= roles


def acting_for(plan: RolloutPlan, claims: Claims, delegations: Iterable[StandsIn], at: datetime) -> Owner | None:
    """The owner whose agreement a signature is: their own, or that of somebody in their place at a programme time.

    None for a stranger, and for a delegation that has ended.
    """
    owner = plan.signer(claims.iss, claims.sub)
    if owner is not None:
        return owner
    for one in delegations:
        if (one.issuer, one.subject) == (claims.iss, claims.sub) and at < one.until:
            return plan.owner(one.owner)
    return None


def may_start(plan: RolloutPlan, claims: Claims) -> str | None:
    """Why somebody may not start a rollout of this plan, None where they may: an owner, or who proposes it."""
    owner = plan.signer(claims.iss, claims.sub)
    if claims.role == PROPOSER or (owner is not None and claims.role == owner.role):
        return None
    return f"{claims.name} signed the start as {claims.role}; an owner in their role may start, or the proposer"
