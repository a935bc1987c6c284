"""Reading ahead: the next item is made in a thread while the last one is still being worked on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

T = TypeVar("T")


@asynccontextmanager
async def made_ahead(make: Callable[[], T | None]) -> AsyncIterator[AsyncIterator[T]]:
    """What `make` makes until it makes nothing. When this ends, no thread is at work any more."""
    upcoming = asyncio.create_task(asyncio.to_thread(make))

    async def items() -> AsyncGenerator[T, None]:
        nonlocal upcoming
        while (item := await asyncio.shield(upcoming)) is not None:
            upcoming = asyncio.create_task(asyncio.to_thread(make))
            yield item

    made = items()
    try:
        yield made
    finally:
        await asyncio.wait([upcoming])
        if not upcoming.cancelled():
            upcoming.exception()  # It was raised where the item was asked for, or nobody asks for it any more.
        await made.aclose()
