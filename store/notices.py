"""The outbox of notices: a letter for each person, waiting until every channel has taken it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from models.base import Frozen, Instant
from models.rollout import Notice
from models.work import RolloutKey
from store.pool import Connection
from store.statements import statement

_QUEUE = statement("rollouts/queue_notice")
_WAITING = statement("rollouts/waiting_notices")
_TAKE = statement("rollouts/take_notice")
_MARK = statement("rollouts/mark_notice")


class TakenNotice(Frozen):
    """A letter in the hands of one deliverer. `delivered` names the channels that took it before."""

    notice_id: str
    contact: str
    rollout_id: str
    subject: str
    body: str
    created_at: Instant
    attempts: int
    delivered: tuple[str, ...]


async def queue(conn: Connection, key: RolloutKey, notice: Notice, contacts: Sequence[str]) -> None:
    """Queue a notice for each contact; what is queued already stays as it is."""
    await conn.executemany(
        _QUEUE,
        [
            (notice.notice_id, contact, key.rollout_id, key.chain_id, notice.kind, notice.subject, notice.body)
            for contact in contacts
        ],
    )


async def waiting(conn: Connection, notice_ids: Sequence[str] | None, limit: int) -> tuple[tuple[str, str], ...]:
    """Notice id and contact of the letters of these notices that wait, or of all whose next try is due."""
    rows = await conn.fetch(_WAITING, list(notice_ids) if notice_ids is not None else None, limit)
    return tuple((row["notice_id"], row["contact"]) for row in rows)


async def take(conn: Connection, notice_id: str, contact: str) -> TakenNotice | None:
    """Lock a letter until the caller's transaction ends; None when it is done, or in somebody else's hands."""
    row = await conn.fetchrow(_TAKE, notice_id, contact)
    return TakenNotice(**{**row, "delivered": tuple(row["delivered"])}) if row else None


async def mark(
    conn: Connection,
    letter: TakenNotice,
    delivered: Sequence[str],
    *,
    done: bool,
    refused: bool = False,
    problem: str | None = None,
    wait: timedelta = timedelta(0),
) -> None:
    """Write down what came of an attempt; `wait` is real time until the next one."""
    await conn.execute(_MARK, letter.notice_id, letter.contact, list(delivered), done, refused, problem, wait)
