"""The decision log of all rollouts, page by page."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from models.base import Frozen, Instant
from models.log import LogEntry
from models.work import RolloutKey
from store.pool import Connection
from store.statements import statement
from store.views.rollouts import escaped

_LOG = statement("views/log")


class LogLine(Frozen):
    """An entry of a rollout's log, the run of the workflow that wrote it, and when it came into the store."""

    key: RolloutKey
    run_id: str
    recorded_at: Instant
    entry: LogEntry


class LogPage(Frozen):
    """A page of the log; `more` tells whether older entries follow."""

    lines: tuple[LogLine, ...]
    more: bool


async def read_log_page(
    conn: Connection,
    *,
    rollout: str | None = None,
    kind: str | None = None,
    actor: str | None = None,
    outcome: str | None = None,
    words: str | None = None,
    verb: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    phase: str | None = None,
    limit: int = 50,
    offset: int = 0,
) -> LogPage:
    """Entries that fulfil all of what is given, the newest first.

    Args:
        actor: part of who asked.
        words: part of the message or the rationale.
        since: real time, inclusive; `until` exclusive.
        phase: with all its waves, or one as `scale wave 2`.
    """
    more = (verb, since, until, phase)
    rows = await conn.fetch(_LOG, rollout, kind, escaped(actor), outcome, escaped(words), limit + 1, offset, *more)
    return LogPage(lines=tuple(map(_line, rows[:limit])), more=len(rows) > limit)


async def entry_of(conn: Connection, rollout_id: str, request_id: str) -> LogLine | None:
    """The first entry that tells what came of a request, None where the log has none."""
    row = await conn.fetchrow(
        "select rollout_id, chain_id, run_id, recorded_at, entry::text as entry from decision_log"
        " where rollout_id = $1 and request_id = $2 order by recorded_at, sequence limit 1",
        rollout_id,
        request_id,
    )
    return _line(row) if row else None


def _line(row: Any) -> LogLine:
    return LogLine(
        key=RolloutKey(rollout_id=row["rollout_id"], chain_id=row["chain_id"]),
        run_id=row["run_id"],
        recorded_at=row["recorded_at"],
        entry=LogEntry.model_validate_json(row["entry"]),
    )
