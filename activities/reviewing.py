"""review_rollout: what a rollout came to, made of its plan, its log and its readings when it is about to end."""

from __future__ import annotations

import asyncio

import asyncpg
from temporalio import activity

from activities.errors import borrowed, log_behind, unknown_rollout
from learning.review import closing_review
from models.work import ReviewRequest, ReviewResult
from store.evidence import keep_review
from store.hindsight import read_readings
from store.log import read_log
from store.rollouts import read_plan


class ReviewActivities:
    """The closing review."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool

    @activity.defn
    async def review_rollout(self, request: ReviewRequest) -> ReviewResult:
        """Review a rollout and keep the review as evidence. Nothing but its log up to the entry that is named, its
        plan and its readings counts, so that a repetition comes to the same. Key: the review's digest.
        """
        key = request.key
        async with borrowed(self._pool) as conn, conn.transaction(isolation="repeatable_read", readonly=True):
            plan = await read_plan(conn, key)
            if plan is None:
                raise unknown_rollout(key.rollout_id)
            log = (await read_log(conn, key.rollout_id, key.chain_id))[: request.entries]
            if len(log) < request.entries:
                raise log_behind(key.rollout_id, len(log), request.entries)
            readings = await read_readings(conn, key, log)
        review = await asyncio.to_thread(closing_review, plan, log, readings)
        async with borrowed(self._pool) as conn:
            digest = await keep_review(conn, key, review)
        return ReviewResult(digest=digest, summary=review.summary)
