"""Looks that wait for what is written and not known yet, because whoever wrote it has a clock that is ahead of ours."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from activities.agenda import Agenda, Metrics, both
from models.work import RolloutKey

CLOCKS_DIFFER = timedelta(minutes=1)
"""By how much a clock is ahead of ours where it merely differs. A look waits until what that clock has seen is known by
ours, too: a lead that was contacted in time must not be missed because we know of it only after its deadline."""


class Waiting:
    """Puts looks off. Each waits once: facts that keep coming from a clock that is ahead put nothing off for longer
    than it is ahead."""

    def __init__(self, agenda: Agenda) -> None:
        self._agenda = agenda
        self._unknown: dict[RolloutKey, datetime] = {}
        self._put_off: dict[RolloutKey, tuple[datetime, Metrics]] = {}

    def note(self, key: RolloutKey, known: datetime, now: datetime) -> None:
        """Something about a rollout is known only from a moment on. One that is far ahead was written for later on
        purpose, and nothing waits for it."""
        if now < known < now + CLOCKS_DIFFER:
            self._unknown[key] = max(self._unknown.get(key, known), known)

    def forget(self, key: RolloutKey) -> None:
        """Nothing waits at this rollout any more."""
        self._unknown.pop(key, None)
        self._put_off.pop(key, None)

    def ripe(self, due: Mapping[RolloutKey, Metrics], now: datetime) -> dict[RolloutKey, Metrics]:
        """What is due and need not wait, with what has waited; the rest is put into the agenda again."""
        ripe: dict[RolloutKey, Metrics] = {}
        for key, metrics in due.items():
            if key not in self._put_off:
                self._put_off[key] = (self._unknown.pop(key, now), frozenset())
            until, waiting = self._put_off.pop(key)
            if until <= now:
                ripe[key] = both(metrics, waiting)
            else:
                self._put_off[key] = (until, both(metrics, waiting))
                self._agenda.put(key, "put off", until, metrics)
        return ripe
