"""Whose signatures count: read from a file that this process was given, never from what a workflow says."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from pydantic import ValidationError
from temporalio import activity

from activities.errors import keys_unavailable
from models.claims import DecisionKeys, PublicKey
from models.names import DEPLOYMENT
from models.plan import Decisions
from models.work import KeysRequest

LARGEST = 200_000
"""Bytes of a file of keys at most."""

SETTING = "ROLLOUTS_DECISION_KEYS"


class Unusable(Exception):
    """A file of keys that cannot be used; the message says what was found and what is allowed."""


def read_keys(file: Path, audience: str) -> DecisionKeys:
    """The keys of a JSON Web Key Set, `{"keys": [...]}`.

    Raises:
        Unusable: it is not there, it is none, or it gives away a private key.
    """
    try:
        with file.open("rb") as opened:
            text = opened.read(LARGEST + 1)
        if len(text) > LARGEST:
            raise Unusable(f"{file} has more than {LARGEST} bytes")
        found = json.loads(text)
    except OSError as problem:
        raise Unusable(f"{file} cannot be read: {problem.strerror}") from None
    except (ValueError, RecursionError):
        raise Unusable(f"{file} is not JSON") from None
    keys = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(keys, list) or not keys:
        raise Unusable(f'{file} has no keys; it should read {{"keys": [...]}}')
    read = tuple(_key(file, number, one) for number, one in enumerate(keys, 1))
    if len({one.kid for one in read}) != len(read):
        raise Unusable(f"{file} has two keys of one kid")
    return DecisionKeys(audience=audience, keys=read)


def _key(file: Path, number: int, found: Any) -> PublicKey:
    if isinstance(found, dict) and "d" in found:
        raise Unusable(f"key {number} of {file} is private; workers are given public keys only")
    try:
        key = PublicKey.model_validate({name: found.get(name) for name in ("kid", "kty", "crv", "x")})
        OKPKey.import_key(key.model_dump())
        return key
    except (ValidationError, AttributeError, ValueError, JoseError):
        raise Unusable(f"key {number} of {file} is no public Ed25519 key (kid, kty OKP, crv Ed25519, x)") from None


@dataclass(frozen=True)
class Trust:
    """What this process takes for proven: signatures of the keys in `file`, made for `audience`.

    `decisions` is whether it enrols partners for rollouts that are not signed.
    """

    file: Path | None = None
    audience: str = DEPLOYMENT
    decisions: Decisions = Decisions.UNSIGNED

    async def keys(self) -> DecisionKeys:
        """The keys as the file has them now.

        Raises:
            ApplicationError: KeysUnavailable.
        """
        if self.file is None:
            raise keys_unavailable(f"{SETTING} is not set: it names the file of public keys of signed decisions")
        try:
            return await asyncio.to_thread(read_keys, self.file, self.audience)
        except Unusable as problem:
            raise keys_unavailable(f"{SETTING}: {problem}") from None


class KeyActivities:
    """Gives rollouts the keys that decisions are verified with."""

    def __init__(self, trust: Trust) -> None:
        self._trust = trust

    @activity.defn
    async def decision_keys(self, request: KeysRequest) -> DecisionKeys:
        """Whose signatures count now; read anew at every ask. Key: none, nothing changes."""
        return await self._trust.keys()
