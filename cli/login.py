"""login, logout: a person at a terminal proves who they are, and the service acts on their word from then on."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from cli.asking import service_of
from cli.home import DEFAULT_HOME, PUBLIC_URL, Home, Place
from cli.output import CliError, Exit, Format, Output, command, emit_json, say, show
from cli.service import Login, Service, forget, keep, kept

ASK_EVERY = 1.0
"""Real seconds between two looks whether the person has allowed it."""

Url = Annotated[
    str | None,
    typer.Option("--url", envvar=PUBLIC_URL, help="Where the service is; default: the one of `rollouts up`."),
]


def register(app: typer.Typer) -> None:
    """Mount the verbs of this module."""
    app.command(epilog="Example: rollouts login --as sponsor@example.com")(login)
    app.command(epilog="Example: rollouts logout")(logout)


@command
async def login(
    url: Url = None,
    persona: Annotated[
        str | None, typer.Option("--as", help="Whom to be, at the issuer for trying things out; needs no browser.")
    ] = None,
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> None:
    """Sign in: what you decide here is signed as yours until the session ends. Its token is kept in the directory."""
    place = Place(home)
    where = url or service_of(place)
    async with Service.at(where) as service:
        token = await service.sign_in_as(persona) if persona else await _allowed(service)
        found = Login(url=where, token=token, **await service.me(token))
    keep(place, found)
    if output is Format.JSON:
        emit_json("login", found.model_dump(exclude={"token"}))
    else:
        show(f"Signed in at {where} as {found.name} ({found.identity}, by {found.issuer}).")


async def _allowed(service: Service) -> str:
    """A token that a person has allowed in their browser.

    Raises:
        CliError: nobody did in time.
    """
    asked = await service.ask_for_terminal()
    say(f"Open {asked.url} and allow the code {asked.code}; waiting for it.")
    loop = asyncio.get_running_loop()
    until = loop.time() + asked.expires_in
    while loop.time() < until:
        if await service.allowed(asked.token):
            return asked.token
        await asyncio.sleep(ASK_EVERY)
    raise CliError("Nobody allowed it in time; type `rollouts login` again.", Exit.REFUSED)


@command
async def logout(home: Home = Path(DEFAULT_HOME), output: Output = Format.TABLE) -> None:
    """End the session, here and at the service."""
    place = Place(home)
    found = kept(place)
    if found is not None:
        async with Service.at(found.url) as service:
            await service.sign_out(found.token)
        forget(place)
    if output is Format.JSON:
        emit_json("logout", {"was": found.identity if found else None})
    else:
        show(f"{found.name} is signed out." if found else "Nobody was signed in.")
