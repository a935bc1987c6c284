"""When the watch has to look at which rollout again, and at what: a priority queue that forgets what was overtaken."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from datetime import datetime
from itertools import count
from typing import NamedTuple

from models.metric import MetricName
from models.work import RolloutKey

EVERYTHING = None
Metrics = frozenset[MetricName] | None
"""What to look at; None is everything."""


LEAST = 100
"""So many are never too many."""


class Item(NamedTuple):
    """A look that is due. `label` tells the reasons of one rollout apart: a new time for the same reason replaces the
    one before."""

    key: RolloutKey
    label: str
    metrics: Metrics


class Agenda:
    """Looks to come, by real time. What was overtaken is thrown away once it is most of what is held: a rollout with
    many facts is noted again at each of them, for moments that may be days ahead."""

    def __init__(self) -> None:
        self._heap: list[tuple[datetime, int, Item]] = []
        self._current: dict[tuple[RolloutKey, str], tuple[datetime, int]] = {}
        self._numbers = count()

    def put(self, key: RolloutKey, label: str, at: datetime, metrics: Metrics = EVERYTHING) -> None:
        """Look at a rollout at a moment, instead of at the one that was noted for the same reason."""
        number = next(self._numbers)
        self._current[key, label] = at, number
        heapq.heappush(self._heap, (at, number, Item(key, label, metrics)))
        if len(self._heap) > LEAST + 2 * len(self._current):
            self._heap = [one for one in self._heap if self._current.get(one[2][:2]) == one[:2]]
            heapq.heapify(self._heap)

    def put_latest(self, key: RolloutKey, label: str, at: datetime, metrics: Metrics = EVERYTHING) -> None:
        """Look at a rollout at a moment, unless a later one is noted for the same reason."""
        noted = self._current.get((key, label))
        if noted is None or noted[0] < at:
            self.put(key, label, at, metrics)

    def __len__(self) -> int:
        """How many are held, those that were overtaken among them."""
        return len(self._heap)

    def drop(self, key: RolloutKey, label: str) -> None:
        """Not any more."""
        self._current.pop((key, label), None)

    def forget(self, key: RolloutKey) -> None:
        """Never again at this rollout."""
        for noted in [pair for pair in self._current if pair[0] == key]:
            del self._current[noted]

    def due(self, now: datetime) -> Iterator[Item]:
        """Take out what is due."""
        while self._heap and self._heap[0][0] <= now:
            at, number, item = heapq.heappop(self._heap)
            if self._current.get((item.key, item.label)) == (at, number):
                del self._current[item.key, item.label]
                yield item

    @property
    def next_at(self) -> datetime | None:
        """When the next look is due."""
        while self._heap and self._current.get(self._heap[0][2][:2]) != self._heap[0][:2]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None


def both(one: Metrics, other: Metrics) -> Metrics:
    """What is looked at where two looks become one."""
    return EVERYTHING if one is EVERYTHING or other is EVERYTHING else one | other
