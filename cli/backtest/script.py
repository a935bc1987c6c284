"""Reads how the owners behave: from a file, and from what is said on the command line."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from cli.output import CliError, Exit
from models.base import parse_duration
from models.plan import RolloutPlan
from models.script import Habits, Script


def read_script(plan: RolloutPlan, file: Path | None, answers_after: str | None, absent: list[str]) -> Script:
    """The script, the command line's words before those of the file.

    Raises:
        CliError: the file is none, it names somebody who is no owner of the plan, or a duration is none.
    """
    script = _load(file) if file else Script()
    _known(plan, script.strangers(plan.owners), str(file))
    if answers_after is not None:
        script = script.model_copy(update={"answers_after": _duration(answers_after)})
    away = Script(owners={one: Habits(absent=True) for one in absent})
    _known(plan, away.strangers(plan.owners), "--absent")
    owners = {key: habits for key, habits in script.owners.items() if key not in away.owners} | away.owners
    return script.model_copy(update={"owners": owners})


def _load(file: Path) -> Script:
    from cli.planfile import PlanError, Sort, load_as

    try:
        return load_as(Script, file, Sort("script", "docs/backtest.md has one"))
    except PlanError as error:
        raise CliError(str(error), Exit.BAD_INPUT) from error


def _known(plan: RolloutPlan, strangers: tuple[str, ...], where: str) -> None:
    if strangers:
        owners = ", ".join(f"{one.role} ({one.identity})" for one in plan.owners)
        raise CliError(
            f"{where}: {', '.join(strangers)} is no owner of {plan.id}; owners are: {owners}.", Exit.BAD_INPUT
        )


def _duration(text: str) -> timedelta:
    try:
        found: timedelta = parse_duration(text)
    except ValueError as problem:
        raise CliError(f"--answers-after: {problem}.", Exit.BAD_INPUT) from problem
    return found
