"""keys sign: the key that the service signs decisions with, and the public ones that verify what it signed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.home import DEFAULT_HOME, Home, Place
from cli.output import CliError, Exit, Format, Output, command, emit_json, say, show, table

app = typer.Typer(help="The key that decisions are signed with.", no_args_is_help=True)

Private = Annotated[
    Path | None,
    typer.Option("--key", envvar="ROLLOUTS_SIGNING_KEY", help="The private key; default: that of the directory."),
]
Public = Annotated[
    Path | None,
    typer.Option("--public", envvar="ROLLOUTS_DECISION_KEYS", help="The public keys; default: those of the directory."),
]


@app.command(epilog="Example: rollouts keys sign generate --key signing-key.json --public decision-keys.json")
@command
async def generate(
    key: Private = None, public: Public = None, home: Home = Path(DEFAULT_HOME), output: Output = Format.TABLE
) -> None:
    """Make a key: the private one for the service alone (mode 0600), the public one for every worker."""
    _make(Place(home), key, public, output, replace=False)


@app.command(epilog="Example: rollouts keys sign rotate --key signing-key.json --public decision-keys.json")
@command
async def rotate(
    key: Private = None, public: Public = None, home: Home = Path(DEFAULT_HOME), output: Output = Format.TABLE
) -> None:
    """Make another key in place of the one there is; the old public one stays, for what it signed."""
    _make(Place(home), key, public, output, replace=True)


def _make(place: Place, key: Path | None, public: Path | None, output: Format, *, replace: bool) -> None:
    from console.signing import generate as make
    from worker.settings import SettingsError

    private, shown = key or place.signing_key, public or place.decision_keys
    try:
        made = make(private, shown, replace=replace)
    except SettingsError as problem:
        raise CliError(f"{problem}.", Exit.BAD_INPUT) from problem
    say(f"Bring {shown} to every worker, then start the service anew: it signs with the key of {private}.")
    if output is Format.JSON:
        emit_json("signing-key", {"kid": made.kid, "key": str(private), "public": str(shown)})
    else:
        show(made.kid)


@app.command("list", epilog="Example: rollouts keys sign list --public decision-keys.json")
@command
async def list_(public: Public = None, home: Home = Path(DEFAULT_HOME), output: Output = Format.TABLE) -> None:
    """The public keys, the one that is signed with first."""
    from console.signing import read_public
    from worker.settings import SettingsError

    try:
        found = read_public(public or Place(home).decision_keys)
    except SettingsError as problem:
        raise CliError(f"{problem}.", Exit.BAD_INPUT) from problem
    if output is Format.JSON:
        emit_json("public-keys", [one.model_dump() for one in found])
    else:
        table("key", "public part", rows=[(one.kid, one.x) for one in found])
