"""The worker's settings, from the environment: every one with its default, its unit and a clear error."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from models.names import TASK_QUEUE


class SettingsError(Exception):
    """A setting is missing or wrong; the message names the variable, what was found and what is allowed."""


class WorkerSettings(BaseSettings):
    """Read from variables named `ROLLOUTS_` and the field, for example `ROLLOUTS_DATABASE_DSN`.

    Where Temporal is, and how to authenticate, is read from the variables Temporal's own tools use
    (`TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, `TEMPORAL_API_KEY`, `TEMPORAL_TLS_*`, profiles).
    """

    model_config = SettingsConfigDict(env_prefix="ROLLOUTS_", frozen=True, extra="ignore")

    database_dsn: SecretStr = Field(description="PostgreSQL, as postgresql://user:password@host:port/name")
    database_connections: int = Field(default=8, ge=2, le=100, description="connections at most")
    task_queue: str = Field(default=TASK_QUEUE, min_length=1, description="queue of workflows and activities")
    watch_slowest: timedelta = Field(
        default=timedelta(minutes=5), gt=timedelta(0), description="longest real time between two looks of the watch"
    )
    graceful_shutdown: timedelta = Field(
        default=timedelta(seconds=30), description="time running activities get to finish at shutdown"
    )
    max_cached_workflows: int = Field(
        default=1000, ge=0, description="rollouts kept in memory; each takes about 150 KiB"
    )
    wait_for_servers: timedelta = Field(
        default=timedelta(seconds=60), description="how long to wait at start for Temporal and PostgreSQL"
    )
    health_bind: str | None = Field(default=None, description="host:port of /healthz, /readyz; unset: none")
    metrics_bind: str | None = Field(default=None, description="host:port of the Prometheus metrics; unset: none")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "console"] = "json"
    notice_sender: str = Field(default="partner-rollouts@localhost", description="sender of notices")
    notice_maildir: Path | None = Field(default=None, description="a Maildir that notices are put into")
    smtp_host: str | None = Field(default=None, description="mail relay for notices; unset: none")
    smtp_port: int = Field(default=25, ge=1, le=65535)


def load_settings() -> WorkerSettings:
    """Settings from the environment.

    Raises:
        SettingsError: naming each variable that is missing or wrong.
    """
    try:
        return WorkerSettings()
    except ValidationError as error:
        raise SettingsError("\n".join(_sentence(one) for one in error.errors(include_url=False))) from None


def _sentence(problem: object) -> str:
    details = dict(problem)  # type: ignore[call-overload]
    name = "ROLLOUTS_" + "_".join(str(part) for part in details["loc"]).upper()
    if details["type"] == "missing":
        return f"{name} is not set; {WorkerSettings.model_fields[str(details['loc'][0])].description}"
    return f"{name} is {details['input']!r}: {details['msg'].lower()}"
