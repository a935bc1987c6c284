"""The service as a terminal reaches it: over HTTP, as the person who has signed in."""

from __future__ import annotations

import json
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from html import unescape
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from pydantic import ValidationError

from cli.home import Place
from cli.output import CliError, Exit, one_line
from models.base import Frozen
from models.command import Verb
from models.log import Receipt
from models.plan import RolloutPlan
from models.rollout import RolloutView

if TYPE_CHECKING:
    import httpx2

SECONDS = 90.0
"""How long an answer may take: a resume reads fresh evidence first."""

SESSION = "__Host-session"

_EXITS = {
    400: Exit.BAD_INPUT,
    401: Exit.REFUSED,
    403: Exit.REFUSED,
    404: Exit.BAD_INPUT,
    409: Exit.REFUSED,
    422: Exit.BAD_INPUT,
    429: Exit.REFUSED,
    503: Exit.UNAVAILABLE,
}


class Login(Frozen):
    """Who is signed in at this terminal, and what proves it."""

    url: str
    token: str
    issuer: str
    subject: str
    identity: str
    name: str


class TerminalRequest(Frozen):
    """A terminal's session that a person has still to allow."""

    token: str
    code: str
    url: str
    expires_in: int


def kept(place: Place) -> Login | None:
    """Who is signed in, as the directory has it; the service may have ended it since."""
    try:
        return Login.model_validate_json(place.login.read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None


def keep(place: Place, found: Login) -> None:
    """Keep it where nobody else can read it.

    Raises:
        CliError: it cannot be written.
    """
    beside = place.login.with_suffix(f".{os.getpid()}")
    try:
        place.home.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(found.model_dump_json())
        beside.replace(place.login)
    except OSError as problem:
        raise CliError(f"The session cannot be kept in {place.login}: {problem.strerror}.") from problem


def forget(place: Place) -> None:
    """Nobody is signed in at this terminal any more."""
    place.login.unlink(missing_ok=True)


class Service:
    """A connection to the service, with or without somebody who has signed in."""

    def __init__(self, client: httpx2.AsyncClient, url: str) -> None:
        self._client = client
        self._url = url

    @classmethod
    @asynccontextmanager
    async def at(cls, url: str, token: str | None = None) -> AsyncIterator[Service]:
        """Where it is, and by whose token."""
        import httpx2

        headers = {"Authorization": f"Bearer {token}"} if token else {}
        # Signing in as a persona follows redirects by hand, with cookies of its own.
        async with httpx2.AsyncClient(base_url=url, timeout=SECONDS, headers=headers) as client:
            yield cls(client, url)

    async def me(self, token: str) -> dict[str, Any]:
        """Who a token acts for."""
        found = await self._call("GET", "/v1/me", headers={"Authorization": f"Bearer {token}"})
        return {name: found[name] for name in ("issuer", "subject", "identity", "name")}

    async def ask_for_terminal(self) -> TerminalRequest:
        """A session that a person has still to allow."""
        return TerminalRequest(**await self._call("POST", "/v1/terminal", headers={"Origin": self._url}))

    async def allowed(self, token: str) -> bool:
        """Whether the person has."""
        answer = await self._send("GET", "/v1/me", headers={"Authorization": f"Bearer {token}"})
        return bool(answer.status_code == 200)

    async def sign_out(self, token: str) -> None:
        """The session ends; it may have ended by itself."""
        await self._send("DELETE", "/v1/session", headers={"Authorization": f"Bearer {token}"})

    async def sign_in_as(self, persona: str, *, believed: bool = False) -> str:
        """A session by way of the issuer for trying things out, as a browser would get it.

        Args:
            believed: also as somebody whom its page does not show, such as an owner of a rollout just started.

        Raises:
            CliError: the service has a real issuer, or there is no such persona.
        """
        off = await self._send("GET", "/login")
        there = off.headers.get("location", "")
        if off.status_code >= 500:
            raise _refused(off)
        if off.status_code != 303 or not _same_host(there, self._url):
            raise CliError(
                "--as works with the issuer for trying things out, and this service has a real one: "
                "type `rollouts login` first, without --as.",
                Exit.BAD_INPUT,
            )
        cookies = _cookies(off)
        page = await self._send("GET", there)
        form = re.search(r'<form method="post" action="([^"]+)"', page.text)
        if form is None:
            raise CliError(f"The issuer shows no personas: {one_line(page.text)[:200]}", Exit.UNAVAILABLE)
        data = {"persona": persona} | ({"believed": "1"} if believed else {})
        chosen = await self._send("POST", urljoin(there, unescape(form[1])), data=data, headers={"Origin": self._url})
        if chosen.status_code != 303:
            raise _refused(chosen)
        back = await self._send("GET", chosen.headers["location"], headers={"Cookie": cookies})
        token = _cookie(back, SESSION)
        if not token:
            raise _refused(back)
        return token

    async def status(self, name: str) -> RolloutView:
        """Where a rollout stands."""
        return RolloutView.model_validate_json((await self._read(f"/v1/rollouts/{name}")).text)

    async def role(self, name: str) -> str | None:
        """The role the plan gives the person, None for none."""
        found: str | None = (await self._call("GET", f"/v1/rollouts/{name}/role"))["role"]
        return found

    async def decide(self, name: str, verb: Verb, reason: str, /, **fields: Any) -> Receipt:
        """Ask a rollout; what came of it, also where it was refused.

        Raises:
            CliError: the service does not take the request, or the person must sign in again.
        """
        said = {one: value for one, value in fields.items() if value is not None}
        body = json.dumps({"verb": verb.value, "reason": reason, **said}, default=_plain)
        answer = await self._send(
            "POST", f"/v1/rollouts/{name}/decisions", content=body, headers={"Content-Type": "application/json"}
        )
        found = _body(answer)
        receipt = found if answer.status_code in (200, 202) else found.get("receipt")
        if not receipt:
            raise _refused(answer)
        return Receipt.model_validate_json(json.dumps(receipt))

    async def start(self, plan: RolloutPlan, begins: datetime | None, speed: float) -> tuple[bool, tuple[str, ...]]:
        """Start a plan's rollout; False if it was started before. With it what the service warns of."""
        body: dict[str, Any] = {"plan": plan.model_dump(mode="json", by_alias=True), "clock_speed": speed}
        if begins is not None:
            body["clock_start"] = begins.isoformat()
        found = await self._call("POST", "/v1/rollouts", json=body)
        return bool(found["started"]), tuple(map(str, found.get("warnings", ())))

    async def _read(self, path: str) -> httpx2.Response:
        answer = await self._send("GET", path)
        if answer.status_code != 200:
            raise _refused(answer)
        return answer

    async def _call(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        answer = await self._send(method, path, **more)
        if answer.status_code not in (200, 201):
            raise _refused(answer)
        return _body(answer)

    async def _send(self, method: str, path: str, **more: Any) -> httpx2.Response:
        import httpx2

        try:
            return await self._client.request(method, path, **more)
        except (httpx2.HTTPError, httpx2.InvalidURL) as problem:
            told = one_line(str(problem))[:200] or type(problem).__name__
            raise CliError(f"The service at {self._url} cannot be reached: {told}.", Exit.UNAVAILABLE) from problem


def _refused(answer: httpx2.Response) -> CliError:
    """What the service says against it; where somebody must sign in, by which command."""
    found = _body(answer)
    told = one_line(str(found.get("detail") or f"the service answered {answer.status_code}"))[:500].rstrip(".")
    errors = "; ".join(f"{one['field']}: {one['found']}, allowed: {one['allowed']}" for one in found.get("errors", []))
    hint = " Type `rollouts login`." if answer.status_code == 401 else ""
    return CliError(
        f"{told}{f' ({one_line(errors)[:500]})' if errors else ''}.{hint}", _EXITS.get(answer.status_code, Exit.ERROR)
    )


def _body(answer: httpx2.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _same_host(address: str, url: str) -> bool:
    return urlsplit(address).netloc == urlsplit(url).netloc


def _cookies(answer: httpx2.Response) -> str:
    return "; ".join(one.partition(";")[0] for one in answer.headers.get_list("set-cookie"))


def _cookie(answer: httpx2.Response, name: str) -> str:
    pairs = (one.partition(";")[0].partition("=") for one in answer.headers.get_list("set-cookie"))
    return next((value for found, _, value in pairs if found == name), "")


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value.model_dump(mode="json")
