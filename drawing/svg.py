"""The few pieces that drawings in SVG are made of: text that cannot break out of it, a scale with round ticks."""

from __future__ import annotations

import math
import unicodedata
from html import escape
from typing import NamedTuple


def plain(text: str) -> str:
    """Text without what steers or hides: control characters, and those that turn the direction of writing."""
    return "".join(one if unicodedata.category(one)[0] != "C" else " " for one in text)


def escaped(text: str) -> str:
    """Text as it may stand in an element or an attribute."""
    return escape(plain(text))


def words(x: float, y: float, text: str, *, anchor: str = "start", size: int = 12, more: str = "") -> str:
    """One line of text, with its baseline at `y`."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" {more}text-anchor="{anchor}" font-size="{size}" fill="currentColor" '
        f'stroke="none">{escaped(text)}</text>\n'
    )


class Scale(NamedTuple):
    """Maps values between `low` and `high` to places between `start` and `end`."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (self.end - self.start) * (value - self.low) / (self.high - self.low)


def round_range(values: list[float], ticks: int) -> tuple[float, float, float]:
    """A range around values that begins and ends with a round number, and the step between about so many ticks."""
    low, high = min(values), max(values)
    if high - low <= abs(high) * 1e-9:
        low, high = low - (abs(low) or 1) * 0.05, high + (abs(high) or 1) * 0.05
    raw = (high - low) / max(1, ticks - 1)
    magnitude = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * magnitude for factor in (1, 2, 2.5, 5, 10) if factor * magnitude >= raw * 0.999)
    return math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step, step
