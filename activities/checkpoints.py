"""Signs the decision log: a checkpoint over a chain's entries, at every turn of a rollout, each hour, and on a wish.

Nothing here may keep an entry from being written. A pause that is recorded and not yet signed is a pause; the other way
round nobody would have been heard.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import asyncpg
import structlog

from audit.checkpoint import (
    Because,
    Checkpoint,
    Link,
    link_of,
    make_checkpoint,
    open_checkpoint,
    origin_of,
    read_checkpoint,
)
from audit.errors import NotSound
from audit.leaves import leaf_bytes
from audit.notes import NoteSigner, read_note
from audit.tree import Edge, edge, leaf_hash
from models.log import EntryKind, LogEntry
from models.work import RolloutKey
from store import checkpoints as store
from store.checkpoints import StoredCheckpoint
from store.pool import Connection

log = structlog.get_logger(__name__)

TURNS = frozenset(
    {
        EntryKind.DECISION,
        EntryKind.PHASE,
        EntryKind.PAUSE,
        EntryKind.RESUME,
        EntryKind.OVERRIDE,
        EntryKind.STOP,
    }
)
"""Entries that are signed with the transaction that writes them."""


SAID_AGAIN = timedelta(days=1)
"""How long it is not said again that a log cannot be signed, as long as it cannot be for the same reason."""


class LogSigner:
    """Writes checkpoints with the key of an installation."""

    def __init__(self, signer: NoteSigner, deployment: str, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds."""
        self._signer = signer
        self._deployment = deployment
        self._clock = clock
        self._said: dict[RolloutKey, tuple[str, float]] = {}

    @property
    def vkey(self) -> str:
        """What its signatures are known by."""
        return self._signer.public.vkey

    def is_news(self, key: RolloutKey, problem: str) -> bool:
        """Whether a problem with a chain's log has to be said: it is another than the last one, or a day has passed.
        The log is looked at every minute."""
        now = self._clock()
        said, at = self._said.get(key, ("", 0.0))
        if said == problem and now - at < SAID_AGAIN.total_seconds():
            return False
        self._said[key] = problem, now
        return True

    def is_sound(self, key: RolloutKey) -> None:
        """Nothing is wrong with a chain's log: should something be again, it is news."""
        self._said.pop(key, None)

    async def write(
        self, conn: Connection, key: RolloutKey, because: Because, *, wait: bool = True
    ) -> StoredCheckpoint | None:
        """A checkpoint over the whole log of a chain; None where the newest one covers it already, or, without `wait`,
        where somebody else has the chain in hand. To be called in a transaction.

        What is read does not grow with the log, but with what came since the newest checkpoint.

        Raises:
            NotSound: the log is not the one that the newest checkpoint was signed over.
        """
        if not await store.lock(conn, key, wait=wait):
            return None
        last = await store.newest(conn, key)
        said, before = await self._before(conn, key, last)
        after = before.grown([leaf async for leaf in _leaves(conn, key, before.size)])
        if after.size == before.size:
            return None
        link = Link(
            previous=said.digest if said else None,
            number=link_of(said).number + 1 if said else 1,
            at=datetime.now(UTC).replace(microsecond=0),
            because=because,
        )
        origin = said.origin if said else origin_of(self._deployment, key.rollout_id, key.chain_id)
        written = StoredCheckpoint(
            number=link.number,
            size=after.size,
            because=because.value,
            at=link.at,
            note=make_checkpoint(origin, after.size, after.root(), link, self._signer),
            vkey=self.vkey,
            edge=after.packed(),
        )
        await store.keep(conn, key, written)
        return written

    async def _before(
        self, conn: Connection, key: RolloutKey, last: StoredCheckpoint | None
    ) -> tuple[Checkpoint | None, Edge]:
        """What the newest checkpoint says, and the tree that it is over."""
        if last is None:
            return None, Edge()
        note = last.note.encode()
        said = read_checkpoint(read_note(note).text)
        if not said.origin.endswith("/".join(("", quote(key.rollout_id, safe=""), quote(key.chain_id, safe="")))):
            raise NotSound(f"checkpoint {last.number} of {key.rollout_id} is of another log, {said.origin[:200]!r}")
        try:
            open_checkpoint(note, [self._signer.public])
            grown = edge(said.size, last.edge)
            if grown.root() == said.root:
                return said, grown
        except NotSound:
            pass
        # Another key signed it, or its edge is not what was signed: only the log itself can tell.
        grown = Edge().grown([leaf async for leaf in _leaves(conn, key, 0, said.size)])
        if (grown.size, grown.root()) != (said.size, said.root):
            raise NotSound(
                f"the log of {key.rollout_id}, chain {key.chain_id}, is not the one that its checkpoint {last.number} "
                f"over {said.size} entries was signed over"
            )
        return said, grown


async def at_turn(
    conn: Connection, key: RolloutKey, entries: tuple[LogEntry, ...], signer: LogSigner | None
) -> StoredCheckpoint | None:
    """A checkpoint in the transaction that records a turn of the rollout; None where these entries are none, and where
    it cannot be written here: then somebody else is asked for it. Whatever happens, the record stands."""
    if not any(entry.kind in TURNS for entry in entries):
        return None
    if signer is not None and (written := await attempt(conn, key, Because.GATE, signer)):
        return written
    try:
        async with conn.transaction():
            await store.wish(conn, key, Because.GATE.value)
    except asyncpg.PostgresError as problem:
        log.warning("nobody can be asked for a checkpoint", rollout=key.rollout_id, problem=repr(problem)[:300])
    return None


async def attempt(
    conn: Connection, key: RolloutKey, because: Because, signer: LogSigner, *, wait: bool = True
) -> StoredCheckpoint | None:
    """Write a checkpoint if that is possible; the transaction that it is called in goes on in any case. A log that
    cannot be signed is an alarm, once until something about it changes or a day has passed."""
    try:
        async with conn.transaction():
            written = await signer.write(conn, key, because, wait=wait)
        if written is not None:
            signer.is_sound(key)
        return written
    except NotSound as problem:
        if signer.is_news(key, str(problem)):
            log.error("alarm: a log cannot be signed", rollout=key.rollout_id, chain=key.chain_id, problem=str(problem))
    except asyncpg.PostgresError as problem:
        log.error("a checkpoint cannot be written", rollout=key.rollout_id, problem=repr(problem)[:300])
    return None


async def _leaves(conn: Connection, key: RolloutKey, after: int, last: int | None = None) -> AsyncIterator[bytes]:
    """The hashes of a chain's leaves after a sequence, up to `last`."""
    async for one in store.entries_after(conn, key, after):
        if last is not None and one.sequence > last:
            return
        yield leaf_hash(leaf_bytes(key.rollout_id, key.chain_id, one.run_id, one.sequence, one.entry))
