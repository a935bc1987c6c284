"""Standing in: an owner lets somebody decide in their place until a programme time, or takes that back."""

from __future__ import annotations

from models.command import Delegate, Verb
from models.log import EntryKind
from models.plan import Owner
from models.rollout import Delegation, RolloutState
from workflows.asking import Refused, fields, same, who
from workflows.journal import Now, write
from workflows.signatures import signed

MOST = 30
"""Delegations of a rollout, those that ended among them: approvals given under them may still be looked at."""


def delegate(state: RolloutState, command: Delegate, now: Now) -> RolloutState:
    """Apply a delegation, or the end of one.

    Raises:
        Refused: it is not the owner's to give, or not to this person.
    """
    owner = who(state, command, now, in_person=True)
    others = tuple(one for one in standing(state, now) if not same(one.owner, owner.identity))
    if command.until is None:
        if len(others) == len(standing(state, now)):
            raise Refused(f"nobody acts in the place of {owner.name}")
        state = state.model_copy(update={"delegations": others})
        told = f"{owner.name} decides in person again"
        return write(state, now, EntryKind.DECISION, told, **fields(command, owner, Verb.DELEGATE))
    _check(state, command, owner, others, now)
    given = Delegation(
        owner=owner.identity,
        role=owner.role,
        identity=command.identity,
        name=command.name,
        issuer=command.issuer,
        subject=command.subject,
        until=command.until,
    )
    state = state.model_copy(update={"delegations": (*others, given)})
    told = (
        f"{command.name} ({command.identity}) acts for {owner.name} ({owner.role}) until {command.until:%Y-%m-%d %H:%M}"
    )
    return write(state, now, EntryKind.DECISION, told, **fields(command, owner, Verb.DELEGATE))


def standing(state: RolloutState, now: Now) -> tuple[Delegation, ...]:
    """The delegations that have not ended."""
    return tuple(one for one in state.delegations if now.programme < one.until)


def _check(state: RolloutState, command: Delegate, owner: Owner, others: tuple[Delegation, ...], now: Now) -> None:
    """Nobody gets a second say: not the proposer, not an owner, not who acts for another one."""
    plan, signer = state.plan, (command.issuer, command.subject)
    if command.until is not None and command.until <= now.programme:
        raise Refused(f"until must lie in the future of the programme clock ({now.programme.isoformat()})")
    if "@" not in command.identity or not command.name.strip():
        raise Refused("name who is to act: an e-mail address and a name")
    if (command.issuer is None) != (command.subject is None) or (signed(state) and command.subject is None):
        raise Refused("say whose signature is theirs: issuer and subject")
    if same(command.identity, plan.proposer):
        raise Refused("the proposer does not decide on their own change, in nobody's place")
    holder = plan.owner(command.identity)
    if holder is None and command.issuer is not None and command.subject is not None:
        holder = plan.signer(command.issuer, command.subject)
    if holder is not None:
        raise Refused(f"{holder.name} is {holder.role} in the plan; one person holds one role")
    for one in others:
        if same(one.identity, command.identity) or (one.subject is not None and (one.issuer, one.subject) == signer):
            raise Refused(f"{one.name} acts for another owner already; one person holds one role")
    if len(state.proofs.delegations) >= MOST:
        raise Refused(f"there have been {MOST} delegations in this rollout already")
