"""Ways for letters to reach people and programs, and the simplest of them: files in a Maildir."""

from __future__ import annotations

import asyncio
import mailbox
from pathlib import Path
from typing import Protocol

from activities.letters import Letter

SENDER = "partner-rollouts@localhost"


class Undeliverable(Exception):
    """This letter will never be taken, however often it is tried."""


class Away(Exception):
    """The channel itself cannot be reached now, so that trying the next letter would only take time."""


class Channel(Protocol):
    """A way for letters to go. After a crash it may be given the same letter again."""

    @property
    def name(self) -> str:
        """What the outbox calls it: never changes."""

    def takes(self, letter: Letter) -> bool:
        """Whether such a letter is for this channel at all."""

    async def send(self, letter: Letter) -> None:
        """Deliver, or raise: `Undeliverable` for good, `Away` or anything else to be tried again."""


class MaildirChannel:
    """Letters as files in a Maildir, for any mail program to read. A letter given twice is there once."""

    name = "maildir"

    def __init__(self, directory: Path, sender: str = SENDER) -> None:
        self._directory = directory
        self._sender = sender

    def takes(self, letter: Letter) -> bool:
        return not letter.for_programs

    async def send(self, letter: Letter) -> None:
        await asyncio.to_thread(self._deliver, letter)

    def _deliver(self, letter: Letter) -> None:
        # Maildir makes its folders only with the directory: who died in between would have left it so for good.
        for folder in ("tmp", "new", "cur"):
            (self._directory / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        box = mailbox.Maildir(self._directory, create=False)
        # Maildir's own add() would pick a new name each time; this one is found again, read or unread.
        if letter.name in box:
            return
        draft = self._directory / "tmp" / letter.name
        draft.write_bytes(letter.message(self._sender).as_bytes())
        draft.rename(self._directory / "new" / letter.name)
