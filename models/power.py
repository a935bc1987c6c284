"""What planning with numbers found: what a plan's limits cost in healthy rollouts, and what its cohort can show."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from models.base import Frozen, Instant
from models.metric import MetricName


class Alarm(StrEnum):
    """What a limit that is passed does."""

    PAUSE = "pause"
    STOP = "stop"
    WARN = "warn"
    HOLD = "hold at the gate"


class LimitCost(Frozen):
    """One limit by itself: in which share of healthy rollouts it is passed, and the nearest limit that would be in no
    more than one of ten; None where none would."""

    limit: str
    alone: float
    error: float
    wider: str | None


class RulesCost(Frozen):
    """All limits of a metric together, with their tolerance. `error` is that of the simulation."""

    alarm: Alarm
    healthy: float
    error: float
    limits: tuple[LimitCost, ...]


class Curve(Frozen):
    """By day: shares of the rollouts in which a harm of the margin, and one twice as large, is proven by then, and of
    healthy ones that are found *not met*."""

    days: tuple[int, ...]
    margin: tuple[float, ...]
    twice: tuple[float, ...]
    healthy: tuple[float, ...]


class ChangePower(Frozen):
    """What the cohort can show of a change against comparable partners, in `unit`.

    `detectable` is the smallest harm from the first day that is proven in four of five rollouts by the planned end;
    None: none is. Without an agreed `margin` nothing but that can be said. `found` are rollouts worse by the margin,
    and `found_twice` by twice that, which are *not met* by the end; `passed` healthy ones which are *met* at the gate
    that asks for it, and `passed_worse` ones worse by the margin. Of `partners_needed`, `days_needed` and
    `margin_needed` each would do by itself; None where that would not, or where nothing needs to change.
    """

    unit: str
    detectable: float | None
    margin: str | None = None
    margin_value: float | None = None
    days_to_margin: int | None = None
    false_pauses: float | None = None
    error: float | None = None
    found: float | None = None
    found_twice: float | None = None
    passed: float | None = None
    passed_worse: float | None = None
    partners_needed: int | None = None
    days_needed: int | None = None
    margin_needed: str | None = None
    uncontrolled: bool = False
    curve: Curve | None = None

    @property
    def resolves(self) -> bool | None:
        """Whether the agreed margin would be seen by the end; None without one."""
        if self.margin_value is None:
            return None
        return self.detectable is not None and self.detectable <= self.margin_value


class Picked(Frozen):
    """How the cohort's last weeks stand out. `rank` is the share of equally large random groups that rose less since
    their earlier weeks, `moved` by how much it rose, `usual` how much it does in 99 of 100 such stretches."""

    rank: float
    moved: float
    usual: float
    groups: int

    @property
    def stands_out(self) -> bool:
        return not 0.05 <= self.rank <= 0.95 or abs(self.moved) > self.usual


class MetricPower(Frozen):
    """One metric of the pilot. `nothing` says why nothing can be said; `notes` are what the history lacks."""

    metric: MetricName
    partners: int
    compared: int
    weeks: int = 0
    through: date | None = None
    value: float | None = None
    nothing: str | None = None
    notes: tuple[str, ...] = ()
    rules: RulesCost | None = None
    change: ChangePower | None = None
    picked: Picked | None = None


class PlanPower(Frozen):
    """A whole plan, with the seed and number of made-up rollouts that it rests on."""

    plan: str
    digest: str
    as_of: Instant
    cohort: str
    partners: int
    compared_with: str | None
    compared: int
    days: int
    runs: int
    seed: int
    metrics: tuple[MetricPower, ...]

    @property
    def says_something(self) -> bool:
        return any(one.nothing is None for one in self.metrics)
