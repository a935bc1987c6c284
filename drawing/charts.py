"""Draws a metric over time as SVG: values, an interval, baseline, thresholds and phases, for screen, print and mail.

Nothing is told by colour alone: each kind of line has dashes of its own and a name. There are two drawings, a wide one
and one for phones whose labels stay readable when it is shrunk; a table with the same numbers stands beside them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from drawing.svg import Scale, escaped, round_range, words
from models.plan_metric import Basis, Threshold


class Limit(NamedTuple):
    """An agreed threshold: `at_least` tells on which side of it what is good lies."""

    number: float
    at_least: bool
    label: str


class Mark(NamedTuple):
    """A moment at which a phase began."""

    at: datetime
    label: str


class Band(NamedTuple):
    """An interval at a moment; an end that is None is beyond the picture."""

    at: datetime
    low: float | None
    high: float | None


class Chart(NamedTuple):
    """What is drawn. `points` are values over time, None where there was none; `number` and `day` write for people."""

    name: str
    title: str
    told: str
    points: Sequence[tuple[datetime, float | None]]
    number: Callable[[float], str]
    day: Callable[[datetime], str]
    baseline: tuple[float, str] | None = None
    limits: Sequence[Limit] = ()
    band: Sequence[Band] = ()
    marks: Sequence[Mark] = ()


def limits_of(
    thresholds: Sequence[Threshold], baseline: float | None, label: Callable[[Threshold], str]
) -> tuple[Limit, ...]:
    """Thresholds as levels of the metric itself; one against the baseline needs a baseline."""
    found = []
    for one in thresholds:
        number = one.number
        if one.basis is not Basis.ABSOLUTE:
            if baseline is None:
                continue
            number = baseline + (number if one.basis is Basis.DIFFERENCE else abs(baseline) * number / 100)
        found.append(Limit(number, one.at_least, label(one)))
    return tuple(found)


class Size(NamedTuple):
    """A drawing's measures in its own units, and the CSS class by which a page chooses between drawings."""

    kind: str
    wide: int
    high: int
    left: int
    right: int
    font: int
    days: int


WIDE = Size("wide", 640, 240, 52, 16, 13, 5)
NARROW = Size("narrow", 320, 230, 46, 8, 14, 3)
_TOP, _BOTTOM = 26, 30


def draw(chart: Chart, size: Size = WIDE) -> str:
    """The drawing, or nothing where no value is known."""
    values = [value for _, value in chart.points if value is not None]
    if not values:
        return ""
    frame = _Frame.of(chart, size)
    name = f"{chart.name}-{size.kind}"
    body = "".join((*_zones(chart, frame), *_axes(chart, frame), *_marks(chart, frame), *_lines(chart, frame)))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart {size.kind}" viewBox="0 0 {size.wide} {size.high}" '
        f'role="img" aria-labelledby="{name}-title {name}-desc" fill="none" stroke="currentColor" '
        f'font-family="sans-serif">\n<title id="{name}-title">{escaped(chart.title)}</title>\n'
        f'<desc id="{name}-desc">{escaped(chart.told)}</desc>\n{body}</svg>\n'
    )


class _Frame(NamedTuple):
    size: Size
    first: datetime
    x: Scale
    y: Scale
    step: float

    @classmethod
    def of(cls, chart: Chart, size: Size) -> _Frame:
        """Large enough for all that is drawn; an interval may be cut, lest it flatten the values."""
        values = [value for _, value in chart.points if value is not None]
        values += [one.number for one in chart.limits] + ([chart.baseline[0]] if chart.baseline else [])
        values += [end for one in chart.band for end in (one.low, one.high) if end is not None]
        # A limit at the edge would have nothing beyond it to be seen.
        beyond = 0.12 * (max(values) - min(values))
        values += [one.number - beyond if one.at_least else one.number + beyond for one in chart.limits]
        low, high, step = round_range(values, 5)
        moments = [at for at, _ in chart.points] + [one.at for one in chart.marks]
        first, last = min(moments), max(moments)
        seconds = max((last - first).total_seconds(), 1.0)
        return cls(
            size=size,
            first=first,
            x=Scale(0, seconds, size.left, size.wide - size.right),
            y=Scale(low, high, size.high - _BOTTOM, _TOP),
            step=step,
        )

    def at(self, moment: datetime) -> float:
        return self.x((moment - self.first).total_seconds())


def alone(drawing: str, size: Size = WIDE) -> str:
    """The same drawing as a file of its own: with a size and with paper under it, whatever it is shown on."""
    return drawing.replace(
        f'viewBox="0 0 {size.wide} {size.high}" ',
        f'viewBox="0 0 {size.wide} {size.high}" width="{size.wide}" height="{size.high}" '
        'style="background:#fff;color:#1b1b1f" ',
        1,
    )


def _zones(chart: Chart, frame: _Frame) -> Iterator[str]:
    """What lies beyond a limit is shaded."""
    left, right = frame.x.start, frame.x.end
    for limit in chart.limits:
        y = frame.y(limit.number)
        top, bottom = (y, frame.y.start) if limit.at_least else (frame.y.end, y)
        if bottom - top > 0.5:
            yield (
                f'<rect class="beyond" x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" '
                f'height="{bottom - top:.1f}" fill="currentColor" fill-opacity="0.07" stroke="none"/>\n'
            )


def _axes(chart: Chart, frame: _Frame) -> Iterator[str]:
    size, left, right = frame.size, frame.x.start, frame.x.end
    for number in range(round((frame.y.high - frame.y.low) / frame.step) + 1):
        value = frame.y.low + number * frame.step
        y = frame.y(value)
        yield f'<line class="grid" x1="{left:.1f}" y1="{y:.1f}" x2="{right:.1f}" y2="{y:.1f}" stroke-opacity="0.15"/>\n'
        yield words(left - 6, y + 4, _tick(value, frame.step), anchor="end", size=size.font)
    span = timedelta(seconds=frame.x.high)
    labels = size.days if span >= timedelta(days=size.days) else 2
    for number in range(labels):
        moment = frame.first + span * number / (labels - 1)
        anchor = ("start", "end")[number == labels - 1] if number in (0, labels - 1) else "middle"
        yield words(frame.at(moment), size.high - 8, chart.day(moment), anchor=anchor, size=size.font)


def _tick(value: float, step: float) -> str:
    """A number on the axis, with as many digits as tell it from the next one."""
    for size, sign in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if step >= size / 10 and abs(value) >= size:
            return f"{value / size:,.{0 if step >= size else 1}f}{sign}".replace("-", "\N{MINUS SIGN}")
    digits = max(0, -math.floor(math.log10(step) + 1e-9)) + (1 if f"{step:e}"[:3] == "2.5" and step < 10 else 0)
    return f"{value + 0.0:,.{digits}f}".replace("-", "\N{MINUS SIGN}")


def _marks(chart: Chart, frame: _Frame) -> Iterator[str]:
    """Where phases began; a name for which there is no room is left to the drawing's description."""
    free = 0.0
    for mark in chart.marks:
        x = frame.at(mark.at)
        yield (
            f'<line class="mark" x1="{x:.1f}" y1="{_TOP - 8}" x2="{x:.1f}" y2="{frame.y.start:.1f}" '
            f'stroke-opacity="0.5" stroke-dasharray="1 3"/>\n'
        )
        width = 0.62 * frame.size.font * len(mark.label) + 8
        if x >= free and x + width <= frame.size.wide:
            yield words(x + 3, _TOP - 10, mark.label, size=frame.size.font)
            free = x + width


def _lines(chart: Chart, frame: _Frame) -> Iterator[str]:
    left, right = frame.x.start, frame.x.end
    yield from _band(chart, frame)
    level = f'x1="{left:.1f}" x2="{right:.1f}"'
    for limit in chart.limits:
        y = frame.y(limit.number)
        yield (
            f'<line class="limit" {level} y1="{y:.1f}" y2="{y:.1f}" stroke-width="1.5" stroke-dasharray="7 4">'
            f"<title>{escaped(limit.label)}</title></line>\n"
        )
    if chart.baseline:
        y = frame.y(chart.baseline[0])
        yield (
            f'<line class="baseline" {level} y1="{y:.1f}" y2="{y:.1f}" stroke-width="1.5" stroke-dasharray="2 4">'
            f"<title>{escaped(chart.baseline[1])}</title></line>\n"
        )
    for stretch in _stretches(chart.points):
        places = [(frame.at(at), frame.y(value)) for at, value in stretch]
        if len(places) > 1:
            drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
            yield f'<polyline class="value" points="{drawn}" stroke-width="2" stroke-linejoin="round"/>\n'
        else:
            yield f'<circle class="value" cx="{places[0][0]:.1f}" cy="{places[0][1]:.1f}" r="2" fill="currentColor"/>\n'
    at, value = next((at, value) for at, value in reversed(chart.points) if value is not None)
    yield (
        f'<circle class="value now" cx="{frame.at(at):.1f}" cy="{frame.y(value):.1f}" r="4" fill="currentColor">'
        f"<title>{escaped(f'{chart.day(at)}: {chart.number(value)}')}</title></circle>\n"
    )


def _band(chart: Chart, frame: _Frame) -> Iterator[str]:
    known = [one for one in chart.band if one.low is not None or one.high is not None]
    if not known:
        return
    upper = [(frame.at(one.at), frame.y(frame.y.high if one.high is None else one.high)) for one in known]
    lower = [(frame.at(one.at), frame.y(frame.y.low if one.low is None else one.low)) for one in known]
    if len(known) == 1:
        # One look has an interval, too: a bar as wide as can be seen.
        upper = [(upper[0][0] - 3, upper[0][1]), (upper[0][0] + 3, upper[0][1])]
        lower = [(lower[0][0] - 3, lower[0][1]), (lower[0][0] + 3, lower[0][1])]
    drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in (*upper, *reversed(lower)))
    yield f'<polygon class="band" points="{drawn}" fill="currentColor" fill-opacity="0.18" stroke="none"/>\n'


def _stretches(points: Sequence[tuple[datetime, float | None]]) -> Iterator[list[tuple[datetime, float]]]:
    """Values without a gap between them: where nothing was known, no line pretends that something was."""
    stretch: list[tuple[datetime, float]] = []
    for at, value in points:
        if value is not None:
            stretch.append((at, value))
        elif stretch:
            yield stretch
            stretch = []
    if stretch:
        yield stretch


def spark(name: str, title: str, values: Sequence[float | None]) -> str:
    """A line as high as a line of text; nothing where fewer than two values are known."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return ""
    low, high = min(known), max(known)
    y = Scale(low, high, 17, 3) if high > low else Scale(low - 1, low + 1, 17, 3)
    x = Scale(0, max(1, len(values) - 1), 3, 69)
    drawn = " ".join(f"{x(number):.1f},{y(value):.1f}" for number, value in enumerate(values) if value is not None)
    last = max(number for number, value in enumerate(values) if value is not None)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="spark" viewBox="0 0 72 20" width="72" height="20" role="img" '
        f'aria-labelledby="{name}" fill="none" stroke="currentColor"><title id="{name}">{escaped(title)}</title>'
        f'<polyline points="{drawn}" stroke-width="1.5"/>'
        f'<circle cx="{x(last):.1f}" cy="{y(known[-1]):.1f}" r="2.5" fill="currentColor" stroke="none"/></svg>'
    )
