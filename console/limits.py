"""How often somebody may ask: a bucket of tokens each, that fills up evenly."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from http import HTTPStatus

from console.problems import Problem

MOST = 10_000
"""Whom a limit remembers; who has not asked for longest is forgotten first, and by then their bucket is full."""


class Limit:
    """So many in a minute for each, as many at once. It counts in this process alone."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = float(per_minute)
        self._rate = per_minute / 60
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, whose: str) -> None:
        """Take one.

        Raises:
            Problem: none is left; it says when there will be one.
        """
        now = self._clock()
        left, at = self._left.pop(whose, (self._size, now))
        left = min(self._size, left + (now - at) * self._rate)
        enough = left >= 1
        self._left[whose] = (left - 1 if enough else left, now)
        while len(self._left) > MOST:
            self._left.popitem(last=False)
        if not enough:
            wait = max(1, math.ceil((1 - left) / self._rate))
            told = f"Too many in a minute; allowed: {self._size:g}. Ask again in {wait} s"
            raise Problem(HTTPStatus.TOO_MANY_REQUESTS, told, headers={"Retry-After": str(wait)})
