"""When enough people agree, and whose signature is whose: the one reading of it, for rollouts and for their effects."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple, Protocol, TypeVar

from models.claims import BREAK_GLASS, PROPOSER, Claims
from models.command import Verb
from models.owner import Owner
from models.plan import ApprovalRule, ConflictPolicy, RolloutPlan

ALWAYS_WORK = (Verb.PAUSE, Verb.STOP)
"""What protects takes effect whatever state the log is in, and by whoever broke the glass."""


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


class Substitute(StandsIn, Protocol):
    """The same, by the identity they act under."""

    @property
    def identity(self) -> str: ...


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


def same(one: str, other: str) -> bool:
    """Whether two identities are one person's: letter case does not matter."""
    return one.casefold() == other.casefold()


S = TypeVar("S", bound=Substitute)


def substitute(delegations: Iterable[S], identity: str, at: datetime) -> S | None:
    """In whose place somebody may act at a programme time, None where in nobody's."""
    found = (one for one in delegations if same(one.identity, identity) and at < one.until)
    return next(found, None)


def not_theirs(
    plan: RolloutPlan,
    verb: Verb,
    actor: str,
    claims: Claims,
    delegations: Iterable[Substitute],
    at: datetime,
    *,
    signed: bool,
) -> str | None:
    """Why a good signature is not that of whom a request names, None where it is.

    Args:
        at: programme time.
        signed: decisions must be signed, so that the plan and each delegation say whose signature is whose.
    """
    if claims.role == BREAK_GLASS:
        told = f"{claims.name} broke the glass, which lets them pause and stop, and nothing else"
        return None if verb in ALWAYS_WORK else told
    standing = tuple(delegations)
    owner = acting_for(plan, claims, standing, at)
    named = plan.owner(actor)
    if owner is None and not signed and named is not None and named.subject is None:
        owner = named  # a plan that does not say whose signature is whose
    stands_in = None if named else substitute(standing, actor, at)
    if owner is None and not signed and stands_in is not None and stands_in.subject is None:
        owner = plan.owner(stands_in.owner)  # nor does the delegation
    if owner is None:
        return f"{claims.name} ({claims.sub} at {claims.iss}) is not an owner named in the plan"
    if not (named == owner or (stands_in and same(stands_in.owner, owner.identity))):
        return f"signed by {claims.name}, but in the name of {actor}"
    if claims.role != owner.role:
        return f"signed in the role of {claims.role}; {owner.name} is {owner.role} in the plan"
    return None


def conflict_bars(plan: RolloutPlan, declared: str | None) -> str | None:
    """Why somebody who declares this conflict of interest may not decide, None where they may."""
    if declared and plan.conflict_of_interest.policy is ConflictPolicy.BAR:
        return f"a declared conflict of interest bars the decision: {declared}"
    return None


def may_not_approve(plan: RolloutPlan, owner: Owner, given: Iterable[Agrees]) -> str | None:
    """Why an owner may not approve a gate, beside those who have; None where they may."""
    if same(owner.identity, plan.proposer):
        return "the proposer does not approve their own change"
    if any(same(one.identity, owner.identity) for one in given):
        return f"{owner.name} has approved already"
    return None


def may_start(plan: RolloutPlan, claims: Claims) -> str | None:
    """Why somebody may not start a rollout of this plan, None where they may: an owner, or who proposes it."""
    owner = plan.signer(claims.iss, claims.sub)
    if claims.role == PROPOSER or (owner is not None and claims.role == owner.role):
        return None
    return f"{claims.name} signed the start as {claims.role}; an owner in their role may start, or the proposer"
