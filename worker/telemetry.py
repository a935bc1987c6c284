"""Logs as JSON lines, replay-safe, Core's lines among ours; metrics for Prometheus."""

from __future__ import annotations

import logging
import re
import sys
from typing import Any

import structlog
from structlog.typing import EventDict, Processor
from temporalio import workflow
from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)

from worker.settings import SettingsError, WorkerSettings

_SECRET = re.compile(r"(\w+://[^:/@\s]+:)[^@\s]+(@)")


def configure_logging(level: str, style: str) -> None:
    """Everything through the standard library's root logger, to stderr.

    Workflow code logs with `workflow.logger` and `extra={...}`: the SDK's logger is silent on replay, and structlog
    used inside a workflow would be imported anew, unconfigured, and wait for a lock.
    """
    workflow.logger.workflow_info_on_message = False
    renderer: Any = structlog.processors.JSONRenderer() if style == "json" else structlog.dev.ConsoleRenderer()
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _workflow_context,
        _without_secrets,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)


def _workflow_context(_: object, __: str, event: EventDict) -> EventDict:
    """Lift what the SDK's workflow logger knows of its workflow into the line."""
    record = event.get("_record")
    info = getattr(record, "temporal_workflow", None)
    if isinstance(info, dict):
        event.update({key: info[key] for key in ("workflow_id", "run_id", "workflow_type") if key in info})
    return event


def _without_secrets(_: object, __: str, event: EventDict) -> EventDict:
    for key, value in event.items():
        if isinstance(value, str) and "://" in value:
            event[key] = _SECRET.sub(r"\1***\2", value)
    return event


def make_runtime(settings: WorkerSettings) -> Runtime:
    """The SDK's runtime, with metrics where the settings want them.

    Raises:
        SettingsError: the metrics address cannot be bound.
    """
    core = logging.getLogger("temporalio.core")
    logging_config = LoggingConfig(
        filter=TelemetryFilter(core_level="WARN", other_level="ERROR"), forwarding=LogForwardingConfig(logger=core)
    )
    metrics = None
    if settings.metrics_bind:
        metrics = PrometheusConfig(
            bind_address=settings.metrics_bind,
            counters_total_suffix=True,
            unit_suffix=True,
            durations_as_seconds=True,
        )
    try:
        return Runtime(telemetry=TelemetryConfig(logging=logging_config, metrics=metrics))
    except (ValueError, RuntimeError) as problem:
        told = f"ROLLOUTS_METRICS_BIND is {settings.metrics_bind!r}: {problem}"
        raise SettingsError(told) from problem
