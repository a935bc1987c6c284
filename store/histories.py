"""Exported histories: what Temporal knew of each run, kept once, growing while the run does, and never overwritten."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from models.base import Frozen, Instant
from models.work import RolloutKey
from store.pool import Connection
from store.statements import statement

_LOCK = statement("histories/lock_run")
_VERSIONS = statement("histories/versions")
_INSERT = statement("histories/insert")
_GROW = statement("histories/grow")
_LIST = statement("histories/list")

GZIP = 31
"""zlib's name for a gzip stream."""

TAIL = b"]}"
"""How the JSON of a history ends: what precedes it is the beginning of every longer one."""

CHUNK = 1 << 18
"""Bytes of JSON looked at together."""


class RunHistory(NamedTuple):
    """A run as it was read. `text` is the SDK's JSON in canonical form, compressed; `size` (bytes) and `sha256` (hex)
    are of the JSON."""

    run_id: str
    continued_from: str | None
    reset_from: str | None
    last_event: int
    closed: bool
    size: int
    sha256: str
    text: bytes


class StoredHistory(Frozen):
    """A run as it is kept, without its text. A `version` above 1 says that another history stood there before."""

    run_id: str
    version: int
    position: int
    continued_from: str | None
    reset_from: str | None
    first_event: int
    last_event: int
    closed: bool
    size: int
    sha256: str
    exported_at: Instant


class Kept(StrEnum):
    """What came of keeping a history."""

    NEW = "new"
    GROWN = "grown"
    UNCHANGED = "unchanged"
    OTHER = "other"
    """It does not go together with what is kept already, and stands beside it."""


async def keep(conn: Connection, key: RolloutKey, run: RunHistory, position: int) -> Kept:
    """Keep a run's history; the same twice is one. To be called in a transaction.

    A longer one replaces one that is under way if it begins with it, one that is read late and is the beginning of
    what is kept changes nothing. Any other is kept beside, because the history of a run only ever grows.
    """
    where = (key.rollout_id, key.chain_id, run.run_id)
    await conn.execute(_LOCK, *where)
    standing = await conn.fetch(_VERSIONS, *where)
    what = (position, run.continued_from, run.reset_from, 1, run.last_event, run.closed, run.size, run.sha256)
    for row in standing:
        if row["sha256"] == run.sha256 or (
            row["last_event"] >= run.last_event and await _begins(row["history"], run.text)
        ):
            return Kept.UNCHANGED
    for row in standing:
        grows = not row["closed"] and row["last_event"] < run.last_event
        if grows and await _begins(run.text, row["history"]):
            await conn.execute(_GROW, *where, row["version"], *what, run.text)
            return Kept.GROWN
    newest = standing[0]["version"] if standing else 0
    await conn.execute(_INSERT, *where, newest + 1, *what, run.text)
    return Kept.OTHER if standing else Kept.NEW


async def list_histories(conn: Connection, key: RolloutKey) -> tuple[StoredHistory, ...]:
    """The runs of a chain in their order, the versions of a run one after the other."""
    return tuple(StoredHistory(**row) for row in await conn.fetch(_LIST, key.rollout_id, key.chain_id))


async def read_history(conn: Connection, key: RolloutKey, run_id: str, version: int = 1) -> bytes | None:
    """The JSON of a run, which `WorkflowHistory.from_json` reads; None where it is not kept."""
    text: bytes | None = await conn.fetchval(
        "select history from exported_history where (rollout_id, chain_id, run_id, version) = ($1, $2, $3, $4)",
        key.rollout_id,
        key.chain_id,
        run_id,
        version,
    )
    return zlib.decompress(text, GZIP) if text is not None else None


async def is_registered(conn: Connection, key: RolloutKey) -> bool:
    """Whether the rollout is one of this store's, so that its history can be kept."""
    return bool(
        await conn.fetchval(
            "select true from rollout where (rollout_id, chain_id) = ($1, $2)", key.rollout_id, key.chain_id
        )
    )


async def kept_whole(conn: Connection, run_ids: Sequence[str]) -> frozenset[str]:
    """Those of some runs that are over and kept to their end."""
    rows = await conn.fetch(
        "select run_id from exported_history where closed and run_id = any ($1::text[])", list(run_ids)
    )
    return frozenset(row["run_id"] for row in rows)


async def _begins(longer: bytes, shorter: bytes) -> bool:
    return await asyncio.to_thread(begins_with, longer, shorter)


def begins_with(longer: bytes, shorter: bytes) -> bool:
    """Whether a history begins as another one that is not longer, both compressed.

    Where their texts differ they may say the same all the same: a newer SDK names fields that an older one passed over.
    """
    ours, theirs = _Reader(longer), _Reader(shorter)
    while (piece := theirs.read(CHUNK)) and ours.read(len(piece)) == piece:
        pass
    if not piece:
        return True
    return _says_as_much(_events(longer), _events(shorter))


class _Reader:
    """The JSON of a compressed history without its end, in pieces."""

    def __init__(self, compressed: bytes) -> None:
        self._pieces = _pieces(compressed)
        self._at_hand = b""
        self._over = False

    def read(self, size: int) -> bytes:
        """The next bytes, fewer at the end."""
        while not self._over and len(self._at_hand) < size + len(TAIL):
            piece = next(self._pieces, None)
            if piece is None:
                self._over = True
                self._at_hand = self._at_hand.removesuffix(TAIL)
            else:
                self._at_hand += piece
        found, self._at_hand = self._at_hand[:size], self._at_hand[size:]
        return found


def _pieces(compressed: bytes) -> Iterator[bytes]:
    reading = zlib.decompressobj(GZIP)
    while not reading.eof:
        piece = reading.decompress(compressed, CHUNK)
        compressed = reading.unconsumed_tail
        if not piece and not compressed:
            raise ValueError("a stored history is cut off")
        yield piece


def _events(compressed: bytes) -> list[Any]:
    events: list[Any] = json.loads(zlib.decompress(compressed, GZIP))["events"]
    return events


def _says_as_much(newer: Any, older: Any) -> bool:
    """Whether everything that the older one says stands in the newer one; a list of events may have grown."""
    if isinstance(older, dict):
        return isinstance(newer, dict) and all(
            name in newer and _says_as_much(newer[name], value) for name, value in older.items()
        )
    if isinstance(older, list):
        same = isinstance(newer, list) and len(newer) >= len(older)
        return same and all(map(_says_as_much, newer, older))
    return bool(newer == older)
