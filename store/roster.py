"""Whom the watch looks after: every open rollout with the partners it watches, and when it was looked at last."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import NamedTuple

from models.base import parse_duration
from models.clock import ProgrammeClock
from models.work import RolloutKey
from store.pool import Connection
from store.statements import statement

_READ = statement("watch/read_roster")

UNKNOWN = timedelta(days=1)
"""The cadence of a rollout whose plan cannot be read; whoever looks at it will find out."""


class Entry(NamedTuple):
    """An open rollout, as light as ten thousand of them must be. Without partners there is nothing to watch yet.

    `cadence` and `evaluated_at`, the latest look at everything, are programme time; `metrics` are those of the plan.
    """

    key: RolloutKey
    clock: ProgrammeClock
    cadence: timedelta
    metrics: frozenset[str]
    partners: tuple[str, ...]
    evaluated_at: datetime | None

    def next_look(self, now: datetime) -> datetime:
        """The real time at which to look at everything again; at once where nobody ever has."""
        return now if self.evaluated_at is None else self.clock.real(self.evaluated_at + self.cadence)


async def read_roster(conn: Connection, rollout_ids: Collection[str] | None = None) -> tuple[Entry, ...]:
    """The open ones among these rollouts, or all open ones, the oldest first."""
    rows = await conn.fetch(_READ, list(rollout_ids) if rollout_ids is not None else None)
    return tuple(
        Entry(
            key=RolloutKey(rollout_id=row["rollout_id"], chain_id=row["chain_id"]),
            clock=ProgrammeClock(
                real_start=row["real_start"], programme_start=row["programme_start"], speed=row["speed"]
            ),
            cadence=parse_duration(row["cadence"]) if row["cadence"] else UNKNOWN,
            metrics=frozenset(row["metrics"]),
            partners=tuple(row["partners"]),
            evaluated_at=row["evaluated_at"],
        )
        for row in rows
    )
