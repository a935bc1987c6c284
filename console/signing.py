"""The service's signature: a key from a file that nobody else can read, and tokens that say what a person asked for."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from models.claims import ALGORITHM, LARGEST, TYPE, Claims, PublicKey
from worker.settings import SettingsError

MOST_KEYS = 20
"""Public keys kept in one file: old ones verify what they signed, but not for ever."""


class Signer:
    """Signs claims, for one deployment."""

    def __init__(self, key: OKPKey, audience: str) -> None:
        self._key = key
        self.audience = audience

    @property
    def public(self) -> PublicKey:
        """What verifies its signatures."""
        return _public(self._key)

    def token(self, claims: Claims) -> str:
        """The claims as a compact JWS.

        Raises:
            ValueError: they are longer than a token may be.
        """
        header = {"typ": TYPE, "alg": ALGORITHM, "kid": self.public.kid}
        signed = jws.serialize_compact(header, claims.model_dump_json().encode(), self._key, algorithms=[ALGORITHM])
        if len(signed) > LARGEST:
            raise ValueError(f"the token would have {len(signed)} bytes; allowed: {LARGEST}")
        return signed


def load_signer(path: Path, audience: str) -> Signer:
    """The key of a file: one JSON Web Key with its private part `d`, readable to its owner alone.

    Raises:
        SettingsError: it is missing, no such key, or others could read it.
    """
    try:
        # Looked at through the open file: nobody can put another in its place in between.
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            text = file.read(LARGEST)
    except OSError as problem:
        raise SettingsError(f"The signing key {path} cannot be read: {problem.strerror}") from problem
    if not stat.S_ISREG(found.st_mode):
        raise SettingsError(f"The signing key {path} is no plain file")
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077:
        raise SettingsError(
            f"The signing key {path} has mode {mode:04o}, so that others can read it; allowed: 0600. "
            f"`chmod 600 {path}`, and if others have been there, `rollouts keys sign rotate`"
        )
    try:
        data = json.loads(text)
        if not isinstance(data, dict) or data.get("kty") != "OKP" or data.get("crv") != "Ed25519" or not data.get("d"):
            raise ValueError("not an Ed25519 key with its private part")
        return Signer(OKPKey.import_key(data), audience)
    except (ValueError, TypeError, JoseError) as problem:
        raise SettingsError(
            f"The signing key {path} cannot be used: it must be one JSON Web Key (kty OKP, crv Ed25519) with x and d"
        ) from problem


def generate(private: Path, public: Path, *, replace: bool = False) -> PublicKey:
    """A new key in `private` (0600), and its public part beside the older ones in `public`, which verify what they
    signed.

    Raises:
        SettingsError: there is a key already and it is not to be replaced, or a file cannot be written.
    """
    if private.exists() and not replace:
        raise SettingsError(f"There is a key in {private} already; `rollouts keys sign rotate` replaces it")
    key = OKPKey.generate_key("Ed25519", auto_kid=True)
    shown = _public(key)
    older = read_public(public) if public.exists() else ()
    kept = (shown, *older)[:MOST_KEYS]
    try:
        # The public one first: between the two a signature would be one that nobody could verify.
        _write(public, json.dumps({"keys": [one.model_dump() for one in kept]}, indent=2), 0o644)
        _write(private, json.dumps(key.as_dict(private=True)), 0o600)
    except OSError as problem:
        raise SettingsError(f"The keys cannot be written: {problem}") from problem
    return shown


def read_public(path: Path) -> tuple[PublicKey, ...]:
    """The public keys of a file, the newest first.

    Raises:
        SettingsError: it is no set of such keys.
    """
    try:
        found = json.loads(path.read_bytes())
        return tuple(PublicKey.model_validate(_only(one)) for one in found["keys"])
    except (OSError, ValueError, TypeError, KeyError) as problem:
        raise SettingsError(f"{path} is no set of public Ed25519 keys ({type(problem).__name__})") from problem


def _only(one: Any) -> Any:
    return {name: one[name] for name in PublicKey.model_fields if name in one}


def _public(key: OKPKey) -> PublicKey:
    shown = key.as_dict(private=False)
    return PublicKey(kid=str(shown.get("kid") or key.thumbprint()), x=str(shown["x"]))


def _write(path: Path, text: str, mode: int) -> None:
    """All of it or nothing, and never readable to others in between."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
