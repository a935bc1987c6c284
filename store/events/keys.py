"""Keys of those who send events: shown once, kept as a hash, each good for one source system.

A key's secret is 256 random bits. Nobody can go through those, so a plain SHA-256 keeps it as well as a slow password
hash would, and a request costs no more than one.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from typing import Final, NamedTuple

import asyncpg

from models.base import Frozen, Instant
from store.pool import Connection
from store.statements import statement

_READ: Final = statement("events/read_key")
_ADD: Final = statement("events/add_key")
_TOKEN: Final = re.compile(r"prk_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_NOBODYS: Final = hashlib.sha256(secrets.token_bytes(32)).digest()

SOURCE: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,62}")


class KeyRefused(Exception):
    """A key cannot be made or revoked as asked; one sentence says why."""


class ApiKey(Frozen):
    """A key, without its secret. `last_used_at` is exact to the minute."""

    key_id: str
    name: str
    source_system: str
    created_at: Instant
    revoked_at: Instant | None
    last_used_at: Instant | None


class Holder(NamedTuple):
    """Who sends, and for which source system."""

    name: str
    source_system: str


async def add_key(conn: Connection, name: str, source_system: str) -> str:
    """Make a key; its token, which cannot be had again.

    Raises:
        KeyRefused: the name is in use, or one of the two cannot be used.
    """
    if not NAME.fullmatch(name):
        raise KeyRefused(f"{name!r} is no name for a key: letters, digits and _ . @ -, at most 63, a letter first")
    if not SOURCE.fullmatch(source_system):
        raise KeyRefused(f"{source_system!r} is no source system: small letters, digits and _ . -, at most 63")
    key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    try:
        await conn.execute(_ADD, key_id, name, source_system, _hash(secret))
    except asyncpg.UniqueViolationError as taken:
        raise KeyRefused(f"There is a key {name} already; revoke it first, or take another name") from taken
    return f"prk_{key_id}_{secret}"


async def list_keys(conn: Connection) -> tuple[ApiKey, ...]:
    """All keys there ever were, the newest last."""
    rows = await conn.fetch(
        "select key_id, name, source_system, created_at, revoked_at, last_used_at from api_key"
        " order by created_at, name"
    )
    return tuple(ApiKey(**row) for row in rows)


async def revoke_key(conn: Connection, name: str) -> None:
    """From now on the key opens nothing.

    Raises:
        KeyRefused: there is no such key, or it is revoked already.
    """
    done = await conn.fetchval(
        "update api_key set revoked_at = now() where name = $1 and revoked_at is null returning key_id", name
    )
    if done is None:
        raise KeyRefused(f"There is no key {name} that could be revoked; `rollouts keys list` shows all")


async def holder_of(conn: Connection, token: str) -> Holder | None:
    """Whose token it is; None for one that is made up, mistyped or revoked."""
    parts = _TOKEN.fullmatch(token)
    row = await conn.fetchrow(_READ, parts[1]) if parts else None
    # Compared also where there is nothing to compare with, in the same time whatever is wrong.
    same = hmac.compare_digest(row["sha256"] if row else _NOBODYS, _hash(parts[2] if parts else token))
    if row is None or not same:
        return None
    if row["unnoticed"]:
        await conn.execute("update api_key set last_used_at = now() where key_id = $1", row["key_id"])
    return Holder(row["name"], row["source_system"])


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()
