"""The service's signature: a key from a file that nobody else can read, and tokens that say what a person asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from joserfc import jws
from joserfc.jwk import OKPKey

from models.claims import ALGORITHM, LARGEST, TYPE, Claims, PublicKey
from worker.keyfiles import read_key, write_private, write_whole
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
    return Signer(read_key(path, "signing key", "rollouts keys sign rotate"), audience)


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
        write_whole(public, json.dumps({"keys": [one.model_dump() for one in kept]}, indent=2), 0o644)
        write_private(private, key)
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
