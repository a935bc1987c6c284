"""The journal of changes that the watch reads, how far it has come, and the connection that is told of new ones."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from models.base import Frozen, Instant
from models.metric import CATALOGUE, MetricName
from store.pool import Connection
from store.statements import statement

CHANNEL = "watch_change"

ROLLOUT = "rollout"
"""What `facts` says of a rollout that opened, ended, or is to be watched differently."""

_READ = statement("watch/read_changes")
_FORGET = statement("watch/forget_changes")
_WRITE = statement("watch/write_position")
_NEXT_DEADLINES = {
    name: statement(f"watch/next_deadlines/{name}") for name, spec in CATALOGUE.items() if spec.met_by is not None
}

OF_DEADLINES = tuple(_NEXT_DEADLINES)
"""Metrics that change although no fact does: when a deadline passes."""

_SOON = statement("watch/due_soon")
_DUE_SOON = {name: _SOON.replace(":open\n", statement(f"watch/due/{name}")) for name in OF_DEADLINES}


class Change(Frozen):
    """Something changed: rows of the table `facts`, of a partner (or a rollout), or of everybody where `about` is None.

    `horizon` is when the last part of it is known, by the clock of whoever brought it: later than now where that
    clock is ahead of ours.
    """

    facts: str
    about: str | None
    horizon: Instant | None


class Position(Frozen):
    """How far a shard has come: changes of transactions before `xid` are dealt with, and deadlines that passed until
    `deadlines_through` (real time)."""

    xid: int
    deadlines_through: Instant


class Journal:
    """Reads each change at least once, and as a rule once.

    A transaction becomes visible when it commits, not in the order of its number. So the position stays at the oldest
    one still open; what was dealt with of later ones is remembered while they stand behind it.
    """

    def __init__(self, xid: int) -> None:
        self.xid = xid
        self._beyond: set[int] = set()

    async def read(self, conn: Connection) -> tuple[Change, ...]:
        """What is new since the last reading."""
        found = await conn.fetch(_READ, self.xid, sorted(self._beyond))
        oldest: int = found[0]["oldest"]
        rows = [row for row in found if row["xid"] is not None]
        self._beyond = {xid for xid in (*self._beyond, *(row["xid"] for row in rows)) if xid >= oldest}
        self.xid = oldest
        return tuple({Change(facts=row["facts"], about=row["about"], horizon=row["horizon"]) for row in rows})


async def read_position(conn: Connection, shard: int, shards: int) -> Position | None:
    """Where one of so many shards stands; None where it never stood anywhere among so many, or where its number means
    nothing any more, because the database was restored into another cluster: then everything may have changed."""
    row = await conn.fetchrow(
        "select position, deadlines_through from watch_position where (shard, shards) = ($1, $2)", shard, shards
    )
    if row is None or row["position"] > await _oldest_open(conn):
        return None
    return Position(xid=row["position"], deadlines_through=row["deadlines_through"])


async def first_position(conn: Connection, now: datetime) -> Position:
    """Where to begin when everything is looked at anyway."""
    return Position(xid=await _oldest_open(conn), deadlines_through=now)


async def write_position(conn: Connection, shard: int, shards: int, position: Position) -> None:
    """Keep where one of so many shards stands."""
    await conn.execute(_WRITE, shard, position.xid, position.deadlines_through, shards)


async def forget_changes(conn: Connection, shards: int) -> None:
    """Remove changes that every shard has dealt with."""
    await conn.execute(_FORGET, shards)


async def next_deadlines(
    conn: Connection,
    groups: Sequence[tuple[Sequence[str], datetime]],
    metric: MetricName = MetricName.LEAD_FOLLOW_UP_SLA,
) -> tuple[datetime | None, ...]:
    """For each group of partners the first deadline of an open lead at or after the group's moment.

    Args:
        metric: one of `OF_DEADLINES`, by whose deadline: that of the contact or that of the acceptance.
    """
    numbers, partners = _side_by_side([group for group, _ in groups])
    rows = await conn.fetch(_NEXT_DEADLINES[metric], numbers, partners, [moment for _, moment in groups])
    found = {row["group_no"]: row["due_at"] for row in rows}
    return tuple(found.get(number) for number in range(len(groups)))


class Stretch(NamedTuple):
    """Partners with the moment until which each one's leads are looked at, from `now` on, and the window that counts
    them."""

    until: Mapping[str, datetime]
    window_start: datetime
    now: datetime


class DueSoon(NamedTuple):
    """Open leads due in a stretch: how many, when the first is, and the partners with most of them."""

    leads: int
    first_due_at: datetime
    partners: tuple[str, ...]


async def due_soon(
    conn: Connection, asked: Sequence[Stretch], metric: MetricName = MetricName.LEAD_FOLLOW_UP_SLA
) -> tuple[DueSoon | None, ...]:
    """For each stretch the leads due in it; None where there are none.

    Args:
        metric: one of `OF_DEADLINES`, by whose deadline: that of the contact or that of the acceptance.
    """
    numbers, partners = _side_by_side([tuple(one.until) for one in asked])
    rows = await conn.fetch(
        _DUE_SOON[metric],
        numbers,
        partners,
        [until for one in asked for until in one.until.values()],
        [one.window_start for one in asked],
        [one.now for one in asked],
    )
    found = {row["group_no"]: DueSoon(row["leads"], row["first_due_at"], tuple(row["partners"])) for row in rows}
    return tuple(found.get(number) for number in range(len(asked)))


class Listener:
    """A connection that is told of changes: sets `news` when there are some, and `lost` when nobody tells any more."""

    def __init__(self, conn: Any, news: asyncio.Event, lost: asyncio.Event) -> None:
        self._conn = conn
        self._news = news
        self._lost = lost

    async def start(self) -> None:
        """Be told from now on; whatever was committed before must be read from the journal.

        Raises:
            OSError, asyncpg.PostgresError: the connection does not work.
        """
        self._conn.add_termination_listener(self._ended)
        await self._conn.add_listener(CHANNEL, self._told)

    async def stop(self) -> None:
        """Be told no longer."""
        if not self._conn.is_closed():
            self._conn.remove_termination_listener(self._ended)
            await self._conn.remove_listener(CHANNEL, self._told)

    def _told(self, *_: object) -> None:
        self._news.set()

    def _ended(self, *_: object) -> None:
        self._lost.set()
        self._news.set()


async def _oldest_open(conn: Connection) -> int:
    found: int = await conn.fetchval("select pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
    return found


def _side_by_side(groups: Sequence[Sequence[str]]) -> tuple[list[int], list[str]]:
    numbers = [number for number, partners in enumerate(groups) for _ in partners]
    return numbers, [partner for partners in groups for partner in partners]
