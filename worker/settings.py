"""The worker's settings, from the environment: every one with its default, its unit and a clear error."""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from models.names import DEPLOYMENT, TASK_QUEUE

PREFIX = "ROLLOUTS_"

_UNITS = {"h": 3600, "m": 60, "s": 1}
_LENGTH = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_LONGEST = timedelta(days=7)

RETENTION_DAYS = 90
"""Days that closed histories must be kept, unless an installation says otherwise: time for somebody to notice that they
are not exported."""

_LIKE = 0.8
"""How alike a variable must be to a setting to be taken for a misspelling of it."""


class SettingsError(Exception):
    """A setting is missing or wrong; the message names the variable, what was found and what is allowed."""


def _read_length(value: object) -> object:
    if not isinstance(value, str):
        return value
    parts = _LENGTH.fullmatch(value.strip())
    if parts is None or not any(parts.groups()):
        raise ValueError("write for example 30s, 5m or 1h30m")
    seconds = sum(int(number or 0) * size for number, size in zip(parts.groups(), _UNITS.values(), strict=True))
    if seconds > _LONGEST.total_seconds():
        raise ValueError("at most a week, 168h")
    return timedelta(seconds=seconds)


def _check_address(value: str) -> str:
    host, _, port = value.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        address = None
    in_brackets = bare != host
    if address is None or in_brackets is not (address.version == 6):
        raise ValueError("write an IP address and a port, for example 127.0.0.1:9464, 0.0.0.0:9464 or [::]:9464")
    if not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
        raise ValueError("the port is a number from 1 to 65535")
    return value


def _check_dsn(value: SecretStr) -> SecretStr:
    """Refuse what would be understood wrongly; the text never goes into the message, it holds a password."""
    dsn = value.get_secret_value()
    form = "it is not of the form postgresql://user:password@host:port/name"
    try:
        parts = urlsplit(dsn)
    except ValueError:
        raise ValueError(form) from None
    if parts.scheme not in ("postgresql", "postgres"):
        raise ValueError(form)
    if "@" in dsn and "@" not in parts.netloc:
        raise ValueError(f"{form}; in a password / is written %2F, ? is written %3F and # is written %23")
    return value


def _check_public_url(value: str | None) -> str | None:
    """A link is built by putting a path behind it, and opens in a browser."""
    if value is None:
        return None
    try:
        parts = urlsplit(value)
        whole = parts.scheme in ("https", "http") and bool(parts.hostname) and parts.port != 0
        more = parts.query or parts.fragment or "@" in parts.netloc or re.search(r"[^\x21-\x7e]|[<>\"|\\]", value)
    except ValueError:
        whole, more = False, None
    if more or not whole:
        raise ValueError("write https://host, with a port and a path if need be, and nothing after it")
    return value.rstrip("/")


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


Length = Annotated[timedelta, BeforeValidator(_read_length)]
"""A length of real time, written `30s`, `5m` or `1h30m`."""

Address = Annotated[str, AfterValidator(_check_address)]
"""Where to listen: an IP address and a port."""


RetentionDays = Annotated[
    int,
    Field(
        ge=0,
        le=3650,
        description="days that Temporal must keep the histories of what is over: with less, no rollout is started; "
        "0: any will do. The same for console, terminal and workers",
    ),
]


class RetentionSetting(BaseSettings):
    """The one setting that whoever starts rollouts needs."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="ignore")

    retention_days: RetentionDays = RETENTION_DAYS


class WorkerSettings(BaseSettings):
    """Read from variables named `ROLLOUTS_` and the field, for example `ROLLOUTS_DATABASE_DSN`; an empty one is unset.

    Where Temporal is, and how to authenticate, is read from the variables Temporal's own tools use
    (`TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, `TEMPORAL_API_KEY`, `TEMPORAL_TLS_*`, profiles).
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="ignore")

    database_dsn: Annotated[SecretStr, AfterValidator(_check_dsn)] = Field(
        description="PostgreSQL, as postgresql://user:password@host:port/name",
        examples=["postgresql://rollouts:...@db.example.com:5432/rollouts"],
    )
    database_connections: int = Field(
        default=8, ge=2, le=100, description="connections to PostgreSQL at most; as many activities run side by side"
    )
    task_queue: str = Field(
        default=TASK_QUEUE,
        min_length=1,
        description="queue of workflows and activities; the terminal starts rollouts on the default one",
    )
    serves: Literal["all", "workflows", "effects"] = Field(
        default="all",
        description="which queue it works on: `workflows` is that of the rollouts, `effects` that of enrolling and "
        "withdrawing partners; `all`: both",
    )
    decisions: Literal["signed", "unsigned"] = Field(
        default="signed",
        description="whether partners are enrolled and withdrawn only where signatures that hold ask for it; "
        "`unsigned` also takes rollouts whose decisions nobody signs",
    )
    decision_keys: Path | None = Field(
        default=None,
        examples=["/etc/partner-rollouts/decision-keys.json"],
        description="file of the public keys that signed decisions are verified with, a JSON Web Key Set; read anew at "
        "every look. Unset: no signed decision can be taken",
    )
    deployment: str = Field(
        default=DEPLOYMENT,
        min_length=1,
        max_length=200,
        description="whom signed decisions are made for, and whose log it is; the same for console and workers of an "
        "installation",
    )
    log_key: Path | None = Field(
        default=None,
        examples=["/etc/partner-rollouts/log-key.json"],
        description="file of the private key that the decision log is signed with, mode 0600. Unset: this worker signs "
        "nothing, and asks those that do",
    )
    workflow_tasks: int = Field(
        default=8,
        ge=2,
        le=1000,
        description="rollouts advanced side by side; they share one core, so with many each may, after a restart, "
        "take longer than the eight seconds that it is given",
    )
    max_cached_workflows: int = Field(
        default=1000, ge=0, description="rollouts kept in memory; each takes about 150 KiB. 0 replays at every step"
    )
    retention_days: RetentionDays = RETENTION_DAYS
    watch_slowest: Length = Field(
        default=timedelta(minutes=5), ge=timedelta(seconds=1), description="longest time between two looks of the watch"
    )
    watch_shards: int = Field(
        default=1,
        ge=1,
        le=64,
        description="workflows that share the watch over the open rollouts; the same for all workers of a namespace",
    )
    graceful_shutdown: Length = Field(
        default=timedelta(seconds=30), description="time running activities get to finish after SIGTERM"
    )
    wait_for_servers: Length = Field(
        default=timedelta(seconds=60), description="how long to wait at start for Temporal, PostgreSQL and its schema"
    )
    health_bind: Address | None = Field(
        default=None, examples=["127.0.0.1:9465"], description="where /healthz and /readyz are served; unset: nowhere"
    )
    metrics_bind: Address | None = Field(
        default=None, examples=["127.0.0.1:9464"], description="where Prometheus finds /metrics; unset: nowhere"
    )
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(_upper)] = Field(
        default="INFO", description="the least serious lines that are logged"
    )
    log_format: Literal["json", "console"] = Field(
        default="json", description="one JSON object a line, or lines for people"
    )
    notice_maildir: Path | None = Field(
        default=None,
        examples=["/var/lib/partner-rollouts/notices"],
        description="a Maildir that notices are put into; unset: none",
    )
    notice_sender: str = Field(default="partner-rollouts@localhost", description="sender of notices")
    smtp_host: str | None = Field(
        default=None, examples=["mail.example.com"], description="mail relay for notices; unset: none"
    )
    smtp_port: int = Field(default=25, ge=1, le=65535, description="port of the mail relay")
    smtp_starttls: Literal["offered", "required", "never"] = Field(
        default="offered",
        description="whether the connection to the relay is encrypted; only `required` proves that it is the relay",
    )
    smtp_user: str | None = Field(
        default=None, examples=["rollouts"], description="user at the mail relay; unset: no login"
    )
    smtp_password: SecretStr | None = Field(
        default=None, examples=["..."], description="password at the mail relay; sent over proven TLS only"
    )
    webhooks: Path | None = Field(
        default=None,
        examples=["/etc/partner-rollouts/webhooks.yaml"],
        description="a file that names webhooks for notices; unset: none",
    )
    webhooks_loopback: bool = Field(
        default=False, description="let webhooks be http, and on this machine: for development and tests"
    )
    public_url: Annotated[str | None, AfterValidator(_check_public_url)] = Field(
        default=None,
        examples=["https://rollouts.example.com"],
        description="where people reach the console; links in notices lead there; unset: notices have none",
    )

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be seen in a log: the passwords of database, as written and as meant, and of mail relay."""
        parts = urlsplit(self.database_dsn.get_secret_value())
        written = [parts.netloc.rpartition("@")[0].partition(":")[2], *parse_qs(parts.query).get("password", ())]
        relay = (self.smtp_password.get_secret_value(),) if self.smtp_password else ()
        return tuple(dict.fromkeys((*(one for text in written for one in (text, unquote(text)) if one), *relay)))

    @property
    def database(self) -> str:
        """Where the database is, without who connects."""
        parts = urlsplit(self.database_dsn.get_secret_value())
        return parts.netloc.rpartition("@")[2] + parts.path


def variable(field: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + field.upper()


def least_retention() -> timedelta:
    """How long Temporal must keep closed histories, from the environment.

    Raises:
        SettingsError: the variable is wrong.
    """
    try:
        return timedelta(days=RetentionSetting().retention_days)
    except ValidationError as error:
        raise SettingsError(_sentence(error.errors(include_url=False)[0])) from None


def load_settings() -> WorkerSettings:
    """Settings from the environment.

    Raises:
        SettingsError: naming each variable that is missing, wrong or misspelt.
    """
    told = _misspelt(os.environ)
    try:
        settings = WorkerSettings()
    except ValidationError as error:
        raise SettingsError("\n".join([*(_sentence(one) for one in error.errors(include_url=False)), *told])) from None
    if told:
        raise SettingsError("\n".join(told))
    return settings


def _sentence(problem: Any) -> str:
    field = str(problem["loc"][0])
    if problem["type"] == "missing":
        return f"{variable(field)} is not set: {WorkerSettings.model_fields[field].description}"
    why = problem["msg"].removeprefix("Value error, ")
    why = why[:1].lower() + why[1:]
    if field == "database_dsn":
        return f"{variable(field)} cannot be used: {why}"
    return f"{variable(field)} is {os.environ.get(variable(field), problem['input'])!r}: {why}"


def _misspelt(names: Iterable[str]) -> list[str]:
    """Variables that nearly are a setting: ignoring them would leave a setting at its default in silence."""
    fields = [field.upper() for field in WorkerSettings.model_fields]
    found = []
    for name in sorted(names):
        field = name.upper().removeprefix(PREFIX)
        if name.upper().startswith(PREFIX) and field not in fields:
            like = difflib.get_close_matches(field, fields, 1, _LIKE)
            found += [f"{name} is not a setting; {PREFIX}{one} is" for one in like]
    return found
