"""Which way a person's word takes: through the service as who has signed in, or claimed, where nothing is signed."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from cli.home import Place
from cli.output import CliError, Exit
from cli.service import Login, Service, kept
from console.gateway import Gateway
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
    """Straight to Temporal, in a name that nobody checks: for rollouts whose decisions are unsigned."""

    def __init__(self, gateway: Gateway, identity: str) -> None:
        self._gateway = gateway
        self.identity = identity
        self.told = "claimed"

    async def status(self, name: str) -> RolloutView:
        return await self._gateway.status(name)

    async def role(self, name: str) -> str | None:
        owner = (await self._gateway.started_with(name)).plan.owner(self.identity)
        return owner.role if owner else None

    async def send(self, name: str, verb: Verb, reason: str, /, **fields: Any) -> Receipt:
        if await self._gateway.are_signed(name):
            raise CliError(
                f"Decisions of {name} are signed, and a claimed name proves nothing: {SIGN_IN}.", Exit.REFUSED
            )
        return await self._gateway.send(name, verb, self.identity, reason, **fields)


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
            f"Nobody is signed in here: {SIGN_IN}, or say --as where decisions are unsigned.", Exit.BAD_INPUT
        )
    from cli.connect import open_gateway

    return Claimed(await open_gateway(place), who)


async def start(
    home: Path, plan: RolloutPlan, begins: datetime | None, speed: float, *, short_retention: bool = False
) -> bool:
    """Start a plan's rollout, by way of the service where somebody is signed in; False if it was started before.

    Raises:
        CliError: decisions are signed and nobody is, or the service is asked for what it does not do.
    """
    place, login = Place(home), kept(Place(home))
    if login is not None:
        if short_retention:
            told = "--short-retention is not taken by the service; start it where Temporal can be reached."
            raise CliError(told, Exit.REFUSED)
        async with Service.at(login.url, login.token) as service:
            return await service.start(plan, begins, speed)
    decisions = plan.decisions or place.decisions
    if decisions is Decisions.SIGNED:
        raise CliError(f"Decisions of {plan.id} are signed, and so is its start: {SIGN_IN}.", Exit.REFUSED)
    from cli.connect import open_gateway

    return await (await open_gateway(place)).start(
        plan, begins, speed, decisions=decisions, short_retention=short_retention
    )
