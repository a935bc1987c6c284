"""What a worker calls itself towards Temporal, which writes it into the events of every task."""

from __future__ import annotations

import os
import socket

LONG = 20
"""Characters of a host's name that are not shortened."""

TELLING = 5
"""Least characters of a shortened name: a pod's own part of its name has so many, a number in a row of them has not."""


def called(host: str | None = None, process: int | None = None) -> str:
    """The host with the number of the process, as the SDK has it; of a pod, whose process is always the first one and
    whose name begins like that of all others, what tells it from them: `x2x9z` of `worker-5d9c7b6f4-x2x9z`."""
    host, process = host or socket.gethostname(), process or os.getpid()
    return _short(host) if process == 1 else f"{process}@{_short(host)}"


def _short(host: str) -> str:
    if len(host) <= LONG:
        return host
    *before, found = host.split("-")
    while before and len(found) < TELLING:
        found = f"{before.pop()}-{found}"
    return found
