"""Gives memory that is free back to the machine. glibc keeps it, in as many heaps as there are threads: what a worker
needed while many rollouts were taken in would stay with it while they wait."""

from __future__ import annotations

import asyncio
import ctypes
from collections.abc import Callable
from datetime import timedelta

EVERY = timedelta(seconds=30)
"""It takes some milliseconds of CPU each time."""


def trim() -> Callable[[], object] | None:
    """What gives back all that is free; None where the C library has no such thing."""
    try:
        found = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return None
    return lambda: found(ctypes.c_size_t(0))


async def giving_back(give: Callable[[], object] | None, every: timedelta = EVERY) -> None:
    """Go on for ever, or end at once where nothing can be given back. In a thread of its own: it may wait for those
    that need memory just then, and lets Python go on meanwhile."""
    while give is not None:
        await asyncio.sleep(every.total_seconds())
        await asyncio.to_thread(give)
