"""keys log: the key that workers sign the decision log with, and the verifier keys that auditors keep."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.home import DEFAULT_HOME, Home, Place
from cli.output import CliError, Exit, Format, Output, command, emit_json, say, show, table
from models.names import DEPLOYMENT

app = typer.Typer(help="The key that the decision log is signed with.", no_args_is_help=True)

Private = Annotated[
    Path | None,
    typer.Option("--key", envvar="ROLLOUTS_LOG_KEY", help="The private key; default: that of the directory."),
]
Public = Annotated[
    Path | None, typer.Option("--public", help="The verifier keys; default: log-keys.txt beside the private key.")
]
Deployment = Annotated[
    str,
    typer.Option("--deployment", envvar="ROLLOUTS_DEPLOYMENT", help="Whose log it is; as the workers are told it."),
]


@app.command(epilog="Example: rollouts keys log generate --key log-key.json")
@command
async def generate(
    key: Private = None,
    public: Public = None,
    deployment: Deployment = DEPLOYMENT,
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> None:
    """Make a key: the private one for the workers alone (mode 0600), the verifier key for auditors to keep."""
    _make(Place(home), key, public, deployment, output, replace=False)


@app.command(epilog="Example: rollouts keys log rotate --key log-key.json")
@command
async def rotate(
    key: Private = None,
    public: Public = None,
    deployment: Deployment = DEPLOYMENT,
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> None:
    """Make another key in place of the one there is; the old verifier key stays, for what it signed."""
    _make(Place(home), key, public, deployment, output, replace=True)


def _make(
    place: Place, key: Path | None, public: Path | None, deployment: str, output: Format, *, replace: bool
) -> None:
    from worker.log_key import generate as make
    from worker.settings import SettingsError

    private = key or place.log_key
    shown = public or _beside(private)
    try:
        made = make(private, shown, deployment, replace=replace)
    except SettingsError as problem:
        raise CliError(f"{problem}.", Exit.BAD_INPUT) from problem
    say(f"Bring {private} to every worker and start them anew; give auditors this line, and {shown} a safe place.")
    if output is Format.JSON:
        emit_json("log-key", {"vkey": made.vkey, "key": str(private), "public": str(shown)})
    else:
        show(made.vkey)


@app.command("list", epilog="Example: rollouts keys log list --public log-keys.txt")
@command
async def list_(
    key: Private = None, public: Public = None, home: Home = Path(DEFAULT_HOME), output: Output = Format.TABLE
) -> None:
    """The verifier keys, that of the key in use first."""
    from worker.log_key import read_public
    from worker.settings import SettingsError

    try:
        found = read_public(public or _beside(key or Place(home).log_key))
    except SettingsError as problem:
        raise CliError(f"{problem}.", Exit.BAD_INPUT) from problem
    if output is Format.JSON:
        emit_json("log-keys", [{"name": one.name, "id": one.id.hex(), "vkey": one.vkey} for one in found])
    else:
        table("name", "id", "verifier key", rows=[(one.name, one.id.hex(), one.vkey) for one in found])


def _beside(private: Path) -> Path:
    return private.with_name("log-keys.txt")
