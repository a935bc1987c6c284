"""review_rollout and keep_record: what a rollout came to, and its record for good, made of its plan, its log and its
readings when it is about to end."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

import asyncpg
from temporalio import activity

from activities.errors import borrowed, log_behind, unknown_rollout
from learning.review import closing_review
from models.kept import KeepRequest, KeepResult
from models.learning import Readings
from models.log import LogEntry
from models.plan import RolloutPlan
from models.work import ReviewRequest, ReviewResult, RolloutKey
from record.keeping import left_behind, result_of
from store.evidence import keep_review
from store.hindsight import read_readings
from store.kept import keep_documents, read_documents
from store.log import read_log
from store.pool import Connection
from store.rollouts import read_plan


class ReviewActivities:
    """The closing review, and the record that is kept."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool

    @activity.defn
    async def review_rollout(self, request: ReviewRequest) -> ReviewResult:
        """Review a rollout and keep the review as evidence. Nothing but its log up to the entry that is named, its
        plan and its readings counts, so that a repetition comes to the same. Key: the review's digest.
        """
        key = request.key
        async with borrowed(self._pool) as conn:
            left = await _left(conn, key, request.entries)
        review = await asyncio.to_thread(closing_review, left.plan, left.log, left.readings)
        async with borrowed(self._pool) as conn:
            digest = await keep_review(conn, key, review)
        return ReviewResult(digest=digest, summary=review.summary)

    @activity.defn
    async def keep_record(self, request: KeepRequest) -> KeepResult:
        """Keep the decision record in every language and the draft of the next cycle. Made of the same as the review;
        what is kept stays, so that a repetition, also one by another release, tells of that. Key: the entry.
        """
        key, entries = request.key, request.entries
        async with borrowed(self._pool) as conn:
            kept = await read_documents(conn, key, entries)
            left = await _left(conn, key, entries)
        if not kept:
            made = await asyncio.to_thread(left_behind, left.plan, left.log, left.readings)
            async with borrowed(self._pool) as conn:
                if await keep_documents(conn, key, entries, made.files):
                    return made.result
                kept = await read_documents(conn, key, entries)
        return await asyncio.to_thread(result_of, kept, left.plan, left.log, left.readings)


class _Left(NamedTuple):
    plan: RolloutPlan
    log: tuple[LogEntry, ...]
    readings: Readings


async def _left(conn: Connection, key: RolloutKey, entries: int) -> _Left:
    """What a rollout has left up to an entry of its log, all as of one moment."""
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        plan = await read_plan(conn, key)
        if plan is None:
            raise unknown_rollout(key.rollout_id)
        log = (await read_log(conn, key.rollout_id, key.chain_id))[:entries]
        if len(log) < entries:
            raise log_behind(key.rollout_id, len(log), entries)
        return _Left(plan, log, await read_readings(conn, key, log))
