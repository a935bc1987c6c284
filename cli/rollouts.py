"""start, list, get: what runs, and where it stands."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.live import Live

from cli.home import DEFAULT_HOME, Home, Place
from cli.output import CliError, Exit, Format, Output, command, emit_json, out, say, show, table
from cli.tree import changed, moment, plain, render
from console.errors import GatewayError, Kind
from models.ahead import Ahead
from models.base import short
from models.clock import FASTEST, FIRST, LAST
from models.log import LogEntry
from models.rollout import TERMINAL, RolloutView, Status

if TYPE_CHECKING:
    from console.gateway import Gateway
    from models.trouble import Alarm
    from store.rollouts import StoredRollout

Name = Annotated[str, typer.Argument(metavar="NAME", help="The plan's id.")]

DATES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]
"""How a day or a moment is written; both are UTC."""

BETWEEN = 0.5
"""Real seconds between two looks at a rollout that is watched."""

SILENCE = 120.0
"""Real seconds without any answer after which watching ends: a worker or a server may be restarting."""


def register(app: typer.Typer) -> None:
    """Mount the verbs of this module."""
    app.command(epilog="Example: rollouts start -f plan.yaml --clock-start 2025-04-01 --speed 86400")(start)
    app.command("list", epilog="Example: rollouts list -o json")(list_)
    app.command(epilog="Example: rollouts get gold-tier-rebate -w")(get)


@command
async def start(
    file: Annotated[Path, typer.Option("-f", "--file", help="The plan.")],
    clock_start: Annotated[
        datetime | None,
        typer.Option(formats=DATES, metavar="DATE", help="Programme time to begin at (UTC); default now."),
    ] = None,
    speed: Annotated[
        float, typer.Option(min=0.001, max=FASTEST, metavar="N", help="Programme seconds per real second.")
    ] = 1.0,
    short_retention: Annotated[
        bool,
        typer.Option(
            "--short-retention",
            help="Also where closed histories are kept for less than ROLLOUTS_RETENTION_DAYS; the log says so.",
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and say what would start.")] = False,
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> None:
    """Start a plan's rollout. The same plan twice is started once; another version under the same id is refused.

    Refused is also a plan whose pilot selects nobody; of another cohort that is a warning, for partners may still come.
    """
    from cli.asking import nobody_in_cohorts
    from cli.asking import start as begin
    from cli.connect import open_gateway
    from cli.plan import read_plan

    plan = read_plan(file)
    begins = clock_start.replace(tzinfo=UTC) if clock_start else None
    if begins is not None and not FIRST <= begins <= LAST:
        told = f"--clock-start is {begins:%Y-%m-%d}; allowed: {FIRST:%Y-%m-%d} to {LAST:%Y-%m-%d}."
        raise CliError(told, Exit.BAD_INPUT)
    fresh, idle = False, False
    if dry_run:
        first, warnings = await nobody_in_cohorts(Place(home), plan, begins)
        if first:
            raise CliError(f"{first}.", Exit.BAD_INPUT)
    else:
        fresh, warnings = await begin(home, plan, begins, speed, short_retention=short_retention)
        idle = not await (await open_gateway(Place(home))).pollers()
    for one in warnings:
        say(f"Warning: {one}.")
    if output is Format.JSON:
        emit_json("start", {"rollout": plan.id, "digest": plan.digest, "started": fresh, "dry_run": dry_run})
    elif dry_run:
        show(f"{plan.id} would start: plan {short(plan.digest)}, option {plan.chosen.value}.")
    else:
        show(f"{plan.id} {'started' if fresh else 'was started before'}: plan {short(plan.digest)}.")
        say(f"Follow it with `rollouts get {plan.id} -w`; `rollouts explain {plan.id}` says whom it waits for.")
    if idle:
        say("No worker asks for work now, so nothing happens yet; `rollouts doctor` looks why.")


@command
async def list_(home: Home = Path(DEFAULT_HOME), output: Output = Format.TABLE) -> None:
    """All rollouts, the newest first, from the store: it answers also while Temporal and the worker do not."""
    from cli.database import connection
    from store.alarms import standing
    from store.rollouts import list_rollouts

    async with connection(Place(home)) as opened:
        found = await list_rollouts(opened)
        alarms = await standing(opened)
    if output is Format.JSON:
        emit_json("rollouts", [_as_data(one, alarms) for one in found])
        return
    if not found:
        say("No rollout yet; start one with `rollouts start -f PLAN`.")
        return
    rows = [
        (
            one.key.rollout_id,
            one.standing.status,
            one.standing.phase + (f" wave {one.standing.wave}" if one.standing.wave else ""),
            moment(one.standing.since),
            one.standing.sentence,
        )
        for one in found
    ]
    table("rollout", "status", "phase", "since (programme)", "in words", rows=rows)
    _say_alarms(alarms)


def _say_alarms(alarms: Sequence[Alarm]) -> None:
    for one in alarms:
        say(f"Alarm: {one.key.rollout_id}: {one.detail}; `rollouts doctor` says more.")


async def _say_alarms_of(place: Place, name: str) -> None:
    """What was seen of its workflow from outside: one that was ended or set back cannot say so itself."""
    from cli.database import connection
    from store.alarms import standing

    with contextlib.suppress(CliError):  # the rollout has answered; that the store does not is told elsewhere
        async with connection(place) as opened:
            _say_alarms(await standing(opened, name))


async def look_ahead(place: Place, name: str) -> tuple[Ahead, ...]:
    """What its owners were warned of ahead, while it is still so; nothing where the store does not answer."""
    import asyncpg

    from cli.database import connection
    from console.ahead import about_to_breach
    from store.views import read_line

    with contextlib.suppress(CliError, TimeoutError, asyncpg.PostgresError):  # as above
        async with connection(place) as opened:
            line = await read_line(opened, name)
            return await about_to_breach(opened, line.key, datetime.now(UTC)) if line else ()
    return ()


def ahead_words(one: Ahead) -> str:
    """What is about to breach, on one line."""
    return f"{' '.join(one.sentences)}."


def _as_data(one: StoredRollout, alarms: Sequence[Alarm]) -> dict[str, Any]:
    return {
        "rollout": one.key.rollout_id,
        "title": one.plan.title,
        "digest": one.plan_digest,
        **one.standing.model_dump(mode="json", exclude={"watched", "baselines", "tolerance_since"}),
        "alarms": [alarm.detail for alarm in alarms if alarm.key == one.key],
    }


def exit_of(view: RolloutView) -> Exit:
    """What a script learns from a rollout's status."""
    if view.status in (Status.STOPPED, Status.STOPPING):
        return Exit.STOPPED
    if view.status is Status.PAUSED:
        return Exit.PAUSED
    return Exit.WAITS if view.awaited else Exit.OK


@command
async def get(
    name: Name,
    watch: Annotated[
        bool, typer.Option("-w", "--watch", help="Keep it current until the rollout is over, or Ctrl-C.")
    ] = False,
    patience: Annotated[
        float | None,
        typer.Option("--timeout", min=0, metavar="SECONDS", help="Stop watching after so many real seconds."),
    ] = None,
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> int:
    """Where a rollout stands: phases, cohorts, verdicts, who is awaited since when, what happens next.

    `Ahead` tells of a metric that is about to breach: leads that are due soon would tip its limit, if they were missed.
    With -w it is said once, and the rest redrawn in a terminal; elsewhere every change is one line, or one of JSON.

    Exit code 0 if it runs or is complete, 3 if it waits for a person, 4 if it is paused, 5 if it was stopped.
    """
    from cli.connect import open_gateway

    gateway = await open_gateway(Place(home))
    view = await gateway.status(name)
    await _say_alarms_of(Place(home), name)
    ahead = await look_ahead(Place(home), name)
    if watch:
        for one in ahead:
            say(f"Ahead: {ahead_words(one)}")
        view = await follow(gateway, name, view, patience, output)
    elif output is Format.JSON:
        emit_json("rollout", {**view.model_dump(mode="json"), "ahead": [one.model_dump(mode="json") for one in ahead]})
    else:
        out.print(render(view, await gateway.decisions(name), [ahead_words(one) for one in ahead]))
    return exit_of(view)


async def follow(
    gateway: Gateway, name: str, view: RolloutView, patience: float | None, output: Format = Format.TABLE
) -> RolloutView:
    """Show a rollout until it is over or `patience` real seconds have passed; how it stands then.

    Raises:
        GatewayError: nothing has answered for two minutes, or the rollout is gone.
    """
    watching = _Watching(gateway, name, patience)
    if output is Format.TABLE and out.is_terminal:
        entries = await gateway.decisions(name)
        with Live(render(view, entries), console=out, auto_refresh=False) as live:
            while not watching.over(view):
                view, entries = await watching.next(view, entries)
                live.update(render(view, entries), refresh=True)
        return view
    told: object = None
    while True:
        if changed(view) != told:
            told = changed(view)
            if output is Format.JSON:
                emit_json("rollout", view.model_dump(mode="json"), compact=True)
            else:
                show(plain(view))
        if watching.over(view):
            return view
        view, _ = await watching.next(view, ())


class _Watching:
    """Looks at a rollout again and again, and is patient with servers that restart."""

    def __init__(self, gateway: Gateway, name: str, patience: float | None) -> None:
        self._gateway = gateway
        self._name = name
        self._now = asyncio.get_running_loop().time
        self._until = None if patience is None else self._now() + patience
        self._answered = self._now()
        self._silent = False

    def over(self, view: RolloutView) -> bool:
        """Whether there is nothing more to wait for."""
        return view.status in TERMINAL or (self._until is not None and self._now() >= self._until)

    async def next(self, view: RolloutView, entries: tuple[LogEntry, ...]) -> tuple[RolloutView, tuple[LogEntry, ...]]:
        """How it stands a little later, with the newest of its log; as before where nobody answers."""
        await asyncio.sleep(BETWEEN)
        try:
            found = await self._gateway.status(self._name)
            newest = await self._gateway.decisions(self._name) if found.entries != view.entries else entries
        except GatewayError as problem:
            if problem.kind is not Kind.UNAVAILABLE or self._now() - self._answered > SILENCE:
                raise
            if not self._silent:
                say(f"{problem} Waiting for an answer.")
            self._silent = True
            return view, entries
        self._answered, self._silent = self._now(), False
        return found, newest
