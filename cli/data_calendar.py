"""data calendar: when partners of a calendar work, and on which days of a year they do not."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.database import connection
from cli.home import DEFAULT_HOME, Home, Place
from cli.output import CliError, Exit, Format, Output, command, emit_json, show, table

if TYPE_CHECKING:
    from store.calendars.showing import CalendarView


@command
async def calendar(
    name: Annotated[str, typer.Argument(metavar="CALENDAR", help="Its calendar_id.")],
    year: Annotated[int | None, typer.Option(min=1970, max=2200, help="Whose holidays; default: this year.")] = None,
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> None:
    """The hours of a business calendar, and the days of a year on which it is closed, or open all the same."""
    from store.calendars.showing import calendar_names, read_calendar

    async with connection(Place(home)) as opened:
        found = await read_calendar(opened, name, year or datetime.now(UTC).year)
        names = await calendar_names(opened) if found is None else ()
    if found is None:
        listed = ", ".join(names) or "there are none yet; `rollouts data import calendars` brings some"
        raise CliError(f"There is no calendar {name!r}; allowed: {listed}.", Exit.BAD_INPUT)
    if output is Format.JSON:
        emit_json("calendar", found.model_dump(mode="json"))
        return
    _print(found)


def _print(found: CalendarView) -> None:
    partners = "1 partner keeps" if found.partners == 1 else f"{found.partners:,} partners keep"
    show(f"{found.calendar_id}{f', {found.name}' if found.name else ''}: {found.time_zone}; {partners} it.")
    table("day", "open", rows=[(day, "; ".join(hours) or "closed") for day, hours in found.hours.items()])
    if found.public_holidays:
        source = (
            f"as stored from version {found.library_version} of the library"
            if found.library_version
            else "not needed yet; as the library has them now"
        )
        show(f"Public holidays of {found.public_holidays} in {found.year}: {source}.")
    rows = [
        (f"{one.day:%a %Y-%m-%d}", "closed" if one.closed else "open", one.name, "public" if one.public else "own")
        for one in found.days
    ]
    if rows:
        table("day", "is", "name", "holiday", rows=rows)
