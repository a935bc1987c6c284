"""The service's settings, from the environment, and where it may listen."""

from __future__ import annotations

import ipaddress
import os
import socket
from datetime import timedelta

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from console import LOOPBACK
from worker.settings import PREFIX, Length, SettingsError, variable


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


def load_console_settings() -> ConsoleSettings:
    """Settings from the environment.

    Raises:
        SettingsError: naming each variable that is wrong.
    """
    try:
        return ConsoleSettings()
    except ValidationError as error:
        raise SettingsError("\n".join(_sentence(str(one["loc"][0]), one["msg"]) for one in error.errors())) from None


def _sentence(field: str, message: str) -> str:
    why = message.removeprefix("Value error, ")
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
    opened = socket.socket(family, socket.SOCK_STREAM)
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
