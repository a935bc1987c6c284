"""backtest: how a plan would have gone over recorded facts, with the workflow itself."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.home import DEFAULT_HOME, Home, Place
from cli.output import CliError, Exit, Format, Output, command, emit_json, say
from cli.plan import read_plan
from models.backtest import Backtest, End
from models.plan import RolloutPlan
from models.script import ANSWERS_AFTER, Script

if TYPE_CHECKING:
    from cli.backtest.running import Ran, Span
    from models.backtest import Reach

EXIT = {
    End.COMPLETED: Exit.OK,
    End.STOPPED: Exit.STOPPED,
    End.PAUSED: Exit.PAUSED,
    End.WAITS: Exit.WAITS,
    End.UNFINISHED: Exit.UNFINISHED,
}
"""What a script learns from how it would have ended."""

DAYS = ["%Y-%m-%d"]


def register(app: typer.Typer) -> None:
    """Mount the verb of this module."""
    app.command(epilog="Example: rollouts backtest plan.yaml --from 2025-04-01 --to 2025-10-01 --absent sponsor")(
        backtest
    )


@command
async def backtest(
    file: Annotated[Path, typer.Argument(metavar="PLAN", help="Plan file; - reads standard input.")],
    begins: Annotated[
        datetime, typer.Option("--from", formats=DAYS, metavar="DATE", help="The day it would have started (UTC).")
    ],
    ends: Annotated[
        datetime, typer.Option("--to", formats=DAYS, metavar="DATE", help="The first day that counts no more (UTC).")
    ],
    script: Annotated[
        Path | None, typer.Option("--script", metavar="FILE", help="How the owners behave; docs/backtest.md has one.")
    ] = None,
    answers_after: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help=f"How long every owner takes to answer; default {ANSWERS_AFTER.days}d."),
    ] = None,
    absent: Annotated[
        list[str] | None,
        typer.Option("--absent", metavar="WHO", help="An owner, by role or identity, who never answers; repeatable."),
    ] = None,
    svg: Annotated[
        Path | None, typer.Option("--svg", metavar="FILE", help="Draw its course: phases, pauses, gates, every metric.")
    ] = None,
    with_log: Annotated[bool, typer.Option("--log", help="Print every entry of its decision log, too.")] = False,
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> int:
    """Run a plan over recorded facts with the workflow itself, on a clock that skips: when it would have paused and on
    what, which gates would have waited for whom, which verdicts said nothing and why, and how it would have ended.

    Facts are taken as they were known on each day. Nothing is written to the store. Owners answer by a script; a gate
    that nobody answers waits.

    Exit code 0 if it would have completed, 3 if at the end it waits for a person, 4 if it is paused, 5 if it was
    stopped, 8 if it is simply not over.
    """
    from cli.backtest.running import Span
    from cli.backtest.script import read_script
    from cli.backtest.telling import tell

    plan = read_plan(file)
    owners = read_script(plan, script, answers_after, absent or [])
    span = Span(begins.replace(tzinfo=UTC), ends.replace(tzinfo=UTC))
    if span.ends <= span.begins:
        raise CliError(f"--to {ends:%Y-%m-%d} must be later than --from {begins:%Y-%m-%d}.", Exit.BAD_INPUT)
    found = await backtested(Place(home), plan, owners, span)
    if svg is not None:
        from cli.backtest.drawing import drawn
        from cli.plan import write

        write(svg, drawn(found), force=True)
    if output is Format.JSON:
        emit_json("backtest", found.model_dump(mode="json"))
    else:
        tell(found, with_log=with_log)
    if svg is not None:
        say(f"written {svg}")
    return EXIT[found.end]


async def backtested(place: Place, plan: RolloutPlan, script: Script, span: Span) -> Backtest:
    """Look what there is to judge by, run it, and say what it amounts to.

    Raises:
        CliError: a server is missing, the pilot has nobody, or there is nothing to judge by.
    """
    from cli.backtest.facts import notes, reaches, refuse_without_facts
    from cli.database import connection
    from cli.plan_past import whom

    _must_be_installed()
    async with connection(place) as opened:
        reach = await reaches(opened, plan, span.begins, span.ends)
        refuse_without_facts(reach, span.begins, span.ends)
        await whom(opened, plan, span.begins)
    began = time.perf_counter()
    ran = await _run(place, plan, script, span)
    said = (*notes(reach, plan, span.begins, span.ends), *_of_the_plan(plan))
    return report(ran, span, reach, said, time.perf_counter() - began)


def report(ran: Ran, span: Span, reach: tuple[Reach, ...], notes: tuple[str, ...], seconds: float) -> Backtest:
    """What a run amounts to."""
    from learning import backtest as learnt

    trace = ran.trace
    gates = learnt.gates(trace)
    return Backtest(
        plan=trace.plan.id,
        title=trace.plan.title,
        digest=trace.plan.digest,
        begins=span.begins,
        ends=span.ends,
        through=trace.through,
        end=learnt.end_of(trace, gates),
        sentence=trace.sentence,
        cohorts=trace.cohorts,
        drag=learnt.drag(trace),
        pauses=learnt.pauses(trace),
        gates=gates,
        silences=learnt.silences(trace),
        holds=learnt.holds(trace),
        metrics=learnt.courses(trace),
        facts=reach,
        notes=notes,
        log=trace.log,
        begun=ran.begun,
        seconds=round(seconds, 1),
    )


async def _run(place: Place, plan: RolloutPlan, script: Script, span: Span) -> Ran:
    import asyncpg

    from cli.backtest.running import NotRun, quietly, run_over
    from cli.progress import bar
    from store.scratch import ScratchLost, ScratchRefused

    try:
        with quietly(), bar(f"backtest of {plan.id}, days") as advance:
            return await run_over(place.dsn, plan, script, span, advance, say)
    except (NotRun, ScratchLost) as problem:
        raise CliError(f"{str(problem)[0].upper()}{str(problem)[1:].rstrip('.')}.") from problem
    except ScratchRefused as problem:
        raise CliError(f"{problem}. Let an administrator grant TEMPORARY on the database to its user.") from problem
    except (OSError, asyncpg.PostgresError) as problem:
        raise CliError(f"PostgreSQL did not go along: {problem}.", Exit.UNAVAILABLE) from problem


def _must_be_installed() -> None:
    from deploy.embedded.binaries import test_server_path
    from deploy.embedded.errors import NotInstalledError

    try:
        test_server_path()
    except NotInstalledError as problem:
        raise CliError(str(problem)) from problem


def _of_the_plan(plan: RolloutPlan) -> tuple[str, ...]:
    from models.plan import Decisions

    if plan.decisions is Decisions.SIGNED:
        return ("The plan asks for signed decisions; nobody in a script has a key, so these are unsigned.",)
    return ()
