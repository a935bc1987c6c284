"""A person's decision on its way to the rollout: the one function that pages and API decide through.

It signs what somebody asked for, as whom the issuer vouches for; the rollout itself judges whether they may.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final, NamedTuple
from uuid import uuid4

from starlette.datastructures import State

from console.errors import GatewayError
from console.gateway import Chain, Gateway
from console.people import Permission
from console.person import Person
from console.problems import Problem
from console.requests import checked
from console.site import Site
from models.claims import BREAK_GLASS, PROPOSER, START, Claims, longest, said
from models.command import Command, Verb
from models.log import Receipt
from models.names import rollout_workflow_id
from models.outline import Outline
from models.plan import Decisions, Owner, RolloutPlan
from models.rollout import Delegation
from store.events import EventProblem
from store.nobody import Nobody, nobody_in

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
    state: State, person: Person, name: str, verb: Verb, reason: str, /, *, request_id: str | None = None, **fields: Any
) -> Receipt:
    """Ask a rollout for what a signed-in person wants; the receipt is read back from the workflow.

    Args:
        state: the app's, with its `site` and `settings`.
        request_id: the same one twice is one request; none: a new one.
        fields: those of the verb's command beside who and why (`models/command.py`); a delegate's has a `name`.

    Raises:
        SignInAgain: it is too long ago that the person signed in.
        Problem: they ask too often.
        GatewayError: the request is malformed, the rollout is over or unknown, or nobody answers.
    """
    site: Site = state.site
    _check_fresh(state, person)
    site.decisions.take(f"{person.issuer} {person.subject}")
    request = {"request_id": request_id or str(uuid4()), "actor": person.identity, "reason": reason, **fields}
    chain = await site.gateway.chain(name)
    part = await part_of(site, person, name, chain.plan, verb)
    command = checked(verb, request | {"actor": part.actor})
    token = site.signer.token(_claims(site, person, chain, part, verb, command))
    return await site.gateway.deliver(name, verb, command.model_copy(update={"token": token}))


class Begun(NamedTuple):
    """What came of a start: `fresh` unless this very plan runs, or ran, already; `empty` are cohorts that it waits for
    at prepare, because nobody is in them."""

    fresh: bool
    empty: tuple[Nobody, ...]


async def start(state: State, person: Person, plan: RolloutPlan, begins: datetime | None, speed: float) -> Begun:
    """Start a plan's rollout as a signed-in person.

    Raises:
        SignInAgain: it is too long ago that the person signed in.
        Problem: they may not start this plan, or ask too often; or nobody is in its pilot.
        GatewayError: another version of the plan runs or ran, or nobody answers.
    """
    site: Site = state.site
    _check_fresh(state, person)
    site.decisions.take(f"{person.issuer} {person.subject}")
    if not site.may(person, Permission.START):
        told = f"{person.name} may not start rollouts; the file of people says who may"
        raise Problem(HTTPStatus.FORBIDDEN, told)
    gateway: Gateway = site.gateway
    token = site.signer.token(_start_claims(site, person, plan))
    decisions = plan.decisions or site.decisions_are
    if decisions is Decisions.SIGNED:
        _check_signers(plan)
    async with state.pool.acquire() as conn:
        empty = await nobody_in(conn, plan, begins or datetime.now(UTC))
    if any(one.first for one in empty) and not await gateway.knows(plan.id):
        errors = [EventProblem(event=None, field=one.field, found=one.found, allowed=one.allowed) for one in empty]
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"Nobody is in the pilot of {plan.id}", errors)
    return Begun(await gateway.start(plan, begins, speed, decisions=decisions, token=token), empty)


def _check_signers(plan: RolloutPlan) -> None:
    nameless = [one.identity for one in plan.owners if one.subject is None]
    if nameless:
        told = f"Decisions are signed here, and the plan does not say who signs as {', '.join(nameless)}"
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{told}: give each owner an issuer and a subject")


def _check_fresh(state: State, person: Person) -> None:
    max_age = int(state.settings.decision_max_age.total_seconds())
    if person.auth_time + max_age < time.time():
        raise SignInAgain(max_age)


class Part(NamedTuple):
    """What somebody takes part in a rollout as: by which identity, in which role."""

    actor: str
    role: str


async def part_of(site: Site, person: Person, name: str, plan: RolloutPlan, verb: Verb) -> Part:
    """An owner's part where the plan or a delegation gives it; break-glass where only that lets them protect."""
    owner = owner_of(plan, person)
    if owner is not None:
        return Part(owner.identity, owner.role)
    if verb in _PROTECT and site.may(person, Permission.BREAK_GLASS):
        # Nothing is asked before: what protects must not wait for a worker.
        return Part(person.identity, BREAK_GLASS)
    try:
        given = (await site.gateway.status(name)).delegations
    except GatewayError:
        given = ()
    stands_in = delegation_of(given, person)
    return Part(stands_in.identity, stands_in.role) if stands_in else Part(person.identity, _NO_ROLE)


def owner_of(plan: RolloutPlan | Outline, person: Person) -> Owner | None:
    """The owner somebody is: by issuer and subject where the plan says them, else by identity."""
    return next((one for one in plan.owners if _is(person, one.issuer, one.subject, one.identity)), None)


def delegation_of(given: Iterable[Delegation], person: Person) -> Delegation | None:
    """In whose place somebody acts, None where in nobody's."""
    return next((one for one in given if _is(person, one.issuer, one.subject, one.identity)), None)


def _is(person: Person, issuer: str | None, subject: str | None, identity: str) -> bool:
    if issuer is None and subject is None:
        return identity.casefold() == person.identity.casefold()
    return (issuer, subject) == (person.issuer, person.subject)


def _claims(site: Site, person: Person, chain: Chain, part: Part, verb: Verb, command: Command) -> Claims:
    repeated: dict[str, Any] = said(command)
    return Claims(
        **_signed_by(site, person, verb.value),
        **repeated,
        wf=rollout_workflow_id(chain.plan.id),
        chain=chain.first_run,
        plan=chain.plan.digest,
        verb=verb,
        role=part.role,
    )


def _start_claims(site: Site, person: Person, plan: RolloutPlan) -> Claims:
    owner = owner_of(plan, person)
    return Claims(
        **_signed_by(site, person, START),
        wf=rollout_workflow_id(plan.id),
        plan=plan.digest,
        verb="start",
        role=owner.role if owner else PROPOSER,
        rationale=f"start {plan.title}"[:2000],
        request=plan.digest,
        jti=str(uuid4()),
    )


def _signed_by(site: Site, person: Person, verb: str) -> dict[str, Any]:
    now = int(time.time())
    return {
        "aud": site.signer.audience,
        "iss": person.issuer,
        "sub": person.subject,
        "name": person.name,
        "iat": now,
        "exp": now + longest(verb),
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
    part = await part_of(site, person, name, plan, verb)
    action = next((one for one in actions if one.verb is verb), None)
    if part.role in (_NO_ROLE, BREAK_GLASS) or action is None or not action.allowed:
        return part.role == _NO_ROLE
    who = {one.casefold() for one in action.who}
    return not who & {one.identity.casefold() for one in plan.owners if one.role == part.role}
