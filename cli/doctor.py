"""doctor: looks at everything a rollout needs, and says of whatever is missing what to do about it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import typer

from cli import doctor_console
from cli.home import ADDRESS, DEFAULT_HOME, DSN, Home, Place
from cli.output import OF_KIND, CliError, Exit, Format, Output, command, emit_json, table

if TYPE_CHECKING:
    from console.gateway import Gateway
from cli.tree import span
from cli.trouble import NotHere, Trouble
from console.errors import GatewayError
from models.base import Frozen, many

SHOWN = 5
"""Alarms told of one by one."""

LATE = timedelta(minutes=2)
"""How much later than announced the watch may look before something is wrong with it."""


class Finding(Frozen):
    """One thing that was looked at. `ok` is None where it could not be looked at."""

    check: str
    ok: bool | None
    found: str
    advice: str | None = None
    unavailable: bool = False


Check: TypeAlias = Callable[[Place], Awaitable[str]]


def register(app: typer.Typer) -> None:
    """Mount the verb of this module."""
    app.command(epilog="Example: rollouts doctor -o json")(doctor)


@command
async def doctor(home: Home = Path(DEFAULT_HOME), output: Output = Format.TABLE) -> int:
    """Look at everything a rollout needs, and say what to do about what is missing.

    Exit code 69 if a server or every worker is out of reach, 1 if anything else is wrong, 0 if nothing is.
    """
    place = Place(home)
    findings = await examine(place)
    if output is Format.JSON:
        emit_json("doctor", [one.model_dump(mode="json", exclude={"unavailable"}) for one in findings])
    else:
        rows = [(_MARK[one.ok], one.check, one.found, one.advice or "") for one in findings]
        table("", "check", "found", "what to do", rows=rows)
    if any(one.unavailable for one in findings):
        return Exit.UNAVAILABLE
    return Exit.ERROR if any(one.ok is False for one in findings) else Exit.OK


_MARK = {True: "✔", False: "✖", None: "-"}


async def examine(place: Place) -> list[Finding]:
    """Look at one thing after the other; what depends on something that failed is not looked at."""
    findings: dict[str, Finding] = {}
    for name, (needs, check) in _CHECKS.items():
        missing = needs is not None and not findings[needs].ok
        findings[name] = (
            Finding(check=name, ok=None, found=f"not looked at; it needs: {needs}")
            if missing
            else await _look(name, check, place)
        )
    return list(findings.values())


async def _look(name: str, check: Check, place: Place) -> Finding:
    try:
        return Finding(check=name, ok=True, found=await check(place))
    except NotHere as why:
        return Finding(check=name, ok=None, found=f"not looked at; {why}")
    except Trouble as trouble:
        return Finding(check=name, ok=False, found=str(trouble), advice=trouble.advice, unavailable=trouble.unavailable)
    except (CliError, GatewayError) as problem:
        code = OF_KIND[problem.kind] if isinstance(problem, GatewayError) else problem.code
        return Finding(
            check=name,
            ok=False,
            found=str(problem),
            advice=_server_advice(place),
            unavailable=code is Exit.UNAVAILABLE,
        )


def _server_advice(place: Place) -> str:
    state = place.state()
    if state is None or place.named():
        return f"`rollouts up` starts embedded servers; or name others by {DSN} and {ADDRESS}."
    logs = " and ".join(str(one.log_file) for one in state.servers)
    return f"`rollouts up` starts again what ended by itself; {logs} say why it did."


async def _python(_: Place) -> str:
    return f"Python {sys.version.split()[0]}, partner-rollouts {version('partner-rollouts')}"


async def _embedded(place: Place) -> str:
    try:
        from deploy.embedded.binaries import postgres_home, temporal_path
        from deploy.embedded.errors import NotInstalledError
    except ModuleNotFoundError as missing:
        return _do_without(place, f"{missing.name} is not installed")
    try:
        return f"installed: {postgres_home().name.removeprefix('pginstall')} of PostgreSQL, {temporal_path().name}"
    except NotInstalledError as problem:
        return _do_without(place, str(problem).partition(". ")[0])


def _do_without(place: Place, missing: str) -> str:
    """Servers that the environment names need no embedded ones beside them."""
    if place.named():
        return f"not installed, and not needed: {DSN} and {ADDRESS} name the servers"
    raise Trouble(
        missing,
        f"pip install 'partner-rollouts[embedded]' brings them; or name others by {DSN} and {ADDRESS}.",
    )


async def _disk(place: Place) -> str:
    folder = next(one for one in (place.home.absolute(), *place.home.absolute().parents) if one.exists())
    free = shutil.disk_usage(folder).free / 2**30
    if free < 1:
        raise Trouble(f"only {free:.1f} GiB free in {folder}", "make room: the servers keep their data there.")
    return f"{free:.0f} GiB free in {folder}"


async def _postgresql(place: Place) -> str:
    from cli.database import address, connection

    async with connection(place) as opened:
        return f"answers at {address(place.dsn)}: PostgreSQL {await opened.fetchval('show server_version')}"


async def _schema(place: Place) -> str:
    from store.migrate import MigrationError, MigrationState, status

    try:
        found = await status(place.dsn)
    except MigrationError as problem:
        raise Trouble(str(problem), "this installation is damaged; install it anew.") from problem
    pending = [one.name for one in found if one.state is MigrationState.PENDING]
    usable = (MigrationState.APPLIED, MigrationState.PENDING)
    wrong = [f"{one.name} {one.state.value}" for one in found if one.state not in usable]
    if wrong:
        raise Trouble(
            f"not what this release expects: {', '.join(wrong)}",
            "run the release that this database was last migrated with, or a later one.",
        )
    if pending:
        raise Trouble(f"not current, pending: {', '.join(pending)}", "run `rollouts db migrate`.")
    return f"current, {many(len(found), 'migration')}"


async def _log(place: Place) -> str:
    from cli.database import connection
    from store.checkpoints import unsigned
    from worker.checkpoints import UNSIGNED_FOR

    async with connection(place) as opened:
        found = await unsigned(opened)
        keys = await opened.fetchval("select count(distinct vkey) from log_checkpoint")
    if found.seconds > (UNSIGNED_FOR + LATE).total_seconds():
        raise Trouble(
            f"something has stood in the log for {span(timedelta(seconds=found.seconds))} that no checkpoint covers",
            "see that a worker runs which has ROLLOUTS_LOG_KEY (`rollouts keys log generate` makes one), and that its "
            "log has no alarm.",
        )
    signed = f"signed by {keys} keys" if keys != 1 else "signed by one key"
    return f"{signed}; `rollouts keys log list` shows them" if keys else "nothing is in it yet that is to be signed"


async def _temporal(place: Place) -> str:
    from cli.connect import open_gateway

    gateway = await open_gateway(place)
    where = gateway.client.service_client.config.target_host
    return f"answers at {where}, namespace {gateway.client.namespace}"


async def _retention(place: Place) -> str:
    from temporalio.service import RPCError

    from cli.connect import open_gateway

    gateway = await open_gateway(place)
    try:
        kept = await gateway.retention()
    except RPCError as problem:
        raise Trouble(
            f"namespace {gateway.client.namespace}: {problem.message}",
            "name a namespace that exists by TEMPORAL_NAMESPACE, or have it created.",
        ) from problem
    least = _least_retention()
    if kept < least:
        days = f"{least.days}d"
        raise Trouble(
            f"closed histories are kept for {span(kept)} only, at least {days} are allowed, so no rollout is started",
            f"`temporal operator namespace update --retention {days} {gateway.client.namespace}` keeps them longer.",
        )
    return f"histories of closed rollouts are kept for {span(kept)}; the decision log stays"


def _least_retention() -> timedelta:
    from worker.settings import SettingsError, least_retention

    try:
        return least_retention()
    except SettingsError as problem:
        raise Trouble(str(problem), "write a whole number of days.") from problem


async def _workflows(place: Place) -> str:
    from cli.database import connection
    from store.alarms import standing

    async with connection(place) as opened:
        found = await standing(opened)
    if found:
        told = "; ".join(f"{one.key.rollout_id}: {one.detail}" for one in found[:SHOWN])
        more = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise Trouble(f"{told}{more}", "docs/operations.md says what to do about a rollout without workflow.")
    return "no alarm stands about the workflow of a rollout"


async def _worker(place: Place) -> str:
    from cli.connect import open_gateway
    from models.names import TASK_QUEUE

    found = await (await open_gateway(place)).pollers()
    if not found:
        raise Trouble(
            f"nobody has asked for work on {TASK_QUEUE} in the last two minutes",
            f"`rollouts up` starts the embedded worker (its log: {place.worker_log}); "
            "elsewhere `rollouts worker run` is one.",
            unavailable=True,
        )
    return f"{len(found)} asked for work on {TASK_QUEUE} in the last two minutes"


async def _watch(place: Place) -> str:
    from cli.connect import open_gateway

    gateway = await open_gateway(place)
    told, shards = await _shard(gateway, 0)
    others = [(await _shard(gateway, shard))[0] for shard in range(1, shards)]
    return "; ".join([told, *(f"shard {number}: {other}" for number, other in enumerate(others, 1))])


async def _shard(gateway: Gateway, shard: int) -> tuple[str, int]:
    """How one shard of the watch is, and how many there are."""
    from temporalio.client import WorkflowQueryFailedError
    from temporalio.service import RPCError

    restart = "a worker starts the watch when it starts: see that one runs, or end it and start it again."
    try:
        view = await gateway.watch(shard)
    except GatewayError as problem:
        again = "a worker starts it again within ROLLOUTS_WATCH_SLOWEST, and at once when it starts itself."
        raise Trouble(str(problem), again) from problem
    except (RPCError, WorkflowQueryFailedError) as problem:
        raise Trouble(f"does not answer: {problem}", restart) from problem
    if view.problem:
        raise Trouble(
            f"its latest look failed: {view.problem}", "it tries again by itself; look at PostgreSQL and the worker."
        )
    if view.last is None or view.last_at is None:
        return "running, about to look for the first time", view.shards
    ago, every = datetime.now(UTC) - view.last_at, view.last.next_in + view.stay
    if ago > every + LATE:
        raise Trouble(f"looked last {span(ago)} ago, though it should every {span(every)}", restart)
    if view.last.failed:
        raise Trouble(
            f"could not judge {view.last.failed} of {many(view.last.looked_at, 'rollout')}",
            "the worker's log says why.",
        )
    told = (
        f"running, {many(view.ticks, 'look')}, the last {ago.total_seconds():.0f} s ago at "
        f"{many(view.last.looked_at, 'rollout')}"
    )
    return f"{told}, awake" if view.stay else told, view.shards


_CHECKS: dict[str, tuple[str | None, Check]] = {
    "Python": (None, _python),
    "embedded servers": (None, _embedded),
    "disk": (None, _disk),
    "PostgreSQL": (None, _postgresql),
    "schema": ("PostgreSQL", _schema),
    "decision log": ("schema", _log),
    "Temporal": (None, _temporal),
    "retention": ("Temporal", _retention),
    "workflows": ("schema", _workflows),
    "worker": ("Temporal", _worker),
    "watch": ("worker", _watch),
    "console": (None, doctor_console.console),
    "signing keys": (None, doctor_console.keys),
}
"""What is looked at, in this order; each after what it needs."""
