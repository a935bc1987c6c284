"""Carries letters from the outbox to the channels, each letter in one pair of hands at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta

import asyncpg
import structlog

from activities.channels import Away, Channel, Undeliverable
from activities.errors import borrowed
from activities.letters import Letter, letter_of
from activities.pictures import Picture, pictures_of
from models.letter import PROGRAMS
from store import notices
from store.notices import TakenNotice
from store.pool import Connection

log = structlog.get_logger(__name__)

FIRST_WAIT = timedelta(seconds=30)
LAST_WAIT = timedelta(hours=1)
"""Real time until a letter that a channel did not take is tried again; it doubles from first to last."""

AT_ONCE = 100
"""Letters looked at in one go."""

PATIENCE = 10.0
"""Seconds that a channel gets for a letter, whatever it does meanwhile."""

SHARE = 4
"""Letters delivered side by side each hold a connection as long as it takes: one of so many of the pool's."""


class Delivery:
    """Delivers what waits in the outbox.

    A letter is locked while it is delivered, and marked in the same transaction with the channels that took it: two
    deliverers never send the same letter, and a channel that took it is not asked again when another one fails.
    Only a crash between a channel's yes and the mark repeats a letter, under the same id.
    """

    def __init__(
        self,
        pool: asyncpg.Pool[asyncpg.Record],
        channels: Sequence[Channel],
        public_url: str | None = None,
    ) -> None:
        self._pool = pool
        self._channels = tuple(channels)
        self._public_url = public_url

    async def deliver(self, notice_ids: Sequence[str] | None, within: timedelta) -> int:
        """Deliver the letters of these notices, or of all whose next try is due; returns how many got through.

        A channel's failure is written down and tried again later; it keeps neither other channels nor other letters.

        Args:
            within: no further letter is taken up after this time; the next call goes on.
        """
        async with borrowed(self._pool) as conn:
            waiting = await notices.waiting(conn, notice_ids, AT_ONCE)
        round_ = _Round(self._pool, self._channels, self._public_url, time.monotonic() + within.total_seconds())
        left = list(reversed(waiting))

        async def carry() -> int:
            sent = 0
            while left and time.monotonic() <= round_.enough:
                sent += await round_.deliver(*left.pop())
            return sent

        carriers = max(1, self._pool.get_max_size() // SHARE)
        came = await asyncio.gather(*(carry() for _ in range(carriers)), return_exceptions=True)
        if left:
            log.info("letters left for later", letters=len(left))
        # One that fell over its connection has kept no other from carrying on.
        for one in came:
            if isinstance(one, BaseException):
                raise one
        return sum(one for one in came if isinstance(one, int))


class _Round:
    """One round through the outbox. A channel that is away is not tried again in it."""

    def __init__(
        self,
        pool: asyncpg.Pool[asyncpg.Record],
        channels: tuple[Channel, ...],
        public_url: str | None,
        enough: float,
    ) -> None:
        self._pool, self._channels, self._public_url, self.enough = pool, channels, public_url, enough
        self._away: dict[str, str] = {}

    async def deliver(self, notice_id: str, contact: str) -> bool:
        async with borrowed(self._pool) as conn, conn.transaction():
            taken = await notices.take(conn, notice_id, contact)
            if taken is None:
                return False
            letter = letter_of(taken, self._public_url, await _pictures(conn, taken))
            spoken = {*taken.delivered, *taken.refused}
            asked = [one for one in self._channels if one.takes(letter) and one.name not in spoken]
            came = dict(zip(asked, await asyncio.gather(*(self._send(one, letter) for one in asked)), strict=True))
            delivered = (*taken.delivered, *(one.name for one, problem in came.items() if problem is None))
            final = (one.name for one, problem in came.items() if isinstance(problem, Undeliverable))
            refused = (*taken.refused, *final)
            problems = "; ".join(f"{one.name}: {_told(problem)}" for one, problem in came.items() if problem)
            done = not any(problem and not isinstance(problem, Undeliverable) for problem in came.values())
            await notices.mark(
                conn,
                taken,
                delivered,
                refused,
                done=done,
                problem=problems[:500] or None,
                wait=_wait(taken.attempts),
            )
        _log(taken, delivered, problems, done=done, refused=bool(refused))
        return done and bool(delivered) and not refused

    async def _send(self, channel: Channel, letter: Letter) -> Exception | None:
        """Offer a letter to a channel; what it tripped over, so that the others go on."""
        if channel.name in self._away:
            return Away(self._away[channel.name])
        patience = asyncio.timeout(PATIENCE)
        try:
            async with patience:
                await channel.send(letter)
        except Exception as problem:
            found = Away(f"no answer within {PATIENCE:g} s") if patience.expired() else problem
            if isinstance(found, Away):
                self._away[channel.name] = str(found)
            return found
        return None


async def _pictures(conn: Connection, taken: TakenNotice) -> tuple[Picture, ...]:
    """The charts of a letter to a person; one that cannot be drawn keeps no letter back."""
    if taken.contact == PROGRAMS:
        return ()
    try:
        async with conn.transaction():
            return await pictures_of(conn, taken)
    except (asyncpg.PostgresError, ValueError, KeyError) as problem:
        log.warning("a letter goes without its chart", notice=taken.notice_id, problem=f"{type(problem).__name__}")
        return ()


def _told(problem: Exception) -> str:
    return str(problem) if isinstance(problem, Away | Undeliverable) else f"{type(problem).__name__}: {problem}"


def _log(taken: TakenNotice, delivered: Sequence[str], problems: str, *, done: bool, refused: bool) -> None:
    about = {"notice": taken.notice_id, "to": taken.contact, "subject": taken.subject, "channels": list(delivered)}
    if problems:
        log.warning("notice not sent", **about, problem=problems, final=done and refused)
    elif delivered:
        log.info("notice sent", **about)
    elif taken.contact != PROGRAMS:
        log.info("notice kept: no channel takes it", **about)


def _wait(attempts: int) -> timedelta:
    doublings = min(attempts, 10)
    return min(FIRST_WAIT * (1 << doublings), LAST_WAIT)
