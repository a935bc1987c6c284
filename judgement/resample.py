"""Makes up healthy rollouts from weeks of the past, the same weeks for all partners."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from judgement.estimate import Floats
from judgement.panel import WEEK, Panel
from models.metric import Block

Places: TypeAlias = NDArray[np.intp]

STRETCH = 4
"""Weeks that stay together, on average: what lasts a month lasts a month in a made-up rollout, too."""

STATES_STRETCH = 13
"""The same of states, which move slowly: a quarter is what most of them are given out by."""


class Course(NamedTuple):
    """Days of a planned rollout: `before` the enrolment (whole weeks), `length` after it, a look every `every` days.

    `frozen` are the days of the baseline; on day `gate` the first gate is asked for the cohort's outcomes. A count of
    breaches begins anew on the days `anew`. `day_looks` are the looks of a day where the cadence is shorter than that:
    they see the same number.
    """

    before: int
    frozen: int
    length: int
    gate: int
    every: int = 1
    day_looks: int = 1
    anew: tuple[int, ...] = ()

    @property
    def weeks(self) -> int:
        return -(-(self.before + self.length) // WEEK)

    @property
    def looks(self) -> tuple[int, ...]:
        """Days after the enrolment on which the numbers are looked at; the gate's is one of them."""
        return tuple(day for day in range(self.gate % self.every or self.every, self.length + 1, self.every))


def draw_weeks(rng: np.random.Generator, panel: Panel, length: int, runs: int) -> Places:
    """Which week of the past each week of each run is: shape (runs, length).

    Stationary bootstrap (Politis and Romano 1994): from one week to the next of the past, and with chance 1 / `STRETCH`
    to any other; after the last comes the first. The same weeks for all partners: what was common to them stays so.
    """
    weeks, stretch = panel.weeks, STATES_STRETCH if panel.block is Block.STATE else STRETCH
    jump = rng.random((runs, length)) < 1 / stretch
    fresh = rng.integers(0, weeks, (runs, length))
    found = np.empty((runs, length), dtype=np.intp)
    found[:, 0] = fresh[:, 0]
    for at in range(1, length):
        found[:, at] = np.where(jump[:, at], fresh[:, at], (found[:, at - 1] + 1) % weeks)
    return found


class Timeline:
    """What a window of a made-up rollout consists of: how often each block of the past is in it."""

    def __init__(self, panel: Panel, course: Course, drawn: Places) -> None:
        self._panel, self._course, self._drawn = panel, course, drawn
        self._one = np.eye(panel.weeks)
        once = self._one[drawn]
        self._before = np.concatenate((np.zeros_like(once[:, :1]), np.cumsum(once, axis=1)), axis=1)

    def window(self, first: Places, last: Places) -> Floats:
        """Weights of shape (runs, windows, blocks) of the windows `[first, last)`, in days since the enrolment.

        Of a state it is the reading of the last day.
        """
        first, last = first + self._course.before, last + self._course.before
        if self._panel.block is Block.STATE:
            return np.asarray(self._one[self._drawn[:, (last - 1) // WEEK]])
        return self._until(last) - self._until(first)

    def _until(self, days: Places) -> Floats:
        """How often each day of the past has come by then: whole weeks, and the days of the one that has begun."""
        weeks, over = days // WEEK, days % WEEK
        begun = self._one[self._drawn[:, np.minimum(weeks, self._drawn.shape[1] - 1)]]
        whole = self._before[:, weeks]
        counted = [whole + begun * (over > day)[:, None] for day in range(WEEK)]
        return np.stack(counted, axis=-1).reshape(len(self._drawn), len(days), -1)

    @property
    def baseline(self) -> Floats:
        """Weights of the frozen baseline, of shape (runs, 1, blocks)."""
        return self.window(np.array([-self._course.frozen]), np.array([0]))


def added_up(panel: Panel, weights: Floats) -> Floats:
    """Per-partner sums of windows: shape (runs, windows, partners, sums)."""
    blocks, partners, sums = panel.sums.shape
    # One product of two matrices: many small ones are far slower.
    found = weights.reshape(-1, blocks) @ panel.sums.reshape(blocks, partners * sums)
    found = found.reshape(*weights.shape[:2], partners, sums)
    if panel.block is Block.TENURE:
        # Whoever was there is there once, however many days the window has.
        found[..., 1] /= weights.sum(axis=-1)[..., None]
    return found


def group_sums(panel: Panel, weights: Floats) -> Floats:
    """The same of all partners together: shape (runs, windows, sums)."""
    whole = panel._replace(sums=panel.sums.sum(axis=1, keepdims=True))
    found: Floats = added_up(whole, weights)[:, :, 0]
    return found
