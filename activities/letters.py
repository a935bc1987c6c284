"""A letter: a notice on its way through a channel, to one person or to programs, the same at every attempt."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from email.message import EmailMessage
from email.utils import format_datetime
from html import escape
from typing import Any
from urllib.parse import quote

from models.base import Frozen, Instant
from store.notices import PROGRAMS, TakenNotice


class Letter(Frozen):
    """A notice for one contact. `about` says to programs what subject and body say to people; `link` opens the
    rollout's page, and never acts."""

    notice_id: str
    contact: str
    rollout_id: str
    chain_id: str = ""
    kind: str = ""
    subject: str
    body: str
    about: dict[str, Any] = {}
    link: str | None = None
    written_at: Instant

    @property
    def for_programs(self) -> bool:
        """Whether it goes to webhooks, and not to a person."""
        return self.contact == PROGRAMS

    @property
    def name(self) -> str:
        """A short name that only this letter has, and has always."""
        return self.name_for(self.contact)

    def name_for(self, target: str) -> str:
        """The same for this notice on its way to a target: what a receiver knows a repetition by."""
        return hashlib.sha256(f"{self.notice_id}\n{target}".encode()).hexdigest()[:32]

    @property
    def line(self) -> str:
        """The subject on one line: a line break in it would start a new header."""
        return " ".join(self.subject.split())

    def message(self, sender: str) -> EmailMessage:
        """As an e-mail; with a part in HTML where there is a link to show."""
        message = EmailMessage()
        message["From"] = sender
        message["To"] = self.contact
        message["Subject"] = self.line
        message["Date"] = format_datetime(self.written_at)
        message["Message-ID"] = f"<{self.name}@partner-rollouts>"
        message["X-Partner-Rollout"] = self.rollout_id
        message.set_content(f"{self.body}\n\n{self.link}" if self.link else self.body)
        if self.link:
            message.add_alternative(_html(self.line, self.body, self.link), subtype="html")
        return message


def letter_of(taken: TakenNotice, public_url: str | None) -> Letter:
    """The letter of a row of the outbox.

    Args:
        public_url: where people reach the console, without a slash at the end; None leaves links out.
    """
    return Letter(
        notice_id=taken.notice_id,
        contact=taken.contact,
        rollout_id=taken.rollout_id,
        chain_id=taken.chain_id,
        kind=taken.kind,
        subject=taken.subject,
        body=taken.body,
        about=taken.about,
        link=f"{public_url}/rollouts/{quote(taken.rollout_id, safe='')}" if public_url else None,
        written_at=taken.created_at,
    )


def waits_for(about: Mapping[str, Any]) -> str:
    """Who must act, in words; empty where nobody must."""
    return ", ".join(f"{one['name']} ({one['role']})" for one in about.get("must_act", ()))


def _html(subject: str, body: str, link: str) -> str:
    lines = "<br>\n".join(escape(line) for line in body.splitlines())
    return (
        f'<!doctype html><html><head><meta charset="utf-8"><title>{escape(subject)}</title></head><body>\n'
        f'<p>{lines}</p>\n<p><a href="{escape(link)}">Open the rollout</a></p>\n</body></html>\n'
    )
