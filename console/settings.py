"""The service's settings, from the environment, and where it may listen."""

from __future__ import annotations

import ipaddress
import os
import socket
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from console import LOOPBACK
from models.names import DEPLOYMENT
from worker.settings import PREFIX, RETENTION_DAYS, Length, RetentionDays, SettingsError, variable


def is_loopback_name(host: str | None) -> bool:
    """Whether a host of a URL is this machine, by what it is called."""
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def _check_url(value: str) -> str:
    """An address of its own: what comes back to it, and cookies for it, must not be read on the way."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ValueError("write an address such as https://rollouts.example.com")
    if parts.scheme == "http" and not is_loopback_name(parts.hostname):
        raise ValueError("it must begin with https://; plain http is for loopback alone")
    if parts.query or parts.fragment:
        raise ValueError("it must not have a part after ? or #")
    return value


def _check_origin(value: str) -> str:
    if urlsplit(value).path not in ("", "/"):
        raise ValueError("it must have no path: the service is all there is at its address")
    return _check_url(value).rstrip("/")


class ConsoleSettings(BaseSettings):
    """Read from variables named `ROLLOUTS_` and the field, as the worker's are; an empty one is unset."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="ignore")

    console_connections: int = Field(
        default=4, ge=1, le=100, description="connections to PostgreSQL at most; as many batches are taken side by side"
    )
    console_body_bytes: int = Field(
        default=2 * 2**20, ge=1024, le=2**30, description="bytes of a request's body at most"
    )
    console_batch_events: int = Field(default=1000, ge=1, le=10_000, description="events of a batch at most")
    console_statement_timeout: Length = Field(
        default=timedelta(seconds=10),
        ge=timedelta(seconds=1),
        description="longest time for one statement, also when waiting for a lock",
    )
    graceful_shutdown: Length = Field(
        default=timedelta(seconds=30), description="time open requests get to finish after SIGTERM"
    )
    public_url: Annotated[str, AfterValidator(_check_origin)] | None = Field(
        default=None,
        examples=["https://rollouts.example.com"],
        description="where browsers reach the service; plain http on loopback alone",
    )
    oidc_issuer: Annotated[str, AfterValidator(_check_url)] | None = Field(
        default=None,
        examples=["https://login.example.com/realms/main"],
        description="who says who somebody is (OpenID Connect), exactly as it names itself; unset: nobody signs in",
    )
    oidc_client_id: str | None = Field(default=None, description="what the issuer knows the service by")
    oidc_client_secret: SecretStr | None = Field(
        default=None,
        description="what the service proves itself to the issuer with; unset: by PKCE alone",
    )
    signing_key: Path | None = Field(
        default=None,
        examples=["/etc/partner-rollouts/signing-key.json"],
        description="private key that decisions are signed with: a JWK of mode 0600, as `rollouts keys sign` makes it",
    )
    deployment: str = Field(
        default=DEPLOYMENT,
        min_length=1,
        max_length=200,
        description="whom signed decisions are made for (`aud`); the same for the service and the workers",
    )
    people: Path | None = Field(
        default=None,
        examples=["/etc/partner-rollouts/people.yaml"],
        description="YAML of people who may start rollouts, or pause and stop what they do not own",
    )
    retention_days: RetentionDays = RETENTION_DAYS
    session_idle: Length = Field(
        default=timedelta(minutes=30), ge=timedelta(minutes=1), description="a session ends when it is not used so long"
    )
    session_longest: Length = Field(
        default=timedelta(hours=8), ge=timedelta(minutes=1), description="a session ends so long after signing in"
    )
    decision_max_age: Length = Field(
        default=timedelta(seconds=300),
        ge=timedelta(seconds=10),
        description="who decides must have signed in no longer ago",
    )
    sign_ins_per_minute: int = Field(
        default=30, ge=1, le=10_000, description="signings in that one address may begin in a minute"
    )
    decisions_per_minute: int = Field(
        default=30, ge=1, le=10_000, description="decisions that one person may send in a minute"
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        """Signing in needs all of it: half of it would leave the pages away in silence."""
        if self.oidc_issuer is None:
            return self
        missing = [name for name in ("public_url", "oidc_client_id", "signing_key") if getattr(self, name) is None]
        if missing:
            raise ValueError(f"{variable('oidc_issuer')} is set, and {' and '.join(map(variable, missing))} not")
        return self


def load_console_settings() -> ConsoleSettings:
    """Settings from the environment.

    Raises:
        SettingsError: naming each variable that is wrong.
    """
    try:
        return ConsoleSettings()
    except ValidationError as error:
        raise SettingsError("\n".join(_sentence(one["loc"], one["msg"]) for one in error.errors())) from None


def _sentence(place: tuple[int | str, ...], message: str) -> str:
    why = message.removeprefix("Value error, ")
    if not place:
        return why
    field = str(place[0])
    if field == "oidc_client_secret":
        return f"{variable(field)} cannot be used"
    return f"{variable(field)} is {os.environ.get(variable(field))!r}: {why[:1].lower()}{why[1:]}"


def listen(bind: str) -> socket.socket:
    """A socket that listens at host:port, port 0 for any that is free.

    Raises:
        SettingsError: it is no such address, or it cannot be used.
    """
    host, _, port = bind.rpartition(":")
    try:
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
        number = int(port) if port.isascii() and port.isdigit() else -1
    except ValueError:
        raise SettingsError(_no_place(bind)) from None
    if not 0 <= number <= 65535:
        raise SettingsError(_no_place(bind))
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    # Named as TCP, because asyncio sends at once only where a socket says that it is: otherwise every answer on a
    # connection that is used again waits 40 ms for the client's acknowledgement of its head.
    opened = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((str(address), number))
        opened.listen(128)
    except OSError as problem:
        opened.close()
        raise SettingsError(f"{bind} cannot be used: {problem.strerror or problem}") from problem
    return opened


def place_of(opened: socket.socket) -> str:
    """Where a socket listens, as it is written in a URL."""
    host, port = opened.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_loopback(opened: socket.socket) -> bool:
    """Whether nobody on another machine can reach it."""
    return ipaddress.ip_address(opened.getsockname()[0]).is_loopback


def _no_place(bind: str) -> str:
    return f"{bind!r} is no place to listen: write an IP address and a port, for example {LOOPBACK}"
