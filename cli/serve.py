"""serve: the HTTP service, for events and for people, on loopback unless it is told otherwise."""

from __future__ import annotations

import socket
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.connect import connection_of
from cli.database import reachable
from cli.home import DEFAULT_HOME, Home, Place
from cli.output import CliError, Exit, command, say, show
from console import LOOPBACK

if TYPE_CHECKING:
    from console.settings import ConsoleSettings
    from console.site import Site

NO_ISSUER = (
    "Nobody can sign in here, so it takes events and nothing else: ROLLOUTS_OIDC_ISSUER is not set "
    "(docs/console.md says how)."
)


def register(app: typer.Typer) -> None:
    """Mount the verb of this module."""
    app.command(epilog="Example: rollouts serve --bind 127.0.0.1:8320")(serve)


@command
async def serve(
    bind: Annotated[
        str, typer.Option("--bind", help="IP address and port; port 0: any that is free. Other than loopback only so.")
    ] = LOOPBACK,
    dev_issuer: Annotated[
        bool,
        typer.Option("--dev-issuer", help="Let everybody be whom they like, to try things out; loopback only."),
    ] = False,
    home: Home = Path(DEFAULT_HOME),
) -> None:
    """Take events over HTTP, and serve people, until told to stop (SIGTERM, Ctrl-C); docs/console.md says how.

    It speaks plain HTTP: on anything but loopback, put what ends TLS before it.
    """
    from console.server import serve as run
    from console.settings import is_loopback, listen, load_console_settings, place_of
    from store.migrate import MigrationState, status
    from worker.settings import SettingsError
    from worker.telemetry import configure_logging

    place = Place(home)
    await reachable(place)
    behind = [one.name for one in await status(place.dsn) if one.state is not MigrationState.APPLIED]
    if behind:
        raise CliError(f"The schema is not what this program needs ({behind[0]}); run `rollouts db migrate`.")
    try:
        settings = load_console_settings()
        listening = listen(bind)
    except SettingsError as problem:
        raise CliError(str(problem), Exit.BAD_INPUT) from problem
    with listening:
        try:
            site = await _site(place, settings, listening, dev_issuer)
        except SettingsError as problem:
            raise CliError(str(problem), Exit.BAD_INPUT) from problem
        configure_logging("INFO", "json")
        if not is_loopback(listening):
            say(f"Note: {place_of(listening)} can be reached by others, and what they send is not encrypted.")
        say(_told(site))
        address = f"http://{place_of(listening)}"
        await run(place.dsn, settings, listening, lambda: show(f"Listening at {address}"), site=site)
    show("Stopped.")


async def _site(place: Place, settings: ConsoleSettings, listening: socket.socket, dev_issuer: bool) -> Site | None:
    """What people need, where somebody says who they are; None: events alone.

    Raises:
        SettingsError: a setting cannot be used, or two of them cannot both be.
    """
    if not dev_issuer and settings.oidc_issuer is None:
        return None
    from console.gateway import Gateway
    from console.signing import load_signer
    from console.site import dev_site, real_site

    # It may come up before Temporal does: who asks a rollout then is told that it is away.
    gateway = await Gateway.open(
        **connection_of(place), lazy=True, least_retention=timedelta(days=settings.retention_days)
    )
    if not dev_issuer:
        return real_site(settings, gateway)
    key = settings.signing_key or place.signing_key
    return dev_site(settings, listening, load_signer(key, settings.deployment), gateway)


def _told(site: Site | None) -> str:
    if site is None:
        return NO_ISSUER
    if site.dev is not None:
        return "Anybody on this machine can sign in as whom they like: the issuer for trying things out is on."
    return f"People sign in at {site.provider.issuer}, and reach this at {site.url}."
