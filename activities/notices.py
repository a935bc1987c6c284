"""notify_owners: notices go into the outbox for certain, and to the channels as soon as they take them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import asyncpg
from temporalio import activity

from activities.delivery import Delivery
from activities.errors import borrowed, unknown_rollout
from models.plan import RolloutPlan
from models.rollout import Notice
from models.work import NotifyRequest
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
        """Write the letters into the outbox, then deliver what waits of them; returns how many got through.

        A rollout does not depend on mail: once the letters are in the outbox this succeeds, and those a channel did
        not take are tried again at the watch's looks. Key: notice id and contact.
        """
        async with borrowed(self._pool) as conn, conn.transaction():
            plan = await rollouts.read_plan(conn, request.key)
            if plan is None:
                raise unknown_rollout(request.key.rollout_id)
            for notice in request.notices:
                await notices.queue(conn, request.key, notice, recipients(plan, notice))
        return await self._delivery.deliver([one.notice_id for one in request.notices], WITHIN)


def recipients(plan: RolloutPlan, notice: Notice) -> tuple[str, ...]:
    """Where a notice goes: the holders of its roles; the plan's audiences when the change is communicated.

    Roles that nobody holds would make it a notice to nobody, so then every owner gets it.
    """
    if notice.kind == "communicate":
        found: Iterable[str] = (audience.contact for audience in plan.communication)
    else:
        found = (owner.contact for owner in plan.holders(*notice.roles) or plan.owners)
    return tuple(dict.fromkeys(found))
