"""The watch's look at all open rollouts: measure and judge each at its own programme time, tell of changes."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import NamedTuple

import asyncpg
import structlog
from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities.delivery import Delivery
from activities.errors import borrowed, named_errors, unknown_rollout
from activities.measuring import Measured, judge_snapshot, keep_count, keep_judgement, measure
from activities.meters import record_look
from activities.telling import Word, next_mark, next_word
from models.base import digest_json
from models.evidence import Assessment
from models.names import rollout_workflow_id
from models.work import RolloutKey, TickRequest, TickResult
from store import marks, rollouts
from store.pool import Connection
from store.rollouts import StoredRollout

log = structlog.get_logger(__name__)

SHORTEST = timedelta(milliseconds=200)
"""Least real time between two ticks, whatever the speed of a rollout."""

AFTER_FAILURE = timedelta(seconds=5)
"""Least real time until a rollout that could not be evaluated is looked at again."""

AT_ONCE = 2
"""Rollouts evaluated side by side, so that one slow read does not keep all others waiting."""

SIGNAL_WITHIN = timedelta(seconds=5)
LETTERS_WITHIN = timedelta(seconds=10)
PURPOSE = "watch"


class Look(NamedTuple):
    """What a look at one rollout did, and the real time at which to look again."""

    due: datetime
    evaluated: bool = False
    signalled: bool = False
    failed: bool = False
    gone: bool = False
    digest: str = ""


class WatchActivities:
    """The tick."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], client: Client, delivery: Delivery) -> None:
        self._pool = pool
        self._client = client
        self._delivery = delivery

    @activity.defn
    async def evaluate_open_rollouts(self, request: TickRequest) -> TickResult:
        """Evaluate every open rollout whose cadence is due, then deliver letters whose next try is.

        A rollout that fails does not keep the others. Key: the signals' request ids, derived from what was seen,
        so that a repeated tick repeats them.
        """
        async with borrowed(self._pool) as conn:
            keys = await rollouts.open_keys(conn)
        gate = asyncio.Semaphore(AT_ONCE)
        looks = await asyncio.gather(*(self._guarded(gate, key, request) for key in keys))
        await self._letters()
        record_look(
            evaluated=sum(look.evaluated for look in looks),
            signalled=sum(look.signalled for look in looks),
            failed=sum(look.failed for look in looks),
            gone=sum(look.gone for look in looks),
        )
        waits = [look.due - request.real_now for look in looks]
        return TickResult(
            looked_at=len(looks),
            evaluated=sum(look.evaluated for look in looks),
            signalled=sum(look.signalled for look in looks),
            failed=sum(look.failed for look in looks),
            digest=digest_json([look.digest for look in looks]),
            next_in=max(SHORTEST, min([request.slowest, *waits])),
        )

    async def _guarded(self, gate: asyncio.Semaphore, key: RolloutKey, request: TickRequest) -> Look:
        """One rollout's trouble must not blind the watch to the others; its own watchdog speaks for it."""
        async with gate:
            try:
                return await self._look(key, request.real_now)
            except Exception as problem:
                gone = isinstance(problem, ApplicationError) and problem.type == "RolloutGone"
                event = "rollout_without_workflow" if gone else "rollout_not_evaluated"
                log.error(event, rollout=key.rollout_id, chain=key.chain_id, problem=str(problem)[:300])
                wait = request.slowest if gone else min(AFTER_FAILURE, request.slowest)
                return Look(due=request.real_now + wait, failed=True, gone=gone)

    async def _look(self, key: RolloutKey, real_now: datetime) -> Look:
        async with borrowed(self._pool) as conn:
            rollout = await rollouts.read_rollout(conn, key)
            mark = await marks.read_mark(conn, key)
            if rollout is None:
                raise unknown_rollout(key.rollout_id)
            now, cadence = rollout.clock.programme(real_now), rollout.plan.phases.cadence
            following = rollout.clock.real(now + cadence)
            if not rollout.standing.open or not rollout.standing.watched:
                return Look(due=following)
            if mark is not None and now < mark.evaluated_at + cadence:
                return Look(due=rollout.clock.real(mark.evaluated_at + cadence))
            measured, assessment = await self._evaluate(conn, rollout, now)
            word = next_word(key, assessment, mark)
            # What a rollout is told of is kept whole; of a quiet look the verdicts and the digest are enough.
            if word is not None:
                await keep_judgement(conn, key, PURPOSE, assessment, measured)
            else:
                await keep_count(conn, key, PURPOSE, assessment)
        if word is not None:
            await self._tell(key, word)
        async with borrowed(self._pool) as conn:
            await marks.write_mark(conn, key, next_mark(mark, assessment, told=word is not None))
        return Look(due=following, evaluated=True, signalled=word is not None, digest=assessment.digest)

    async def _evaluate(self, conn: Connection, rollout: StoredRollout, now: datetime) -> tuple[Measured, Assessment]:
        windows = {metric.metric: metric.window for metric in rollout.plan.metrics}
        standing = rollout.standing
        measured = await measure(conn, now, standing.watched, windows)
        since = standing.tolerance_since or now
        judged = await judge_snapshot(conn, rollout.key, rollout.plan, measured.snapshot, standing.baselines, since)
        return measured, judged

    async def _tell(self, key: RolloutKey, word: Word) -> None:
        handle = self._client.get_workflow_handle(rollout_workflow_id(key.rollout_id))
        with named_errors():
            try:
                await handle.signal(word.verb.value, word.command, rpc_timeout=SIGNAL_WITHIN)
            except RPCError as problem:
                if problem.status is RPCStatusCode.NOT_FOUND:
                    told = f"the store has rollout {key.rollout_id} open, but no workflow runs for it"
                    raise ApplicationError(told, type="RolloutGone") from problem
                raise

    async def _letters(self) -> None:
        """Letters are no reason for a look to fail: they wait in the outbox."""
        try:
            await self._delivery.deliver(None, LETTERS_WITHIN)
        except Exception as problem:
            log.warning("letters_not_delivered", problem=str(problem)[:300])
