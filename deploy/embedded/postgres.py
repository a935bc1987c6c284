"""A real PostgreSQL as a child process: its data in one directory, loopback only, nothing to install."""

from __future__ import annotations

import asyncio
import os
import secrets
import shlex
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import asyncpg

from deploy.embedded.account import Account, reachable_copy, server_account
from deploy.embedded.binaries import POSTGRES_MAJOR, postgres_home
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
    family,
    free_port,
    gone,
    identify,
    require_free,
    works_in,
)

ROLE = "rollouts"
DATABASE = "rollouts"

# Fast shutdown: cancel what runs, write a checkpoint. Then without the checkpoint. Then by force.
STOP_STEPS = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))

# Data that a power cut would harm, but not the end of the server alone: enough for tests that kill it.
_FAST = {"fsync": "off", "full_page_writes": "off"}


class EmbeddedPostgres:
    """One PostgreSQL server, its data in `data_dir`, listening on 127.0.0.1 only, with a random password.

    The server does not end with this process: whoever starts it stops it, or finds it again by `process`.
    Started as root, it runs as the account `nobody`, which must be able to reach `data_dir`.

    Attributes:
        data_dir: holds the cluster, the server's log and the password (readable by its owner alone).
        port: where it listens; chosen at the first start if not given, and kept over restarts of this object.
        process: who the server is while it runs.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int | None = None,
        fast: bool = False,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """`fast`, for tests, trades safety against power cuts for speed; `settings` go to the server as they are."""
        self.data_dir = data_dir.absolute()
        self.port = port
        self.process: ProcessIdentity | None = None
        self._fast = fast
        self._said_before = 0
        self._settings = {**(_FAST if fast else {}), **(settings or {})}

    @property
    def dsn(self) -> str:
        """How to connect to the product's database; it contains the password."""
        return self.dsn_for(DATABASE)

    def dsn_for(self, database: str) -> str:
        """How to connect to one database of this server, as its superuser; it contains the password.

        Raises:
            EmbeddedError: the server was never started.
        """
        if self.port is None or not self._password_file.exists():
            raise EmbeddedError("PostgreSQL has not been started yet, so there is nothing to connect to.")
        return f"postgresql://{ROLE}:{self._password_file.read_text().strip()}@{LOOPBACK}:{self.port}/{database}"

    @property
    def log_file(self) -> Path:
        """What the server says."""
        return self.data_dir / "postgres.log"

    async def start(self) -> Self:
        """Start the server, making its cluster and its database first if they don't exist; returns when it answers.

        Raises:
            EmbeddedError: it cannot; the subclass and the message say why.
        """
        account = server_account()
        binaries = reachable_copy(postgres_home(), account) / "bin"
        self._prepare_directory(account)
        self._said_before = self.log_file.stat().st_size
        if not (self._cluster / "PG_VERSION").exists():
            await self._init_cluster(binaries, account)
        self._check_cluster(account)
        self.port = self.port or free_port()
        require_free(self.port, "PostgreSQL")
        try:
            await self._run_pg_ctl(binaries, account)
            self.process = self.running()
            if self.process is None:
                raise self._start_failed("it ended right after its start")
            await self._ensure_database()
        except BaseException:
            # Also when we were cancelled: pg_ctl may have got as far as starting it.
            self.process = self.running()
            await self.stop()
            raise
        return self

    async def stop(self) -> None:
        """Shut down cleanly; nothing happens if it does not run."""
        if self.process is not None and not await end(self.process, *STOP_STEPS):
            raise EmbeddedError(f"PostgreSQL (pid {self.process.pid}) does not end; see {self.log_file}")
        self.process = None

    async def crash(self) -> None:
        """End it by force, as a power cut would; the next start recovers from its write-ahead log."""
        if self.process is None:
            return
        # Its children live in sessions of their own; the next start waits for the last of them to end.
        everybody = family(self.process)
        for identity in everybody:
            await end(identity, (signal.SIGKILL, 0.0))
        for identity in everybody:
            await gone(identity, 10.0)
        self.process = None

    async def restart(self) -> Self:
        """Stop if it runs, then start on the same port."""
        await self.stop()
        return await self.start()

    def running(self) -> ProcessIdentity | None:
        """The server that works on `data_dir` now, whoever started it; None if there is none."""
        try:
            pid = int(self._lock_file.read_text().splitlines()[0])
        except (OSError, ValueError, IndexError):
            return None
        # The file outlives a crash, and its pid may be anybody's by now.
        found = identify(pid)
        return found if found is not None and works_in(found, self._cluster) else None

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def _cluster(self) -> Path:
        return self.data_dir / "cluster"

    @property
    def _lock_file(self) -> Path:
        return self._cluster / "postmaster.pid"

    @property
    def _password_file(self) -> Path:
        return self.data_dir / "password"

    def _prepare_directory(self, account: Account) -> None:
        self._require_reachable(account)
        try:
            if not self.data_dir.exists():
                self.data_dir.mkdir(parents=True)
                self.data_dir.chmod(0o711 if account.other else 0o700)
            if not self.log_file.exists():
                self.log_file.touch(0o600)
                account.own(self.log_file)
        except OSError as error:
            raise DirectoryError(f"Cannot use {self.data_dir} for PostgreSQL: {error.strerror}.") from error
        self._require_reachable(account)

    def _require_reachable(self, account: Account) -> None:
        blocked = account.blocked_at(self._cluster)
        if blocked is not None:
            raise DirectoryError(
                f"PostgreSQL refuses to run as root, and the account it runs as instead ({account.name}) cannot "
                f"pass through {blocked}. Use a directory elsewhere (for instance below /var/lib or /tmp), "
                f"run this as an ordinary user, or allow passing through: chmod o+x {blocked}"
            )

    async def _init_cluster(self, binaries: Path, account: Account) -> None:
        """Make the cluster beside its place and move it there, so that an interrupted start leaves no half of one."""
        fresh, handed_over = self.data_dir / "cluster.new", self.data_dir / "password.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(0o700)
        password = secrets.token_urlsafe(24)
        for file in (handed_over, self._password_file):
            file.unlink(missing_ok=True)
            file.touch(0o600)
            file.write_text(password)
        for path in (fresh, handed_over):
            account.own(path)
        # A locale of PostgreSQL's own: the same order of names on every machine.
        command = (
            *(str(binaries / "initdb"), "--pgdata", str(fresh), "--username", ROLE),
            *("--auth", "scram-sha-256", "--pwfile", str(handed_over), "--encoding", "UTF8", "--locale", "C"),
            *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
            *("--set", "timezone=UTC", "--set", "log_timezone=UTC", "--no-instructions"),
            *(("--no-sync",) if self._fast else ()),
        )
        try:
            code = await self._run(command, account, fresh)
        finally:
            handed_over.unlink(missing_ok=True)
        if code != 0:
            raise self._start_failed("initdb failed")
        fresh.rename(self._cluster)

    def _check_cluster(self, account: Account) -> None:
        try:
            owner = self._cluster.stat().st_uid
            version = (self._cluster / "PG_VERSION").read_text().strip()
        except PermissionError:
            raise DirectoryError(f"{self._cluster} belongs to another user. Start as that user.") from None
        if owner != account.uid:
            raise DirectoryError(
                f"{self._cluster} belongs to uid {owner}, but PostgreSQL would run as {account.name}. "
                "Start as the user who made it, or name another directory."
            )
        if version != str(POSTGRES_MAJOR):
            raise DirectoryError(
                f"{self._cluster} was made by PostgreSQL {version}, this is {POSTGRES_MAJOR}. "
                "Move the data with pg_dump and pg_restore, or name another directory."
            )
        running = self.running()
        if running is not None:
            raise AlreadyRunningError(f"PostgreSQL already works on {self.data_dir} (pid {running.pid}).")
        # Left behind by a crash. PostgreSQL takes its pid for alive when it has been given to another process,
        # or when nobody has collected the dead one; that backends survived, it finds out by other means.
        self._lock_file.unlink(missing_ok=True)

    def _start_failed(self, why: str) -> StartFailedError | PortTakenError:
        return start_failed("PostgreSQL", why, self.log_file, since=self._said_before)

    async def _run_pg_ctl(self, binaries: Path, account: Account) -> None:
        options = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",
            # What is read lies in memory: to hand a copy over to another process takes longer than to make it.
            "io_method": "sync",
            **self._settings,
        }
        flags = " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in options.items())
        command = (
            *(str(binaries / "pg_ctl"), "start", "--pgdata", str(self._cluster), "--log", str(self.log_file)),
            *("--wait", "--timeout", "60", "--silent", "--options", flags),
        )
        if await self._run(command, account, self._cluster) != 0:
            raise self._start_failed("pg_ctl failed")

    async def _run(self, command: tuple[str, ...], account: Account, folder: Path) -> int:
        """Run one of PostgreSQL's programs as its account; what it says goes to the server's log."""
        with self.log_file.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
                **account.process_arguments(),
            )
            try:
                return await process.wait()
            except asyncio.CancelledError:
                # It is brief, and what it leaves behind must be known before we go.
                await process.wait()
                raise

    async def _ensure_database(self) -> None:
        connection = await asyncpg.connect(self.dsn_for("postgres"))
        try:
            if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", DATABASE):
                await connection.execute(f'CREATE DATABASE "{DATABASE}"')
        finally:
            await connection.close()
