"""Where the servers of `up` are to listen, and what is said where they cannot, or do not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from cli.output import CliError, Exit
from console import LOOPBACK

USUAL: Final = {"postgres": 5433, "temporal": 7233, "ui": 8233, "console": int(LOOPBACK.rpartition(":")[2])}
"""Where people look first, by what `--port-` is followed by; any other is taken if somebody listens there."""

_CALLED: Final = {"postgres": "PostgreSQL", "temporal": "Temporal", "ui": "Temporal's Web UI", "console": "The console"}


class Wanted(NamedTuple):
    """The ports that were asked for; None: the usual one, or any other if somebody has that."""

    postgres: int | None = None
    temporal: int | None = None
    ui: int | None = None
    console: int | None = None

    def named(self) -> dict[str, int]:
        """Those that were."""
        return {name: port for name, port in self._asdict().items() if port is not None}


ANYWHERE: Final = Wanted()


def taken(name: str, port: int) -> CliError:
    """That a port cannot be had, and what to do."""
    told = f"{_CALLED[name]} cannot listen on port {port}: somebody else does. Name another with --port-{name}."
    return CliError(told, Exit.UNAVAILABLE)


def require_ports(wanted: Mapping[str, int]) -> None:
    """Make sure that these ports can be had.

    Raises:
        CliError: one is asked for twice, or somebody listens there.
    """
    from deploy.embedded.processes import is_free

    seen: dict[int, str] = {}
    for name, port in wanted.items():
        if port in seen:
            told = f"--port-{seen[port]} and --port-{name} are both {port}; each server needs a port of its own."
            raise CliError(told, Exit.BAD_INPUT)
        seen[port] = name
        if not is_free(port):
            raise taken(name, port)


def elsewhere(wanted: Wanted, found: Mapping[str, int], fresh: Mapping[str, bool]) -> Iterator[str]:
    """Which servers listen where nobody would look for them, and what to do about it.

    Args:
        fresh: which of them have just been started.
    """
    asked = wanted.named()
    for name, port in found.items():
        if name in asked and asked[name] != port:
            yield f"{_CALLED[name]} runs on port {port} already; `rollouts down` first, and it can have {asked[name]}."
        elif name not in asked and fresh[name] and port != USUAL[name]:
            told = f"{_CALLED[name]} listens on port {port}, since somebody else has {USUAL[name]}"
            yield f"{told}; --port-{name} names another."
