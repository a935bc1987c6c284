"""plan power: what a plan's cohort can show by the planned end, and what its limits cost in healthy rollouts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.home import DEFAULT_HOME, Home, Place
from cli.output import CliError, Exit, Format, Output, Sheet, command, emit_json, say, sheets, show
from cli.plan_past import ClockStart, Reading, Weeks, blocks_of, moment, weeks_of, whom
from cli.plan_told import sentences
from models.metric import CATALOGUE
from models.plan import RolloutPlan
from models.power import ChangePower, MetricPower, PlanPower

if TYPE_CHECKING:
    from store.pool import Connection

Runs = Annotated[int, typer.Option("--runs", min=200, max=20_000, help="Healthy rollouts to make up.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="The same seed and facts give the same numbers.")]


@command
async def power(
    file: Annotated[Path, typer.Argument(metavar="PLAN", help="Plan file; - reads standard input.")],
    weeks: Weeks = None,
    runs: Runs = 1000,
    seed: Seed = 1,
    svg: Annotated[
        Path | None, typer.Option("--svg", metavar="FILE", help="Draw power against days; writes over the file.")
    ] = None,
    clock_start: ClockStart = None,
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> int:
    """What the plan's cohort can show by the planned end, and what its limits cost in healthy rollouts.

    Healthy rollouts are made up of the weeks that the store has of the pilot and of whom it is compared with, and
    judged by the plan's own rules: docs/plans.md says how. Exit code 1 if nothing could be said of any metric.
    """
    from cli.database import connection
    from cli.plan import read_plan, write

    plan = read_plan(file)
    if svg is not None and all(one.change is None for one in plan.metrics):
        raise CliError("No metric of the plan has a margin (`change`), so there is no power to draw.", Exit.BAD_INPUT)
    async with connection(Place(home)) as opened:
        found = await plan_power(opened, plan, moment(clock_start), weeks=weeks, runs=runs, seed=seed)
    if svg is not None:
        from cli.plot import power_plot

        write(svg, power_plot(found), force=True)
    if output is Format.JSON:
        emit_json("plan-power", found.model_dump(mode="json"))
    else:
        _print(found)
    if svg is not None:
        say(f"written {svg}")
    return Exit.OK if found.says_something else Exit.ERROR


async def plan_power(
    opened: Connection, plan: RolloutPlan, as_of: datetime, *, weeks: int | None = None, runs: int, seed: int
) -> PlanPower:
    """Read the past of every metric of a plan, and make healthy rollouts of it.

    Raises:
        CliError: the pilot has nobody.
    """
    from cli.progress import bar
    from judgement.planning import course_of

    read = weeks_of(plan, weeks)
    compared = await whom(opened, plan, as_of)
    reading = Reading(opened, compared, as_of, read)
    # Making rollouts up takes about as long as reading a hundred blocks.
    total = blocks_of(plan.metrics, read) + _SIMULATED * len(plan.metrics)
    found: list[MetricPower] = []
    with bar(f"{len(plan.metrics)} metrics, {read} weeks") as advance:
        counted = _Counter(advance, total)
        for index in range(len(plan.metrics)):
            found.append(await _of_metric(reading, plan, index, counted, runs=runs, seed=seed))
            counted.up_to(blocks_of(plan.metrics[: index + 1], read) + _SIMULATED * (index + 1))
    return PlanPower(
        plan=plan.id,
        digest=plan.digest,
        as_of=as_of,
        cohort=plan.cohorts.pilot.name,
        partners=len(compared.pilot),
        compared_with=compared.who,
        compared=len(compared.others),
        days=course_of(plan, plan.metrics[0]).length,
        runs=runs,
        seed=seed,
        metrics=tuple(found),
    )


_SIMULATED = 100


class _Counter:
    """Counts blocks for a bar that wants to know how many there are."""

    def __init__(self, advance: Callable[[int, int], None], total: int) -> None:
        self._advance, self._total, self._done = advance, total, 0

    def one(self) -> None:
        self.up_to(self._done + 1)

    def up_to(self, done: int) -> None:
        self._done = done
        self._advance(done, self._total)


async def _of_metric(
    reading: Reading, plan: RolloutPlan, index: int, counted: _Counter, *, runs: int, seed: int
) -> MetricPower:
    from judgement.horizon import pause_share
    from judgement.planning import Ask, course_of, metric_power

    rule = plan.metrics[index]
    past = await reading.past(rule, counted.one)
    through = past.end.date() if past.end else None
    if past.history is None:
        return MetricPower(
            metric=rule.metric,
            partners=len(reading.compared.pilot),
            compared=len(reading.compared.others),
            through=through,
            nothing=past.nothing,
            notes=past.notes,
        )
    ask = Ask(course_of(plan, rule), runs, seed, pause_share(plan, rule, plan.cohorts.pilot.name))
    found = await asyncio.to_thread(metric_power, rule, past.history, ask)
    return found.model_copy(update={"through": through, "notes": past.notes})


def _print(found: PlanPower) -> None:
    beside = f"beside {found.compared} of {found.compared_with}" if found.compared_with else "beside nobody"
    show(
        f"{found.plan}: {found.cohort} with {found.partners} partners {beside}, {found.days} days; "
        f"{found.runs} healthy rollouts made up of its history."
    )
    columns = ("metric", "weeks", "through", "value", "smallest change", "margin", "seen by day", "alarms", "says")
    rows = [_row(one) for one in found.metrics]
    told = [
        Sheet(f"{row[0]}  {row[3]}".rstrip(), tuple(sentences(one)))
        for row, one in zip(rows, found.metrics, strict=True)
    ]
    sheets(*columns, rows=rows, told=told)


def _row(one: MetricPower) -> tuple[str, ...]:
    change = one.change or ChangePower(unit="", detectable=None)
    return (
        CATALOGUE[one.metric].title,
        str(one.weeks),
        str(one.through or "-"),
        "-" if one.value is None else f"{one.value:.2f}",
        "-" if change.detectable is None else f"{change.detectable:.3g} {change.unit}",
        change.margin or "-",
        "-" if change.days_to_margin is None else str(change.days_to_margin),
        "-" if one.rules is None else f"{100 * one.rules.healthy:.1f} %",
        " ".join(sentences(one)),
    )
