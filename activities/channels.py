"""How letters reach people: files in a Maildir, or a mail relay."""

from __future__ import annotations

import asyncio
import hashlib
import mailbox
import smtplib
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Protocol

from models.base import Frozen, Instant

SENDER = "partner-rollouts@localhost"


class Letter(Frozen):
    """A notice on its way to one person, the same at every attempt."""

    notice_id: str
    contact: str
    rollout_id: str
    subject: str
    body: str
    written_at: Instant

    @property
    def name(self) -> str:
        """A short name that only this letter has, and has always."""
        return hashlib.sha256(f"{self.notice_id}\n{self.contact}".encode()).hexdigest()[:32]

    def message(self, sender: str) -> EmailMessage:
        """As an e-mail. Line breaks in a subject would start a new header, so they become spaces."""
        message = EmailMessage()
        message["From"] = sender
        message["To"] = self.contact
        message["Subject"] = " ".join(self.subject.split())
        message["Date"] = format_datetime(self.written_at)
        message["Message-ID"] = f"<{self.name}@partner-rollouts>"
        message["X-Partner-Rollout"] = self.rollout_id
        message.set_content(self.body)
        return message


class Undeliverable(Exception):
    """This letter will never be taken, however often it is tried."""


class Channel(Protocol):
    """A way to reach people. After a crash it may be given the same letter again."""

    @property
    def name(self) -> str:
        """What the outbox calls it: never changes."""

    async def send(self, letter: Letter) -> None:
        """Deliver, or raise: `Undeliverable` for good, anything else to be tried again."""


class MaildirChannel:
    """Letters as files in a Maildir, for any mail program to read. A letter given twice is there once."""

    name = "maildir"

    def __init__(self, directory: Path, sender: str = SENDER) -> None:
        self._directory = directory
        self._sender = sender

    async def send(self, letter: Letter) -> None:
        await asyncio.to_thread(self._deliver, letter)

    def _deliver(self, letter: Letter) -> None:
        box = mailbox.Maildir(self._directory, create=True)
        # Maildir's own add() would pick a new name each time; this one is found again, read or unread.
        if letter.name in box:
            return
        draft = self._directory / "tmp" / letter.name
        draft.write_bytes(letter.message(self._sender).as_bytes())
        draft.rename(self._directory / "new" / letter.name)


class SmtpChannel:
    """Letters through a mail relay, over TLS where the relay offers it."""

    name = "smtp"

    def __init__(self, host: str, port: int = 25, sender: str = SENDER, timeout: float = 5) -> None:
        self._host, self._port, self._sender, self._timeout = host, port, sender, timeout

    async def send(self, letter: Letter) -> None:
        await asyncio.to_thread(self._deliver, letter)

    def _deliver(self, letter: Letter) -> None:
        with smtplib.SMTP(self._host, self._port, timeout=self._timeout) as relay:
            try:
                relay.ehlo()
                if relay.has_extn("starttls"):
                    relay.starttls()
                relay.send_message(letter.message(self._sender))
            except smtplib.SMTPRecipientsRefused as refused:
                code, text = refused.recipients[letter.contact]
                _raise_final(code, text, refused)
            except smtplib.SMTPDataError as refused:
                _raise_final(refused.smtp_code, refused.smtp_error, refused)


def _raise_final(code: int, text: bytes | str, cause: Exception) -> None:
    """Codes from 500 on are the relay's last word; those below ask to come again."""
    told = text.decode(errors="replace") if isinstance(text, bytes) else text
    if code >= 500:
        raise Undeliverable(f"{code} {told}"[:300]) from cause
    raise cause
