"""How the commands speak: tables for people, JSON for scripts, one sentence for an error, documented exit codes."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine, Sequence
from enum import IntEnum, StrEnum
from functools import wraps
from typing import Annotated, Any, ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.table import Table

P = ParamSpec("P")
T = TypeVar("T")

JSON_VERSION = 1
"""Version of the JSON that `-o json` prints; it changes when a script could break."""


class Exit(IntEnum):
    """Exit codes."""

    OK = 0
    ERROR = 1
    BAD_INPUT = 2
    WAITS = 3
    PAUSED = 4
    STOPPED = 5
    REFUSED = 6
    UNAVAILABLE = 69


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"


Output = Annotated[Format, typer.Option("-o", "--output", help="For people or for scripts.")]

out = Console()
err = Console(stderr=True)


class CliError(Exception):
    """A command cannot do what it was asked; the message is one sentence that says what to do."""

    def __init__(self, message: str, code: Exit = Exit.ERROR) -> None:
        super().__init__(message)
        self.code = code


def command(run: Callable[P, Coroutine[Any, Any, int | None]]) -> Callable[P, None]:
    """Turn an async function into a command: run it, print errors as sentences, exit with its code."""

    @wraps(run)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            code = asyncio.run(_settled(run(*args, **kwargs)))
        except CliError as error:
            err.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
            code = error.code
        except KeyboardInterrupt:
            code = 130
        raise typer.Exit(code or 0)

    return wrapped


async def _settled(coroutine: Coroutine[Any, Any, T]) -> T:
    """The SDK's threads may abort an interpreter that exits right behind them."""
    try:
        return await coroutine
    finally:
        if "temporalio.bridge.temporal_sdk_bridge" in sys.modules:
            await asyncio.sleep(0.2)


def emit_json(kind: str, data: Any) -> None:
    """Print one JSON document: its version, what it is, and the data."""
    typer.echo(json.dumps({"version": JSON_VERSION, "kind": kind, "data": data}, ensure_ascii=False, indent=2))


def table(*columns: str, rows: Sequence[tuple[str, ...]]) -> None:
    """Print a table; cells are plain text."""
    from rich.text import Text

    shown = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        shown.add_row(*(Text(cell) for cell in row))
    out.print(shown)


def say(text: str) -> None:
    """A line for people, on stderr, so that stdout stays for results."""
    err.print(text, markup=False, highlight=False, soft_wrap=True)
