"""Who asks: the owner behind a request, or whoever stands in for them, and what the log says of it."""

from __future__ import annotations

from typing import Any

from models.agreement import same as same
from models.agreement import substitute
from models.command import Command, Verb
from models.log import EntryKind, Outcome
from models.plan import Owner
from models.rollout import Approval, Delegation, RolloutState
from workflows.journal import Now, backlog_full, refuse_in_bulk, write

ON_BEHALF_OF = "on_behalf_of"
"""What an entry's detail calls the owner in whose place somebody acted."""


class Refused(Exception):
    """Why a request changes nothing. Caught where requests come in; it never leaves the functions about requests."""


def delegation_to(state: RolloutState, identity: str, now: Now) -> Delegation | None:
    """In whose place somebody may act now, None where in nobody's."""
    return substitute(state.delegations, identity, now.programme)


def who(state: RolloutState, command: Command, now: Now, *roles: str, in_person: bool = False) -> Owner:
    """The owner behind a request, who must hold one of the roles where roles are given.

    Somebody who stands in for an owner acts as that owner, under both names.

    Args:
        in_person: nobody can do this in an owner's place.

    Raises:
        Refused: nobody the plan names, or one with another role.
    """
    owner = state.plan.owner(command.actor)
    stands_in = None if owner else delegation_to(state, command.actor, now)
    if stands_in is not None:
        owner = state.plan.owner(stands_in.owner)
    if owner is None:
        raise Refused(f"{command.actor} is not an owner named in the plan")
    if stands_in is not None:
        if in_person:
            raise Refused(f"{owner.name} does this in person; {stands_in.name} only decides in their place")
        owner = owner.model_copy(update={"name": f"{stands_in.name} for {owner.name}"})
    if roles and owner.role not in roles:
        raise Refused(f"{owner.name} is {owner.role}; this needs {' or '.join(roles)}")
    return owner


def fields(command: Command, owner: Owner | None, verb: Verb, outcome: Outcome = Outcome.APPLIED) -> dict[str, Any]:
    """What an entry says of the request it tells of."""
    told: dict[str, Any] = {
        "verb": verb.value,
        "actor": owner.identity if owner else command.actor,
        "role": owner.role if owner else None,
        "outcome": outcome,
        "rationale": command.reason,
        "request_id": command.request_id,
    }
    if owner is not None and (by := in_place(owner, command)) is not None:
        told |= both_names(owner.identity, by)
    return told


def both_names(owner: str, by: str) -> dict[str, Any]:
    """What an entry says of an owner and of whoever acted in their place."""
    return {"actor": by, "detail": {ON_BEHALF_OF: owner}}


def in_place(owner: Owner, command: Command) -> str | None:
    """Who asks in the owner's place, None where the owner does."""
    return None if same(owner.identity, command.actor) else command.actor


def approval(owner: Owner, command: Command, now: Now) -> Approval:
    """An owner's agreement, by their own hand or by that of whoever stands in."""
    by, asked = in_place(owner, command), command.request_id
    return Approval(identity=owner.identity, role=owner.role, at=now.programme, request_id=asked, by=by)


def refuse(state: RolloutState, verb: str, problem: str, now: Now, command: Command | None = None) -> RolloutState:
    """Write down a request that changes nothing: by whom, what, and why not.

    While the backlog is full, refusals share one entry that counts them; the signals stand in Temporal's history.
    """
    if backlog_full(state):
        return refuse_in_bulk(state, f"{verb} refused: {problem}", now)
    owner = state.plan.owner(command.actor) if command else None
    return write(
        state,
        now,
        EntryKind.REFUSAL,
        f"{verb} refused: {problem}",
        verb=verb,
        actor=command.actor if command else None,
        role=owner.role if owner else None,
        outcome=Outcome.REFUSED,
        refusal=problem,
        rationale=command.reason if command else None,
        request_id=command.request_id if command else None,
        gate=getattr(command, "gate", None),
        evidence_digest=getattr(command, "evidence_digest", None),
    )
