"""What an estimate proves: worse and by how much, not worse by the margin, or nothing yet."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.special import stdtrit

from judgement.boundaries import for_few, open_ended, planned

LIKELY = 0.8
"""Chance with which what could have been seen would have been seen."""

PLANNED_PART = 0.9
"""Of a risk, for the planned looks; what is left is for those after them."""

MOST_LOOKS = 180
"""More planned looks than these are taken for so many: hardly anything is left to spend between them."""


@dataclass(frozen=True)
class Schedule:
    """Where a look stands: the number of this one, and how many are planned; None where there is no planned end.

    `power`: of the time, in the spending of a risk over the planned looks.
    """

    look: int
    looks: int | None
    power: float

    @property
    def on_plan(self) -> bool:
        """Whether this look is one of the planned."""
        return self.looks is not None and self.look <= self.looks

    def critical(self, risk: float, error: float, freedom: float, margin: float, *, at: int | None = None) -> float:
        """What estimate over error must be beyond at this look (or at another planned one), for a risk over all."""
        if self.on_plan and self.looks is not None:
            normal = bound_at(risk * PLANNED_PART, self.looks, at or self.look, self.power)
        else:
            left = risk if self.looks is None else risk * (1 - PLANNED_PART)
            normal = float(open_ended(left, error, margin))
        return float(for_few(normal, freedom))


def bound_at(risk: float, looks: int, look: int, power: float) -> float:
    """The boundary of the look, or of the last one before it that is taken for one."""
    taken = min(looks, MOST_LOOKS)
    return planned(risk, taken, power)[max(look * taken // looks, 1) - 1]


@dataclass(frozen=True)
class Shown:
    """One estimate, turned so that below 0 is worse, in the scale that it is judged on."""

    change: float
    error: float
    freedom: float

    @property
    def usable(self) -> bool:
        """Whether anything can be reckoned with it."""
        numbers = (self.change, self.error, self.freedom)
        return all(map(math.isfinite, numbers)) and self.error > 0

    def proven_worse(self, critical: float, margin: float, *, strict: bool) -> bool:
        """Worse beyond chance, and by the margin: by the best estimate, or with `strict` that beyond chance, too."""
        highest = self.change + critical * self.error
        return highest < -margin if strict else highest < 0 and self.change <= -margin

    def proven_not_worse(self, critical: float, margin: float) -> bool:
        """Not worse by the margin, beyond chance (non-inferiority)."""
        return self.change - critical * self.error > -margin

    def detectable(self, critical: float) -> float:
        """The smallest change that would have been seen with a chance of 80 %: `(critical + t_0.8) * error`."""
        return (critical + float(stdtrit(self.freedom, LIKELY))) * self.error


def tells_at(shown: Shown, schedule: Schedule, risk: float, margin: float) -> int | None:
    """The first planned look at which the margin would be detectable, were errors to shrink with the root of time.

    None where no planned look is enough, or none is planned.
    """
    if schedule.looks is None:
        return None
    for look in range(schedule.look, schedule.looks + 1):
        error = shown.error * math.sqrt(schedule.look / look)
        critical = schedule.critical(risk, error, shown.freedom, margin, at=look)
        if Shown(0.0, error, shown.freedom).detectable(critical) <= margin:
            return look
    return None
