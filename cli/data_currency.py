"""data currency: in which currency all money is reported, and setting another one before rollouts are judged by it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.database import connection
from cli.home import DEFAULT_HOME, Home, Place
from cli.output import CliError, Exit, Format, Output, command, emit_json, say, show
from models.base import many

if TYPE_CHECKING:
    from store.currency import Rollouts, WithoutRate

NAMED = 5
"""Open rollouts that a refusal names."""


@command
async def currency(
    code: Annotated[
        str | None,
        typer.Argument(metavar="[CODE]", help="Report in this one, such as EUR; left out: show which it is."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Set it although rates into it are missing.")] = False,
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> None:
    """The currency all money is reported in, and the money that has no rate into it; with CODE, set another one.

    Values, baselines and limits of rollouts are in it: while one is open, it is not changed. Money without a rate makes
    values of what it is part of unknown, so it is not changed either where rates are missing, unless --force.
    """
    wanted = _checked(code)
    from asyncpg import InsufficientPrivilegeError

    from store.currency import RolloutsOpen, reporting_currency, rollouts_in_it, set_reporting_currency, without_rate

    async with connection(Place(home)) as opened:
        before = await reporting_currency(opened)
        lacking = await without_rate(opened, wanted or before)
        found = await rollouts_in_it(opened)
        changes = wanted is not None and wanted != before
        if wanted is not None and changes:
            try:
                if not found.open and lacking and not force:
                    raise CliError(
                        f"{before} stays: {_without(lacking, wanted)}; import rates, or --force.", Exit.REFUSED
                    )
                found = await set_reporting_currency(opened, wanted)
            except RolloutsOpen as problem:
                raise CliError(_open(before, problem.names), Exit.REFUSED) from problem
            except InsufficientPrivilegeError as problem:
                raise CliError(f"Only who owns the tables can set the currency ({problem}).", Exit.REFUSED) from problem
    if output is Format.JSON:
        emit_json("currency", _document(wanted or before, before if changes else None, lacking, found))
        return
    _print(wanted or before, before if changes else None, lacking, found)


def _checked(code: str | None) -> str | None:
    if code is None or re.fullmatch("[A-Z]{3}", code):
        return code
    raise CliError(f"{code[:20]!r} is no currency; write its three capital letters, such as EUR.", Exit.BAD_INPUT)


def _open(before: str, names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    what = (
        "a rollout is open, and its baselines are" if len(names) == 1 else "rollouts are open, and their baselines are"
    )
    return f"{before} stays: {what} in it: {', '.join(names[:NAMED])}{more}. Set it when they are over."


def _without(lacking: Sequence[WithoutRate], currency: str) -> str:
    told = ", ".join(
        f"{one.currency} in {many(one.months, 'month')} "
        f"({one.first:%Y-%m}{f' to {one.last:%Y-%m}' if one.months > 1 else ''})"
        for one in lacking
    )
    return f"money without a rate into {currency}: {told}"


def _document(currency: str, before: str | None, lacking: Sequence[WithoutRate], found: Rollouts) -> dict[str, object]:
    return {
        "currency": currency,
        "before": before,
        "without_rate": [one.model_dump(mode="json") for one in lacking],
        "open_rollouts": list(found.open),
        "rollouts_over": found.over,
    }


def _print(currency: str, before: str | None, lacking: Sequence[WithoutRate], found: Rollouts) -> None:
    show(f"All money is reported in {currency}{f', until now in {before}' if before else ''}.")
    if lacking:
        say(f"There is {_without(lacking, currency)}. What it is part of has no value.")
    if before and found.over:
        say(f"Evidence and records of rollouts that are over ({found.over}) stay in {before}.")
