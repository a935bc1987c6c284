"""up, down, doctor, db, worker: the servers a rollout runs on."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.home import DEFAULT_HOME, Home, Place
from cli.output import CliError, Exit, Format, Output, command, emit_json, say, table

database = typer.Typer(help="The schema of the facts and of the decision log.", no_args_is_help=True)
worker_app = typer.Typer(help="The process that runs rollouts.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Mount the verbs of this module."""
    app.command(epilog="Example: rollouts up --dir .rollouts")(up)
    app.command(epilog="Example: rollouts down")(down)
    app.command(epilog="Example: rollouts doctor -o json")(doctor)


@command
async def up(home: Home = Path(DEFAULT_HOME)) -> None:
    """Start embedded PostgreSQL, Temporal with its Web UI, and a worker; their data stay in the directory."""
    await bring_up(Place(home), say)
    place = Place(home)
    say(f"Up. Web UI {place.ui}, worker log {place.worker_log}. End it with `rollouts down`.")


async def bring_up(place: Place, tell: Callable[[str], None]) -> None:
    """Servers, schema, worker; also for the demo.

    Raises:
        CliError: a server does not start, or the extra with the servers is not installed.
    """
    try:
        from deploy.embedded.errors import AlreadyRunningError, EmbeddedError
        from deploy.embedded.stack import EmbeddedStack
    except ModuleNotFoundError as missing:
        raise CliError(f"{missing.name} is not installed; install partner-rollouts[embedded].", Exit.ERROR) from missing
    from store.migrate import migrate
    from workflows.attributes import SEARCH_ATTRIBUTES

    tell(f"Starting PostgreSQL and Temporal in {place.home} ...")
    try:
        await EmbeddedStack(place.home, search_attributes=SEARCH_ATTRIBUTES).up()
    except AlreadyRunningError:
        tell("They are up already.")
    except EmbeddedError as problem:
        raise CliError(str(problem), Exit.UNAVAILABLE) from problem
    applied = await migrate(place.dsn)
    tell(f"Schema: {len(applied)} migrations applied." if applied else "Schema: current.")
    if place.worker() is None:
        place.start_worker()
        tell("Worker started.")


@command
async def down(home: Home = Path(DEFAULT_HOME)) -> None:
    """Stop the worker and the servers that `up` started; the data stay."""
    ended = await bring_down(Place(home))
    say(f"Ended: {', '.join(ended)}." if ended else f"Nothing was running in {home}.")


async def bring_down(place: Place) -> list[str]:
    """End what `up` started, the worker first; the names of what ran."""
    from deploy.embedded.errors import EmbeddedError
    from deploy.embedded.stack import EmbeddedStack

    ended = ["worker"] if await place.stop_worker() else []
    try:
        ended += await EmbeddedStack(place.home).down()
    except EmbeddedError as problem:
        raise CliError(str(problem)) from problem
    return ended


@command
async def doctor(home: Home = Path(DEFAULT_HOME), output: Output = Format.TABLE) -> int:
    """Look at everything a rollout needs, and say what to do about what is missing."""
    place = Place(home)
    findings = [await _look(name, check, place) for name, check in _CHECKS.items()]
    if output is Format.JSON:
        emit_json("doctor", [{"check": one, "ok": ok, "detail": told} for one, ok, told in findings])
    else:
        table("", "check", "found", rows=[("✔" if ok else "✖", one, told) for one, ok, told in findings])
    return Exit.OK if all(ok for _, ok, _ in findings) else Exit.UNAVAILABLE


async def _look(name: str, check: Callable[[Place], Awaitable[str]], place: Place) -> tuple[str, bool, str]:
    try:
        return name, True, await check(place)
    except Exception as problem:
        return name, False, str(problem) or type(problem).__name__


async def _python(_: Place) -> str:
    return f"Python {sys.version.split()[0]}"


async def _embedded(_: Place) -> str:
    from deploy.embedded.binaries import temporal_path, test_server_path

    return f"embedded servers installed ({temporal_path().name}, {test_server_path().name})"


async def _postgresql(place: Place) -> str:
    import asyncpg

    connection = await asyncpg.connect(place.dsn, timeout=5)
    try:
        return f"answers: PostgreSQL {await connection.fetchval('show server_version')}"
    finally:
        await connection.close()


async def _schema(place: Place) -> str:
    from store.migrate import MigrationState, status

    pending = [one.name for one in await status(place.dsn) if one.state is not MigrationState.APPLIED]
    if pending:
        raise CliError(f"not current ({', '.join(pending)}); run `rollouts db migrate`")
    return "current"


async def _temporal(place: Place) -> str:
    from cli.gateway import Gateway

    gateway = await Gateway.open(place)
    found = await gateway.client.service_client.check_health()
    if not found:
        raise CliError("does not answer; try `rollouts up`")
    return f"answers, namespace {gateway.client.namespace}"


async def _workers(place: Place) -> str:
    from temporalio.api.enums.v1 import TaskQueueType
    from temporalio.api.taskqueue.v1 import TaskQueue
    from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest

    from cli.gateway import Gateway
    from models.names import TASK_QUEUE

    client = (await Gateway.open(place)).client
    request = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=TASK_QUEUE),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    )
    pollers = (await client.workflow_service.describe_task_queue(request)).pollers
    if not pollers:
        raise CliError(f"nobody polls {TASK_QUEUE}; start one with `rollouts worker run` or `rollouts up`")
    return f"{len(pollers)} polling {TASK_QUEUE}"


async def _watch(place: Place) -> str:
    from cli.gateway import Gateway
    from models.names import WATCH_ID
    from models.work import WatchView

    client = (await Gateway.open(place)).client
    view: WatchView = await client.get_workflow_handle(WATCH_ID).query("status", result_type=WatchView)
    if view.problem:
        raise CliError(f"its latest look failed: {view.problem}")
    return f"running, {view.ticks} looks so far"


async def _retention(place: Place) -> str:
    from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest

    from cli.gateway import Gateway

    client = (await Gateway.open(place)).client
    found = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
    days = found.config.workflow_execution_retention_ttl.seconds / 86400
    return f"closed histories are kept {days:g} days; the decision log stays"


async def _disk(place: Place) -> str:
    free = shutil.disk_usage(place.home if place.home.exists() else Path()).free / 2**30
    if free < 1:
        raise CliError(f"only {free:.1f} GiB free")
    return f"{free:.0f} GiB free"


_CHECKS: dict[str, Callable[[Place], Awaitable[str]]] = {
    "Python": _python,
    "embedded servers": _embedded,
    "disk": _disk,
    "PostgreSQL": _postgresql,
    "schema": _schema,
    "Temporal": _temporal,
    "worker": _workers,
    "watch": _watch,
    "retention": _retention,
}


@database.command(epilog="Example: rollouts db migrate")
@command
async def migrate(home: Home = Path(DEFAULT_HOME)) -> None:
    """Apply the migrations that are not applied yet; forward only, each whole or not at all."""
    from store.migrate import MigrationError
    from store.migrate import migrate as apply

    try:
        applied = await apply(Place(home).dsn)
    except (MigrationError, OSError) as problem:
        raise CliError(str(problem)) from problem
    for name in applied:
        say(f"applied {name}")
    say("The schema is current.")


@database.command(epilog="Example: rollouts db status -o json")
@command
async def status(home: Home = Path(DEFAULT_HOME), output: Output = Format.TABLE) -> int:
    """Which migrations are applied; exit code 1 if one is not."""
    from store.migrate import MigrationState
    from store.migrate import status as read

    try:
        found: list[Any] = await read(Place(home).dsn)
    except OSError as problem:
        raise CliError(f"PostgreSQL cannot be reached: {problem}", Exit.UNAVAILABLE) from problem
    if output is Format.JSON:
        emit_json("migrations", [{"name": one.name, "state": one.state.value} for one in found])
    else:
        rows = [
            (one.name, one.state.value, f"{one.applied_at:%Y-%m-%d %H:%M}" if one.applied_at else "") for one in found
        ]
        table("migration", "state", "applied", rows=rows)
    return Exit.OK if all(one.state is MigrationState.APPLIED for one in found) else Exit.ERROR


@worker_app.command(epilog="Example: ROLLOUTS_DATABASE_DSN=postgresql://... rollouts worker run")
@command
async def run(home: Annotated[Path, typer.Option("--dir", envvar="ROLLOUTS_HOME")] = Path(DEFAULT_HOME)) -> int:
    """Run a worker until it is told to stop; settings come from the environment, see docs/operations.md."""
    import os

    from worker.main import run_worker
    from worker.settings import SettingsError, load_settings

    os.environ.update(Place(home).environment())
    try:
        return await run_worker(load_settings())
    except SettingsError as problem:
        raise CliError(str(problem), Exit.BAD_INPUT) from problem
