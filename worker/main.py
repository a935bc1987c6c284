"""The worker process: connect, register, run until told to stop, and stop without losing anything."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from datetime import timedelta
from importlib.metadata import version

import asyncpg
import structlog
from temporalio.client import Client
from temporalio.runtime import Runtime
from temporalio.service import RPCError

from activities import LogSigner, Trust
from activities.channels import Channel
from activities.sweeping import Sweep
from activities.webhooks import Webhook
from models.plan import Decisions
from worker.channels import channels_of, secrets_of, webhooks_of
from worker.checkpoints import signing
from worker.gauges import gauges
from worker.giving_back import giving_back, trim
from worker.health import Check, health_server
from worker.log_key import load_signer
from worker.namespace import Watch, ensure_watch, keep_watch, register_search_attributes, warn_of_retention
from worker.running import beside
from worker.servers import Stopped, Unavailable, connect, open_pool, patiently, temporal_config
from worker.serving import serving
from worker.settings import SettingsError, WorkerSettings, load_settings, variable
from worker.sweeping import sweeping
from worker.telemetry import configure_logging, make_runtime

__all__ = ["connect", "register_search_attributes", "run_from_environment", "run_worker", "spare_the_collector"]

log = structlog.get_logger(__name__)

MISCONFIGURED = 2
"""Exit code when a setting cannot be used: starting again will not help."""

UNAVAILABLE = 69
"""Exit code when a server cannot be used: starting again later may help."""

BROKEN = 70
"""Exit code when something happened that must not; the log has the traceback."""

STICKY = timedelta(seconds=4)
"""How long a killed worker's rollouts wait before another one takes them over; the SDK's default is ten."""


async def run_from_environment() -> int:
    """Run with the settings of the environment; the exit code.

    Raises:
        SettingsError: the settings cannot even be read, so there is no log to say so in.
    """
    return await run_worker(load_settings())


def spare_the_collector() -> None:
    """Python need not look for circles among what has been loaded, again and again, while work is done: it took a tenth
    of the processor that looks at rollouts take. For a process that has begun and loaded all it needs."""
    gc.collect()
    gc.freeze()


async def run_worker(settings: WorkerSettings, *, stop: asyncio.Event | None = None) -> int:
    """Run until SIGTERM, SIGINT or `stop`; returns the exit code.

    Running activities get `graceful_shutdown` to finish; rollouts stand in the server and go on elsewhere.
    """
    _configure_logging(settings)
    stop = stop or asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        await _run(settings, stop)
    except Stopped:
        log.info("worker stopped before it had started")
    except SettingsError as problem:
        log.error(str(problem))
        return MISCONFIGURED
    except Unavailable as problem:
        log.error(str(problem))
        return UNAVAILABLE
    except RPCError as problem:
        log.error("Temporal refused", problem=problem.message, status=problem.status.name)
        return UNAVAILABLE
    except Exception:
        log.exception("worker failed")
        return BROKEN
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
    return 0


def _configure_logging(settings: WorkerSettings, webhooks: tuple[Webhook, ...] = ()) -> None:
    key = os.environ.get("TEMPORAL_API_KEY")
    secrets = (*settings.secrets, *secrets_of(webhooks), *((key,) if key else ()))
    configure_logging(settings.log_level, settings.log_format, secrets)


async def _run(settings: WorkerSettings, stop: asyncio.Event) -> None:
    """Everything whose address may be taken or whose name may be wrong comes first, the servers after it."""
    webhooks = webhooks_of(settings)
    _configure_logging(settings, webhooks)
    channels = channels_of(settings, webhooks)
    signer = load_signer(settings.log_key, settings.deployment) if settings.log_key else None
    runtime = make_runtime(settings)
    facts = {"version": version("partner-rollouts"), "task_queue": settings.task_queue}
    checks: dict[str, Check] = {"temporal": _not_yet, "postgresql": _not_yet, "worker": _not_yet}
    async with health_server(settings.health_bind, facts, checks):
        where = temporal_config()["target_host"]
        wait = settings.wait_for_servers
        client = await patiently(f"Temporal at {where}", lambda: connect(runtime), wait, stop)
        checks["temporal"] = _answering(client)
        pool = await patiently(f"PostgreSQL at {settings.database}", lambda: open_pool(settings), wait, stop)
        checks["postgresql"] = _usable(pool)
        async with _closing(pool), _working(settings, client, pool, channels, runtime, signer):
            checks["worker"] = _unless_stopping(stop)
            if not channels:
                named = " nor ".join(map(variable, ("smtp_host", "notice_maildir", "webhooks")))
                log.warning(f"nobody is told anything: neither {named} is set, notices only stand in the database")
            _say_who_signs(signer)
            log.info(
                "worker started", **facts, temporal=where, namespace=client.namespace, postgresql=settings.database
            )
            if settings.decisions == "unsigned" and settings.serves != "workflows":
                log.warning(
                    f"{variable('decisions')} is unsigned: whoever reaches Temporal can decide in any owner's name"
                )
            if settings.serves == "effects":
                await stop.wait()
            else:
                await keep_watch(client, settings.task_queue, _watch(settings), stop)
            log.info("worker stopping", grace=settings.graceful_shutdown.total_seconds())
    log.info("worker stopped")


@asynccontextmanager
async def _working(
    settings: WorkerSettings,
    client: Client,
    pool: asyncpg.Pool[asyncpg.Record],
    channels: tuple[Channel, ...],
    runtime: Runtime,
    signer: LogSigner | None,
) -> AsyncIterator[None]:
    """Take work while inside; whoever leaves waits for what is being worked on."""
    if settings.serves != "effects":
        await register_search_attributes(client)
        await warn_of_retention(client, timedelta(days=settings.retention_days))
    work = serving(
        client,
        pool,
        settings.task_queue,
        serves=settings.serves,
        channels=channels,
        watch=_watch(settings).inputs()[0],
        trust=Trust(settings.decision_keys, settings.deployment, Decisions(settings.decisions)),
        public_url=settings.public_url,
        signer=signer,
        graceful_shutdown_timeout=settings.graceful_shutdown,
        max_cached_workflows=settings.max_cached_workflows,
        max_concurrent_workflow_tasks=settings.workflow_tasks,
        # More would only wait for a connection, with their time running. The watch has one of its own all the time.
        max_concurrent_activities=settings.database_connections + settings.watch_shards,
        sticky_queue_schedule_to_start_timeout=STICKY,
    )
    measured = gauges(runtime.metric_meter, pool, signer) if settings.metrics_bind else nullcontext()
    signed = signing(pool, signer) if signer else nullcontext()
    swept = sweeping(Sweep(pool, client)) if settings.serves != "effects" else nullcontext()
    async with measured, work, signed, swept, beside(giving_back(trim())):
        if settings.serves != "effects":
            await ensure_watch(client, settings.task_queue, _watch(settings))
        yield


def _say_who_signs(signer: LogSigner | None) -> None:
    if signer is None:
        log.warning(
            f"the decision log is not signed here: {variable('log_key')} is not set. Unless another worker has the "
            "key, nobody will be able to prove later what stood in the log"
        )
    else:
        log.info("the decision log is signed", key=signer.vkey)


def _watch(settings: WorkerSettings) -> Watch:
    return Watch(settings.watch_slowest, settings.watch_shards)


@asynccontextmanager
async def _closing(pool: asyncpg.Pool[asyncpg.Record]) -> AsyncIterator[None]:
    """Close the pool at the end, also when a connection does not take leave in time."""
    try:
        yield
    finally:
        try:
            await asyncio.wait_for(pool.close(), 5)
        except TimeoutError:
            pool.terminate()


async def _not_yet() -> None:
    raise ConnectionError("not connected yet")


def _answering(client: Client) -> Check:
    async def temporal() -> None:
        if not await client.service_client.check_health():
            raise ConnectionError("Temporal does not serve")

    return temporal


def _usable(pool: asyncpg.Pool[asyncpg.Record]) -> Check:
    async def postgresql() -> None:
        await pool.fetchval("select 1")

    return postgresql


def _unless_stopping(stop: asyncio.Event) -> Check:
    async def worker() -> None:
        if stop.is_set():
            raise ConnectionError("stopping")

    return worker
