"""start, list, get, explain: what runs, where it stands, and why it does not go on."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.live import Live

from cli.home import DEFAULT_HOME, Home, Place
from cli.output import CliError, Exit, Format, Output, command, emit_json, out, say, table
from models.base import short
from models.rollout import RolloutView, Status

Name = Annotated[str, typer.Argument(metavar="NAME", help="The plan's id.")]


def register(app: typer.Typer) -> None:
    """Mount the verbs of this module."""
    app.command(epilog="Example: rollouts start -f plan.yaml --clock-start 2025-01-06 --speed 86400")(start)
    app.command("list", epilog="Example: rollouts list -o json")(list_)
    app.command(epilog="Example: rollouts get gold-tier-rebate -w")(get)
    app.command(epilog="Example: rollouts explain gold-tier-rebate --as fin@example.com")(explain)


@command
async def start(
    file: Annotated[Path, typer.Option("-f", "--file", help="The plan.")],
    clock_start: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="Programme time to begin at (UTC); default now."),
    ] = None,
    speed: Annotated[float, typer.Option(min=0.001, max=10_000_000, help="Programme seconds per real second.")] = 1.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and say what would start.")] = False,
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> None:
    """Start a plan's rollout. The same plan twice is started once; another version under the same id is refused."""
    from cli.gateway import Gateway
    from cli.plan import read_plan

    plan = read_plan(file)
    begins = clock_start.replace(tzinfo=UTC) if clock_start else None
    fresh = False
    if not dry_run:
        gateway = await Gateway.open(Place(home))
        fresh = await gateway.start(plan, begins, speed)
    if output is Format.JSON:
        emit_json("start", {"rollout": plan.id, "digest": plan.digest, "started": fresh, "dry_run": dry_run})
    elif dry_run:
        say(f"{plan.id} would start: plan {short(plan.digest)}, option {plan.chosen.value}.")
    else:
        say(f"{plan.id} {'started' if fresh else 'runs already'}; follow it with `rollouts get {plan.id} -w`.")


@command
async def list_(home: Home = Path(DEFAULT_HOME), output: Output = Format.TABLE) -> None:
    """All rollouts, the newest first, from the store."""
    import asyncpg

    from store.pool import prepare_connection
    from store.rollouts import list_rollouts

    try:
        connection = await asyncpg.connect(Place(home).dsn, timeout=5)
    except (OSError, asyncpg.PostgresError) as problem:
        raise CliError(f"PostgreSQL cannot be reached: {problem}", Exit.UNAVAILABLE) from problem
    try:
        await prepare_connection(connection)
        found = await list_rollouts(connection)
    finally:
        await connection.close()
    if output is Format.JSON:
        rows = [
            {
                "rollout": one.key.rollout_id,
                "title": one.plan.title,
                "digest": one.plan_digest,
                **one.standing.model_dump(mode="json", exclude={"watched", "baselines", "tolerance_since"}),
            }
            for one in found
        ]
        emit_json("rollouts", rows)
        return
    table(
        "rollout",
        "status",
        "phase",
        "since (programme)",
        "in words",
        rows=[
            (
                one.key.rollout_id,
                one.standing.status,
                one.standing.phase + (f" wave {one.standing.wave}" if one.standing.wave else ""),
                f"{one.standing.since:%Y-%m-%d}",
                one.standing.sentence,
            )
            for one in found
        ],
    )
    if not found:
        say("No rollout yet; start one with `rollouts start -f PLAN`.")


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
        bool, typer.Option("-w", "--watch", help="Keep the tree current until the rollout is over.")
    ] = False,
    patience: Annotated[float | None, typer.Option("--timeout", help="Stop watching after so many seconds.")] = None,
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> int:
    """Where a rollout stands: phases, cohorts, verdicts, who is awaited since when, what happens next.

    Exit code 0 if it runs or is complete, 3 if it waits for a person, 4 if it is paused, 5 if it was stopped.
    """
    from cli.gateway import Gateway
    from cli.tree import render

    gateway = await Gateway.open(Place(home))
    view = await gateway.status(name)
    if output is Format.JSON:
        emit_json("rollout", view.model_dump(mode="json"))
    elif watch:
        view = await follow(gateway, name, view, patience)
    else:
        out.print(render(view))
    return exit_of(view)


async def follow(gateway: Any, name: str, view: RolloutView, patience: float | None) -> RolloutView:
    """Show the tree until the rollout is over: redrawn in a terminal, a line per change elsewhere."""
    from cli.tree import plain, render

    loop = asyncio.get_running_loop()
    until = loop.time() + patience if patience else None
    told = ""
    with Live(render(view), console=out, auto_refresh=False, transient=False) as live:
        while view.status not in (Status.COMPLETED, Status.STOPPED) and (until is None or loop.time() < until):
            await asyncio.sleep(0.5)
            try:
                view = await gateway.status(name)
            except CliError:
                if view.status in (Status.COMPLETED, Status.STOPPED):
                    break
                raise
            if out.is_terminal:
                live.update(render(view), refresh=True)
            elif (line := plain(view).partition("·")[2]) != told:
                told = line
                say(plain(view))
    return view


@command
async def explain(
    name: Name,
    identity: Annotated[
        str | None, typer.Option("--as", envvar="ROLLOUTS_IDENTITY", help="Whose actions to show.")
    ] = None,
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> int:
    """Why a rollout does not go on: what blocks it, on which evidence, who can unblock it, and by when."""
    from cli.gateway import Gateway

    gateway = await Gateway.open(Place(home))
    view = await gateway.status(name)
    actions = await gateway.allowed_actions(name, identity)
    if output is Format.JSON:
        emit_json(
            "explanation",
            {
                "status": view.status.value,
                "sentence": view.sentence,
                "next": view.next,
                "holds": [one.model_dump(mode="json") for one in view.holds],
                "awaited": [one.model_dump(mode="json") for one in view.awaited],
                "evidence": view.assessment.model_dump(mode="json") if view.assessment else None,
                "actions": [one.model_dump(mode="json") for one in actions],
            },
        )
        return exit_of(view)
    for line in explanation(view):
        out.print(line, markup=False, highlight=False, soft_wrap=True)
    rows = [
        (one.verb.value, "yes" if one.allowed else "no", ", ".join(one.who), one.why_not or one.target or "")
        for one in actions
    ]
    table("verb", "now", "who may", "why not, or on what", rows=rows)
    return exit_of(view)


def explanation(view: RolloutView) -> list[str]:
    """Sentences that say what stands in the way and what would open it."""
    lines = [view.sentence, f"Next: {view.next}"]
    for one in view.awaited:
        due = f" by {one.due:%Y-%m-%d %H:%M}" if one.due else ""
        lines.append(f"Awaited: {' or '.join(one.who)} to {one.what}{due}, since {one.since:%Y-%m-%d %H:%M}.")
    if view.assessment:
        lines.append(f"Evidence {short(view.assessment.digest)} as of {view.assessment.as_of:%Y-%m-%d %H:%M}:")
        lines += [
            f"  {item.cohort} · {item.metric.value}: {item.verdict.value} ({'; '.join(item.reasons)})"
            for item in view.assessment.items
        ]
    return lines
