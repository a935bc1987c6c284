"""notify_owners: notices go into an outbox first, then to the channels, and never twice to the same person."""

from __future__ import annotations

import asyncio
import mailbox
import smtplib
from collections.abc import Iterable
from email.message import EmailMessage
from pathlib import Path
from typing import Protocol

import asyncpg
import structlog
from temporalio import activity

from activities.errors import store_errors, unknown_rollout
from models.base import Frozen
from models.plan import RolloutPlan
from models.rollout import Notice
from models.work import NotifyRequest
from store import notices, rollouts

log = structlog.get_logger(__name__)


class Letter(Frozen):
    """A notice on its way to one person. `letter_id` is the same at every attempt."""

    letter_id: str
    contact: str
    subject: str
    body: str

    def message(self, sender: str) -> EmailMessage:
        """As an e-mail. Line breaks in a subject would start a new header, so they become spaces."""
        message = EmailMessage()
        message["From"] = sender
        message["To"] = self.contact
        message["Subject"] = " ".join(self.subject.split())
        message["Message-ID"] = f"<{self.letter_id.replace('/', '.')}@partner-rollouts>"
        message.set_content(self.body)
        return message


class Channel(Protocol):
    """A way to reach people. It may be called again with the same letter after a crash."""

    async def send(self, letter: Letter) -> None: ...


class MaildirChannel:
    """Letters as files in a Maildir, for any mail program or test to read."""

    def __init__(self, directory: Path, sender: str) -> None:
        self._directory = directory
        self._sender = sender

    async def send(self, letter: Letter) -> None:
        await asyncio.to_thread(self._deliver, letter)

    def _deliver(self, letter: Letter) -> None:
        mailbox.Maildir(self._directory, create=True).add(letter.message(self._sender))


class SmtpChannel:
    """Letters through a mail relay."""

    def __init__(self, host: str, port: int, sender: str, timeout: float = 10) -> None:
        self._host, self._port, self._sender, self._timeout = host, port, sender, timeout

    async def send(self, letter: Letter) -> None:
        await asyncio.to_thread(self._deliver, letter)

    def _deliver(self, letter: Letter) -> None:
        with smtplib.SMTP(self._host, self._port, timeout=self._timeout) as relay:
            relay.send_message(letter.message(self._sender))


class NoticeActivities:
    """Delivery of notices."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], channels: tuple[Channel, ...] = ()) -> None:
        self._pool = pool
        self._channels = channels

    @activity.defn
    async def notify_owners(self, request: NotifyRequest) -> int:
        """Write the letters into the outbox, then deliver those not delivered yet; returns how many that were.

        Key: notice id and contact. A letter is marked as sent once every channel took it; a crash between the
        two may repeat it, with the same message id.
        """
        with store_errors():
            async with self._pool.acquire() as conn, conn.transaction():
                plan = await rollouts.read_plan(conn, request.key)
                if plan is None:
                    raise unknown_rollout(request.key.rollout_id)
                for notice in request.notices:
                    await notices.queue(conn, request.key, notice, recipients(plan, notice))
            waiting = await notices.unsent(self._pool, [one.notice_id for one in request.notices])
        for row in waiting:
            letter = Letter(
                letter_id=row["notice_id"], contact=row["contact"], subject=row["subject"], body=row["body"]
            )
            for channel in self._channels:
                await channel.send(letter)
            log.info("notice sent", notice=letter.letter_id, subject=letter.subject)
            with store_errors():
                await notices.mark_sent(self._pool, letter.letter_id, letter.contact)
        return len(waiting)


def recipients(plan: RolloutPlan, notice: Notice) -> tuple[str, ...]:
    """Where a notice goes: the holders of its roles; the plan's audiences when the change is communicated."""
    found: Iterable[str] = (owner.contact for owner in plan.holders(*notice.roles))
    if notice.kind == "communicate":
        found = (audience.contact for audience in plan.communication)
    return tuple(dict.fromkeys(found))
