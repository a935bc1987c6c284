"""Carries letters from the outbox to the channels, each letter in one pair of hands at a time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta

import asyncpg
import structlog

from activities.channels import Channel, Letter, Undeliverable
from activities.errors import borrowed
from store import notices
from store.notices import TakenNotice

log = structlog.get_logger(__name__)

FIRST_WAIT = timedelta(seconds=30)
LAST_WAIT = timedelta(hours=1)
"""Real time until a letter that a channel did not take is tried again; it doubles from first to last."""

AT_ONCE = 100
"""Letters looked at in one go."""


class Delivery:
    """Delivers what waits in the outbox.

    A letter is locked while it is delivered, and marked in the same transaction with the channels that took it: two
    deliverers never send the same letter, and a channel that took it is not asked again when another one fails.
    Only a crash between a channel's yes and the mark repeats a letter, with the same Message-ID.
    """

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], channels: Sequence[Channel]) -> None:
        self._pool = pool
        self._channels = tuple(channels)

    async def deliver(self, notice_ids: Sequence[str] | None, within: timedelta) -> int:
        """Deliver the letters of these notices, or of all whose next try is due; returns how many got through.

        A channel's failure is written down and tried again later; it does not keep other letters.

        Args:
            within: no further letter is taken up after this time; the next call goes on.
        """
        async with borrowed(self._pool) as conn:
            waiting = await notices.waiting(conn, notice_ids, AT_ONCE)
        enough = time.monotonic() + within.total_seconds()
        sent = 0
        for notice_id, contact in waiting:
            if time.monotonic() > enough:
                log.info("letters left for later", letters=len(waiting) - sent)
                break
            sent += await self._deliver(notice_id, contact)
        return sent

    async def _deliver(self, notice_id: str, contact: str) -> bool:
        async with borrowed(self._pool) as conn, conn.transaction():
            taken = await notices.take(conn, notice_id, contact)
            if taken is None:
                return False
            delivered, problem, refused = await self._send(taken)
            done = problem is None
            await notices.mark(
                conn, taken, delivered, done=done, refused=refused, problem=problem, wait=_wait(taken.attempts)
            )
        if done:
            log.info("notice sent", notice=notice_id, to=contact, subject=taken.subject, channels=list(delivered))
        else:
            log.warning("notice not sent", notice=notice_id, to=contact, problem=problem, final=refused)
        return done

    async def _send(self, taken: TakenNotice) -> tuple[tuple[str, ...], str | None, bool]:
        """Offer a letter to each channel that has not taken it: who has now, the problem, whether it is final."""
        letter = Letter(
            notice_id=taken.notice_id,
            contact=taken.contact,
            rollout_id=taken.rollout_id,
            subject=taken.subject,
            body=taken.body,
            written_at=taken.created_at,
        )
        delivered, problems, refused = list(taken.delivered), [], False
        for channel in self._channels:
            if channel.name in delivered:
                continue
            try:
                await channel.send(letter)
            except Undeliverable as final:
                refused = True
                problems.append(f"{channel.name}: {final}")
            except Exception as problem:
                # Whatever a channel trips over, the other channels and letters go on.
                problems.append(f"{channel.name}: {type(problem).__name__}: {problem}")
            else:
                delivered.append(channel.name)
        return tuple(delivered), "; ".join(problems)[:500] or None, refused


def _wait(attempts: int) -> timedelta:
    doublings = min(attempts, 10)
    return min(FIRST_WAIT * (1 << doublings), LAST_WAIT)
