"""Keeps watch: wakes on changes of facts, on deadlines and on cadences, and looks at the rollouts they concern."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from itertools import islice

import asyncpg
import structlog

from activities.agenda import EVERYTHING, Agenda, Metrics, both
from activities.errors import borrowed
from activities.looking import Looker, Seen
from activities.waiting import Waiting
from models.clock import END
from models.metric import MetricName
from models.names import shard_of
from models.work import RolloutKey
from store import changes
from store.changes import ROLLOUT, Change, Journal, Listener, Position
from store.roster import Entry, read_roster

log = structlog.get_logger(__name__)

DEBOUNCE = timedelta(milliseconds=20)
"""Least time between two looks for changes: what comes in between is looked at together."""

AHEAD_OF_US = timedelta(hours=1)
"""By how much a clock may differ from ours. What is known later than that was written for later on purpose, a made-up
world for instance, and is seen at a cadence."""

AT_ONCE = 25
"""Looks taken from the agenda in one round: a thousand rollouts whose cadences fall together must not keep a fact that
comes meanwhile waiting for all of them."""

OFTEN = timedelta(milliseconds=200)
"""Least real time between two looks at a rollout for its deadlines; on a fast programme clock they pass in crowds."""

AFTER_FAILURE = timedelta(seconds=5)
"""Real time until a rollout that could not be evaluated is looked at again."""

WITHOUT_WORKFLOW = timedelta(minutes=5)
"""Real time until a rollout is looked at again for which no workflow runs."""

ASK = timedelta(seconds=30)
"""The journal is read so often though nobody said anything: a notification may be lost."""

BEHIND = timedelta(hours=1)
"""Real time for which the watch's place waits for a rollout that cannot be looked at. Changes are kept from that place
on: one rollout that never can be must not make them pile up. It is looked at again and again all the same, and by
whoever takes over when its cadence says so."""

NOTE = timedelta(minutes=1)
"""A quiet watch writes down where it stands this often."""

WARN = timedelta(hours=1)
"""Programme time between two looks whether leads that are open are due soon: hours of business make it no moment that
could be told beforehand."""

MOMENT = timedelta(microseconds=1)
"""A deadline has passed at the first moment after it."""


class Vigil:
    """Watch over one shard's rollouts. All that it knows stands in the tables as well: what it keeps in memory between
    two stays is only used where nobody else has kept watch meanwhile."""

    def __init__(
        self,
        pool: asyncpg.Pool[asyncpg.Record],
        looker: Looker,
        reads: Mapping[str, frozenset[MetricName]],
        shard: int,
        shards: int,
    ) -> None:
        self._pool = pool
        self._looker = looker
        self._reads = reads
        self._shard = shard
        self._shards = shards
        self._journal: Journal | None = None
        self._noted: Position | None = None
        self._reset()

    def _reset(self) -> None:
        self._entries: dict[RolloutKey, Entry] = {}
        self._of_partner: dict[str, set[RolloutKey]] = defaultdict(set)
        self._agenda = Agenda()
        self._failing: dict[RolloutKey, datetime] = {}
        self._owed: dict[RolloutKey, Metrics] = {}
        self._known_by: datetime | None = None
        self._waiting = Waiting(self._agenda)

    @property
    def looked_after(self) -> int:
        """Open rollouts of this shard."""
        return len(self._entries)

    @asynccontextmanager
    async def told_of_news(self) -> AsyncIterator[asyncio.Event]:
        """An event that is set whenever there may be something in the journal, from now on."""
        news = asyncio.Event()
        listening = asyncio.create_task(self._listen(news))
        try:
            yield news
        finally:
            listening.cancel()
            await asyncio.wait([listening])

    async def begin(self, now: datetime) -> None:
        """Take up the watch where the tables say that it stands. Where they do not say, everything is looked at."""
        async with borrowed(self._pool) as conn:
            position = await changes.read_position(conn, self._shard, self._shards)
            if position is not None and self._journal is not None and position == self._noted:
                return
            self._reset()
            self._journal = None  # until all went well
            everything = position is None
            position = position or await changes.first_position(conn, now)
            for entry in await read_roster(conn):
                self._take_in(entry._replace(evaluated_at=None) if everything else entry, now)
        for metric in changes.OF_DEADLINES:
            # Of a clock that was ahead and has been set right, later than now.
            await self._note_deadlines(self._entries, min(position.deadlines_through, now), metric)
        self._journal, self._noted = Journal(position.xid), position
        log.info("watch begins", shard=self._shard, rollouts=self.looked_after, everything=everything)

    async def round(self, now: datetime) -> tuple[Seen, ...]:
        """Look at whatever a change, a deadline or a cadence makes due; empty where nothing is.

        Raises:
            ApplicationError: the store did not answer; `begin` again, what was under way is repeated.
        """
        if self._journal is None:
            raise RuntimeError("begin first")
        journal, self._journal = self._journal, None  # until all went well
        async with borrowed(self._pool) as conn:
            found = await journal.read(conn)
        await self._refresh(found, now)
        due = self._waiting.ripe(self._due(found, now), now)
        seen = await self._looker.look(due, now)
        await self._after(seen, due, now)
        await self._write_down(journal, now, busy=bool(found or seen))
        self._journal = journal
        return seen

    @property
    def next_at(self) -> datetime | None:
        """When the next look is due, should nothing change."""
        return self._agenda.next_at

    async def _listen(self, news: asyncio.Event) -> None:
        task = asyncio.current_task()
        # A connection that is lost as we are told to stop raises its own error in place of the cancellation.
        while task is None or not task.cancelling():
            try:
                async with self._pool.acquire() as conn:
                    await _told(conn, news)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as problem:
                log.warning("nobody tells the watch of changes", problem=str(problem)[:200])
            await asyncio.sleep(1)

    async def _refresh(self, found: Iterable[Change], now: datetime) -> None:
        """Rollouts that opened, ended, or watch others now."""
        named = {change.about for change in found if change.facts == ROLLOUT and change.about}
        if not named:
            return
        async with borrowed(self._pool) as conn:
            entries = {entry.key: entry for entry in await read_roster(conn, named)}
        for key in [key for key in self._entries if key.rollout_id in named and key not in entries]:
            self._let_go(key)
        for entry in entries.values():
            before = self._entries.get(entry.key)
            if before is not None:
                self._leave_partners(before)
            self._take_in(entry, now)
        # A deadline that passed since the place that is written down may not have had its turn.
        since = min(self._noted.deadlines_through, now) if self._noted is not None else now
        for metric in changes.OF_DEADLINES:
            await self._note_deadlines(entries, since, metric)

    def _take_in(self, entry: Entry, now: datetime) -> None:
        if shard_of(entry.key.rollout_id, self._shards) != self._shard:
            return
        self._entries[entry.key] = entry
        for partner in entry.partners:
            self._of_partner[partner].add(entry.key)
        if entry.partners:
            self._agenda.put(entry.key, "cadence", entry.next_look(now))
        else:
            self._agenda.forget(entry.key)

    def _let_go(self, key: RolloutKey) -> None:
        self._leave_partners(self._entries.pop(key))
        self._agenda.forget(key)
        self._waiting.forget(key)
        self._failing.pop(key, None)
        self._owed.pop(key, None)

    def _leave_partners(self, entry: Entry) -> None:
        for partner in entry.partners:
            self._of_partner[partner].discard(entry.key)

    def _due(self, found: Iterable[Change], now: datetime) -> dict[RolloutKey, Metrics]:
        due: dict[RolloutKey, Metrics] = {}
        for item in islice(self._agenda.due(now), AT_ONCE):
            due[item.key] = both(due.get(item.key, frozenset()), item.metrics)
        for change in found:
            metrics = self._reads.get(change.facts, frozenset())
            for key in self._concerned(change, metrics):
                due[key] = both(due.get(key, frozenset()), metrics)
                # Whoever brought it is ahead of our time: it is not known here yet.
                later = self._entries[key].clock.real(change.horizon) if change.horizon else now
                if later > now:
                    # Of several clocks each is waited for; by the minute, so that no stream of facts fills the agenda.
                    self._agenda.put_latest(key, f"known {change.facts} {later:%H:%M}", later, metrics)
                    self._waiting.note(key, later, now)
                    if later < now + AHEAD_OF_US:
                        self._known_by = max(self._known_by or later, later)
        return {key: self._with_what_is_owed(key, metrics) for key, metrics in due.items() if key in self._entries}

    def _concerned(self, change: Change, metrics: frozenset[MetricName]) -> Iterable[RolloutKey]:
        """Who watches the partner (or anybody, where it is about all), and a metric that reads these facts."""
        watching: Iterable[RolloutKey] = (
            self._entries if change.about is None else self._of_partner.get(change.about, ())
        )
        found = [key for key in watching if self._entries[key].metrics & metrics]
        return [key for key in found if self._entries[key].partners]

    def _with_what_is_owed(self, key: RolloutKey, metrics: Metrics) -> Metrics:
        """Everything at first; and what could not be looked at the last time, which nothing else may pass over."""
        if self._entries[key].evaluated_at is None:
            return EVERYTHING
        return both(metrics, self._owed.get(key, frozenset()))

    async def _after(self, seen: Sequence[Seen], due: Mapping[RolloutKey, Metrics], now: datetime) -> None:
        for one in seen:
            entry = self._entries[one.key]
            if one.failed:
                self._again(one, due[one.key], now)
                continue
            if one.key in self._owed:
                del self._owed[one.key]
                self._failing.pop(one.key, None)
                self._agenda.drop(one.key, "failed")
            if due[one.key] is EVERYTHING:
                entry = entry._replace(evaluated_at=entry.clock.programme(now))
                self._entries[one.key] = entry
                self._agenda.put(one.key, "cadence", entry.next_look(now))
        # Of what was not looked at the deadline that is noted stands: it may have passed, and not have had its turn.
        for metric in changes.OF_DEADLINES:
            looked = [one.key for one in seen if not one.failed and _takes_in(due[one.key], metric)]
            await self._note_deadlines(looked, now, metric)

    def _again(self, seen: Seen, metrics: Metrics, now: datetime) -> None:
        """A rollout without workflow is an operator's to see to; any other is tried again soon."""
        self._owed[seen.key] = metrics
        if not seen.gone:
            self._failing.setdefault(seen.key, now)
        self._agenda.put(seen.key, "failed", now + (WITHOUT_WORKFLOW if seen.gone else AFTER_FAILURE), metrics)

    async def _note_deadlines(self, keys: Iterable[RolloutKey], since: datetime, metric: MetricName) -> None:
        """When the next open lead of each rollout is past the deadline that a metric goes by; and while there are any,
        when to look whether they are due soon enough to warn of."""
        entries = [self._entries[key] for key in keys if key in self._entries]
        entries = [entry for entry in entries if metric in entry.metrics and entry.partners]
        if not entries:
            return
        async with borrowed(self._pool) as conn:
            passing = await changes.next_deadlines(
                conn, [(entry.partners, entry.clock.programme(since)) for entry in entries], metric
            )
        for entry, passes in zip(entries, passing, strict=True):
            # 9999-12-31 is how many systems write that something is never due: there is no moment after it.
            self._at(entry, "deadline", min(passes, END) + MOMENT if passes else None, since, metric)
            self._at(entry, "warning", entry.clock.programme(since) + WARN if passes else None, since, metric)

    def _at(self, entry: Entry, reason: str, programme: datetime | None, since: datetime, metric: MetricName) -> None:
        label = f"{reason} {metric}"
        if programme is None:
            self._agenda.drop(entry.key, label)
        else:
            self._agenda.put(entry.key, label, max(entry.clock.real(programme), since + OFTEN), frozenset({metric}))

    async def _write_down(self, journal: Journal, now: datetime, *, busy: bool) -> None:
        """Where the watch stands. While a rollout could not be looked at, or a fact is not known yet by our clock, it
        stays where that began, so that whoever takes over looks at it again; for a rollout not for ever."""
        if self._known_by is not None and self._known_by <= now:
            self._known_by = None
        quiet = self._noted is not None and now < self._noted.deadlines_through + NOTE
        waits = any(now < since + BEHIND for since in self._failing.values())
        if waits or self._known_by or (quiet and not busy):
            return
        position = Position(xid=journal.xid, deadlines_through=self._dealt_with(now))
        async with borrowed(self._pool) as conn:
            await changes.write_position(conn, self._shard, self._shards, position)
            if not quiet:
                await changes.forget_changes(conn, self._shards)
        self._noted = position

    def _dealt_with(self, now: datetime) -> datetime:
        """Until when deadlines that passed have had their turn: what is due waits where much is, and a deadline is
        noted up to `OFTEN` after it passes."""
        first = self._agenda.next_at
        through = now if first is None else min(now, first - OFTEN)
        return through if self._noted is None else max(through, min(self._noted.deadlines_through, now))


def _takes_in(looked_at: Metrics, metric: MetricName) -> bool:
    return looked_at is EVERYTHING or metric in looked_at


async def _told(conn: asyncpg.pool.PoolConnectionProxy[asyncpg.Record], news: asyncio.Event) -> None:
    """Listen until the connection is lost."""
    lost = asyncio.Event()
    listener = Listener(conn, news, lost)
    await listener.start()
    news.set()  # for whatever was committed before we listened
    try:
        await lost.wait()
        raise ConnectionError("the connection is lost")
    finally:
        await listener.stop()
