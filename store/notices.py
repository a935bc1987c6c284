"""The outbox of notices: a letter for each person and one for programs, waiting until every channel has taken it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Any

from models.base import Frozen, Instant
from models.letter import PROGRAMS, quoted, recipients, said
from models.plan import RolloutPlan
from models.rollout import Notice
from models.work import RolloutKey
from store.checkpoints import StoredCheckpoint
from store.pool import Connection
from store.rollouts import read_delegations
from store.statements import statement

_QUEUE = statement("rollouts/queue_notice")
_WAITING = statement("rollouts/waiting_notices")
_ABSENT = statement("rollouts/absent_notices")
_TAKE = statement("rollouts/take_notice")
_MARK = statement("rollouts/mark_notice")
_LIST = statement("rollouts/list_notices")
_RETRY = statement("rollouts/retry_notices")


class NoticeStatus(StrEnum):
    """What has become of a letter. One that was kept found no channel to go through."""

    WAITING = "waiting"
    SENT = "sent"
    KEPT = "kept"
    REFUSED = "refused"


class TakenNotice(Frozen):
    """A letter in the hands of one deliverer. `delivered` names the channels that took it before, `refused` those that
    never will."""

    notice_id: str
    contact: str
    rollout_id: str
    chain_id: str
    kind: str
    subject: str
    body: str
    about: dict[str, Any]
    created_at: Instant
    attempts: int
    delivered: tuple[str, ...]
    refused: tuple[str, ...]


class ListedNotice(Frozen):
    """A letter as lists show it. `problem` is that of the latest attempt, `next_try_at` is real time."""

    notice_id: str
    contact: str
    rollout_id: str
    chain_id: str
    kind: str
    subject: str
    state: NoticeStatus
    created_at: Instant
    attempts: int
    delivered: tuple[str, ...]
    refused: tuple[str, ...]
    problem: str | None
    next_try_at: Instant
    sent_at: Instant | None
    refused_at: Instant | None


async def queue(
    conn: Connection, key: RolloutKey, plan: RolloutPlan, notice: Notice, signed: StoredCheckpoint | None = None
) -> None:
    """Queue a notice for each recipient and once for programs; what is queued already stays as it is.

    To be called in the transaction that writes what the notice is about. `signed` is the checkpoint over it: in
    mailboxes that nobody here can change it witnesses what the log said. Partners and other audiences are not told.
    """
    about, body = said(plan, notice), notice.body
    if signed is not None and notice.kind != "communicate":
        about = {**about, "log": {"number": signed.number, "size": signed.size, "checkpoint": signed.note}}
        body += quoted(signed.number, signed.size, signed.note)
    # Whom a letter goes to that the log names was settled when it was written.
    to = notice.to or recipients(plan, notice, await read_delegations(conn, key))
    await conn.executemany(
        _QUEUE,
        [
            (notice.notice_id, contact, key.rollout_id, key.chain_id, notice.kind, notice.subject, body, about)
            for contact in (*to, PROGRAMS)
        ],
    )


async def absent(conn: Connection, key: RolloutKey, notice_ids: Sequence[str]) -> tuple[str, ...]:
    """Those of a rollout's notices that were never queued."""
    rows = await conn.fetch(_ABSENT, key.rollout_id, key.chain_id, list(notice_ids))
    return tuple(row["notice_id"] for row in rows)


async def waiting(conn: Connection, notice_ids: Sequence[str] | None, limit: int) -> tuple[tuple[str, str], ...]:
    """Notice id and contact of the letters of these notices that wait, or of all whose next try is due."""
    rows = await conn.fetch(_WAITING, list(notice_ids) if notice_ids is not None else None, limit)
    return tuple((row["notice_id"], row["contact"]) for row in rows)


async def take(conn: Connection, notice_id: str, contact: str) -> TakenNotice | None:
    """Lock a letter until the caller's transaction ends; None when it is done, or in somebody else's hands."""
    row = await conn.fetchrow(_TAKE, notice_id, contact)
    return TakenNotice(**_tuples(row)) if row else None


async def mark(
    conn: Connection,
    letter: TakenNotice,
    delivered: Sequence[str],
    refused: Sequence[str],
    *,
    done: bool,
    problem: str | None = None,
    wait: timedelta = timedelta(0),
) -> None:
    """Write down what came of an attempt. `done`: every channel took it or never will; `wait` is real time until the
    next attempt."""
    await conn.execute(_MARK, letter.notice_id, letter.contact, list(delivered), list(refused), done, problem, wait)


async def listed(
    conn: Connection, rollout_id: str | None, states: Sequence[NoticeStatus] | None, limit: int
) -> tuple[ListedNotice, ...]:
    """Letters of a rollout, or of all, in these states or in any; the newest first, at most so many."""
    wanted = [one.value for one in states] if states is not None else None
    rows = await conn.fetch(_LIST, rollout_id, wanted, limit)
    return tuple(ListedNotice(**{**_tuples(row), "state": NoticeStatus(row["state"])}) for row in rows)


async def retry(conn: Connection, rollout_id: str | None) -> int:
    """Make the letters that wait or were refused due now, of a rollout or of all; how many. The watch delivers them."""
    return len(await conn.fetch(_RETRY, rollout_id))


def _tuples(row: Any) -> dict[str, Any]:
    return {**row, "delivered": tuple(row["delivered"]), "refused": tuple(row["refused"])}
