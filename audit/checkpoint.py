"""Checkpoints: how large a log was and what its root was, signed, in the text form of C2SP (tlog-checkpoint).

Beside size and root ours say in extension lines which checkpoint they follow, so that none can be left out unnoticed.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from urllib.parse import quote

from audit.errors import NotSound
from audit.notes import NoteSigner, VerifierKey, key_name, open_note, read_note
from audit.tree import SIZE
from models.base import Frozen, Instant

_NONE = "none"
_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_MOMENT = "%Y-%m-%dT%H:%M:%SZ"


class Because(StrEnum):
    """Why a checkpoint was written when it was."""

    GATE = "gate"
    HOUR = "hour"
    EXPORT = "export"
    CLOSE = "close"


class Link(Frozen):
    """A checkpoint's place among those of its log: `number` counts from 1, `previous` is the digest of the one before
    (None: it is the first), `at` is real time in whole seconds."""

    previous: str | None
    number: int
    at: Instant
    because: Because

    def lines(self) -> tuple[str, ...]:
        """The extension lines that say it."""
        return (
            f"previous {self.previous or _NONE}",
            f"number {self.number}",
            f"at {self.at.astimezone(UTC).strftime(_MOMENT)}",
            f"because {self.because.value}",
        )


class Checkpoint(Frozen):
    """What a checkpoint says, of whatever log. `root` has 32 bytes."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The text that is signed."""
        return "".join(f"{line}\n" for line in (self.origin, self.size, _encoded(self.root), *self.extensions))

    @property
    def digest(self) -> str:
        """SHA-256 of the text in hex, without the signatures: whoever signs it later changes nothing."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def origin_of(deployment: str, rollout: str, chain: str) -> str:
    """The first line of the checkpoints of a chain: no other log of any installation has it."""
    return f"{key_name(deployment)}/{quote(rollout, safe='')}/{quote(chain, safe='')}"


def make_checkpoint(origin: str, size: int, root: bytes, link: Link, signer: NoteSigner) -> str:
    """A signed checkpoint of one of our logs.

    Raises:
        NotSound: it would not be one that can be read again.
    """
    said = Checkpoint(origin=origin, size=size, root=root, extensions=link.lines())
    note = signer.sign(said.text)
    if read_checkpoint(read_note(note.encode()).text) != said:
        raise NotSound(f"the checkpoint of {origin!r} cannot be written")
    return note


def read_checkpoint(text: str) -> Checkpoint:
    """A checkpoint from the text of a note; its extension lines may say anything.

    Raises:
        NotSound: it is none.
    """
    lines = text.split("\n")
    if len(lines) < 4 or lines.pop() or not all(lines):
        raise NotSound("a checkpoint has three lines or more, none of them empty")
    origin, size, root, *extensions = lines
    found = _base64(root)
    if len(found) != SIZE or _encoded(found) != root:
        raise NotSound(f"the root of the checkpoint is not the base64 of {SIZE} bytes")
    return Checkpoint(origin=origin, size=_number(size, "the size"), root=found, extensions=tuple(extensions))


def open_checkpoint(data: bytes, keys: Iterable[VerifierKey], origin: str | None = None) -> Checkpoint:
    """What a checkpoint says that one of the keys has signed.

    Args:
        origin: the log that it must be of; None: of any.

    Raises:
        NotSound: it is none, none of these keys has signed it, or it is of another log.
    """
    note, _ = open_note(data, keys)
    found = read_checkpoint(note.text)
    if origin is not None and found.origin != origin:
        raise NotSound(f"the checkpoint is of the log {found.origin[:200]!r}, not of {origin!r}")
    return found


def open_own(data: bytes, keys: Iterable[VerifierKey]) -> Checkpoint:
    """What a checkpoint of one of our logs says, signed by a key of the very installation whose log it is: who pins the
    keys of several lets none of them sign for another.

    Raises:
        NotSound: it is none, or none of these keys that may has signed it.
    """
    note, signers = open_note(data, keys)
    found = read_checkpoint(note.text)
    if not any(found.origin.rsplit("/", 2)[0] == one.name for one in signers):
        names = ", ".join(one.name for one in signers)
        raise NotSound(
            f"the checkpoint is of the log {found.origin[:200]!r}, for which the key of {names} does not sign"
        )
    return found


def link_of(checkpoint: Checkpoint) -> Link:
    """The place of one of our checkpoints; extension lines of others say nothing here.

    Raises:
        NotSound: a line is missing, there twice, or wrong.
    """
    said: dict[str, str] = {}
    for line in checkpoint.extensions:
        name, _, value = line.partition(" ")
        if name in said:
            raise NotSound(f"the checkpoint says {name} twice")
        if name in Link.model_fields:
            said[name] = value
    if missing := [name for name in Link.model_fields if name not in said]:
        raise NotSound(f"the checkpoint does not say {', '.join(missing)}")
    previous = said["previous"]
    if previous != _NONE and not _DIGEST.fullmatch(previous):
        raise NotSound("previous of the checkpoint is neither a SHA-256 in hex nor none")
    number = _number(said["number"], "the number")
    if number < 1:
        raise NotSound("checkpoints are counted from 1")
    try:
        because = Because(said["because"])
    except ValueError:
        raise NotSound(f"because of the checkpoint is none of {', '.join(Because)}") from None
    return Link(
        previous=None if previous == _NONE else previous, number=number, at=_moment(said["at"]), because=because
    )


def _moment(text: str) -> datetime:
    try:
        found = datetime.strptime(text, _MOMENT).replace(tzinfo=UTC)
    except ValueError:
        found = None
    if found is None or found.strftime(_MOMENT) != text:
        raise NotSound("at of the checkpoint is no moment as 2026-11-26T04:30:00Z")
    return found


def _number(text: str, what: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise NotSound(f"{what} of the checkpoint is not a number without leading zeroes")
    return int(text)


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""
