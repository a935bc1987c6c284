"""sessions list and revoke: who is signed in, and how to end that."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.database import connection
from cli.home import DEFAULT_HOME, Home, Place
from cli.output import CliError, Exit, Format, Output, command, emit_json, show, table

app = typer.Typer(help="Sessions of people who have signed in.", no_args_is_help=True)


@app.command("list", epilog="Example: rollouts sessions list -o json")
@command
async def list_(home: Home = Path(DEFAULT_HOME), output: Output = Format.TABLE) -> None:
    """The sessions of the last 90 days, without what opens any of them."""
    from store.sessions import list_sessions

    async with connection(Place(home)) as opened:
        found = await list_sessions(opened)
    if output is Format.JSON:
        emit_json("sessions", [one.model_dump(mode="json") for one in found])
        return
    rows = [
        (
            one.session_id,
            one.identity,
            one.issuer,
            one.kind.value,
            f"{one.created_at:%Y-%m-%d %H:%M}",
            f"{one.last_seen_at:%Y-%m-%d %H:%M}",
            f"{one.ended_at:%Y-%m-%d %H:%M}, {one.ended_by}" if one.ended_at else "",
        )
        for one in found
    ]
    table("session", "who", "issuer", "kind", "signed in", "last seen", "ended", rows=rows)


@app.command(epilog="Example: rollouts sessions revoke fin@example.com")
@command
async def revoke(
    whose: Annotated[str, typer.Argument(help="A session by its id, or all of a person by their identity.")],
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> None:
    """End sessions at once; whoever had them must sign in again."""
    from store.sessions import revoke_sessions

    async with connection(Place(home)) as opened:
        ended = await revoke_sessions(opened, whose)
    if not ended:
        raise CliError(f"No session of {whose} is open; `rollouts sessions list` shows all.", Exit.BAD_INPUT)
    if output is Format.JSON:
        emit_json("sessions-revoked", {"whose": whose, "sessions": ended})
    else:
        show(f"{ended} ended.")
