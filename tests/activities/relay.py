"""A mail relay that speaks enough SMTP to take letters, to put them off, and to refuse them."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import email
import email.policy
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage


class Relay:
    """Takes what `answers` does not answer otherwise; `taken` are the letters it took, `logins` who came, and
    `encrypted` how many sessions were. With `tls` it offers STARTTLS."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.taken: list[EmailMessage] = []
        self.answers: dict[str, bytes] = {}
        self.port = 0
        self.sessions = 0
        self.encrypted = 0
        self.logins: list[bytes] = []
        self._tls = tls

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.sessions += 1
        writer.write(b"220 relay\r\n")
        while line := await reader.readline():
            command = line.decode().strip().upper()
            if command.startswith("DATA"):
                writer.write(b"354 go on\r\n")
                text = await reader.readuntil(b"\r\n.\r\n")
                answer = self.answers.get("DATA", b"250 taken")
                if answer.startswith(b"2"):
                    self.taken.append(email.message_from_bytes(text[:-5], policy=email.policy.default))
                writer.write(answer + b"\r\n")
            elif command.startswith("RCPT"):
                address = command.removeprefix("RCPT TO:<").split(">")[0].lower()
                writer.write(self.answers.get(address, b"250 fine") + b"\r\n")
            elif command.startswith("EHLO") and self._tls is not None:
                offer = b"250 AUTH PLAIN" if writer.get_extra_info("ssl_object") else b"250 STARTTLS"
                writer.write(b"250-relay\r\n" + offer + b"\r\n")
            elif command.startswith("STARTTLS") and self._tls is not None:
                writer.write(b"220 go on\r\n")
                await writer.start_tls(self._tls)
                self.encrypted += 1
            elif command.startswith("AUTH PLAIN"):
                self.logins.append(base64.b64decode(line.split()[2]))
                writer.write(self.answers.get("AUTH", b"235 fine") + b"\r\n")
            elif command.startswith(("MAIL", "AUTH")):
                writer.write(self.answers.get(command[:4], b"250 fine") + b"\r\n")
            elif command.startswith("QUIT"):
                writer.write(b"221 bye\r\n")
                break
            else:
                writer.write(b"250 fine\r\n")
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@asynccontextmanager
async def mail_relay(tls: ssl.SSLContext | None = None) -> AsyncIterator[Relay]:
    """A relay on loopback."""
    relay = Relay(tls)
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    relay.port = server.sockets[0].getsockname()[1]
    async with server:
        yield relay
