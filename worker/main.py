"""The worker process: connect, register, run until told to stop, and stop without losing anything."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from datetime import timedelta
from importlib.metadata import version
from typing import Any, TypeVar

import asyncpg
import structlog
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.envconfig import ClientConfig
from temporalio.runtime import Runtime
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Worker

from activities import all_activities
from activities.channels import Channel, MaildirChannel, SmtpChannel
from models.names import WATCH, WATCH_ID
from models.work import WatchInput
from store.pool import create_pool
from worker.health import health_server
from worker.plugin import rollouts_plugin
from worker.settings import SettingsError, WorkerSettings
from worker.telemetry import configure_logging, make_runtime
from workflows.attributes import SEARCH_ATTRIBUTES

log = structlog.get_logger(__name__)

UNAVAILABLE = 69
"""Exit code when a server cannot be reached at start."""

MISCONFIGURED = 2
"""Exit code when a setting cannot be used."""

STICKY = timedelta(seconds=4)
"""How long a killed worker's rollouts wait before another one takes them over; the SDK's default is ten."""

T = TypeVar("T")


class Unavailable(Exception):
    """A server did not answer within the time the settings give it."""


async def run_worker(settings: WorkerSettings, *, stop: asyncio.Event | None = None) -> int:
    """Run until SIGTERM, SIGINT or `stop`; returns the exit code.

    Running activities get `graceful_shutdown` to finish; rollouts stand in the server and go on elsewhere.
    """
    configure_logging(settings.log_level, settings.log_format)
    stop = stop or asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        runtime = make_runtime(settings)
        client = await _patiently("Temporal", lambda: connect(runtime), settings.wait_for_servers, stop)
        pool = await _patiently("PostgreSQL", lambda: _open_pool(settings), settings.wait_for_servers, stop)
        try:
            await _serve(settings, client, pool, stop)
        finally:
            await pool.close()
    except Unavailable as problem:
        log.error(str(problem))
        return UNAVAILABLE
    except SettingsError as problem:
        log.error(str(problem))
        return MISCONFIGURED
    return 0


async def connect(runtime: Runtime | None = None) -> Client:
    """A client as the environment and Temporal's profiles describe it, with our plugin."""
    config: dict[str, Any] = {"target_host": "localhost:7233", **ClientConfig.load_client_connect_config()}
    return await Client.connect(**config, plugins=[rollouts_plugin()], runtime=runtime)


async def _open_pool(settings: WorkerSettings) -> asyncpg.Pool[asyncpg.Record]:
    return await create_pool(
        settings.database_dsn.get_secret_value(),
        max_size=settings.database_connections,
        application_name="partner-rollouts worker",
    )


async def _serve(
    settings: WorkerSettings, client: Client, pool: asyncpg.Pool[asyncpg.Record], stop: asyncio.Event
) -> None:
    await register_search_attributes(client)
    worker = Worker(
        client,
        task_queue=settings.task_queue,
        activities=all_activities(pool, client, _channels(settings)),
        graceful_shutdown_timeout=settings.graceful_shutdown,
        max_cached_workflows=settings.max_cached_workflows,
        sticky_queue_schedule_to_start_timeout=STICKY,
    )

    async def temporal() -> None:
        if not await client.service_client.check_health():
            raise ConnectionError("Temporal does not answer")

    async def postgresql() -> None:
        await pool.fetchval("select 1")

    facts = {"version": version("partner-rollouts"), "task_queue": settings.task_queue}
    checks = {"temporal": temporal, "postgresql": postgresql}
    async with health_server(settings.health_bind, facts, checks), worker:
        await ensure_watch(client, settings.task_queue, settings.watch_slowest)
        log.info("worker started", **facts)
        await stop.wait()
        log.info("worker stopping", grace=settings.graceful_shutdown.total_seconds())
    log.info("worker stopped")


def _channels(settings: WorkerSettings) -> tuple[Channel, ...]:
    channels: list[Channel] = []
    if settings.notice_maildir:
        channels.append(MaildirChannel(settings.notice_maildir, settings.notice_sender))
    if settings.smtp_host:
        channels.append(SmtpChannel(settings.smtp_host, settings.smtp_port, settings.notice_sender))
    return tuple(channels)


async def _patiently(what: str, open_it: Callable[[], Awaitable[T]], patience: timedelta, stop: asyncio.Event) -> T:
    """Try again with growing pauses until it works, the time is over, or the process is told to stop."""
    loop = asyncio.get_running_loop()
    until = loop.time() + patience.total_seconds()
    pause = 0.5
    while True:
        try:
            return await open_it()
        except (OSError, RuntimeError, RPCError, asyncpg.PostgresError, TimeoutError) as problem:
            if stop.is_set() or loop.time() + pause > until:
                raise Unavailable(f"{what} cannot be reached: {problem}") from problem
            log.warning(f"{what} cannot be reached yet", problem=str(problem)[:300], again_in=pause)
        await asyncio.sleep(pause)
        pause = min(2 * pause, 10)


async def register_search_attributes(client: Client) -> None:
    """Register ours; the server keeps those it has. Without the right to, an administrator must have done it."""
    wanted = {key.name: IndexedValueType.ValueType(key.indexed_value_type) for key in SEARCH_ATTRIBUTES}
    request = AddSearchAttributesRequest(namespace=client.namespace, search_attributes=wanted)
    try:
        await client.operator_service.add_search_attributes(request)
    except RPCError as problem:
        if problem.status is RPCStatusCode.ALREADY_EXISTS:
            return
        if problem.status not in (RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNIMPLEMENTED):
            raise
        log.warning("search attributes not registered", problem=problem.message)


async def ensure_watch(client: Client, task_queue: str, slowest: timedelta) -> None:
    """The watch runs, or is started."""
    await client.start_workflow(
        WATCH,
        WatchInput(slowest=slowest),
        id=WATCH_ID,
        task_queue=task_queue,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary="looks at all open rollouts",
    )
