"""Asks a rollout how it stands, and takes what the store knows where no worker answers; a page then says so."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from fastapi import Request

from console.deciding import delegation_of, owner_of
from console.errors import GatewayError, Kind
from console.person import Person
from console.signin import pool_of, site_of
from models.base import digest
from models.command import Verb
from models.evidence import Assessment
from models.log import LogEntry
from models.outline import Outline
from models.plan import Owner, RolloutPlan
from models.rollout import AllowedAction, Delegation, RolloutView
from store.evidence import read_assessment
from store.log import read_log
from store.views import CohortScope, Line, read_whole

PATIENCE = 4.0
"""Seconds a page waits for a worker; a person would think it broken."""


@dataclass(frozen=True)
class Look:
    """A rollout as one page shows it. `view` is None, and `silence` says why, where the rollout itself does not answer:
    then `line` and `log` are as it last told of itself.

    `assessment` is the newest, whole where the store has it. `actions` speak of the person who looks.
    """

    line: Line
    plan: RolloutPlan
    scope: tuple[CohortScope, ...]
    log: tuple[LogEntry, ...]
    assessment: Assessment | None
    view: RolloutView | None = None
    actions: tuple[AllowedAction, ...] = ()
    silence: str | None = None

    @property
    def name(self) -> str:
        return self.line.key.rollout_id

    def owner(self, person: Person) -> Owner | None:
        """What the plan says of a person, None for a stranger."""
        return owner_of(self.plan, person)

    @property
    def delegations(self) -> tuple[Delegation, ...]:
        """Who acts in whose place, as the rollout says itself or said last."""
        return self.view.delegations if self.view else self.line.standing_in(datetime.now(UTC))

    def stands_in(self, person: Person) -> Delegation | None:
        """In whose place a person acts; None for an owner."""
        return delegation_of(self.delegations, person) if self.owner(person) is None else None

    def identity(self, person: Person) -> str:
        """What the rollout calls a person: as the plan does, or the owner in whose place they act."""
        stands_in = self.stands_in(person)
        return stands_in.identity if stands_in else identity_of(self.plan, person)

    def action(self, verb: Verb) -> AllowedAction | None:
        """Whether the person may use a verb now; None where nobody could be asked."""
        return next((one for one in self.actions if one.verb is verb), None)


def digest_of(entry: LogEntry) -> str:
    """The digest of an entry of the log; the token that proves it has a signature of its own, and the workflow lets go
    of it."""
    return digest(entry.model_copy(update={"token": None}))


def identity_of(plan: RolloutPlan | Outline, person: Person, given: Sequence[Delegation] = ()) -> str:
    """What a plan calls a person, or an owner who lets them act; what the issuer calls them if neither does."""
    known = owner_of(plan, person) or delegation_of(given, person)
    return known.identity if known else person.identity


async def look_at(request: Request, person: Person, name: str) -> Look | None:
    """A rollout, None for an unknown one."""
    pool = pool_of(request)
    async with pool.acquire() as conn:
        found = await read_whole(conn, name)
    if found is None:
        return None
    line, plan, scope = found
    asking = asyncio.create_task(_ask(request, person, identity_of(plan, person), name, open_=line.open))
    try:
        async with pool.acquire() as conn:
            log = await read_log(conn, name, line.key.chain_id)
            newest = await read_assessment(conn, name)
        # No connection is kept while a worker is waited for: there are few, and whoever sends facts needs them as well.
        view, actions, silence = await asking
    finally:
        asking.cancel()
    told = view.assessment if view else None
    assessment = newest or told
    if told is not None and (newest is None or newest.digest != told.digest):
        async with pool.acquire() as conn:
            assessment = await read_assessment(conn, name, told.digest) or told
    return Look(line, plan, scope, log, assessment, view, actions, silence)


async def _ask(
    request: Request, person: Person, identity: str, name: str, *, open_: bool
) -> tuple[RolloutView | None, tuple[AllowedAction, ...], str | None]:
    gateway = site_of(request).gateway
    try:
        async with asyncio.timeout(PATIENCE):
            view, actions = await asyncio.gather(gateway.status(name), gateway.allowed_actions(name, identity))
            stands_in = delegation_of(view.delegations, person)
            if stands_in is not None and stands_in.identity.casefold() != identity.casefold():
                # Whose signature is theirs was said, and another address than the one they sign in with.
                actions = await gateway.allowed_actions(name, stands_in.identity)
            return view, actions, None
    except TimeoutError:
        return None, (), "no worker answers"
    except GatewayError as problem:
        # What is over longer than histories are kept stands in the store alone, as it should.
        gone = problem.kind is Kind.UNKNOWN and not open_
        return None, (), None if gone else str(problem)
