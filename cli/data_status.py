"""data status: where each source stands, how late it is, and what of it waits or was not taken."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.database import connection
from cli.home import DEFAULT_HOME, Home, Place
from cli.output import CliError, Exit, Format, Output, command, emit_json, say, show, table
from models.base import format_duration, many, parse_duration
from models.quality import Severity

if TYPE_CHECKING:
    from store.events.reading import WaitingEvents
    from store.intake.standing import Standing

_BAD_ROW = re.compile(r"; (?=line \d+, )")

_MARK = {Severity.GREEN: "ok", Severity.AMBER: "amber", Severity.RED: "RED"}


@command
async def status(
    bound: Annotated[
        str | None,
        typer.Option(metavar="7d", help="How old the latest event may be; default: as usual for the metric it feeds."),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit code 1 if a source is late.")] = False,
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> int:
    """How far the facts of each source reach, how many there are, and what was not taken.

    RED: nothing newer than the bound. amber: nothing newer than half of it, or rows of the last import were rejected,
    or a later import was refused. Kinds in which nothing happens, such as partners, are never late.
    """
    from store.events.reading import waiting_events
    from store.intake.standing import read_standing

    length = asked_length("--bound", bound)
    now = datetime.now(UTC)
    async with connection(Place(home)) as opened:
        found = await read_standing(opened, now, length)
        waiting = await waiting_events(opened)
    late = [one for one in found if one.late]
    if output is Format.JSON:
        emit_json("data", _document(found, waiting))
    elif found or waiting:
        _print(found, waiting, now)
    else:
        show("There are no facts yet. (`rollouts data import` brings some, `rollouts data generate` makes some up.)")
    if late and not strict and output is not Format.JSON:
        say("RED: nothing newer than the bound, so metrics that need it cannot be judged until it comes.")
    if strict and late:
        named = ", ".join(f"{one.kind} of {one.source}" for one in late)
        say(f"Late: {named}.")
        return Exit.ERROR
    return Exit.OK


def asked_length(option: str, asked: str | None) -> timedelta | None:
    """A length of time as an option has it; None where it was left out.

    Raises:
        CliError: it is none, or no length at all.
    """
    if asked is None:
        return None
    try:
        length: timedelta = parse_duration(asked)
    except ValueError as problem:
        raise CliError(f"{option}: {problem}.", Exit.BAD_INPUT) from problem
    if not length:
        raise CliError(f"{option}: found no length at all; write for example 7d.", Exit.BAD_INPUT)
    return length


def _document(found: tuple[Standing, ...], waiting: tuple[WaitingEvents, ...]) -> dict[str, object]:
    return {
        "sources": [one.model_dump(mode="json") | {"late": one.late} for one in found],
        "waiting": [one.model_dump(mode="json") for one in waiting],
    }


def _print(found: tuple[Standing, ...], waiting: tuple[WaitingEvents, ...], now: datetime) -> None:
    columns = ("", "source", "kind", "through", "lag", "bound", "facts", "rejected", "last import", "last event")
    table(*columns, rows=[_row(one) for one in found])
    for one in found:
        if one.refused_why is not None:
            show(f"The last import of {one.kind} from {one.source} was refused: {_brief(one.refused_why)}")
    for events in waiting:
        show(
            f"{many(events.events, 'event')} of {events.source_system} about {events.subjects} {events.kind} wait for "
            f"{events.waits_for}, the oldest for {_length_of(now - events.since)}."
        )


def _brief(why: str) -> str:
    """The first bad row stands for the others, which the reject file has: many files may have been refused."""
    told, *others = _BAD_ROW.split(why)
    return "; ".join([told, *others[:1], *(["..."] if others[1:] else [])])


def _row(one: Standing) -> tuple[str, ...]:
    return (
        _MARK[one.severity],
        one.source,
        one.kind.value,
        _moment(one.through),
        _length_of(one.lag),
        _length_of(one.bound),
        f"{one.facts:,}",
        f"{one.rejected:,}" if one.rejected else "",
        _moment(one.taken_at),
        _moment(one.event_at),
    )


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else "-"


def _length_of(length: timedelta | None) -> str:
    """Days, and for less than two of them hours, minutes below two hours."""
    if length is None:
        return "-"
    unit = timedelta(days=1) if length >= timedelta(days=2) else timedelta(hours=1)
    if length < timedelta(hours=2):
        unit = timedelta(minutes=1)
    return format_duration(length // unit * unit)
