"""A letter: a notice on its way through a channel, to one person or to programs, the same at every attempt."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from email.message import EmailMessage
from email.utils import format_datetime
from html import escape
from typing import Any
from urllib.parse import quote

from activities.pictures import Picture
from models.base import Frozen, Instant
from models.letter import PROGRAMS
from store.notices import TakenNotice


class Letter(Frozen):
    """A notice for one contact. `about` says to programs what subject and body say to people; `link` opens the
    rollout's page, and never acts; `pictures` are the charts of what it is about."""

    notice_id: str
    contact: str
    rollout_id: str
    chain_id: str = ""
    kind: str = ""
    subject: str
    body: str
    about: dict[str, Any] = {}
    link: str | None = None
    pictures: tuple[Picture, ...] = ()
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
        """As an e-mail; with a part in HTML where there is a link or a chart to show.

        A chart is an SVG file of the letter, which the part in HTML shows where a mail program can: where it cannot,
        the file is still there to be opened, and the same stands beside it in words.
        """
        message = EmailMessage()
        message["From"] = sender
        message["To"] = self.contact
        message["Subject"] = self.line
        message["Date"] = format_datetime(self.written_at)
        message["Message-ID"] = f"<{self.name}@partner-rollouts>"
        message["X-Partner-Rollout"] = self.rollout_id
        message.set_content("\n\n".join((self.body, *([self.link] if self.link else []), *map(_words, self.pictures))))
        if self.link or self.pictures:
            message.add_alternative(_html(self), subtype="html")
        html = message.get_body(("html",))
        if html is not None:
            for one in self.pictures:
                html.add_related(
                    one.svg.encode(),
                    maintype="image",
                    subtype="svg+xml",
                    cid=f"<{_cid(self, one)}>",
                    filename=one.name,
                    disposition="inline",
                )
        return message


def letter_of(taken: TakenNotice, public_url: str | None, pictures: tuple[Picture, ...] = ()) -> Letter:
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
        pictures=pictures,
        written_at=taken.created_at,
    )


def waits_for(about: Mapping[str, Any]) -> str:
    """Who must act, in words; empty where nobody must."""
    return ", ".join(f"{one['name']} ({one['role']})" for one in about.get("must_act", ()))


def _cid(letter: Letter, picture: Picture) -> str:
    """What the part in HTML calls a picture: the same at every attempt, as a random boundary would not be."""
    return f"{letter.name}.{picture.name}@partner-rollouts"


def _words(picture: Picture) -> str:
    """A chart for whoever sees none."""
    lines = (f"  {day}  {value}  {verdict}" for day, value, verdict in picture.rows)
    return "\n".join((picture.title, picture.told, *lines))


def _html(letter: Letter) -> str:
    lines = "<br>\n".join(escape(line) for line in letter.body.splitlines())
    link = f'<p><a href="{escape(letter.link)}">Open the rollout</a></p>\n' if letter.link else ""
    head = f'<meta charset="utf-8"><title>{escape(letter.line)}</title>'
    return (
        f'<!doctype html><html lang="en"><head>{head}</head><body>\n'
        f"<p>{lines}</p>\n{link}{''.join(_figure(letter, one) for one in letter.pictures)}</body></html>\n"
    )


def _figure(letter: Letter, picture: Picture) -> str:
    rows = "".join(
        f"<tr><td>{escape(day)}</td><td>{escape(value)}</td><td>{escape(verdict)}</td></tr>"
        for day, value, verdict in picture.rows
    )
    return (
        f"<h2>{escape(picture.title)}</h2>\n"
        f'<p><img src="cid:{escape(_cid(letter, picture))}" width="640" height="240" '
        f'alt="{escape(picture.told)}"></p>\n'
        f"<p>{escape(picture.told)}</p>\n<table><thead><tr><th>As of</th><th>Value</th><th>Verdict</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>\n"
    )
