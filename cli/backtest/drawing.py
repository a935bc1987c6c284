"""Draws a backtest as SVG: phases, gates, pauses and holds on one axis, and under it the course of every metric."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias

from cli.backtest.telling import Line, summary, timeline
from drawing.svg import Scale, escaped, round_range, words
from models.backtest import Backtest, MetricCourse
from models.evidence import Verdict
from models.metric import CATALOGUE

_WIDE, _LEFT, _RIGHT = 900, 190, 24
_LANE, _PANEL, _TOP = 22, 110, 40
_LANES = ("phase", "gate", "paused", "holding")
_MARKS = {
    Verdict.NOT_MET: '<path d="M{x0:.1f} {y0:.1f}L{x1:.1f} {y1:.1f}M{x0:.1f} {y1:.1f}L{x1:.1f} {y0:.1f}"/>',
    Verdict.CANNOT_TELL: '<circle cx="{x:.1f}" cy="{y:.1f}" r="3"/>',
    Verdict.NO_EVIDENCE: '<circle cx="{x:.1f}" cy="{y:.1f}" r="1.5" fill="currentColor"/>',
}
Across: TypeAlias = Callable[[datetime], float]
"""Where on the axis a moment is."""

_TOLD = "cross: not met; ring: cannot tell; dot: no evidence; grey: paused"


def drawn(found: Backtest) -> str:
    """The whole course; what a mark stands for is told where one hovers, and the summary in the description."""
    ends = max(found.through, found.begins + timedelta(days=1))
    across = Scale(0.0, (ends - found.begins).total_seconds(), _LEFT, _WIDE - _RIGHT)

    def x(moment: datetime) -> float:
        return across((moment - found.begins).total_seconds())

    lanes = _TOP + _LANE * len(_LANES)
    high = lanes + 40 + _PANEL * len(found.metrics)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDE} {high}" width="{_WIDE}" height="{high}" '
        'role="img" aria-labelledby="title desc" fill="none" stroke="currentColor" font-family="sans-serif" '
        f'font-size="12">\n<title id="title">{escaped(f"Backtest of {found.plan}")}</title>\n'
        f'<desc id="desc">{escaped(summary(found))}</desc>\n',
        words(8, 20, f"{found.title}: {_TOLD}"),
    ]
    for number, lane in enumerate(_LANES):
        lines = [one for one in timeline(found) if one.what.startswith(lane)]
        parts += _lane(lane, lines, _TOP + number * _LANE, found, x)
    parts += _months(found, x, lanes)
    for number, one in enumerate(found.metrics):
        parts += _panel(one, found, x, lanes + 36 + number * _PANEL)
    return "".join(parts) + "</svg>\n"


def _lane(name: str, lines: Sequence[Line], top: float, found: Backtest, x: Across) -> Iterator[str]:
    yield words(8, top + 14, name)
    for one in lines:
        left, right = x(one.since), x(min(one.until or found.through, found.through))
        told = escaped(f"{one.what}, {one.since:%Y-%m-%d}: {one.words}")
        strength = "0.6" if name == "paused" else "0.12"
        yield (
            f'<rect x="{left:.1f}" y="{top + 3}" width="{max(1.5, right - left):.1f}" height="{_LANE - 6}" '
            f'fill="currentColor" fill-opacity="{strength}"><title>{told}</title></rect>\n'
        )
        label = one.what.removeprefix(f"{name} ")
        if name in ("phase", "gate") and right - left > 7 * len(label):
            yield words(left + 4, top + 15, label, size=11)


def _months(found: Backtest, x: Across, top: float) -> Iterator[str]:
    """The first of every month, of every third where there are many."""
    every = 1 if found.through - found.begins < timedelta(days=400) else 3
    day = found.begins.replace(day=1)
    while day <= found.through:
        if day >= found.begins and (day.month - 1) % every == 0:
            at = x(day)
            yield f'<line x1="{at:.1f}" y1="{_TOP}" x2="{at:.1f}" y2="{top + 4}" stroke-opacity="0.25"/>\n'
            yield words(at, top + 18, f"{day:%Y-%m}", anchor="middle", size=10)
        day = (day + timedelta(days=32)).replace(day=1)


def _panel(one: MetricCourse, found: Backtest, x: Across, top: float) -> Iterator[str]:
    spec = CATALOGUE[one.metric]
    values = [value for _, value, _ in one.looks if value is not None]
    yield words(8, top + 20, spec.title, size=11)
    yield words(8, top + 36, f"{one.cohort}, {spec.unit}", size=10)
    for pause in found.pauses:
        left, right = x(pause.since), x(pause.until or found.through)
        yield (
            f'<rect x="{left:.1f}" y="{top}" width="{max(1.0, right - left):.1f}" height="{_PANEL - 20}" '
            'fill="currentColor" fill-opacity="0.1" stroke="none"/>\n'
        )
    if not values:
        yield words(_LEFT, top + 40, "no value on any day", size=11)
        return
    low, high, step = round_range(values, 3)
    down = Scale(low, high, top + _PANEL - 26, top + 6)
    tick = low
    while tick <= high + step / 2:
        y = down(tick)
        yield f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{_WIDE - _RIGHT}" y2="{y:.1f}" stroke-opacity="0.15"/>\n'
        yield words(_LEFT - 6, y + 4, f"{tick:g}", anchor="end", size=10)
        tick += step
    points = " ".join(f"{x(at):.1f},{down(value):.1f}" for at, value, _ in one.looks if value is not None)
    yield f'<polyline points="{points}" stroke-width="1.5"/>\n'
    for at, value, verdict in one.looks:
        if verdict in _MARKS:
            yield _mark(x(at), down(low if value is None else value), verdict, at)


def _mark(x: float, y: float, verdict: Verdict, at: datetime) -> str:
    mark = _MARKS[verdict].format(x=x, y=y, x0=x - 3, x1=x + 3, y0=y - 3, y1=y + 3)
    return f"<g>{mark}<title>{at:%Y-%m-%d}: {verdict.value}</title></g>\n"
