"""A real Temporal development server as a child process: loopback only, nothing to install."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from google.protobuf.duration_pb2 import Duration
from pydantic import ValidationError
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.workflowservice.v1 import UpdateNamespaceRequest
from temporalio.client import Client
from temporalio.common import SearchAttributeKey
from temporalio.service import RPCError

from deploy.embedded.binaries import temporal_path
from deploy.embedded.errors import (
    AlreadyRunningError,
    DirectoryError,
    EmbeddedError,
    PortTakenError,
    StartFailedError,
    start_failed,
)
from deploy.embedded.processes import (
    LOOPBACK,
    ProcessIdentity,
    end,
    free_port,
    is_alive,
    listens,
    require_free,
    spawn,
)

START_SECONDS = 30.0
STOP_STEPS = ((signal.SIGTERM, 15.0), (signal.SIGKILL, 5.0))

# The development server deletes closed workflows after a day; a rollout's history is worth more than that.
RETENTION = timedelta(days=90)

# By default timers may fire up to a second late, which a rollout at high programme speed would feel.
_DYNAMIC_CONFIG: Mapping[str, Any] = {"history.timerProcessorMaxTimeShift": "10ms"}


class EmbeddedTemporal:
    """One Temporal server with its Web UI, listening on 127.0.0.1 only.

    The server does not end with this process: whoever starts it stops it, or finds it again by `process`.
    It has no authentication: everybody on this machine may use it.

    Attributes:
        data_dir: holds its database and log; None keeps everything in memory until the server stops.
        port: of its gRPC front end; chosen at the first start if not given, and kept over restarts.
        ui_port: of its Web UI, likewise; None without one.
        process: who the server is while it runs.
    """

    def __init__(
        self,
        data_dir: Path | None = None,
        *,
        port: int | None = None,
        ui_port: int | None = None,
        ui: bool = True,
        namespace: str = "default",
        search_attributes: Sequence[SearchAttributeKey[Any]] = (),
        dynamic_config: Mapping[str, Any] | None = None,
    ) -> None:
        """`dynamic_config` maps the server's settings to JSON values and wins over our own."""
        self.data_dir = data_dir.absolute() if data_dir is not None else None
        self.port = port
        self.ui_port = ui_port
        self.namespace = namespace
        self.process: ProcessIdentity | None = None
        self._ui = ui
        self._search_attributes = tuple(search_attributes)
        self._dynamic_config = {**_DYNAMIC_CONFIG, **(dynamic_config or {})}
        self._scratch: Path | None = None
        self._said_before = 0

    @property
    def address(self) -> str:
        """Where clients connect, as host:port.

        Raises:
            EmbeddedError: the server was never started.
        """
        if self.port is None:
            raise EmbeddedError("Temporal has not been started yet, so there is nothing to connect to.")
        return f"{LOOPBACK}:{self.port}"

    @property
    def ui_url(self) -> str | None:
        """The page of the Web UI; None without one."""
        return f"http://{LOOPBACK}:{self.ui_port}" if self.ui_port is not None else None

    @property
    def log_file(self) -> Path:
        """What the server says."""
        return self._folder / "temporal.log"

    async def start(self) -> Self:
        """Start the server; returns when it answers for its namespace.

        Raises:
            EmbeddedError: it cannot; the subclass and the message say why.
        """
        binary = temporal_path()
        self._prepare_directory()
        self._choose_ports()
        with self._held_directory() as lock:
            # The lock's descriptor stays open in the server: the directory is taken for as long as it lives.
            self._said_before = self.log_file.stat().st_size
            self.process = spawn(self._command(binary), self.log_file, keep_open=(lock,))
            os.ftruncate(lock, 0)
            os.write(lock, self.process.model_dump_json().encode())
        try:
            await self._wait_until_serving()
        except BaseException:
            await self.stop()
            raise
        return self

    async def stop(self) -> None:
        """Shut down cleanly; nothing happens if it does not run."""
        if self.process is not None and not await end(self.process, *STOP_STEPS):
            raise EmbeddedError(f"Temporal (pid {self.process.pid}) does not end; see {self.log_file}")
        self.process = None
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = None

    async def crash(self) -> None:
        """End it by force, as a power cut would."""
        if self.process is not None:
            await end(self.process, (signal.SIGKILL, 10.0))
        self.process = None

    async def restart(self) -> Self:
        """Stop if it runs, then start on the same ports."""
        await self.stop()
        return await self.start()

    def running(self) -> ProcessIdentity | None:
        """The server that works on `data_dir` now, whoever started it; None if there is none."""
        if self.data_dir is None:
            return self.process
        try:
            found = ProcessIdentity.model_validate_json(self._lock_file.read_bytes())
        except (OSError, ValidationError):
            return None
        return found if is_alive(found) else None

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def _folder(self) -> Path:
        if self.data_dir is not None:
            return self.data_dir
        if self._scratch is None:
            self._scratch = Path(tempfile.mkdtemp(prefix="partner-rollouts-temporal-"))
        return self._scratch

    @property
    def _lock_file(self) -> Path:
        return self._folder / "temporal.lock"

    def _prepare_directory(self) -> None:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.log_file.touch(0o600)
        except OSError as error:
            raise DirectoryError(f"Cannot use {self._folder} for Temporal: {error.strerror}.") from error

    def _choose_ports(self) -> None:
        self.port = self.port or free_port()
        require_free(self.port, "Temporal")
        if self._ui:
            self.ui_port = self.ui_port or free_port()
            require_free(self.ui_port, "the Temporal Web UI")

    @contextmanager
    def _held_directory(self) -> Iterator[int]:
        """The descriptor of a locked file: two servers on one database would destroy it."""
        descriptor = os.open(self._lock_file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise AlreadyRunningError(f"A Temporal server already works on {self._folder}.") from None
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _command(self, binary: Path) -> tuple[str, ...]:
        arguments = [
            *(str(binary), "server", "start-dev", "--log-level", "warn", "--log-format", "text"),
            *("--ip", LOOPBACK, "--port", str(self.port), "--namespace", self.namespace),
            *(("--ui-port", str(self.ui_port), "--ui-disable-news-fetch") if self._ui else ("--headless",)),
        ]
        if self.data_dir is not None:
            arguments += ["--db-filename", str(self.data_dir / "temporal.db")]
            # Its default pragmas make a database in a file several times slower than one in memory.
            arguments += ["--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=normal"]
        for key in self._search_attributes:
            arguments += ["--search-attribute", f"{key.name}={_type_name(key)}"]
        for name, value in self._dynamic_config.items():
            arguments += ["--dynamic-config-value", f"{name}={json.dumps(value)}"]
        return tuple(arguments)

    async def _wait_until_serving(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        reason = "it did not answer"
        while time.monotonic() < deadline:
            if self.process is None or not is_alive(self.process):
                raise self._start_failed("it ended")
            try:
                client = await Client.connect(self.address, namespace=self.namespace)
                # Itself: where another one was faster, that one answers until ours has noticed and ends.
                if await client.service_client.check_health() and listens(self.process, self.port or 0):
                    await self._set_retention(client)
                    return
            except (RuntimeError, RPCError) as error:
                reason = str(error)
            await asyncio.sleep(0.05)
        raise self._start_failed(f"it does not serve after {START_SECONDS:.0f} s ({reason})")

    def _start_failed(self, why: str) -> StartFailedError | PortTakenError:
        return start_failed("Temporal", why, self.log_file, since=self._said_before)

    async def _set_retention(self, client: Client) -> None:
        ttl = Duration()
        ttl.FromTimedelta(RETENTION)
        await client.workflow_service.update_namespace(
            UpdateNamespaceRequest(
                namespace=self.namespace, config=NamespaceConfig(workflow_execution_retention_ttl=ttl)
            )
        )


def _type_name(key: SearchAttributeKey[Any]) -> str:
    """The server's name of a search attribute's type: Keyword, KeywordList, Datetime, ..."""
    return key.indexed_value_type.name.title().replace("_", "")
