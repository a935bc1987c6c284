"""Sessions of people: kept as a hash, ended by leaving, by time or by being revoked; and what leads to one.

A session's secret is 256 random bits, as a key's is (`store/events/keys.py`): its plain SHA-256 is all that is kept.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple

from models.base import Frozen, Instant
from store.pool import Connection
from store.statements import statement

_OPEN: Final = statement("sessions/open")
_READ: Final = statement("sessions/read")
_END: Final = statement("sessions/end")
_LIST: Final = statement("sessions/list")
_REVOKE: Final = statement("sessions/revoke")
_FORGET: Final = statement("sessions/forget")
_BEGIN: Final = statement("sessions/begin")
_FINISH: Final = statement("sessions/finish")
_KEEP_DRAFT: Final = statement("sessions/keep_draft")
_TAKE_DRAFT: Final = statement("sessions/take_draft")
_ASK: Final = statement("sessions/ask")
_ALLOW: Final = statement("sessions/allow")

TO_SIGN_IN: Final = timedelta(minutes=10)
"""Real time from beginning to sign in to having done it."""

_CODE: Final = "BCDFGHJKLMNPQRSTVWXZ"
"""Letters of a terminal's code: none that is taken for another, and none that make words."""


class SessionKind(StrEnum):
    BROWSER = "browser"
    TERMINAL = "terminal"


class Holder(NamedTuple):
    """Whose session it is; as in `console/person.py`, which this room does not know."""

    issuer: str
    subject: str
    identity: str
    name: str
    auth_time: int
    amr: tuple[str, ...]


class Attempt(NamedTuple):
    """Somebody on the way to the issuer and back: what must come back with them, and where they go then."""

    nonce: str
    verifier: str
    back: str
    max_age: int


class Session(Frozen):
    """A session as lists show it. `last_seen_at` is exact to the minute; `ended_by` says how it ended."""

    session_id: str
    kind: SessionKind
    issuer: str
    subject: str
    identity: str
    name: str
    created_at: Instant
    last_seen_at: Instant
    ended_at: Instant | None
    ended_by: str | None


def new_secret() -> str:
    """256 random bits, as text for a cookie."""
    return secrets.token_urlsafe(32)


def hashed(secret: str) -> bytes:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


async def open_session(
    conn: Connection, holder: Holder, kind: SessionKind = SessionKind.BROWSER, *, sha256: bytes | None = None
) -> str:
    """A new session for somebody; its secret, empty where somebody else has it and `sha256` says which."""
    secret = "" if sha256 else new_secret()
    await conn.execute(_OPEN, sha256 or hashed(secret), secrets.token_hex(6), kind.value, *holder[:5], list(holder.amr))
    return secret


async def read_session(conn: Connection, secret: str, idle: timedelta, longest: timedelta) -> Holder | None:
    """Whose session this secret opens; None for one that is made up, ended, or too old."""
    row = await conn.fetchrow(_READ, hashed(secret), idle, longest)
    if row is None:
        return None
    if row["unnoticed"]:
        await conn.execute("update session set last_seen_at = now() where sha256 = $1", hashed(secret))
    return Holder(row["issuer"], row["subject"], row["identity"], row["name"], row["auth_time"], tuple(row["amr"]))


async def end_session(conn: Connection, secret: str, why: str) -> None:
    """From now on the secret opens nothing."""
    await conn.execute(_END, hashed(secret), why)


async def list_sessions(conn: Connection) -> tuple[Session, ...]:
    """All sessions of the last 90 days, the newest last."""
    rows = await conn.fetch(_LIST)
    return tuple(Session(**{**row, "kind": SessionKind(row["kind"])}) for row in rows)


async def revoke_sessions(conn: Connection, whose: str) -> int:
    """End one session by its id, or all of a person by their identity; how many there were."""
    return len(await conn.fetch(_REVOKE, whose))


async def begin_sign_in(conn: Connection, state: str, browser: str, attempt: Attempt) -> None:
    """Write down that a browser is on its way to the issuer; what is long over is forgotten."""
    await conn.execute(_FORGET, TO_SIGN_IN)
    await conn.execute(_BEGIN, hashed(state), hashed(browser), *attempt)


async def finish_sign_in(conn: Connection, state: str, browser: str) -> Attempt | None:
    """What was written down, this once; None if it was by another browser, too long ago, or never."""
    row = await conn.fetchrow(_FINISH, hashed(state), hashed(browser), TO_SIGN_IN)
    return Attempt(*row) if row else None


async def keep_draft(conn: Connection, issuer: str, subject: str, path: str, fields: dict[str, Any]) -> str:
    """Keep what somebody had written on a page while they sign in again; by what it is taken back."""
    draft_id = new_secret()
    await conn.execute(_KEEP_DRAFT, draft_id, issuer, subject, path, fields)
    return draft_id


async def take_draft(conn: Connection, draft_id: str, issuer: str, subject: str, path: str) -> dict[str, Any] | None:
    """What was kept, this once, for the same person on the same page; None otherwise."""
    found: dict[str, Any] | None = await conn.fetchval(_TAKE_DRAFT, draft_id, issuer, subject, path)
    return found


async def ask_for_terminal(conn: Connection) -> tuple[str, str]:
    """A terminal wants a session: its secret, which opens nothing yet, and the code by which a person allows it."""
    await conn.execute(_FORGET, TO_SIGN_IN)
    secret, letters = new_secret(), [secrets.choice(_CODE) for _ in range(8)]
    code = "".join(letters[:4]) + "-" + "".join(letters[4:])
    await conn.execute(_ASK, hashed(secret), code)
    return secret, code


async def allow_terminal(conn: Connection, code: str, holder: Holder) -> bool:
    """Let the terminal with this code act for somebody; False if none waits by that code, or not any more."""
    async with conn.transaction():
        sha256 = await conn.fetchval(_ALLOW, code.strip().upper(), TO_SIGN_IN)
        if sha256 is None:
            return False
        await open_session(conn, holder, SessionKind.TERMINAL, sha256=sha256)
    return True
