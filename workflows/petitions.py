"""Agreement being collected for a stop or an override: by which rule, whose is still wanted, and who hears of it."""

from __future__ import annotations

from collections.abc import Iterator

from models.command import Verb
from models.plan import ApprovalRule, Owner, RolloutPlan
from models.rollout import AGREEMENT_LETTER, Awaited, Petition, RolloutState
from workflows.asking import same
from workflows.journal import Now, notify


def rule_for(plan: RolloutPlan, verb: Verb) -> ApprovalRule:
    """What the plan asks of those who agree to a stop or an override."""
    return plan.approvals.stop if verb is Verb.STOP else plan.approvals.override


def may_agree(plan: RolloutPlan, petition: Petition) -> tuple[Owner, ...]:
    """Whose agreement would still count: of another role than those who have agreed, and for an override never the
    proposer's."""
    given = {one.role for one in petition.approvals}
    return tuple(
        one
        for one in plan.holders(*rule_for(plan, petition.verb).roles)
        if one.role not in given and (petition.verb is Verb.STOP or not same(one.identity, plan.proposer))
    )


def ask_to_agree(state: RolloutState, petition: Petition, told: str) -> RolloutState:
    """Tell those whose agreement is still wanted; a rollout that began before there were such letters tells nobody."""
    if state.letters < AGREEMENT_LETTER:
        return state
    owners = may_agree(state.plan, petition)
    roles = tuple(dict.fromkeys(one.role for one in owners))
    body = f"{told}\nWaiting for: {', '.join(one.name for one in owners) or 'nobody'}"
    due = petition.approvals[0].at + rule_for(state.plan, petition.verb).due
    subject = f"{state.plan.title}: {petition.verb.value} awaits your agreement"
    return notify(state, "agreement", roles, subject, body, cause=petition.verb.value, must_act=roles, due=due)


def awaited_to_agree(state: RolloutState, now: Now) -> Iterator[Awaited]:
    """Whom a stop or an override waits for, until the time is over that the plan gives them."""
    for one in state.petitions:
        since = one.approvals[0].at
        due = since + rule_for(state.plan, one.verb).due
        if now.programme < due:
            who = tuple(owner.identity for owner in may_agree(state.plan, one))
            yield Awaited(what=f"agree to {one.verb.value} {one.key}", who=who, since=since, due=due)
