"""The socket that the service listens on."""

from __future__ import annotations

import asyncio
import socket

from console.settings import listen


async def test_answers_are_sent_at_once_also_on_a_connection_that_is_used_again() -> None:
    """Held back until the client acknowledges what went before, each page would take 40 ms longer."""
    taken: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def take(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        own = writer.get_extra_info("socket")
        taken.set_result(own.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    opened = listen("127.0.0.1:0")
    async with await asyncio.start_server(take, sock=opened):
        _, writer = await asyncio.open_connection(*opened.getsockname())
        assert await asyncio.wait_for(taken, 60) != 0
        writer.close()
        await writer.wait_closed()
