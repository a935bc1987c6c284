"""What a synthetic partner world is asked to be, and the streams of chance that make it the same every time."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from random import Random
from typing import Literal, NamedTuple, Self

from pydantic import Field, model_validator

from models.base import Frozen, Instant
from models.metric import MetricName
from models.owner import PartnerId
from models.plan import Selector

SOURCE = "synthetic"
"""The source system of every synthetic fact."""

MOST_PARTNERS = 1_000_000
MOST_PER_28_DAYS = 10_000


class Further(StrEnum):
    """What a world has only when it is asked for. Each leaves alone whatever it is not about."""

    HOLIDAYS = "holidays"
    PAUSES = "pauses"
    ACCRUALS = "accruals"
    CORRECTIONS = "corrections"


class Slump(Frozen):
    """Planted trouble: leads assigned to these partners in `[start, end)` are followed up in time less often.

    `depth` is in percentage points off each partner's usual share. Partners are named, or selected as in a plan.
    """

    metric: Literal[MetricName.LEAD_FOLLOW_UP_SLA] = MetricName.LEAD_FOLLOW_UP_SLA
    partners: tuple[PartnerId, ...] = ()
    select: Selector | None = None
    start: Instant
    end: Instant
    depth: float = Field(gt=0, le=100)

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if bool(self.partners) == (self.select is not None):
            raise ValueError("name either partners or select, and not both")
        if self.end <= self.start:
            raise ValueError("a slump ends after it starts")
        return self


class WorldSpec(Frozen):
    """A world of `partners` partners whose facts run from midnight UTC of `start` for `months` months.

    `leads`, `deals` and `sales` say how many of them a partner of volume 1 has in 28 days; none with 0.

    The same spec gives the same facts. Another partner or slump leaves all other facts as they were, but for the
    budgets, which are what all partners are allotted together.
    """

    seed: int = 1
    start: date
    months: int = Field(default=15, ge=1, le=60)
    partners: int = Field(default=240, ge=1, le=MOST_PARTNERS)
    leads: float = Field(default=11, ge=0, le=MOST_PER_28_DAYS)
    deals: float = Field(default=10, ge=0, le=MOST_PER_28_DAYS)
    sales: float = Field(default=7, ge=0, le=MOST_PER_28_DAYS)
    slumps: tuple[Slump, ...] = ()
    further: frozenset[Further] = frozenset()

    @property
    def starts_at(self) -> datetime:
        """The first moment."""
        return midnight(self.start)

    @property
    def end(self) -> date:
        """The first day after the world."""
        return add_months(self.start, self.months)

    @property
    def ends_at(self) -> datetime:
        """The moment from which nothing new begins; what had begun is finished after it."""
        return midnight(self.end)

    def chance(self, *stream: object) -> Random:
        """Randomness of its own for each use, so that one more draw in one place moves nothing elsewhere."""
        return Random("/".join(map(str, (self.seed, *stream))))  # noqa: S311 - a world, not a secret


class WorldPartner(NamedTuple):
    """One partner of the roster. `volume` is its size relative to an average silver partner."""

    partner_id: str
    name: str
    type: str
    tier: str
    region: str
    country: str
    time_zone: str
    currency: str
    usd_per_unit: float
    volume: float
    active_from: date
    active_to: date | None

    def active_days(self, start: date, end: date) -> tuple[date, date]:
        """The part of `[start, end)` in which it is a partner; empty when the first is not before the second."""
        return max(start, self.active_from), min(end, self.active_to or end)


def midnight(day: date) -> datetime:
    """Midnight UTC at which the day begins."""
    return datetime.combine(day, time(), UTC)


def add_months(day: date, months: int) -> date:
    """The same day some months later; days no month lacks only."""
    index = day.year * 12 + day.month - 1 + months
    return date(index // 12, index % 12 + 1, min(day.day, 28))


def months_between(start: date, end: date) -> list[date]:
    """First days of all months that `[start, end)` touches."""
    first, found = start.replace(day=1), list[date]()
    while first < end:
        found.append(first)
        first = add_months(first, 1)
    return found


def money(amount: float) -> Decimal:
    """Whole cents."""
    return Decimal(round(amount * 100)).scaleb(-2)


def days(count: float) -> timedelta:
    """A length in days."""
    return timedelta(seconds=round(count * 86400))
