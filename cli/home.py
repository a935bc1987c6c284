"""Where things run: the environment's servers, or the embedded ones of a directory."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from cli.output import CliError, Exit
from models.plan import Decisions

if TYPE_CHECKING:
    from deploy.embedded.processes import ProcessIdentity
    from deploy.embedded.stack import StackState

DEFAULT_HOME = ".rollouts"
DSN = "ROLLOUTS_DATABASE_DSN"
ADDRESS = "TEMPORAL_ADDRESS"
PUBLIC_URL = "ROLLOUTS_PUBLIC_URL"

Home = Annotated[
    Path,
    typer.Option("--dir", envvar="ROLLOUTS_HOME", help="Directory of the embedded servers and their data."),
]

_WORKER_STOP = ((signal.SIGTERM, 40.0), (signal.SIGKILL, 5.0))

_OF_A_REAL_ISSUER = frozenset({"ROLLOUTS_OIDC_ISSUER", PUBLIC_URL, "ROLLOUTS_SIGNING_KEY", "ROLLOUTS_PEOPLE"})
"""What the embedded service must not take from whoever starts it: it is its own issuer, with its own key."""


class Place:
    """The servers a command talks to: what the environment names wins over the embedded ones.

    With `own`, only the embedded servers count: whoever starts them must not touch others by accident.
    """

    def __init__(self, home: Path, *, own: bool = False) -> None:
        self.home = home
        self.own = own

    def state(self) -> StackState | None:
        """The embedded servers as `up` started them; None when they are not up or not installed."""
        if not (self.home / "state.json").exists():
            return None
        try:
            from deploy.embedded.stack import EmbeddedStack
        except ModuleNotFoundError:
            return None
        return EmbeddedStack(self.home).status().state

    def _named(self, variable: str) -> str | None:
        return None if self.own else os.environ.get(variable) or None

    def named(self) -> bool:
        """Whether the environment names both servers, so that embedded ones play no part."""
        return bool(self._named(DSN) and self._named(ADDRESS))

    @property
    def public_url(self) -> str | None:
        """Where the environment says that the service is."""
        return self._named(PUBLIC_URL)

    @property
    def dsn(self) -> str:
        """PostgreSQL.

        Raises:
            CliError: neither the environment nor the directory names one.
        """
        named, state = self._named(DSN), self.state()
        if named is None and state is None:
            raise CliError(
                f"No servers: {DSN} is not set and none run in {self.home}; start some with `rollouts up`.",
                Exit.UNAVAILABLE,
            )
        return named or (state.dsn if state else "")

    @property
    def temporal(self) -> tuple[str, str] | None:
        """Address and namespace of the embedded Temporal; None where the environment decides."""
        state = None if self._named(ADDRESS) else self.state()
        return (state.temporal_address, state.namespace) if state else None

    def describe(self) -> str:
        """Which servers are meant, and who says so."""
        state = self.state()
        database = f"PostgreSQL of {DSN}" if self._named(DSN) else None
        temporal = f"Temporal of {ADDRESS}" if self._named(ADDRESS) else None
        embedded = f"embedded in {self.home}" if state else f"none run in {self.home}"
        if database and temporal:
            return f"{database}, {temporal}"
        named = database or temporal
        return f"{named}, the other {embedded}" if named else embedded

    def environment(self) -> dict[str, str]:
        """The environment for a worker of these servers."""
        found = dict(os.environ)
        embedded = self.temporal
        if embedded is not None:
            # Keys and certificates that belong to another server would keep a worker from this one.
            found = {name: value for name, value in found.items() if not name.startswith("TEMPORAL_")}
            found["TEMPORAL_CONFIG_FILE"] = os.devnull
            found["TEMPORAL_ADDRESS"], found["TEMPORAL_NAMESPACE"] = embedded
            # Whoever types here decides for everybody: the issuer for trying things out believes what it is told.
            found.setdefault("ROLLOUTS_DECISIONS", "unsigned")
            if self.decision_keys.exists():
                found.setdefault("ROLLOUTS_DECISION_KEYS", str(self.decision_keys.absolute()))
            # What is tried out here is not signed as the log of an installation that somebody relies on.
            found.pop("ROLLOUTS_LOG_KEY", None)
            if self.log_key.exists():
                found["ROLLOUTS_LOG_KEY"] = str(self.log_key.absolute())
        return found | {DSN: self.dsn}

    def ports(self) -> dict[str, int]:
        """The ports of the embedded servers that run, by what listens: `postgres`, `temporal`, `ui`, `console`."""
        state, console = self.state(), self.console()
        found = {"postgres": state.dsn, "temporal": f"//{state.temporal_address}"} if state else {}
        found |= {"ui": state.ui_url} if state and state.ui_url else {}
        found |= {"console": console[1]} if console else {}
        return {name: port for name, address in found.items() if (port := urlsplit(address).port) is not None}

    @property
    def ui(self) -> str | None:
        """The Web UI of the embedded Temporal."""
        state = self.state()
        return state.ui_url if state else None

    @property
    def signing_key(self) -> Path:
        """The private key of the embedded service."""
        return self.home / "signing-key.json"

    @property
    def decision_keys(self) -> Path:
        """The public keys that verify what it signed."""
        return self.home / "decision-keys.json"

    @property
    def log_key(self) -> Path:
        """The private key that the embedded worker signs the decision log with."""
        return self.home / "log-key.json"

    @property
    def log_vkeys(self) -> Path:
        """The verifier keys of what it signed."""
        return self.home / "log-keys.txt"

    @property
    def login(self) -> Path:
        """Who is signed in at this terminal."""
        return self.home / "login.json"

    @property
    def decisions(self) -> Decisions:
        """What holds for plans that do not say it: unsigned on embedded servers, unless the environment says more."""
        named = os.environ.get("ROLLOUTS_DECISIONS")
        if named in tuple(Decisions):
            return Decisions(named)
        return Decisions.UNSIGNED if self.temporal is not None else Decisions.SIGNED

    @property
    def worker_log(self) -> Path:
        return self.home / "worker.log"

    @property
    def _worker_file(self) -> Path:
        return self.home / "worker.json"

    def worker(self) -> ProcessIdentity | None:
        """The embedded worker's process, None when it does not run."""
        from deploy.embedded.processes import ProcessIdentity, is_alive

        try:
            identity = ProcessIdentity.model_validate(json.loads(self._worker_file.read_text()))
        except (OSError, ValueError):
            return None
        return identity if is_alive(identity) else None

    def start_worker(self) -> None:
        """Start the embedded worker in the background."""
        from deploy.embedded.processes import spawn

        env = {**self.environment(), "ROLLOUTS_NOTICE_MAILDIR": str(self.home / "notices")}
        # -P: a folder named worker where the command is typed is not ours.
        identity = spawn([sys.executable, "-P", "-m", "worker"], self.worker_log, env=env)
        self._worker_file.write_text(identity.model_dump_json())

    async def stop_worker(self) -> bool:
        """End the embedded worker; whether one ran."""
        return await self._stop(self.worker(), self._worker_file)

    @property
    def console_log(self) -> Path:
        return self.home / "console.log"

    @property
    def _console_file(self) -> Path:
        return self.home / "console.json"

    def console(self) -> tuple[ProcessIdentity, str] | None:
        """The embedded service's process and its address, None when it does not run."""
        from deploy.embedded.processes import ProcessIdentity, is_alive

        try:
            found = json.loads(self._console_file.read_text())
            identity, url = ProcessIdentity.model_validate(found["identity"]), str(found["url"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return (identity, url) if is_alive(identity) else None

    def start_console(self, bind: str) -> None:
        """Start the embedded service in the background."""
        from deploy.embedded.processes import spawn

        env = {name: value for name, value in self.environment().items() if name not in _OF_A_REAL_ISSUER}
        # Limits are for strangers; here a script is one person at one address who plays all the owners.
        env = {"ROLLOUTS_SIGN_INS_PER_MINUTE": "10000", "ROLLOUTS_DECISIONS_PER_MINUTE": "10000"} | env
        words = ["serve", "--dev-issuer", "--bind", bind, "--dir", str(self.home.absolute())]
        identity = spawn([sys.executable, "-P", "-m", "cli", *words], self.console_log, env=env)
        written = {"identity": identity.model_dump(mode="json"), "url": f"http://{bind}"}
        self._console_file.write_text(json.dumps(written))

    async def stop_console(self) -> bool:
        """End the embedded service; whether it ran."""
        found = self.console()
        return await self._stop(found[0] if found else None, self._console_file)

    async def _stop(self, identity: ProcessIdentity | None, file: Path) -> bool:
        from deploy.embedded.processes import end

        if identity is None:
            return False
        ended = await end(identity, *_WORKER_STOP)
        _forget(file)
        return ended


def _forget(file: Path) -> None:
    file.unlink(missing_ok=True)
