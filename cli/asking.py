"""Whose word a command carries to the service: that of who has signed in, or of whom `--as` names.

No command of people signals Temporal: the service knows who asks, signs it, and sends it (ADR 0040).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from cli.home import ADDRESS, PUBLIC_URL, Place
from cli.output import CliError, Exit
from cli.service import Login, Service, kept
from models.command import Verb
from models.log import Receipt
from models.plan import Decisions, RolloutPlan
from models.rollout import RolloutView

SIGN_IN = "type `rollouts login` first"


class Way(Protocol):
    """A way to a rollout, for one person: `identity` is theirs, `told` says how it is known."""

    identity: str
    told: str

    async def status(self, name: str) -> RolloutView: ...

    async def role(self, name: str) -> str | None: ...

    async def send(self, name: str, verb: Verb, reason: str, /, **fields: Any) -> Receipt: ...


class Claimed:
    """As whom `--as` names, at the service's issuer for trying things out, which believes it. A service with a real one
    takes nobody's word for who they are."""

    def __init__(self, url: str, identity: str) -> None:
        self._url = url
        self.identity = identity
        self.told = "claimed"

    async def status(self, name: str) -> RolloutView:
        async with self._as_claimed() as service:
            return await service.status(name)

    async def role(self, name: str) -> str | None:
        async with self._as_claimed() as service:
            return await service.role(name)

    async def send(self, name: str, verb: Verb, reason: str, /, **fields: Any) -> Receipt:
        async with self._as_claimed() as service:
            return await service.decide(name, verb, reason, **fields)

    @asynccontextmanager
    async def _as_claimed(self) -> AsyncIterator[Service]:
        """The service in a session for one request: nothing of it is kept, so that nothing need be guarded."""
        async with Service.at(self._url) as service:
            token = await service.sign_in_as(self.identity, believed=True)
        async with Service.at(self._url, token) as service:
            try:
                yield service
            finally:
                # What was decided is decided, also where the session must end by itself.
                with suppress(CliError):
                    await service.sign_out(token)


class SignedIn:
    """Through the service, which signs it."""

    def __init__(self, login: Login) -> None:
        self._login = login
        self.identity = login.identity
        self.told = f"signed in at {login.issuer}"

    async def status(self, name: str) -> RolloutView:
        async with Service.at(self._login.url, self._login.token) as service:
            return await service.status(name)

    async def role(self, name: str) -> str | None:
        async with Service.at(self._login.url, self._login.token) as service:
            return await service.role(name)

    async def send(self, name: str, verb: Verb, reason: str, /, **fields: Any) -> Receipt:
        async with Service.at(self._login.url, self._login.token) as service:
            return await service.decide(name, verb, reason, **fields)


async def way_of(home: Path, who: str | None) -> Way:
    """The way of whoever types here.

    Raises:
        CliError: nobody is signed in and no name is given, or it is another one's.
    """
    place, login = Place(home), kept(Place(home))
    if login is not None:
        if who is not None and who.casefold() != login.identity.casefold():
            told = f"{login.identity} is signed in here, and --as says {who}"
            raise CliError(f"{told}: leave it away, or `rollouts logout`.", Exit.BAD_INPUT)
        return SignedIn(login)
    if who is None:
        raise CliError(
            f"Nobody is signed in here: {SIGN_IN}, or say --as where the service believes it.", Exit.BAD_INPUT
        )
    return Claimed(service_of(place), who)


def service_of(place: Place) -> str:
    """Where the service is: the one that the environment names, or the embedded one.

    Raises:
        CliError: nobody says where it is, or it does not run.
    """
    named = place.public_url
    if named is not None:
        return named
    found = None if place.named() else place.console()
    if found is not None:
        return found[1]
    if place.named():
        told = f"No service: {ADDRESS} names servers, and {PUBLIC_URL} not where the service of theirs is"
        raise CliError(f"{told}; what people decide goes through it.", Exit.UNAVAILABLE)
    if place.state() is None:
        told = f"No servers: {PUBLIC_URL} is not set and none run in {place.home}"
        raise CliError(f"{told}; start some with `rollouts up`.", Exit.UNAVAILABLE)
    told = f"The console of {place.home} does not run, and what people decide goes through it"
    raise CliError(f"{told}; `rollouts up` starts it, and leaves alone what runs.", Exit.UNAVAILABLE)


class Begun(NamedTuple):
    """What came of a start, and what to warn of: `fresh` unless it was started before."""

    fresh: bool
    warnings: tuple[str, ...]


async def start(
    home: Path, plan: RolloutPlan, begins: datetime | None, speed: float, *, short_retention: bool = False
) -> Begun:
    """Start a plan's rollout, by way of the service where somebody is signed in.

    Raises:
        CliError: decisions are signed and nobody is, nobody is in the pilot, or the service is asked for what it does
            not do.
    """
    place, login = Place(home), kept(Place(home))
    if login is not None:
        if short_retention:
            told = "--short-retention is not taken by the service; start it where Temporal can be reached."
            raise CliError(told, Exit.REFUSED)
        async with Service.at(login.url, login.token) as service:
            return Begun(*await service.start(plan, begins, speed))
    decisions = plan.decisions or place.decisions
    if decisions is Decisions.SIGNED:
        raise CliError(f"Decisions of {plan.id} are signed, and so is its start: {SIGN_IN}.", Exit.REFUSED)
    from cli.connect import open_gateway

    gateway = await open_gateway(place)
    first, warnings = await nobody_in_cohorts(place, plan, begins)
    if first and not await gateway.knows(plan.id):
        raise CliError(f"{first}.", Exit.BAD_INPUT)
    fresh = await gateway.start(plan, begins, speed, decisions=decisions, short_retention=short_retention)
    return Begun(fresh, warnings if fresh else ())


async def nobody_in_cohorts(
    place: Place, plan: RolloutPlan, begins: datetime | None
) -> tuple[str | None, tuple[str, ...]]:
    """What is wrong with the pilot, if nobody is in it, and what to warn of: other cohorts that nobody is in, or that
    the store could not be asked, which is no reason not to start."""
    if all(one.select is None for one in plan.cohort_specs()):
        return None, ()
    from cli.database import connection
    from store.nobody import nobody_in

    try:
        async with connection(place) as opened:
            found = await nobody_in(opened, plan, begins or datetime.now(UTC))
    except CliError as problem:
        return None, (f"whether its cohorts select anybody was not looked at: {problem}".rstrip("."),)
    first = next((str(one) for one in found if one.first), None)
    return first, tuple(str(one) for one in found if not one.first)
