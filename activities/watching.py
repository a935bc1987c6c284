"""The watch's activity: one look at all open rollouts of a shard, or a stay with them that wakes on every change."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import asyncpg
import structlog
from temporalio import activity
from temporalio.client import Client

from activities.agenda import EVERYTHING
from activities.delivery import Delivery
from activities.errors import borrowed
from activities.looking import Looker, Seen
from activities.meters import record_look
from activities.vigil import AFTER_FAILURE, ASK, DEBOUNCE, Vigil
from models.base import digest_json
from models.metric import CATALOGUE, MetricName
from models.names import shard_of
from models.work import TickRequest, TickResult
from store.roster import Entry, read_roster

log = structlog.get_logger(__name__)

SHORTEST = timedelta(milliseconds=200)
"""Least real time between two ticks, whatever the speed of a rollout."""

BEAT = 2.0
"""Seconds between two signs of life."""

LETTERS_WITHIN = timedelta(seconds=10)


@dataclass
class _Tally:
    """What has come of the looks so far; the digest chains those of all of them."""

    evaluated: int = 0
    signalled: int = 0
    failed: int = 0
    digest: str = field(default_factory=lambda: digest_json([]))

    def count(self, seen: Sequence[Seen]) -> None:
        evaluated, signalled = sum(one.evaluated for one in seen), sum(one.signalled for one in seen)
        failed, gone = sum(one.failed for one in seen), sum(one.gone for one in seen)
        record_look(evaluated=evaluated, signalled=signalled, failed=failed, gone=gone)
        self.evaluated += evaluated
        self.signalled += signalled
        self.failed += failed
        if seen:
            self.digest = digest_json([self.digest, *(one.digest for one in seen)])

    def result(self, looked_at: int, next_in: timedelta) -> TickResult:
        return TickResult(
            looked_at=looked_at,
            evaluated=self.evaluated,
            signalled=self.signalled,
            failed=self.failed,
            digest=self.digest,
            next_in=next_in,
        )


class WatchActivities:
    """The tick."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], client: Client, delivery: Delivery) -> None:
        self._pool = pool
        self._looker = Looker(pool, client)
        self._delivery = delivery
        self._vigils: dict[tuple[int, int], Vigil] = {}

    @activity.defn
    async def evaluate_open_rollouts(self, request: TickRequest) -> TickResult:
        """Look at every open rollout that is due and deliver letters whose next try is; with a stay, do so again
        whenever a fact changes, a deadline passes or a cadence is due, until the stay is over.

        A rollout that fails does not keep the others. Key: the signals' request ids, derived from what was seen,
        so that a repeated tick repeats them.
        """
        return await (self._stay(request) if request.stay else self._once(request))

    async def _once(self, request: TickRequest) -> TickResult:
        now, tally = request.real_now, _Tally()
        async with borrowed(self._pool) as conn:
            entries = [one for one in await read_roster(conn) if _is_ours(one, request)]
        due = {entry.key: EVERYTHING for entry in entries if entry.partners and entry.next_look(now) <= now}
        seen = await self._looker.look(due, now)
        tally.count(seen)
        await self._letters()
        failed = {one.key: one.gone for one in seen if one.failed}
        waits = [_wait(entry, failed.get(entry.key), entry.key in due, request) for entry in entries]
        return tally.result(len(entries), max(SHORTEST, min([request.slowest, *waits])))

    async def _stay(self, request: TickRequest) -> TickResult:
        """Between two looks nothing is asked of anybody: the database tells of changes, and the agenda of the rest.

        The time is Temporal's, like that of the rollouts' clocks: neither the worker's nor the database's clock is
        asked what time it is, only how long something took.
        """
        clock, tally = _temporal_clock(request), _Tally()
        vigil = self._vigils.setdefault((request.shard, request.shards), self._vigil(request))
        until, letters = clock() + request.stay, None
        async with _alive() as stopping, vigil.told_of_news() as news:
            await vigil.begin(clock())
            while clock() < until and not stopping.is_set():
                news.clear()
                began = clock()
                tally.count(await vigil.round(began))
                if request.shard == 0 and (letters is None or letters.done()):
                    letters = asyncio.create_task(self._letters())
                await _debounce(began, clock)
                await _rest(news, stopping, _next(vigil, began, until, request.slowest) - clock())
            if letters is not None:
                await letters
        return tally.result(vigil.looked_after, timedelta(0))

    def _vigil(self, request: TickRequest) -> Vigil:
        reads: dict[str, frozenset[MetricName]] = {}
        for spec in CATALOGUE.values():
            for facts in spec.reads:
                reads[facts] = reads.get(facts, frozenset()) | {spec.name}
        return Vigil(self._pool, self._looker, reads, request.shard, request.shards)

    async def _letters(self) -> None:
        """Letters are no reason for a look to fail: they wait in the outbox."""
        try:
            await self._delivery.deliver(None, LETTERS_WITHIN)
        except Exception as problem:
            log.warning("letters_not_delivered", problem=str(problem)[:300])


def _is_ours(entry: Entry, request: TickRequest) -> bool:
    return shard_of(entry.key.rollout_id, request.shards) == request.shard


def _wait(entry: Entry, gone: bool | None, looked: bool, request: TickRequest) -> timedelta:
    """Until a rollout is to be looked at again; `gone` None: the look did not fail."""
    if gone is not None:
        return request.slowest if gone else min(AFTER_FAILURE, request.slowest)
    now = request.real_now
    if looked or not entry.partners:
        return entry.clock.real(entry.clock.programme(now) + entry.cadence) - now
    return entry.next_look(now) - now


def _next(vigil: Vigil, began: datetime, until: datetime, slowest: timedelta) -> datetime:
    """When to look again though nobody says anything."""
    latest = min(until, began + min(ASK, slowest))
    return min(latest, vigil.next_at or latest)


def _temporal_clock(request: TickRequest) -> Callable[[], datetime]:
    began = time.monotonic()
    at = activity.info().started_time if activity.in_activity() else request.real_now
    return lambda: at + timedelta(seconds=time.monotonic() - began)


async def _debounce(began: datetime, clock: Callable[[], datetime]) -> None:
    """What comes shortly after a look began is looked at together. The first fact of a burst waits for nothing, and
    facts that never cease put no look off: it is not their silence that is waited for."""
    await asyncio.sleep(max(0.0, (began + DEBOUNCE - clock()).total_seconds()))


async def _rest(news: asyncio.Event, stopping: asyncio.Event, wait: timedelta) -> None:
    """Until there is news, the time is over, or the worker is told to stop."""
    waiting = [asyncio.create_task(event.wait()) for event in (news, stopping)]
    try:
        await asyncio.wait(waiting, timeout=max(0.0, wait.total_seconds()), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()


@asynccontextmanager
async def _alive() -> AsyncIterator[asyncio.Event]:
    """Give signs of life while inside; the event is set when the worker is told to stop, so that another one can take
    over without waiting for ours to fall silent."""
    stopping = asyncio.Event()

    async def beat() -> None:
        while activity.in_activity():
            activity.heartbeat()
            await asyncio.sleep(BEAT)

    async def leave() -> None:
        if activity.in_activity():
            await activity.wait_for_worker_shutdown()
            stopping.set()

    tasks = [asyncio.create_task(beat()), asyncio.create_task(leave())]
    try:
        yield stopping
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
