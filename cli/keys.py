"""keys add, list and revoke: who may send events, and for which source; keys sign and log: what is signed with."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from cli import log_keys, signing_keys
from cli.database import connection
from cli.home import DEFAULT_HOME, Home, Place
from cli.output import CliError, Exit, Format, Output, command, emit_json, say, show, table

app = typer.Typer(help="Keys of the systems that send events, and those that sign.", no_args_is_help=True)
app.add_typer(signing_keys.app, name="sign")
app.add_typer(log_keys.app, name="log")


@app.command(epilog="Example: rollouts keys add crm-live --source crm")
@command
async def add(
    name: Annotated[str, typer.Argument(help="What the key is called, here and in the record of every event.")],
    source: Annotated[str, typer.Option("--source", help="The source system whose events it may send.")],
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> None:
    """Make a key and print it, this once: only a hash of it is kept."""
    from store.events.keys import KeyRefused, add_key

    try:
        async with connection(Place(home)) as opened:
            token = await add_key(opened, name, source)
    except KeyRefused as problem:
        raise CliError(f"{problem}.", Exit.BAD_INPUT) from problem
    say(f"The key of {name}, for {source}. It cannot be shown again.")
    if output is Format.JSON:
        emit_json("key", {"name": name, "source": source, "key": token})
    else:
        show(token)


@app.command("list", epilog="Example: rollouts keys list -o json")
@command
async def list_(home: Home = Path(DEFAULT_HOME), output: Output = Format.TABLE) -> None:
    """All keys there ever were, without what opens anything."""
    from store.events.keys import list_keys

    async with connection(Place(home)) as opened:
        found = await list_keys(opened)
    if output is Format.JSON:
        emit_json("keys", [one.model_dump(mode="json") for one in found])
        return
    rows = [
        (one.name, one.source_system, _day(one.created_at), _day(one.last_used_at), _day(one.revoked_at))
        for one in found
    ]
    table("key", "source", "made", "last used", "revoked", rows=rows)


@app.command(epilog="Example: rollouts keys revoke crm-live")
@command
async def revoke(
    name: Annotated[str, typer.Argument(help="A key that is in force.")],
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> None:
    """Let a key open nothing from now on; what came with it stays."""
    from store.events.keys import KeyRefused, revoke_key

    try:
        async with connection(Place(home)) as opened:
            await revoke_key(opened, name)
    except KeyRefused as problem:
        raise CliError(f"{problem}.", Exit.BAD_INPUT) from problem
    if output is Format.JSON:
        emit_json("revoked", {"name": name})
    else:
        show(f"{name} is revoked.")


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else ""
