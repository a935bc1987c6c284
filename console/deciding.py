"""A person's decision on its way to the rollout: the one function that pages and API decide through.

It signs what somebody asked for, as whom the issuer vouches for; the rollout itself judges whether they may.
"""

from __future__ import annotations

import time
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final
from uuid import uuid4

from starlette.datastructures import State

from console.errors import GatewayError
from console.gateway import Chain, Gateway, checked
from console.people import Permission
from console.person import Person
from console.problems import Problem
from console.site import Site
from models.claims import BREAK_GLASS, START, Claims, request_digest
from models.command import Command, Verb
from models.log import Receipt
from models.names import rollout_workflow_id
from models.plan import Owner, RolloutPlan

ADVANCING: Final = 600
PROTECTING: Final = 86_400
"""Seconds that a signature is good for: of what may let something pass, and of a pause or a stop, which must not be
lost while a worker is away."""

_PROTECT: Final = frozenset({Verb.PAUSE, Verb.STOP})

_NO_ROLE: Final = "none"
"""Of somebody whom the plan does not name: the rollout refuses them, and writes it down."""


class SignInAgain(Problem):
    """Who decides must have proven lately who they are. A page sends them to (`console/signin.py`, `again`)."""

    def __init__(self, max_age: int) -> None:
        told = f"Sign in again: who decides must have done so within the last {max_age} s"
        challenge = f'Bearer error="insufficient_user_authentication", max_age="{max_age}"'
        super().__init__(HTTPStatus.UNAUTHORIZED, told, headers={"WWW-Authenticate": challenge})


async def decide(
    state: State, person: Person, name: str, verb: Verb, reason: str, *, request_id: str | None = None, **fields: Any
) -> Receipt:
    """Ask a rollout for what a signed-in person wants; the receipt is read back from the workflow.

    Args:
        state: the app's, with its `site` and `settings`.
        request_id: the same one twice is one request; none: a new one.
        fields: those of the verb's command beside who and why (`models/command.py`).

    Raises:
        SignInAgain: it is too long ago that the person signed in.
        Problem: they ask too often.
        GatewayError: the request is malformed, the rollout is over or unknown, or nobody answers.
    """
    site: Site = state.site
    _check_fresh(state, person)
    site.decisions.take(f"{person.issuer} {person.subject}")
    request = {"request_id": request_id or str(uuid4()), "actor": person.identity, "reason": reason, **fields}
    command = checked(verb, request)
    chain = await site.gateway.chain(name)
    token = site.signer.token(_claims(site, person, chain, verb, command))
    return await site.gateway.deliver(name, verb, command.model_copy(update={"token": token}))


async def start(state: State, person: Person, plan: RolloutPlan, begins: datetime | None, speed: float) -> bool:
    """Start a plan's rollout as a signed-in person; False if this very plan runs, or ran, already.

    Raises:
        SignInAgain: it is too long ago that the person signed in.
        Problem: they may not start this plan, or ask too often.
        GatewayError: another version of the plan runs or ran, or nobody answers.
    """
    site: Site = state.site
    _check_fresh(state, person)
    site.decisions.take(f"{person.issuer} {person.subject}")
    if not site.may(person, Permission.START):
        told = f"{person.name} may not start rollouts; the file of people says who may"
        raise Problem(HTTPStatus.FORBIDDEN, told)
    gateway: Gateway = site.gateway
    return await gateway.start(plan, begins, speed, token=site.signer.token(_start_claims(site, person, plan)))


def _check_fresh(state: State, person: Person) -> None:
    max_age = int(state.settings.decision_max_age.total_seconds())
    if person.auth_time + max_age < time.time():
        raise SignInAgain(max_age)


def role_of(site: Site, person: Person, plan: RolloutPlan, verb: Verb) -> str:
    """What somebody decides as: the role the plan gives them, or break-glass where the file of people says so."""
    owner = owner_of(plan, person)
    if owner is not None:
        return owner.role
    may_break = verb in _PROTECT and site.may(person, Permission.BREAK_GLASS)
    return BREAK_GLASS if may_break else _NO_ROLE


def owner_of(plan: RolloutPlan, person: Person) -> Owner | None:
    """The owner somebody is: by issuer and subject where the plan says them, else by identity."""
    for owner in plan.owners:
        said = (getattr(owner, "issuer", None), getattr(owner, "subject", None))
        if said == (person.issuer, person.subject):
            return owner
        if said == (None, None) and owner.identity.casefold() == person.identity.casefold():
            return owner
    return None


def _claims(site: Site, person: Person, chain: Chain, verb: Verb, command: Command) -> Claims:
    choice = getattr(command, "choice", None)
    return Claims(
        **_signed_by(site, person, PROTECTING if verb in _PROTECT else ADVANCING),
        wf=rollout_workflow_id(chain.plan.id),
        chain=chain.first_run,
        plan=chain.plan.digest,
        verb=verb,
        gate=getattr(command, "gate", None),
        role=role_of(site, person, chain.plan, verb),
        decision=choice.value if choice is not None else None,
        rationale=command.reason,
        evidence=getattr(command, "evidence_digest", None),
        request=request_digest(command),
        jti=command.request_id,
    )


def _start_claims(site: Site, person: Person, plan: RolloutPlan) -> Claims:
    owner = owner_of(plan, person)
    return Claims(
        **_signed_by(site, person, ADVANCING),
        wf=rollout_workflow_id(plan.id),
        plan=plan.digest,
        verb=START,  # type: ignore[arg-type]  # the one literal it may be
        role=owner.role if owner else "proposer",
        rationale=f"start {plan.title}"[:2000],
        request=plan.digest,
        jti=str(uuid4()),
    )


def _signed_by(site: Site, person: Person, seconds: int) -> dict[str, Any]:
    now = int(time.time())
    return {
        "aud": site.signer.audience,
        "iss": person.issuer,
        "sub": person.subject,
        "name": person.name,
        "iat": now,
        "exp": now + seconds,
        "auth_time": person.auth_time,
        "amr": person.amr,
    }


async def refused_for_who(site: Site, person: Person, name: str, verb: Verb) -> bool:
    """Whether it is the person who may not, rather than what they sent or when; False also where nobody can say."""
    try:
        plan = (await site.gateway.chain(name)).plan
        actions = await site.gateway.allowed_actions(name, None)
    except GatewayError:
        return False
    if role_of(site, person, plan, verb) == BREAK_GLASS:
        return False
    owner = owner_of(plan, person)
    action = next((one for one in actions if one.verb is verb), None)
    if owner is None or action is None or not action.allowed:
        return owner is None
    return owner.identity.casefold() not in (one.casefold() for one in action.who)
