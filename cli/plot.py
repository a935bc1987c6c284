"""Draws power against days as SVG: lines that differ by their dashes, so that it reads in print and in the dark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from drawing.svg import escaped, words
from models.metric import CATALOGUE
from models.power import MetricPower, PlanPower

_WIDE, _HIGH = 750, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 200, 44, 48
_TICKS = (0, 20, 40, 60, 80, 100)
_WANTED = 0.8


class _Line(NamedTuple):
    label: str
    dashes: str
    shares: Sequence[float]


def power_plot(found: PlanPower) -> str:
    """One panel for each metric with a margin. The numbers stand in the file as well: hovering tells every point."""
    drawn = [one for one in found.metrics if one.change is not None and one.change.curve is not None]
    high = _HIGH * max(1, len(drawn))
    title = f"Power of {found.plan} against days"
    told = "; ".join(_described(one) for one in drawn) or "Of no metric with a margin could anything be said"
    body = "".join(_panel(one, at * _HIGH) for at, one in enumerate(drawn))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDE} {high}" width="{_WIDE}" height="{high}" '
        'role="img" aria-labelledby="title desc" fill="none" stroke="currentColor" font-family="sans-serif" '
        f'font-size="12">\n<title id="title">{escaped(title)}</title>\n<desc id="desc">{escaped(told)}.</desc>\n'
        f"{body}</svg>\n"
    )


def _described(one: MetricPower) -> str:
    change = one.change
    if change is None or change.curve is None:
        return ""
    seen = f"by day {change.days_to_margin}" if change.days_to_margin else "not by the planned end"
    return (
        f"{CATALOGUE[one.metric].title}: {one.partners} partners see a harm of {change.margin} in 4 of 5 rollouts "
        f"{seen}; {100 * (change.false_pauses or 0):.1f} % of healthy ones are not met"
    )


def _panel(one: MetricPower, top: int) -> str:
    change = one.change
    if change is None or change.curve is None:
        return ""
    curve = change.curve
    lines = (
        _Line(f"worse by 2 x {change.margin}", "", curve.twice),
        _Line(f"worse by {change.margin}", "8 4", curve.margin),
        _Line("healthy, not met", "2 3", curve.healthy),
    )
    last = max(curve.days)
    head = f"{CATALOGUE[one.metric].title}: rollouts in which it is proven, {one.partners} partners"
    parts = [f'<g transform="translate(0 {top})">\n', words(_LEFT, 22, head, size=14)]
    parts += _axes(last)
    parts += [_drawn(line, curve.days, last) for line in lines]
    parts += _labels(lines)
    return "".join(parts) + "</g>\n"


def _axes(last: int) -> Iterator[str]:
    left, right, bottom = _LEFT, _WIDE - _RIGHT, _HIGH - _BOTTOM
    for tick in _TICKS:
        y = _y(tick / 100)
        strength = "0.5" if tick == round(100 * _WANTED) else "0.15"
        yield f'<line x1="{left}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke-opacity="{strength}"/>\n'
        yield words(left - 8, y + 4, str(tick), anchor="end")
    for day in _days(last):
        x = _x(day, last)
        yield f'<line x1="{x:.1f}" y1="{bottom}" x2="{x:.1f}" y2="{bottom + 5}"/>\n'
        yield words(x, bottom + 18, str(day), anchor="middle")
    yield f'<path d="M{left} {_TOP}V{bottom}H{right}"/>\n'
    yield words((left + right) / 2, _HIGH - 12, "days since the cohort was enrolled", anchor="middle")
    middle = (_TOP + bottom) / 2
    turned = f'transform="rotate(-90 14 {middle:.1f})" '
    yield words(14, middle, "% of the rollouts", anchor="middle", more=turned)


def _days(last: int) -> Sequence[int]:
    """Whole weeks, about eight of them."""
    step = 7 * max(1, round(last / 56))
    return range(0, last + 1, step)


def _drawn(line: _Line, days: Sequence[int], last: int) -> str:
    points = " ".join(f"{_x(day, last):.1f},{_y(share):.1f}" for day, share in zip(days, line.shares, strict=True))
    dots = "".join(
        f'<circle cx="{_x(day, last):.1f}" cy="{_y(share):.1f}" r="2.5" fill="currentColor">'
        f"<title>{escaped(line.label)}, day {day}: {100 * share:.1f} %</title></circle>\n"
        for at, (day, share) in enumerate(zip(days, line.shares, strict=True))
        if at % 7 == 0 or at == len(days) - 1
    )
    return f'<polyline points="{points}" stroke-width="2"{_dashed(line)}/>\n{dots}'


def _labels(lines: Sequence[_Line]) -> Iterator[str]:
    """At the ends of the lines, far enough from each other to be read: lines that end alike are told by their dashes,
    in the order of `lines`."""
    left, lowest = _WIDE - _RIGHT + 8, float("inf")
    for line in sorted(reversed(lines), key=lambda one: one.shares[-1]):
        y = min(_y(line.shares[-1]) + 4, lowest - 15)
        lowest = y
        dashes = _dashed(line)
        yield f'<line x1="{left}" y1="{y - 4:.1f}" x2="{left + 24}" y2="{y - 4:.1f}" stroke-width="2"{dashes}/>\n'
        yield words(left + 30, y, f"{line.label}: {100 * line.shares[-1]:.0f} %")


def _dashed(line: _Line) -> str:
    return f' stroke-dasharray="{line.dashes}"' if line.dashes else ""


def _x(day: float, last: int) -> float:
    return _LEFT + (_WIDE - _LEFT - _RIGHT) * day / max(1, last)


def _y(share: float) -> float:
    return _TOP + (_HIGH - _TOP - _BOTTOM) * (1 - share)
