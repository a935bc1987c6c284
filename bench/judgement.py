"""False pauses, power and time to pause of the judgement over 90 daily looks, against what others do."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeAlias

import numpy as np

from bench.figures import Bar, Comparison, Findings, Profile
from bench.ground import Ground
from bench.judges import JUDGES, Days
from bench.others import LOOKS, NAMES, LeftOut, Others
from bench.others import ROLLOUTS as FOR_OTHERS
from bench.panel import BASELINE, HARMED, HEALTHY, Kind, World, make
from judgement.estimate import Floats
from judgement.material import Asked, Sides, Stretch, judge_change
from models.evidence import PartnerReading
from models.metric import MetricName
from models.plan_change import ChangeRule, Margin

SIZES = ((8, 40), (20, 60), (80, 160))
"""Partners of the pilot, and those it is compared with."""

ROLLOUTS, SEED = 400, 424242
AT_ONCE = 4800
"""Partners simulated in one go; memory is what bounds it."""

OURS, BEFORE, MIDDLE = "ours", "difference in differences, sequential", 30


class Cell(NamedTuple):
    """What came of the rollouts of one world, metric and size under one way to judge, in percent and days."""

    paused: float
    day: float
    met_early: float
    met_at_end: float
    wrongly_met: float


Found: TypeAlias = dict[tuple[Kind, World, int, str], Cell]


async def run(ground: Ground) -> Findings:
    """Every world for every metric and size; each way to judge sees the same rollouts."""
    rollouts = 12 if ground.quick else ROLLOUTS
    worlds = (*HEALTHY[:2], HARMED[1]) if ground.quick else (*HEALTHY, *HARMED)
    sizes = SIZES[:1] if ground.quick else SIZES
    found: Found = {}
    others = None if ground.quick else Others(ground.directory / "others")
    for kind in Kind:
        for world in worlds:
            ground.tell(f"{kind}: {world.name}, {rollouts} rollouts of {', '.join(str(size) for size, _ in sizes)}")
            for pilot, control in sizes:
                for name, cell in _cells(kind, world, pilot, control, rollouts, others):
                    found[kind, world, pilot, name] = cell
    left_out = await _by_others(others, found, ground.tell) if others else []
    return Findings(
        comparisons=(*_compared(found, rollouts), _cpu(3 if ground.quick else 20)),
        profiles=(*_tables(found, worlds, [size for size, _ in sizes], rollouts), *_missing(left_out)),
    )


def _cells(
    kind: Kind, world: World, pilot: int, control: int, rollouts: int, others: Others | None
) -> Iterator[tuple[str, Cell]]:
    number = list(Kind).index(kind), (*HEALTHY, *HARMED).index(world)
    chance = np.random.default_rng([SEED, *number, pilot])
    days: dict[str, list[Days]] = {name: [] for name in JUDGES}
    step = max(AT_ONCE // (pilot + control), 1)
    for first in range(0, rollouts, step):
        panel = make(kind, world, pilot, control, min(step, rollouts - first), chance)
        for name, judge in JUDGES.items():
            days[name].append(judge(panel))
        if others and first < FOR_OTHERS:
            others.hand((kind, world, pilot), panel._replace(sums=panel.sums[: FOR_OTHERS - first]))
    for name, parts in days.items():
        yield name, _cell(_together(parts), world)


async def _by_others(others: Others, found: Found, tell: Callable[[str], None]) -> list[LeftOut]:
    """Libraries judge some of the same rollouts."""
    tell("gbstats and spotify-confidence judge, in .venv-judges")
    decided, left_out = await others.decide(tell)
    for ((kind, world, pilot), name), parts in decided.items():
        found[kind, world, pilot, name] = _cell(_together(parts), world)
    return left_out


def _together(parts: Sequence[Days]) -> Days:
    return Days(*(np.concatenate(side) for side in zip(*parts, strict=True)))


def _missing(left_out: Sequence[LeftOut]) -> Iterator[Profile]:
    if left_out:
        yield Profile(title="LEFT OUT of the tables above", columns=("library", "because"), rows=tuple(left_out))


def _cell(days: Days, world: World) -> Cell:
    """Wrongly met: *met* on some day, from the third week of harm on, where that is a margin or more."""
    ever = days.pauses.any(axis=1)
    first = days.pauses.argmax(axis=1) + 1
    harmful = world.effect * world.hit >= 1
    since = world.onset + 21
    wrongly = float(days.met[:, since:].any(axis=1).mean()) if harmful else 0.0
    return Cell(
        paused=100 * float(ever.mean()),
        day=float(np.median(first[ever])) if ever.any() else math.nan,
        met_early=100 * float(days.met[:, MIDDLE - 1].mean()),
        met_at_end=100 * float(days.met[:, -1].mean()),
        wrongly_met=100 * wrongly,
    )


def _tables(found: Found, worlds: Sequence[World], sizes: Sequence[int], rollouts: int) -> Iterator[Profile]:
    """For each metric: false pauses, then pauses and their day under harm, then *met*."""
    of = f"pilots of {' / '.join(map(str, sizes))}; {rollouts} rollouts a cell, error at 5 % {_error(rollouts):.1f}"
    names = [*JUDGES, *(name for name in NAMES if any(one == name for *_, one in found))]
    if len(names) > len(JUDGES):
        some = min(rollouts, FOR_OTHERS)
        of += f"; *: {some} of them, {len(LOOKS)} looks at data as they come, error at 5 % {_error(some):.1f}"
    healthy, harmed = [one for one in worlds if not one.effect], [one for one in worlds if one.effect]
    for kind in Kind:
        for title, chosen, show in (
            ("false pauses, %", healthy, _paused),
            ("pauses, % (day)", harmed, _paused_on),
            ("met on day 30 | 90, %", [*healthy[:1], *harmed], _met),
        ):
            yield Profile(
                title=f"{kind}: {title}; {of}",
                columns=("", *(world.name for world in chosen)),
                rows=tuple(
                    (name, *(" / ".join(show(found[kind, world, size, name]) for size in sizes) for world in chosen))
                    for name in names
                ),
            )


def _paused(cell: Cell) -> str:
    return f"{cell.paused:.1f}"


def _paused_on(cell: Cell) -> str:
    return f"{cell.paused:.0f} ({cell.day:.0f})" if cell.paused else "0"


def _met(cell: Cell) -> str:
    return f"{cell.met_early:.0f}|{cell.met_at_end:.0f}"


def _error(rollouts: int) -> float:
    """Standard error of a share of 5 %, in points."""
    return 100 * math.sqrt(0.05 * 0.95 / rollouts)


def _compared(found: Mapping[tuple[Kind, World, int, str], Cell], rollouts: int) -> Iterator[Comparison]:
    """Our worst case of each size against that of the method that ours set out from."""
    limit = 5 + 2 * _error(rollouts)
    for size in sorted({size for _, _, size, _ in found}):
        cells = {key: cell for key, cell in found.items() if key[2] == size}

        def worst(
            name: str, column: str, *, healthy: bool, cells: dict[tuple[Kind, World, int, str], Cell] = cells
        ) -> float:
            return max(
                float(getattr(cell, column))
                for (_, world, _, judge), cell in cells.items()
                if judge == name and (world.effect == 0) is healthy
            )

        for what, column, healthy in (
            ("false pauses, worst no-change world", "paused", True),
            ("wrongly met, worst world with harm", "wrongly_met", False),
        ):
            ours, theirs = (worst(name, column, healthy=healthy) for name in (OURS, BEFORE))
            yield Comparison(
                what=f"{what}, pilots of {size}",
                unit="%",
                ours=(ours,),
                against="difference in differences with a jackknife, group-sequential",
                theirs=(max(theirs, 100 / rollouts),),
                bar=Bar(limit=limit, unit="%"),
            )


def _cpu(rounds: int) -> Comparison:
    """Six metrics of 200 partners after 90 days, judged whole, against numpy adding up the same rows by day."""
    chance = np.random.default_rng(SEED)
    daily = chance.poisson(3.0, (6, 400, BASELINE + 90, 2)).astype(np.float64)
    asked = [_asked(one) for one in daily]
    for one in asked:
        judge_change(one)
    ours, theirs = [], []
    for _ in range(rounds):
        began = time.process_time()
        for one in asked:
            judge_change(one)
        ours.append((time.process_time() - began) * 1000)
        began = time.process_time()
        for one in daily:
            np.cumsum(one, axis=1).sum(axis=0)
        theirs.append((time.process_time() - began) * 1000)
    return Comparison(
        what="six metrics of 200 partners and 200 beside, 90 days, CPU",
        unit="ms",
        ours=tuple(ours),
        against="numpy's cumulative sums of the same partner-days",
        theirs=tuple(max(one, 1e-3) for one in theirs),
        bar=Bar(limit=20, unit="ms"),
        note="three stretches each; boundaries are worked out once and kept",
    )


def _asked(daily: Floats) -> Asked:
    """A rollout's question after 90 days, with two later stages."""
    began = datetime(2026, 1, 1, tzinfo=UTC)

    def sides(days: slice) -> Sides:
        totals = daily[:, days].sum(axis=1)
        rows = [
            PartnerReading(partner_id=f"p{number}", numerator=float(min(n, d)), denominator=float(d), facts=int(d))
            for number, (n, d) in enumerate(totals)
        ]
        return Sides(rows[:200], rows[200:])

    stretches = [
        Stretch(began + timedelta(days=stage), sides(slice(BASELINE + stage, BASELINE + 85))) for stage in (0, 30, 60)
    ]
    return Asked(
        metric=MetricName.LEAD_FOLLOW_UP_SLA,
        rule=ChangeRule(margin=Margin(number=5)),
        before=sides(slice(0, BASELINE)),
        stretches=stretches,
        matured_through=began + timedelta(days=85),
        ends=began + timedelta(days=90),
        enlargements=2,
    )
