"""The programme clock: how real time maps to the plan's own time, so a plan can run over last year's facts."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from pydantic import Field

from models.base import Frozen, Instant

END = datetime(9000, 1, 1, tzinfo=UTC)
"""Programme time goes no further: a fast clock that somebody forgot would run past the last year there is, and
whoever reads it would fail for ever. A thousand years are left for what is added to it."""

FIRST, LAST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""A rollout begins in between: facts lie there, and what is added to a beginning stays within the calendar."""

FASTEST = 10_000_000.0
"""Programme seconds per real second at most, about four months."""

AFTER_THE_END = timedelta(days=1)
"""The wait for a moment that does not come: long, because a short one would be asked for again and again."""


class ProgrammeClock(Frozen):
    """Programme time runs `speed` times as fast as real time, and stood at `programme_start` at `real_start`.

    Every duration, as-of moment and due time of a plan is programme time. At speed 1 and with equal anchors
    both times are the same.
    """

    real_start: Instant
    programme_start: Instant
    speed: float = Field(default=1.0, gt=0, le=FASTEST)

    def programme(self, real: datetime) -> datetime:
        """The programme time at a real moment, `END` at the latest."""
        try:
            return min(self.programme_start + (real - self.real_start) * self.speed, END)
        except OverflowError:
            return END

    def real(self, programme: datetime) -> datetime:
        """The real moment at which the programme clock will show `programme`; `END` where the calendar has none."""
        try:
            return self.real_start + (programme - self.programme_start) / self.speed
        except OverflowError:
            return END

    def real_wait(self, now: datetime, due: datetime) -> timedelta:
        """How long to wait, from programme time `now`, until programme time `due`.

        Rounded up to a whole millisecond, the server's grain, so that the timer never fires just before `due`;
        at least one millisecond, because a zero timeout raises at once in the SDK.
        """
        if now >= END:
            return AFTER_THE_END
        milliseconds = math.ceil((due - now).total_seconds() * 1000 / self.speed)
        return timedelta(milliseconds=max(1, milliseconds))


def clock_at(real_now: datetime, *, start: datetime | None = None, speed: float = 1.0) -> ProgrammeClock:
    """A clock that shows `start` (default: the real time) at `real_now`."""
    return ProgrammeClock(real_start=real_now, programme_start=start or real_now, speed=speed)
