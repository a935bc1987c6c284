"""PostgreSQL and Temporal together in one directory: up, down and status, over the life of many commands."""

from __future__ import annotations

import fcntl
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError
from temporalio.common import SearchAttributeKey

from deploy.embedded import postgres, temporal
from deploy.embedded.errors import AlreadyRunningError, DirectoryError, EmbeddedError, PortTakenError
from deploy.embedded.postgres import EmbeddedPostgres
from deploy.embedded.processes import ProcessIdentity, end, free_port, is_alive
from deploy.embedded.temporal import EmbeddedTemporal

# Where people look first; another port is taken if somebody else listens there.
POSTGRES_PORT = 5433
TEMPORAL_PORT = 7233
UI_PORT = 8233

PORT_TRIES = 3


class Ports(NamedTuple):
    """Where servers are to listen; None: on the usual port, or on any other if somebody has that."""

    postgres: int | None = None
    temporal: int | None = None
    ui: int | None = None


POSTGRESQL, TEMPORAL = "PostgreSQL", "Temporal"

_STOP_STEPS = {TEMPORAL: temporal.STOP_STEPS, POSTGRESQL: postgres.STOP_STEPS}


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Server(_Model):
    """One server of a stack that was started."""

    name: str
    process: ProcessIdentity
    log_file: Path

    @property
    def alive(self) -> bool:
        """Whether that very process still runs."""
        return is_alive(self.process)


class StackState(_Model):
    """What `up` started, as kept in the directory; the dsn contains the password."""

    format: int = 1
    started_at: AwareDatetime
    dsn: str
    temporal_address: str
    namespace: str
    ui_url: str | None
    servers: tuple[Server, ...]


class Condition(StrEnum):
    """How a stack is doing."""

    UP = "up"
    DOWN = "down"
    BROKEN = "broken"
    """Some of its servers ended by themselves: `down`, or `up` again, clears that."""


class StackStatus(_Model):
    """How a stack is doing.

    Attributes:
        state: what `up` wrote down; None if the servers are down, or if it cannot be read.
        running: the servers of the directory that run now.
    """

    condition: Condition
    directory: Path
    state: StackState | None
    running: tuple[Server, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """The names of servers that were started and run no more."""
        return tuple(server.name for server in self.state.servers if not server.alive) if self.state else ()


class EmbeddedStack:
    """PostgreSQL and Temporal with their data in `directory`; they outlive the process that starts them."""

    def __init__(
        self,
        directory: Path,
        *,
        namespace: str = "default",
        search_attributes: Sequence[SearchAttributeKey[Any]] = (),
        dynamic_config: Mapping[str, Any] | None = None,
        fast: bool = False,
        ports: Ports = Ports(),  # noqa: B008 - a tuple never changes
    ) -> None:
        """`search_attributes` are registered in Temporal; `fast` is PostgreSQL's; `ports` are for the next `up`."""
        self.directory = directory.absolute()
        self._namespace = namespace
        self._search_attributes = search_attributes
        self._dynamic_config = dynamic_config
        self._fast = fast
        self._ports = ports

    async def up(self) -> StackState:
        """Start both servers on the data in the directory; returns when they answer.

        What is left of servers that ended by themselves is cleared first.

        Raises:
            AlreadyRunningError: the stack is up, or another command is working on it.
            EmbeddedError: a server cannot start; then neither runs.
        """
        async with self._alone():
            earlier = self.status()
            if earlier.condition is Condition.UP:
                raise AlreadyRunningError(f"The servers in {self.directory} are up already.")
            await _end(earlier.running)
            state = await self._start_both()
            self._write(state)
            return state

    async def down(self) -> tuple[str, ...]:
        """End the servers that `up` started, and no other process; the names of those that were ended.

        The data stays for the next `up`.

        Raises:
            AlreadyRunningError: another command is working on the stack.
            EmbeddedError: a server does not end.
        """
        if not self.directory.exists():
            return ()
        async with self._alone():
            ended = await _end(self.status().running)
            self._state_file.unlink(missing_ok=True)
            return ended

    def status(self) -> StackStatus:
        """How the stack is doing.

        Servers are looked for by their process; whether they answer is for their clients to find out.
        """
        state = self._read()
        running = self._running(state)
        if not running:
            state, condition = None, Condition.DOWN
        elif state is not None and all(server.alive for server in state.servers):
            condition = Condition.UP
        else:
            condition = Condition.BROKEN
        return StackStatus(condition=condition, directory=self.directory, state=state, running=running)

    @property
    def _state_file(self) -> Path:
        return self.directory / "state.json"

    def _servers(
        self, *, postgres_port: int | None = None, temporal_port: int | None = None, ui_port: int | None = None
    ) -> tuple[EmbeddedPostgres, EmbeddedTemporal]:
        database = EmbeddedPostgres(self.directory / "postgres", port=postgres_port, fast=self._fast)
        server = EmbeddedTemporal(
            self.directory / "temporal",
            port=temporal_port,
            ui_port=ui_port,
            namespace=self._namespace,
            search_attributes=self._search_attributes,
            dynamic_config=self._dynamic_config,
        )
        return database, server

    async def _start_both(self) -> StackState:
        for _ in range(PORT_TRIES - 1):
            try:
                return await self._start_on_free_ports()
            except PortTakenError:
                # Somebody was faster on a port that was free a moment ago: another stack's start, for example.
                continue
        return await self._start_on_free_ports()

    async def _start_on_free_ports(self) -> StackState:
        database, server = self._servers(
            postgres_port=self._ports.postgres or free_port(POSTGRES_PORT),
            temporal_port=self._ports.temporal or free_port(TEMPORAL_PORT),
            ui_port=self._ports.ui or free_port(UI_PORT),
        )
        await database.start()
        try:
            await server.start()
            return _state_of(database, server)
        except BaseException:
            await server.stop()
            await database.stop()
            raise

    def _running(self, state: StackState | None) -> tuple[Server, ...]:
        """The servers written down, and those that the data itself knows of if the state was lost."""
        database, server = self._servers()
        found = {known.name: known for known in (state.servers if state else ()) if known.alive}
        for name, process, log in (
            (POSTGRESQL, database.running(), database.log_file),
            (TEMPORAL, server.running(), server.log_file),
        ):
            if process is not None and name not in found:
                found[name] = Server(name=name, process=process, log_file=log)
        return tuple(found.values())

    def _read(self) -> StackState | None:
        try:
            return StackState.model_validate_json(self._state_file.read_bytes())
        except FileNotFoundError:
            return None
        except ValidationError:
            # Cut off or from another release. The servers' own locks still refuse a second one on the same data.
            return None
        except OSError as error:
            raise DirectoryError(f"Cannot read {self._state_file}: {error.strerror}.") from error

    def _write(self, state: StackState) -> None:
        fresh = self._state_file.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(state.model_dump_json(indent=2))
        fresh.replace(self._state_file)

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """Keep other commands away from this directory."""
        try:
            if not self.directory.exists():
                self.directory.mkdir(parents=True)
                # Passing through must be possible for the account that PostgreSQL runs as; looking around is not.
                self.directory.chmod(0o711)
            descriptor = os.open(self.directory / "stack.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise DirectoryError(f"Cannot use {self.directory}: {error.strerror}.") from error
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise AlreadyRunningError(
                    f"Another command is starting or stopping the servers in {self.directory}."
                ) from None
            yield
        finally:
            os.close(descriptor)


async def _end(servers: Sequence[Server]) -> tuple[str, ...]:
    """End these servers and nothing else; their names."""
    # Temporal first: its clients are the ones that write to PostgreSQL.
    ordered = sorted(servers, key=lambda server: list(_STOP_STEPS).index(server.name))
    for server in ordered:
        if not await end(server.process, *_STOP_STEPS[server.name]):
            raise EmbeddedError(f"{server.name} (pid {server.process.pid}) does not end; see {server.log_file}")
    return tuple(server.name for server in ordered)


def _state_of(database: EmbeddedPostgres, server: EmbeddedTemporal) -> StackState:
    if database.process is None or server.process is None:
        raise EmbeddedError("A server ended right after its start.")
    return StackState(
        started_at=datetime.now(UTC),
        dsn=database.dsn,
        temporal_address=server.address,
        namespace=server.namespace,
        ui_url=server.ui_url,
        servers=(
            Server(name=POSTGRESQL, process=database.process, log_file=database.log_file),
            Server(name=TEMPORAL, process=server.process, log_file=server.log_file),
        ),
    )
