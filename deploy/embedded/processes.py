"""Server processes: start them detached, know them again later by pid and start time, and end only those."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict

from deploy.embedded.errors import PortTakenError, StartFailedError

LOOPBACK = "127.0.0.1"

# A start time is computed from the boot time, which moves when the system's clock is corrected.
_SAME_START_SECONDS = 2.0

# Held so that the garbage collector does not complain about processes meant to outlive their starter.
_children: dict[int, subprocess.Popen[bytes]] = {}


class ProcessIdentity(BaseModel):
    """A process that stays recognisable after its pid has been given to another one.

    `started` is in seconds since the epoch.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pid: int
    started: float
    name: str


def identify(pid: int) -> ProcessIdentity | None:
    """Who runs under this pid now; None if nobody does."""
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            # The first thread of a server may be dead while others still hold its port and its files.
            if process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1:
                return None
            return ProcessIdentity(pid=pid, started=process.create_time(), name=process.name())
    except psutil.NoSuchProcess:
        return None


def is_alive(identity: ProcessIdentity) -> bool:
    """Whether that very process still runs: a later one with the same pid does not count."""
    now = identify(identity.pid)
    # After the look, because nobody asks again for one that has just ended: it would stay uncollected.
    _reap(identity.pid)
    return now is not None and now.name == identity.name and abs(now.started - identity.started) < _SAME_START_SECONDS


def spawn(
    command: Sequence[str], log: Path, *, keep_open: Sequence[int] = (), env: Mapping[str, str] | None = None
) -> ProcessIdentity:
    """Start a program in a session of its own, so that neither our end nor Ctrl-C ends it.

    Its output is appended to `log`; the file descriptors `keep_open` stay open in it; `env` is its whole
    environment, ours if None.

    Raises:
        StartFailedError: it ended at once.
    """
    with log.open("ab") as out:
        child = subprocess.Popen(  # noqa: S603 - callers name the program by its full path
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=keep_open,
            env=env,
        )
    _children[child.pid] = child
    identity = identify(child.pid)
    if identity is None:
        _reap(child.pid)
        raise StartFailedError(f"{command[0]} ended as soon as it was started; see {log}")
    return identity


async def end(identity: ProcessIdentity, *steps: tuple[signal.Signals, float]) -> bool:
    """Send each signal in turn and wait its seconds, until that process is gone; whether it is.

    Does nothing to a process that is not the one meant.
    """
    for number, seconds in steps:
        if not is_alive(identity):
            return True
        try:
            psutil.Process(identity.pid).send_signal(number)
        except psutil.NoSuchProcess:
            return True
        if await gone(identity, seconds):
            return True
    return not is_alive(identity)


async def gone(identity: ProcessIdentity, seconds: float) -> bool:
    """Wait until that process has ended; False if it is still there after `seconds`."""
    deadline = time.monotonic() + seconds
    while is_alive(identity):
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.02)
    return True


def family(identity: ProcessIdentity) -> tuple[ProcessIdentity, ...]:
    """That process and all its descendants, itself first; empty if it is gone."""
    if not is_alive(identity):
        return ()
    try:
        children = psutil.Process(identity.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return ()
    return (identity, *(found for child in children if (found := identify(child.pid))))


def works_in(identity: ProcessIdentity, folder: Path) -> bool:
    """Whether `folder` is the current directory of that process."""
    try:
        return Path(psutil.Process(identity.pid).cwd()).samefile(folder)
    except (psutil.Error, OSError):
        return False


def listens(identity: ProcessIdentity, port: int) -> bool:
    """Whether that process listens on this port itself."""
    try:
        sockets = psutil.Process(identity.pid).net_connections("tcp")
    except psutil.Error:
        return False
    return any(one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in sockets)


def free_port(preferred: int | None = None) -> int:
    """A loopback port nobody listens on: the preferred one if it is free, otherwise any."""
    if preferred is not None and is_free(preferred):
        return preferred
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections of an earlier server that are still winding down are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def require_free(port: int, what: str) -> None:
    """Refuse a port that is in use.

    Raises:
        PortTakenError: somebody listens on it.
    """
    if not is_free(port):
        raise PortTakenError(
            f"Port {port} on {LOOPBACK}, wanted for {what}, is in use. End what listens there or name another port."
        )


def _reap(pid: int) -> None:
    child = _children.get(pid)
    if child is not None and child.poll() is not None:
        del _children[pid]
