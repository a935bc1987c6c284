"""Where things run: the environment's servers, or the embedded ones of a directory."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.output import CliError, Exit

DEFAULT_HOME = ".rollouts"

Home = Annotated[
    Path,
    typer.Option("--dir", envvar="ROLLOUTS_HOME", help="Directory of the embedded servers and their data."),
]


class Place:
    """The servers a command talks to: what the environment names wins over the embedded ones."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def state(self) -> Any:
        """The embedded stack's state, None when it is not up or not installed."""
        if not (self.home / "state.json").exists():
            return None
        try:
            from deploy.embedded.stack import EmbeddedStack
        except ModuleNotFoundError:
            return None
        return EmbeddedStack(self.home).status().state

    @property
    def dsn(self) -> str:
        """PostgreSQL.

        Raises:
            CliError: neither the environment nor the directory names one.
        """
        named = os.environ.get("ROLLOUTS_DATABASE_DSN")
        state = None if named else self.state()
        if not named and state is None:
            raise CliError(
                f"No servers: ROLLOUTS_DATABASE_DSN is not set and none run in {self.home}; start some with "
                "`rollouts up`.",
                Exit.UNAVAILABLE,
            )
        return named or str(state.dsn)

    def environment(self) -> dict[str, str]:
        """The environment for a worker, or for our own client, of these servers."""
        found = dict(os.environ)
        found["ROLLOUTS_DATABASE_DSN"] = self.dsn
        state = self.state()
        if "TEMPORAL_ADDRESS" not in found and state is not None:
            found["TEMPORAL_ADDRESS"] = state.temporal_address
            found["TEMPORAL_NAMESPACE"] = state.namespace
        return found

    def use(self) -> None:
        """Let this process's client find Temporal where the worker does."""
        state = self.state()
        if "TEMPORAL_ADDRESS" not in os.environ and state is not None:
            os.environ["TEMPORAL_ADDRESS"] = state.temporal_address
            os.environ["TEMPORAL_NAMESPACE"] = state.namespace

    @property
    def ui(self) -> str | None:
        state = self.state()
        return state.ui_url if state else None

    @property
    def worker_file(self) -> Path:
        return self.home / "worker.json"

    @property
    def worker_log(self) -> Path:
        return self.home / "worker.log"

    def worker(self) -> Any:
        """The embedded worker's process, None when it does not run."""
        from deploy.embedded.processes import ProcessIdentity, is_alive

        try:
            identity = ProcessIdentity.model_validate(json.loads(self.worker_file.read_text()))
        except (OSError, ValueError):
            return None
        return identity if is_alive(identity) else None

    def start_worker(self) -> None:
        """Start the embedded worker in the background."""
        from deploy.embedded.processes import spawn

        env = {**self.environment(), "ROLLOUTS_NOTICE_MAILDIR": str(self.home / "notices")}
        identity = spawn([sys.executable, "-m", "worker"], self.worker_log, env=env)
        self.worker_file.write_text(identity.model_dump_json())

    async def stop_worker(self) -> bool:
        """End the embedded worker; whether one ran."""
        import signal

        from deploy.embedded.processes import end

        identity = self.worker()
        if identity is None:
            return False
        ended = await end(identity, (signal.SIGTERM, 40.0), (signal.SIGKILL, 5.0))
        self.worker_file.unlink(missing_ok=True)
        return ended
