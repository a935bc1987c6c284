"""plan validate, schema, show, new: a plan before it runs."""

from __future__ import annotations

import contextlib
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.home import DEFAULT_HOME, Home, Place
from cli.output import CliError, Exit, Format, Output, command, emit_json, out, say
from cli.plan_past import ClockStart, Weeks, moment
from cli.plan_power import Runs, power
from models.base import short
from models.plan import OptionKey, RolloutPlan

if TYPE_CHECKING:
    from cli.plan_told import PlanWarning
    from store.nobody import Nobody

app = typer.Typer(help="Plans: check, show, plan with numbers, start a new one.", no_args_is_help=True)
app.command(epilog="Example: rollouts plan power my-plan.yaml --svg power.svg")(power)

STANDARD = Path("-")
"""Standard input or output in place of a file."""

PlanFile = Annotated[Path, typer.Argument(metavar="FILE", help="Plan file; - reads standard input.")]


def read_plan(path: Path) -> RolloutPlan:
    """A plan from its file, or from standard input.

    Raises:
        CliError: every problem as file:line:column, field, what was found and what is allowed.
    """
    from cli.planfile import PlanError

    try:
        return _read(path)
    except PlanError as error:
        raise CliError(str(error), Exit.BAD_INPUT) from error


def _read(path: Path) -> RolloutPlan:
    from cli.planfile import MAX_BYTES, load_plan, plan_from

    if path == STANDARD:
        return plan_from(sys.stdin.buffer.read(MAX_BYTES + 1), "standard input")
    return load_plan(path)


@app.command(epilog="Example: rollouts plan validate my-plan.yaml --from-history")
@command
async def validate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Plan files; - reads standard input.")],
    from_history: Annotated[
        bool, typer.Option("--from-history", help="Look at the store, too: warn of limits and margins that cost much.")
    ] = False,
    weeks: Weeks = None,
    runs: Runs = 1000,
    clock_start: ClockStart = None,
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> int:
    """Check plans; every problem is named with file, line and column. Exit code 2 if there is one.

    A margin is warned of whose window need not hold a closed month. With --from-history the store is asked, too: a
    pilot that selects nobody is a problem, for so it would not start. It warns of what a plan may be and should not:
    other cohorts that select nobody, limits that pause healthy rollouts, margins that the cohort cannot show, a pilot
    picked on a good month. A warning is no problem.
    """
    from cli.plan_told import warnings_by_plan
    from cli.planfile import PlanError, problem_of

    results: list[dict[str, Any]] = []
    for file in files:
        digest, problems, warnings = None, [], None
        try:
            plan = _read(file)
            digest = plan.digest
            told = f"{file}: valid, plan {short(digest)}"
            warnings = list(warnings_by_plan(plan)) or None
            if from_history:
                first, found = await _warnings(plan, home, moment(clock_start), weeks, runs)
                if first is not None:
                    raise PlanError([problem_of(file, first.field, first.told)])
                warnings = [*(warnings or ()), *found]
            told = "\n".join((told, *(f"{file}: warning: {one}" for one in warnings or ())))
        except PlanError as error:
            digest, problems = None, [one.model_dump(mode="json") for one in error.problems]
            told = str(error)
        results.append(
            {
                "file": str(file),
                "valid": not problems,
                "digest": digest,
                "problems": problems,
                "warnings": None if warnings is None else [one.model_dump(mode="json") for one in warnings],
            }
        )
        if output is Format.TABLE:
            say(told)
    if output is Format.JSON:
        emit_json("plan-validation", results)
    elif not from_history and any(one["valid"] for one in results):
        say("What the cohort can show was not looked at; --from-history asks the store.")
    return Exit.OK if all(one["valid"] for one in results) else Exit.BAD_INPUT


async def _warnings(
    plan: RolloutPlan, home: Path, as_of: datetime, weeks: int | None, runs: int
) -> tuple[Nobody | None, list[PlanWarning]]:
    """What to warn of by the store; or else that nobody is in the pilot, whose past there is none then."""
    from cli.database import connection
    from cli.plan_past import NobodyThere
    from cli.plan_power import plan_power
    from cli.plan_told import PlanWarning, warnings_of
    from judgement.planning import SEED
    from store.nobody import nobody_in

    async with connection(Place(home)) as opened:
        empty = await nobody_in(opened, plan, as_of)
        first = next((one for one in empty if one.first), None)
        if first is not None:
            return first, []
        warned = [PlanWarning(field=one.field, message=one.told) for one in empty]
        try:
            found = await plan_power(opened, plan, as_of, weeks=weeks, runs=runs, seed=SEED)
        except NobodyThere as problem:
            return None, [*warned, PlanWarning(field="cohorts.pilot", message=str(problem).rstrip("."))]
    return None, [*warned, *warnings_of(plan, found)]


@app.command(epilog="Example: rollouts plan schema > plan.schema.json")
@command
async def schema() -> None:
    """The JSON Schema of plans, for editors; generated from the models."""
    from cli.plan_reference import schema_text

    typer.echo(schema_text(), nl=False)


@app.command(epilog="Example: rollouts plan new faster-leads --option B -o faster-leads.yaml")
@command
async def new(
    plan_id: Annotated[str, typer.Argument(metavar="ID", help="The plan's id: lower case, digits, dashes.")],
    option: Annotated[
        OptionKey, typer.Option(case_sensitive=False, help="A maintain, B staged, C redesign.")
    ] = OptionKey.STAGED,
    file: Annotated[
        Path | None, typer.Option("-o", "--file", help="Where to write; default ID.yaml, - writes to standard output.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over an existing file.")] = False,
    from_history: Annotated[
        bool,
        typer.Option("--from-history", help="Fill in cohorts, limits and margins from the store, with the reasons."),
    ] = False,
    weeks: Weeks = None,
    runs: Runs = 1000,
    clock_start: ClockStart = None,
    home: Home = Path(DEFAULT_HOME),
) -> None:
    """Write a commented, valid plan to start from.

    With --from-history its cohorts are drawn by lot among the active partners, and each metric has the limits and the
    margin that its own past suggests, with the reason beside them.
    """
    from cli.plan_template import plan_template
    from cli.planfile import SLUG_ALLOWED, is_slug

    if not is_slug(plan_id):
        raise CliError(f"the id is {plan_id!r}; allowed: {SLUG_ALLOWED}", Exit.BAD_INPUT)
    target = file or Path(f"{plan_id}.yaml")
    if target != STANDARD and target.exists() and not force:
        raise CliError(f"{target} exists; --force writes over it.", Exit.BAD_INPUT)
    text = plan_template(plan_id, option.value)
    if from_history:
        text = await _filled(plan_id, option.value, Place(home), moment(clock_start), weeks, runs)
    if target == STANDARD:
        typer.echo(text, nl=False)
        return
    write(target, text, force=force)
    say(f"written {target}; edit it, then `rollouts plan validate {target}`")


async def _filled(plan_id: str, option: str, place: Place, as_of: datetime, weeks: int | None, runs: int) -> str:
    from cli.database import connection
    from cli.plan_suggest import filled_plan
    from cli.progress import bar

    async with connection(place) as opened:
        with bar("metrics of the past") as advance:
            return await filled_plan(opened, plan_id, option, as_of, weeks, runs, advance)


def write(target: Path, text: str, *, force: bool) -> None:
    """The whole text, or nothing: neither half a plan nor less than there was."""
    if target.exists() and not force:
        raise CliError(f"{target} exists; --force writes over it.", Exit.BAD_INPUT)
    partial = target.parent / f".{target.name}.{os.getpid()}"
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(target)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise CliError(f"{target} cannot be written: {error.strerror or error}.", Exit.BAD_INPUT) from error


@app.command(epilog="Example: rollouts plan show my-plan.yaml")
@command
async def show(file: PlanFile, output: Output = Format.TABLE) -> None:
    """A plan as people read it before they sign: the decision, who decides, who goes when, what must be shown."""
    from cli.plan_show import whole_plan

    plan = read_plan(file)
    if output is Format.JSON:
        emit_json("plan", {**plan.model_dump(mode="json", by_alias=True), "digest": plan.digest})
    else:
        out.print(whole_plan(plan))
