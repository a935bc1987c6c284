"""What rollouts keep of themselves when they end: files, kept once and never changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import asyncpg

from models.base import Frozen
from models.kept import Named, misfits, named_in, sha256_of
from models.log import LogEntry
from models.work import RolloutKey
from store.pool import Connection
from store.statements import statement

_INSERT = statement("kept/insert")
_READ = statement("kept/read")


class KeptChanged(Exception):
    """What is kept is not what the log names; the message says which of it."""


class KeptRecord(Frozen):
    """What the log names, as it is kept: files by their path."""

    named: Named
    files: dict[str, bytes]


async def keep_documents(conn: Connection, key: RolloutKey, entries: int, files: Mapping[str, bytes]) -> bool:
    """Keep the files that were made of so many entries; False where files of the same are kept already, which stay."""
    paths = sorted(files)
    digests = [sha256_of(files[path]) for path in paths]
    contents = [files[path] for path in paths]
    try:
        async with conn.transaction():
            await conn.execute(_INSERT, key.rollout_id, key.chain_id, entries, paths, digests, contents)
    except asyncpg.UniqueViolationError:
        return False
    return True


async def read_documents(conn: Connection, key: RolloutKey, entries: int) -> dict[str, bytes]:
    """The files that were made of so many entries, by their path; empty where none are kept."""
    rows = await conn.fetch(_READ, key.rollout_id, key.chain_id, entries)
    return {row["path"]: row["content"] for row in rows}


async def documents_named(conn: Connection, key: RolloutKey, log: Iterable[LogEntry]) -> dict[str, bytes]:
    """The files that a log names as they are kept, whether or not they are what it names; empty where it names none."""
    named = named_in(log)
    return await read_documents(conn, key, named.said.entries) if named else {}


async def read_kept(conn: Connection, key: RolloutKey, log: tuple[LogEntry, ...]) -> KeptRecord | None:
    """What a rollout has kept of itself, None where its log names nothing.

    Raises:
        KeptChanged: it is not there, or not as the log names it.
    """
    named = named_in(log)
    if named is None:
        return None
    files = await documents_named(conn, key, log)
    for wrong in misfits(named.said, files):
        raise KeptChanged(f"{wrong.path}: {wrong.what} (entry {named.entry} of the log of {key.rollout_id})")
    return KeptRecord(named=named, files=files)
