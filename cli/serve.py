"""serve: the HTTP service that takes events, on loopback unless it is told otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.database import reachable
from cli.home import DEFAULT_HOME, Home, Place
from cli.output import CliError, Exit, command, say, show
from console import LOOPBACK


def register(app: typer.Typer) -> None:
    """Mount the verb of this module."""
    app.command(epilog="Example: rollouts serve --bind 127.0.0.1:8320")(serve)


@command
async def serve(
    bind: Annotated[
        str, typer.Option("--bind", help="IP address and port; port 0: any that is free. Other than loopback only so.")
    ] = LOOPBACK,
    home: Home = Path(DEFAULT_HOME),
) -> None:
    """Take events of partner facts over HTTP until told to stop (SIGTERM, Ctrl-C); docs/events.md says how to send.

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
    configure_logging("INFO", "json")
    if not is_loopback(listening):
        say(f"Note: {place_of(listening)} can be reached by others, and what they send is not encrypted.")
    with listening:
        await run(place.dsn, settings, listening, lambda: show(f"Listening at http://{place_of(listening)}"))
    show("Stopped.")
