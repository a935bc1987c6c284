"""notices: which letters wait, went out or were refused, and why; and asking for them to be tried again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.database import connection
from cli.home import DEFAULT_HOME, Home, Place
from cli.output import Exit, Format, Output, command, emit_json, say, show, table
from models.base import many

if TYPE_CHECKING:
    from store.notices import ListedNotice


def register(app: typer.Typer) -> None:
    """Mount the verb of this module."""
    app.command(epilog="Example: rollouts notices gold-tier-rebate --open")(notices)


@command
async def notices(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The plan's id; default every rollout.")] = None,
    unsent: Annotated[bool, typer.Option("--open", help="Only those that wait or were refused.")] = False,
    retry: Annotated[
        bool, typer.Option("--retry", help="Let those that wait or were refused be tried again now.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, metavar="N", help="How many at most.")] = 100,
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> int:
    """The letters of a rollout, the newest first: to whom, through which channels, and what stands in the way.

    A letter waits, was sent, was refused by a channel for good, or was kept because no channel takes it. `*` is the
    notice as webhooks get it. With --retry a worker sends what is open within half a minute; a channel that took a
    letter before does not get it again.

    Exit code 1 if a letter was refused.
    """
    from store.notices import NoticeStatus, listed
    from store.notices import retry as try_again

    open_states = (NoticeStatus.WAITING, NoticeStatus.REFUSED)
    async with connection(Place(home)) as opened:
        again = await try_again(opened, name) if retry else 0
        found = await listed(opened, name, open_states if unsent else None, limit)
    if output is Format.JSON:
        emit_json("notices", [one.model_dump(mode="json") for one in found])
    elif found:
        table("at", "rollout", "notice", "to", "state", "channels", "problem", rows=[_row(one) for one in found])
    else:
        say("No such letter.")
    if retry and output is Format.TABLE:
        show(f"{many(again, 'letter is', 'letters are')} tried again.")
    return Exit.ERROR if any(one.state is NoticeStatus.REFUSED for one in found) else Exit.OK


def _row(one: ListedNotice) -> tuple[str, ...]:
    return (
        f"{one.created_at:%Y-%m-%d %H:%M}",
        one.rollout_id,
        one.kind,
        one.contact,
        one.state.value,
        ", ".join(one.delivered),
        one.problem or "" if one.sent_at is None else "",
    )
