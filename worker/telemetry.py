"""Logs as JSON lines, replay-safe, Core's lines among ours, no secrets in them; metrics for Prometheus."""

from __future__ import annotations

import json
import logging
import math
import re
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import structlog
from structlog.typing import EventDict, Processor
from temporalio import activity, workflow
from temporalio.exceptions import ApplicationError
from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)

from worker.settings import SettingsError, WorkerSettings, variable

HIDDEN = "***"

_FIRST = ("timestamp", "level", "logger", "event")
_CREDENTIALS = re.compile(r"(\w[\w+.-]*://[^:/@\s'\"]*:)[^/\s'\"]+@")
_LIFTED = {
    "workflow_id": "workflow_id",
    "workflow_run_id": "run_id",
    "run_id": "run_id",
    "workflow_type": "workflow",
    "activity_type": "activity",
    "attempt": "attempt",
}
"""What the SDK knows of the workflow or activity that speaks, and what it is called in a line."""


def configure_logging(level: str, style: str, secrets: Iterable[str] = ()) -> None:
    """Everything through the standard library's root logger, to stderr; in style `json` one object a line, always.

    Workflow code logs with `workflow.logger` and `extra={...}`: the SDK's logger is silent on replay, and structlog
    used inside a workflow would be imported anew, unconfigured, and wait for a lock.
    """
    workflow.logger.workflow_info_on_message = False
    activity.logger.activity_info_on_message = False
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
    ]
    structlog.configure(
        processors=[
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    tidy = _Tidy(secrets)
    renderer: Any = structlog.processors.JSONRenderer()
    if style == "console":
        # Plain, because it shows what is in the line; the other formatters go and read the source.
        plain = structlog.dev.plain_traceback
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)
    handler = _Handler(tidy)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder(), _lift_context, _shorten_failure],
            processors=[
                _timestamp,
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                tidy,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    _catch_what_bypasses_logging()


class _Tidy:
    """The last look at a line: plain values only, the same four keys first, and no secrets at whatever depth."""

    def __init__(self, secrets: Iterable[str]) -> None:
        # The longest first: one may be a part of another.
        known = sorted({one for one in secrets if one}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, _: object, __: str, event: EventDict) -> EventDict:
        first = {key: event.pop(key) for key in _FIRST if key in event}
        return {self._hidden(str(key)): self._plain(value) for key, value in {**first, **event}.items()}

    def _plain(self, value: object) -> Any:
        if value is None or isinstance(value, bool | int):
            return value
        if isinstance(value, float):
            # JSON has no word for infinity, nor for what is not a number.
            return value if math.isfinite(value) else str(value)
        if isinstance(value, Mapping):
            return {self._hidden(str(key)): self._plain(one) for key, one in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._plain(one) for one in value]
        return self._hidden(value if isinstance(value, str) else str(value))

    def _hidden(self, text: str) -> str:
        text = _CREDENTIALS.sub(rf"\1{HIDDEN}@", text)
        return self._known.sub(HIDDEN, text) if self._known else text


class _Handler(logging.StreamHandler[Any]):
    """A line that cannot be written is itself a line, never the traceback that the standard library would print."""

    def __init__(self, tidy: _Tidy) -> None:
        super().__init__(sys.stderr)
        self._tidy = tidy

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the standard library's name
        told = {
            "timestamp": _moment(record.created),
            "level": "error",
            "logger": record.name,
            "event": "a log line could not be written",
            "problem": repr(sys.exc_info()[1]),
            # What it was called, not what it carried: that is what could not be written.
            "line": str(record.msg.get("event") if isinstance(record.msg, dict) else record.msg),
        }
        try:
            self.stream.write(json.dumps(self._tidy(None, "", told)) + "\n")
            self.flush()
        except (OSError, ValueError):
            # Nobody reads the log any more; rollouts go on.
            return


def _timestamp(_: object, __: str, event: EventDict) -> EventDict:
    """When it happened, not when it is written: Core hands its lines over a little later."""
    record = event.get("_record")
    event["timestamp"] = _moment(record.created if record is not None else time.time())
    return event


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _lift_context(_: object, __: str, event: EventDict) -> EventDict:
    """Name the workflow or activity a line of the SDK is about, in the words that our own lines use."""
    # The HTTP server says everything twice, the second time in colours.
    event.pop("color_message", None)
    for key in [key for key in event if key.startswith(("temporal_", "__temporal_"))]:
        known = event.pop(key)
        if isinstance(known, Mapping):
            event.update({ours: known[theirs] for theirs, ours in _LIFTED.items() if theirs in known})
        elif key == "temporal_log":
            event["core"] = {"target": known.target, **known.fields}
    return event


def _shorten_failure(_: object, __: str, event: EventDict) -> EventDict:
    """An error that activities have a name for needs no traceback: the name says what is wrong."""
    if event["event"] == "Completing activity as failed":
        event["event"] = "activity failed"
        problem = (event.get("exc_info") or (None, None))[1]
        if isinstance(problem, ApplicationError):
            del event["exc_info"]
            event["problem"] = f"{problem.type}: {problem.message}"
    return event


def _catch_what_bypasses_logging() -> None:
    """Warnings, and exceptions that nobody caught, would be printed as they are."""
    logging.captureWarnings(True)
    log = logging.getLogger("worker")

    def uncaught(what: str, problem: BaseException | None) -> None:
        log.error(what, exc_info=problem)

    sys.excepthook = lambda _, problem, __: uncaught("uncaught exception", problem)
    threading.excepthook = lambda args: uncaught("uncaught exception in a thread", args.exc_value)
    sys.unraisablehook = lambda args: uncaught(args.err_msg or "exception that could not be raised", args.exc_value)


def make_runtime(settings: WorkerSettings) -> Runtime:
    """The SDK's runtime, with metrics where the settings want them.

    Raises:
        SettingsError: the metrics address cannot be bound.
    """
    core = logging.getLogger("temporalio.core")
    logging_config = LoggingConfig(
        filter=TelemetryFilter(core_level="WARN", other_level="ERROR"),
        forwarding=LogForwardingConfig(
            logger=core,
            append_target_to_name=False,
            prepend_target_on_message=False,
            append_log_fields_to_message=False,
        ),
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
        told = f"{variable('metrics_bind')} is {settings.metrics_bind!r}: {problem}"
        raise SettingsError(told) from problem
