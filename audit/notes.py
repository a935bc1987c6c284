"""Signed notes and verifier keys as C2SP writes them (signed-note): a text, a blank line, and signatures by name.

A verifier key, "vkey", is `<name>+<eight hex digits>+<base64>`: what an auditor keeps to know a signature by.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable
from urllib.parse import quote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from audit.errors import NotSound
from models.base import Frozen

LARGEST = 100_000
"""Bytes of a note: room for the sixteen signatures that everybody must be able to read, and more."""

MOST_SIGNATURES = 100

_ED25519 = b"\x01"
_DASH = "— "


class VerifierKey(Frozen):
    """A public Ed25519 key (32 bytes) and the name that its signatures bear."""

    name: str
    key: bytes

    @property
    def id(self) -> bytes:
        """Four bytes that tell keys of one name apart; they prove nothing."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.key).digest()[:4]

    @property
    def vkey(self) -> str:
        """As it is written down."""
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(_ED25519 + self.key).decode()}"


class NoteSignature(Frozen):
    """One line below a note; `signature` is without the key's id."""

    name: str
    id: bytes
    signature: bytes


class Note(Frozen):
    """A text that ends in a newline, and what stands below it. Nothing is verified yet."""

    text: str
    signatures: tuple[NoteSignature, ...]


class NoteSigner:
    """Signs notes under a name."""

    def __init__(self, name: str, key: Ed25519PrivateKey) -> None:
        """
        Raises:
            NotSound: the name cannot be that of a key.
        """
        _must_be_a_name(name)
        self._key = key
        self.public = VerifierKey(name=name, key=key.public_key().public_bytes_raw())

    def sign(self, text: str) -> str:
        """The note: text, blank line and this key's signature.

        Raises:
            NotSound: the text cannot be that of a note.
        """
        if not text.endswith("\n"):
            raise NotSound("the text of a note ends in a newline")
        _must_be_text(text)
        signed = base64.b64encode(self.public.id + self._key.sign(text.encode())).decode()
        return f"{text}\n{_DASH}{self.public.name} {signed}\n"


def key_name(deployment: str) -> str:
    """An installation's name as the name of its key, which has neither spaces nor a plus."""
    return quote(deployment, safe="/:@")


def read_vkey(text: str) -> VerifierKey:
    """A verifier key from what was written down.

    Raises:
        NotSound: it is none, or not one of Ed25519.
    """
    name, _, rest = text.partition("+")
    given, _, encoded = rest.partition("+")
    _must_be_a_name(name)
    found = _decoded(encoded, "the key")
    if found[:1] != _ED25519 or len(found) != 33:
        raise NotSound(f"the key of {name[:100]} is not one of Ed25519")
    key = VerifierKey(name=name, key=found[1:])
    if given != key.id.hex():
        raise NotSound(f"the key of {name[:100]} does not have the id {given[:20]!r}, but {key.id.hex()}")
    return key


def read_vkeys(text: str) -> tuple[VerifierKey, ...]:
    """The verifier keys of a file: one a line; empty lines and those that begin with # say nothing.

    Raises:
        NotSound: naming the line that is none.
    """
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            try:
                found.append(read_vkey(line.strip()))
            except NotSound as problem:
                raise NotSound(f"line {number}: {problem}") from None
    return tuple(found)


def read_note(data: bytes) -> Note:
    """A note from its bytes.

    Raises:
        NotSound: they are none.
    """
    if len(data) > LARGEST:
        raise NotSound(f"the note has {len(data)} bytes; allowed: {LARGEST}")
    try:
        whole = data.decode()
    except UnicodeDecodeError:
        raise NotSound("the note is not UTF-8") from None
    _must_be_text(whole)
    text, blank, below = whole.rpartition("\n\n")
    if not blank or not below.endswith("\n"):
        raise NotSound("the note has no blank line with signatures below it")
    lines = below[:-1].split("\n")
    if len(lines) > MOST_SIGNATURES:
        raise NotSound(f"the note has {len(lines)} signatures; allowed: {MOST_SIGNATURES}")
    return Note(text=text + "\n", signatures=tuple(_signature(line) for line in lines))


def open_note(data: bytes, keys: Iterable[VerifierKey]) -> tuple[Note, tuple[VerifierKey, ...]]:
    """A note, and those of the keys that have signed it. Signatures of other keys say nothing.

    Raises:
        NotSound: it is no note, none of the keys has signed it, or one of them did not sign what it says.
    """
    note = read_note(data)
    known: dict[tuple[str, bytes], list[VerifierKey]] = {}
    for key in keys:
        known.setdefault((key.name, key.id), []).append(key)
    signers: list[VerifierKey] = []
    for one in note.signatures:
        candidates = known.get((one.name, one.id), [])
        good = [key for key in candidates if _is_by(note.text, one.signature, key)]
        if candidates and not good:
            raise NotSound(f"the signature of {one.name}+{one.id.hex()} is not over this text")
        signers += [key for key in good if key not in signers]
    if not signers:
        by = ", ".join(f"{one.name}+{one.id.hex()}" for one in note.signatures[:5])
        raise NotSound(f"no key that is trusted has signed the note; it is signed by {by}"[:500])
    return note, tuple(signers)


def _is_by(text: str, signature: bytes, key: VerifierKey) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key.key).verify(signature, text.encode())
    except (InvalidSignature, ValueError):
        return False
    return True


def _signature(line: str) -> NoteSignature:
    if not line.startswith(_DASH):
        raise NotSound("a line below the note is no signature")
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    _must_be_a_name(name)
    found = _decoded(encoded, "a signature")
    if len(found) < 5:
        raise NotSound("a signature of the note is too short")
    return NoteSignature(name=name, id=found[:4], signature=found[4:])


def _decoded(text: str, what: str) -> bytes:
    """Base64 in the one way in which these bytes are written."""
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NotSound(f"{what} is not base64") from None
    if base64.b64encode(found).decode() != text:
        raise NotSound(f"{what} is written in a way that base64 does not write it")
    return found


def _must_be_a_name(name: str) -> None:
    if not name or "+" in name or any(one.isspace() or one < " " for one in name):
        raise NotSound(f"{name[:100]!r} is no name of a key: it has a space or a plus, or is empty")


def _must_be_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NotSound("the note is not UTF-8") from None
    if any(one < " " and one != "\n" for one in text):
        raise NotSound("the note has a control character")
