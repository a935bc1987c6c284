"""What can go wrong with embedded servers; each message says what was found and what to do.

EmbeddedError
├── NotInstalledError      a server's program is not in this environment
├── DirectoryError         the data directory cannot be used: access, owner, or another version's data
├── PortTakenError         somebody else listens on the wanted port, or came first while the server was starting
├── AlreadyRunningError    a server already works on this directory
└── StartFailedError       the server ended, or did not answer in time; carries the end of its log
"""

from __future__ import annotations

from pathlib import Path


class EmbeddedError(Exception):
    """An embedded server could not do what was asked."""


class NotInstalledError(EmbeddedError):
    """A server's program is not in this environment."""


class DirectoryError(EmbeddedError):
    """The data directory cannot be used."""


class PortTakenError(EmbeddedError):
    """Somebody else listens on the wanted port."""


class AlreadyRunningError(EmbeddedError):
    """A server already works on this directory."""


class StartFailedError(EmbeddedError):
    """The server ended, or did not answer in time."""


def start_failed(what: str, why: str, log: Path, *, since: int = 0) -> StartFailedError | PortTakenError:
    """The error for a server that did not come up, with the last lines it wrote; that a port is taken is told by them.

    `since` is the size in bytes the log had before this start: what earlier runs said is no help.
    """
    try:
        lines = log.read_bytes()[since:].decode(errors="replace").splitlines()[-15:]
    except OSError:
        lines = []
    said = "\n".join(f"    {line}" for line in lines) or "    (nothing)"
    kind = PortTakenError if "address already in use" in said.casefold() else StartFailedError
    return kind(f"{what} did not start: {why}. The end of its log {log}:\n{said}")
