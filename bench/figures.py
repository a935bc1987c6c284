"""What a bench finds: our figures beside those of what it is compared with, as ratios, and our own bars."""

from __future__ import annotations

from statistics import median, quantiles
from typing import Self

from pydantic import model_validator

from models.base import Frozen


class Bar(Frozen):
    """A figure we hold ourselves to; ours has to stay at or below it."""

    limit: float
    unit: str

    def keeps(self, value: float) -> bool:
        """Whether a value stays within it."""
        return value <= self.limit

    def word(self, value: float) -> str:
        """How a value stands to it."""
        kept = "kept" if self.keeps(value) else "MISSED"
        return f"{kept}: <= {plain(self.limit)} {self.unit}"


class Comparison(Frozen):
    """One thing measured on both sides, once per round; the samples of a round belong together.

    `against` says what `theirs` are. `note` says what a reader must know to read the figures right.
    """

    what: str
    unit: str
    ours: tuple[float, ...]
    against: str
    theirs: tuple[float, ...]
    bar: Bar | None = None
    note: str = ""

    @model_validator(mode="after")
    def _paired(self) -> Self:
        if not self.ours or len(self.ours) != len(self.theirs) or min(self.theirs) <= 0:
            raise ValueError(f"{self.what}: every round needs a figure of each side, theirs above zero")
        return self

    @property
    def ratio(self) -> float:
        """Ours to theirs, the median over the rounds."""
        return median(self.ratios)

    @property
    def ratios(self) -> tuple[float, ...]:
        """Ours to theirs, of each round."""
        return tuple(one / other for one, other in zip(self.ours, self.theirs, strict=True))

    @property
    def bar_word(self) -> str:
        """How our median stands to the bar; empty without one."""
        return self.bar.word(median(self.ours)) if self.bar else ""


class Profile(Frozen):
    """Where it went, by parts."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Findings(Frozen):
    """What one bench found."""

    comparisons: tuple[Comparison, ...]
    profiles: tuple[Profile, ...] = ()

    def without_bars(self) -> Findings:
        """The same, where a bar was not meant for figures of this size."""
        return Findings(
            comparisons=tuple(one.model_copy(update={"bar": None}) for one in self.comparisons), profiles=self.profiles
        )


def p95(values: list[float]) -> float:
    """The value that 95 of 100 stay below; of very few, the greatest."""
    return quantiles(values, n=20, method="inclusive")[-1] if len(values) > 1 else values[0]


def plain(value: float) -> str:
    """A number with three significant digits, and no more of them than it has."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
