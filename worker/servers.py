"""Reaches Temporal and PostgreSQL at start: waits for them, and says in one sentence what is wrong with how they are
named."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

import asyncpg
import structlog
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.runtime import Runtime
from temporalio.service import RPCError, RPCStatusCode

from store.migrate import MigrationState, status
from store.pool import create_pool
from worker.called import called
from worker.plugin import rollouts_plugin
from worker.settings import SettingsError, WorkerSettings, variable

log = structlog.get_logger(__name__)

LOCAL = "localhost:7233"
"""Where Temporal is if nothing says so, as for Temporal's own tools."""

ATTEMPT = 10.0
"""Seconds until a server that does not answer at all is tried anew."""

_OS_MESSAGE = re.compile(r'message: "([^"]+)"')

T = TypeVar("T")


class Unavailable(Exception):
    """A server did not answer, or could not be used, within the time the settings give it."""


class Stopped(Exception):
    """The process was told to stop before it had begun."""


class NamespaceMissing(Exception):
    """Temporal answers, but does not know the namespace (yet: a new one takes some seconds to be known everywhere)."""


class SchemaBehind(Exception):
    """PostgreSQL answers, but not all migrations are applied."""


def temporal_config() -> dict[str, Any]:
    """How to connect, from `TEMPORAL_*` and Temporal's profiles.

    Raises:
        SettingsError: they name a file, a profile or an address that cannot be used.
    """
    file = os.environ.get("TEMPORAL_CONFIG_FILE")
    if file and not os.path.exists(file):
        # Temporal's own tools pass over it, and a worker would end up at another server than was meant.
        raise SettingsError(f"TEMPORAL_CONFIG_FILE is {file!r}: there is no such file")
    try:
        found = ClientConfig.load_client_connect_config()
    except OSError as problem:
        raise SettingsError(f"{_naming(problem.filename)}: {problem.strerror}") from problem
    except (RuntimeError, ValueError, TypeError) as problem:
        told = " ".join(str(problem).split())
        named = "TEMPORAL_PROFILE" if "rofile" in told else "TEMPORAL_CONFIG_FILE"
        raise SettingsError(f"{_with_value(named)}: {told}") from problem
    config: dict[str, Any] = {"target_host": LOCAL, **found}
    if "://" in config["target_host"]:
        raise SettingsError(f"{_address(config)}: write host:port, without a scheme")
    return config


async def connect(runtime: Runtime | None = None) -> Client:
    """A client as the environment and Temporal's profiles describe it, with our plugin.

    Raises:
        SettingsError: they cannot be used.
        NamespaceMissing: the server does not know the namespace.
        RuntimeError, RPCError: the server cannot be reached.
    """
    config = temporal_config()
    try:
        client = await Client.connect(**config, identity=called(), plugins=[rollouts_plugin()], runtime=runtime)
    except ValueError as problem:
        raise SettingsError(f"{_address(config)}: {problem}") from problem
    try:
        await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
    except RPCError as problem:
        if problem.status is RPCStatusCode.NOT_FOUND:
            told = (
                f"TEMPORAL_NAMESPACE is {client.namespace!r}: Temporal at {config['target_host']} has no such namespace"
            )
            raise NamespaceMissing(told) from problem
        # Who may work in a namespace need not be allowed to look at its settings.
        if problem.status is not RPCStatusCode.PERMISSION_DENIED:
            raise
    return client


async def open_pool(settings: WorkerSettings) -> asyncpg.Pool[asyncpg.Record]:
    """Connections to the database of the settings, whose schema is what this code expects.

    Raises:
        SettingsError: the dsn cannot be used.
        SchemaBehind: migrations are pending.
        OSError, asyncpg.PostgresError: the server cannot be reached or refuses us.
    """
    dsn = settings.database_dsn.get_secret_value()
    try:
        behind = [one.name for one in await status(dsn) if one.state is MigrationState.PENDING]
    except asyncpg.InterfaceError as problem:
        raise SettingsError(f"{variable('database_dsn')} cannot be used: {problem}") from problem
    except ValueError:
        # Its text may quote what was taken for a port, which may be a part of the password.
        raise SettingsError(f"{variable('database_dsn')} cannot be used: the port is no number") from None
    if behind:
        which = behind[0] if len(behind) == 1 else f"{len(behind)}, from {behind[0]} on"
        raise SchemaBehind(f"migrations are not applied ({which}); run: rollouts db migrate")
    # A shard of the watch keeps a connection to itself, on which the database tells it of changes.
    connections = settings.database_connections + settings.watch_shards
    return await create_pool(dsn, max_size=connections, application_name="partner-rollouts worker")


async def patiently(what: str, open_it: Callable[[], Awaitable[T]], patience: timedelta, stop: asyncio.Event) -> T:
    """Try again with growing pauses until it works.

    Raises:
        Unavailable: the time is over.
        SettingsError: it will never work as it is named; for a namespace only once the time is over.
        Stopped: `stop` was set meanwhile.
    """
    loop = asyncio.get_running_loop()
    until, pause = loop.time() + patience.total_seconds(), 0.5
    while True:
        try:
            return await _unless(stop, asyncio.wait_for(open_it(), ATTEMPT))
        except (OSError, RuntimeError, RPCError, asyncpg.PostgresError, NamespaceMissing, SchemaBehind) as problem:
            if loop.time() + pause > until:
                if isinstance(problem, NamespaceMissing):
                    raise SettingsError(str(problem)) from problem
                raise Unavailable(f"{what} cannot be used: {_told(problem)}") from problem
            log.warning(f"{what} cannot be used yet", problem=_told(problem), again_in=pause)
        await _unless(stop, asyncio.sleep(pause))
        pause = min(2 * pause, 10)


async def _unless(stop: asyncio.Event, work: Awaitable[T]) -> T:
    """What `work` comes to, given up as soon as the process is told to stop."""
    working, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise Stopped
        return working.result()
    finally:
        working.cancel()
        stopping.cancel()


def _told(problem: BaseException) -> str:
    """The essence of an error, on one line; the SDK's connection errors are nested deeply."""
    text = " ".join(str(problem).split())
    if isinstance(problem, TimeoutError) and not text:
        return f"no answer within {ATTEMPT:g} s"
    if "InvalidContentType" in text:
        return "it does not speak TLS, which TEMPORAL_TLS, a certificate or TEMPORAL_API_KEY turns on"
    found = _OS_MESSAGE.search(text)
    return found[1] if found else text[:300]


def _address(config: dict[str, Any]) -> str:
    named = "TEMPORAL_ADDRESS" if os.environ.get("TEMPORAL_ADDRESS") else "the address of Temporal's profile"
    return f"{named} is {config['target_host']!r}"


def _naming(value: object) -> str:
    """The variable of Temporal's that has this value."""
    for name, found in os.environ.items():
        if name.startswith("TEMPORAL_") and found == str(value):
            return f"{name} is {found!r}"
    return f"a file of Temporal's profile, {str(value)!r}"


def _with_value(name: str) -> str:
    value = os.environ.get(name)
    return f"{name} is {value!r}" if value else name
