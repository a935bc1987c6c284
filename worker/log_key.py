"""The key that the decision log is signed with, and the verifier keys that auditors keep."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc.jwk import OKPKey

from activities import LogSigner
from audit.errors import NotSound
from audit.notes import NoteSigner, VerifierKey, key_name, read_vkeys
from worker.keyfiles import read_key, write_private, write_whole
from worker.settings import SettingsError

_HEAD = (
    "# Verifier keys of the decision log (C2SP signed notes), the newest first. Older ones verify what they signed:\n"
    "# keep every line. Auditors keep a copy of their own.\n"
)


def load_signer(path: Path, deployment: str) -> LogSigner:
    """Who signs with the key of a file, in the name of an installation.

    Raises:
        SettingsError: it is missing, no such key, or others could read it.
    """
    return LogSigner(_signer(read_key(path, "log key", "rollouts keys log rotate"), deployment), deployment)


def generate(private: Path, public: Path, deployment: str, *, replace: bool = False) -> VerifierKey:
    """A new key in `private` (0600), and its verifier key before the older ones in `public`.

    Raises:
        SettingsError: there is a key already and it is not to be replaced, or a file cannot be read or written.
    """
    if private.exists() and not replace:
        raise SettingsError(f"There is a key in {private} already; `rollouts keys log rotate` replaces it")
    key = OKPKey.generate_key("Ed25519", auto_kid=True)
    made = _signer(key, deployment).public
    older = read_public(public) if public.exists() else ()
    try:
        # The public one first: between the two a checkpoint would be signed by a key that nobody has heard of.
        write_whole(public, _HEAD + "\n".join(one.vkey for one in (made, *older)), 0o644)
        write_private(private, key)
    except OSError as problem:
        raise SettingsError(f"The keys cannot be written: {problem}") from problem
    return made


def read_public(path: Path) -> tuple[VerifierKey, ...]:
    """The verifier keys of a file, the newest first.

    Raises:
        SettingsError: it cannot be read, or a line is none.
    """
    try:
        return read_vkeys(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise SettingsError(f"The verifier keys {path} cannot be read: {problem.strerror}") from problem
    except (NotSound, UnicodeDecodeError) as problem:
        raise SettingsError(f"The verifier keys {path} cannot be used: {problem}") from problem


def _signer(key: OKPKey, deployment: str) -> NoteSigner:
    private = key.private_key
    if not isinstance(private, Ed25519PrivateKey):
        raise SettingsError("a log key is one of Ed25519")
    return NoteSigner(key_name(deployment), private)
