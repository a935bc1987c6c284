"""Which verbs may be used now, by whom, and why not: the one table that every surface renders."""

from __future__ import annotations

from models.command import Verb
from models.rollout import AllowedAction, RolloutState
from workflows.asking import delegation_to
from workflows.course import rule_of, transition
from workflows.delegation import standing
from workflows.hindsight import WHILE_STOPPING
from workflows.journal import Now

IN_PERSON = (Verb.CONFIRM_OWNERSHIP, Verb.DELEGATE)
"""What nobody does in an owner's place."""


def allowed_actions(state: RolloutState, now: Now, identity: str | None = None) -> tuple[AllowedAction, ...]:
    """Every verb for people. With an identity, `allowed` and `why_not` speak of that person."""
    found = tuple(_action(state, verb, now) for verb in Verb if verb is not Verb.REPORT_EVIDENCE)
    return tuple(_for(state, action, identity, now) for action in found) if identity else found


def _action(state: RolloutState, verb: Verb, now: Now) -> AllowedAction:
    roles, why_not, target = _rule(state, verb)
    if state.terminal:
        why_not = f"the rollout is {state.terminal.value}"
    elif state.stop_resolution and verb not in WHILE_STOPPING:
        why_not = "the rollout is stopping"
    barred = state.plan.proposer.casefold() if verb in (Verb.DECIDE, Verb.OVERRIDE) else None
    who = tuple(owner.identity for owner in state.plan.holders(*roles) if owner.identity.casefold() != barred)
    if verb not in IN_PERSON:
        who = (*who, *(one.identity for one in standing(state, now) if one.owner in who))
    return AllowedAction(verb=verb, allowed=why_not is None, who=who, why_not=why_not, target=target)


def _rule(state: RolloutState, verb: Verb) -> tuple[tuple[str, ...], str | None, str | None]:
    """Roles, why the verb cannot be used now (None: it can), and what it acts on."""
    plan = state.plan
    everybody = tuple(owner.role for owner in plan.owners)
    match verb:
        case Verb.DECIDE:
            rule = rule_of(plan, transition(plan, state.phase, state.wave))
            roles = rule.roles if rule else ()
            return roles, None if state.gate else "no gate is open", state.gate.key if state.gate else None
        case Verb.PAUSE:
            return everybody, "already paused" if state.pause else None, None
        case Verb.RESUME:
            if state.pause is None:
                return everybody, "the rollout is not paused", None
            busy = "a resume is being examined" if state.resume_request else None
            return state.pause.must_act, busy, state.pause.cause.value
        case Verb.OVERRIDE:
            return plan.approvals.override.roles, None, None
        case Verb.STOP:
            return plan.approvals.stop.roles, None, None
        case Verb.REVIEW:
            early = None if state.review_due_at else "no review is scheduled before preparation is complete"
            return plan.reviews.roles, early, f"checkpoint {state.reviews_held + 1}"
        case Verb.CONFIRM_OWNERSHIP:
            waiting = tuple(one.role for one in plan.owners if one.identity not in state.confirmed)
            return waiting, None if waiting else "every owner has confirmed", None
        case Verb.JUDGE_PAUSE:
            judges = tuple(dict.fromkeys(role for one in state.pauses for role in one.roles))
            newest = f"entry {state.pauses[-1].sequence}" if state.pauses else None
            return judges, None if state.pauses else "there was no pause to judge", newest
        case _:
            return everybody, None, None


def _for(state: RolloutState, action: AllowedAction, identity: str, now: Now) -> AllowedAction:
    if not action.allowed or identity.casefold() in (one.casefold() for one in action.who):
        return action
    owner, stands_in = state.plan.owner(identity), delegation_to(state, identity, now)
    problem = f"{identity} is not an owner named in the plan"
    if stands_in:
        problem = f"{stands_in.name} only acts in the place of {stands_in.owner}"
    if owner:
        problem = f"{owner.name} ({owner.role}) is not among those who may"
    return action.model_copy(update={"allowed": False, "why_not": problem})
