"""notify_owners: what was recorded with the entries it is about goes to the channels as soon as they take it."""

from __future__ import annotations

from datetime import timedelta

import asyncpg
from temporalio import activity

from activities.delivery import Delivery
from activities.errors import borrowed, unknown_letters, unknown_rollout
from models.letter import notice_head
from models.rollout import Notice
from models.work import NotifyRequest, RolloutKey
from store import notices, rollouts

WITHIN = timedelta(seconds=8)
"""Time for deliveries in one activity; what is left over goes out with the watch's next look."""


class NoticeActivities:
    """Telling people."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], delivery: Delivery) -> None:
        self._pool = pool
        self._delivery = delivery

    @activity.defn
    async def notify_owners(self, request: NotifyRequest) -> int:
        """Deliver what waits of these notices; returns how many letters got through.

        They are in the outbox since the record of what they are about. One that comes whole, because it may have been
        recorded by an earlier release, is queued if it is not; one that is only named, and not there, is an error. A
        rollout does not depend on mail: letters that a channel did not take are tried again at the watch's looks. Key:
        notice id and contact.
        """
        async with borrowed(self._pool) as conn, conn.transaction():
            plan = await rollouts.read_plan(conn, request.key)
            if plan is None:
                raise unknown_rollout(request.key.rollout_id)
            for notice in request.notices:
                if isinstance(notice, Notice):
                    await notices.queue(conn, request.key, plan, notice)
            ids = [_whole_id(request.key, one) for one in request.notices]
            absent = await notices.absent(conn, request.key, ids)
        got_through = await self._delivery.deliver(ids, WITHIN)
        if absent:
            raise unknown_letters(absent)
        return got_through


def _whole_id(key: RolloutKey, named: str | Notice) -> str:
    if isinstance(named, Notice):
        return named.notice_id
    head = notice_head(key.rollout_id, key.chain_id)
    return head + named.removeprefix(head)
