"""How the watch proves that a word is its own: by a chain of hashes, of whose end a rollout is told as it opens.

The store keeps a seed that only workers read. Each half day of a rollout's programme has a token: the hash of the next
one's. Whoever has seen the tokens of all words up to now can tell that a newer one belongs to them, and cannot make it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from datetime import datetime, timedelta
from functools import lru_cache

from models.base import Frozen

SPAN = timedelta(hours=12)
"""Programme time that has one token: so long a word that was overheard can be said again, and no longer."""

SPANS = 4096
"""Tokens of a rollout: five and a half years of its programme."""

_SIZE = 12
"""Bytes of a token; it is to be guessed from a hash of it."""

_STRIDE = 64


class WatchKey(Frozen):
    """What a rollout knows of the watch's tokens: the newest one it was shown, and of which span that is; the end of
    the chain at 0."""

    token: str
    span: int = 0


def key_of(seed: bytes) -> WatchKey:
    """What a rollout is told as it opens."""
    return WatchKey(token=_text(_token(seed, 0)))


def proof_of(seed: bytes, begun: datetime, as_of: datetime) -> str | None:
    """The token of a word; None where there is none for its moment.

    Args:
        begun: when the rollout's programme began.
    """
    span = _span(begun, as_of)
    return _text(_token(seed, span)) if 1 <= span <= SPANS else None


def proven(key: WatchKey, begun: datetime, as_of: datetime, proof: str | None) -> WatchKey | None:
    """What a rollout knows after a word that the watch has proven to be its own; None for one that proves nothing."""
    span = _span(begun, as_of)
    token = _bytes(proof)
    if token is None or not max(key.span, 1) <= span <= SPANS:
        return None
    end = token
    for _ in range(span - key.span):
        end = _hash(end)
    return WatchKey(token=_text(token), span=span) if _text(end) == key.token else None


def good_until(key: WatchKey, begun: datetime) -> datetime:
    """Up to when a token is known to nobody but the watch before it has spoken: it proves no later word."""
    return begun + key.span * SPAN


def _span(begun: datetime, as_of: datetime) -> int:
    return (as_of - begun) // SPAN + 1


def _token(seed: bytes, span: int) -> bytes:
    """Whoever is at the end of the chain has hashed the seed once for each span, and the end once more."""
    steps = SPANS - span
    found = _every_stride(seed)[steps // _STRIDE]
    for _ in range(steps % _STRIDE):
        found = _hash(found)
    return found


@lru_cache(maxsize=1000)
def _every_stride(seed: bytes) -> tuple[bytes, ...]:
    """The chain, of so many tokens one: a thousand whole ones would take a hundred megabytes."""
    found, kept = _hash(seed), []
    for step in range(SPANS + 1):
        if step % _STRIDE == 0:
            kept.append(found)
        found = _hash(found)
    return tuple(kept)


def _hash(token: bytes) -> bytes:
    return hashlib.sha256(b"the watch of partner rollouts" + token).digest()[:_SIZE]


def _text(token: bytes) -> str:
    return base64.urlsafe_b64encode(token).decode()


def _bytes(text: str | None) -> bytes | None:
    try:
        found = base64.b64decode(text or "", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return found if len(found) == _SIZE else None
