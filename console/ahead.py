"""What a rollout's owners were warned of ahead, for whoever looks at it while it is still so."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

from models.ahead import Ahead
from models.work import RolloutKey
from store.pool import Connection
from store.rollouts import StoredRollout, read_rollouts
from store.warned import Warned, warned_lately


async def about_to_breach(conn: Connection, key: RolloutKey, real_now: datetime) -> tuple[Ahead, ...]:
    """What a letter of today or yesterday (programme days) warned of, where the facts as they are known now still say
    so; in their numbers of now. Where nobody was warned nothing is measured.

    Raises:
        TimeoutError: it takes too long to measure.
    """
    [rollout, *_] = await read_rollouts(conn, (key,)) or (None,)
    if rollout is None or not rollout.standing.open:
        return ()
    now = rollout.clock.programme(real_now)
    warned = await warned_lately(conn, rollout, now)
    if not warned:
        return ()
    # Whoever judges loads much that nobody needs otherwise; meanwhile others are served.
    still = await asyncio.to_thread(_judge)
    return await still(conn, rollout, warned, now)


def _judge() -> Callable[[Connection, StoredRollout, Warned, datetime], Awaitable[tuple[Ahead, ...]]]:
    from activities.warning import still_about_to_breach

    return still_about_to_breach
