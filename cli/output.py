"""How the commands speak: tables for people, JSON for scripts, one sentence for an error, documented exit codes."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Coroutine, Sequence
from enum import IntEnum, StrEnum
from functools import wraps
from typing import Annotated, Any, NamedTuple, ParamSpec

import typer
from rich.console import Console, ConsoleDimensions
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from console.errors import GatewayError, Kind

P = ParamSpec("P")

JSON_VERSION = 1
"""Version of the JSON that `-o json` prints; it changes when a script could break."""

WIDE = 10_000
"""Columns of an output that is no terminal: lines there are cut by nobody and wrapped by nobody."""

DEBUG = "ROLLOUTS_DEBUG"


NARROW = 48
"""Columns to which a cell of a plain table is filled up; a longer one pushes only its own line apart."""


class Exit(IntEnum):
    """Exit codes: one table for all commands; `MEANING` is what the help and the documentation print."""

    OK = 0
    ERROR = 1
    BAD_INPUT = 2
    WAITS = 3
    PAUSED = 4
    STOPPED = 5
    REFUSED = 6
    UNPROVEN = 7
    UNFINISHED = 8
    FOUND = 9
    UNAVAILABLE = 69
    BROKEN = 70
    INTERRUPTED = 130


MEANING = {
    Exit.OK: "done; of a rollout: it runs, or is complete",
    Exit.ERROR: "it failed, or something is not as it must be; the message says what",
    Exit.BAD_INPUT: "an option, a file or a name cannot be used; nothing was changed",
    Exit.WAITS: "the rollout waits for a person (get, explain, backtest)",
    Exit.PAUSED: "the rollout is paused (get, explain, backtest)",
    Exit.STOPPED: "the rollout was stopped, or is stopping (get, explain, backtest)",
    Exit.REFUSED: "a request was refused; the rollout goes on as before",
    Exit.UNPROVEN: "nothing is wrong, but not all of it could be proven (audit verify, history)",
    Exit.UNFINISHED: "the days given to a rollout were over before it was (backtest)",
    Exit.FOUND: "facts that contradict each other were found (data check)",
    Exit.UNAVAILABLE: "a server, or every worker, cannot be reached",
    Exit.BROKEN: "a worker met what must not happen; its log has the traceback (worker run)",
    Exit.INTERRUPTED: "ended by Ctrl-C; what was asked of a rollout before stands",
}


OF_KIND = {
    Kind.BAD_INPUT: Exit.BAD_INPUT,
    Kind.UNKNOWN: Exit.BAD_INPUT,
    Kind.REFUSED: Exit.REFUSED,
    Kind.UNAVAILABLE: Exit.UNAVAILABLE,
    Kind.FAILED: Exit.ERROR,
}
"""The exit code of what kept a rollout from being asked or told something."""


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"


Output = Annotated[Format, typer.Option("-o", "--output", help="For people or for scripts.")]


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
            code = asyncio.run(run(*args, **kwargs))
        except CliError as error:
            complain(str(error))
            code = error.code
        except GatewayError as error:
            complain(str(error))
            code = OF_KIND[error.kind]
        except KeyboardInterrupt:
            code = Exit.INTERRUPTED
        except BrokenPipeError:
            # Whoever read our output has seen enough.
            code = Exit.OK
        except Exception as error:
            if os.environ.get(DEBUG):
                raise
            told = one_line(str(error)) or "no message"
            complain(f"Unexpected {type(error).__name__}: {told} ({DEBUG}=1 shows where.)")
            code = Exit.ERROR
        raise typer.Exit(code or 0)

    return wrapped


class _Paper(Console):
    """A console that wraps at the terminal's width, and nowhere where there is no terminal."""

    @property
    def size(self) -> ConsoleDimensions:
        found = super().size
        if self.is_terminal or os.environ.get("COLUMNS"):
            return found
        return ConsoleDimensions(WIDE, found.height)

    @size.setter
    def size(self, new: tuple[int, int]) -> None:
        self._width, self._height = new

    def on_broken_pipe(self) -> None:
        """Whoever read our output has seen enough: `command` ends well, where rich would end with an error."""
        raise BrokenPipeError


# Both look for their stream, and whether it is a terminal, whenever they print; for NO_COLOR when the program starts.
out = _Paper(highlight=False, markup=False, emoji=False)
err = _Paper(stderr=True, highlight=False, markup=False, emoji=False)


_CONTROL = {code: "\N{REPLACEMENT CHARACTER}" for code in (*range(0x20), 0x7F, *range(0x80, 0xA0))} | {
    code: "\N{REPLACEMENT CHARACTER}" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
}
_PRINTED = {code: text for code, text in _CONTROL.items() if code != ord("\n")}


def clean(text: str) -> str:
    """Text that cannot steer a terminal: whoever writes a reason could otherwise rewrite the screen."""
    return text.translate(_PRINTED)


def one_line(text: str) -> str:
    """The same on one line."""
    return clean(" ".join(text.split()))


_ESCAPED = {code: f"\\u{code:04x}" for code in _CONTROL if code >= 0x7F}


def emit_json(kind: str, data: Any, *, compact: bool = False) -> None:
    """Print one JSON document: its version, what it is, and the data; on one line if `compact`."""
    document = {"version": JSON_VERSION, "kind": kind, "data": data}
    text = json.dumps(document, ensure_ascii=False, indent=None if compact else 2)
    typer.echo(text.translate(_ESCAPED))


def table(*columns: str, rows: Sequence[tuple[str, ...]]) -> None:
    """Print a table. In a terminal cells fold; elsewhere every row is one line, for grep and friends."""
    if not out.is_terminal:
        _plain_table(columns, rows)
        return
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        shown.add_row(*(Text(clean(cell)) for cell in row))
    out.print(shown)


class Sheet(NamedTuple):
    """A row that is too wordy for columns: what it is, what belongs to it, and a style for the first."""

    head: str
    body: Sequence[str]
    style: str = "bold"


def sheets(*columns: str, rows: Sequence[tuple[str, ...]], told: Sequence[Sheet]) -> None:
    """Print rows as sheets in a terminal, whose lines are short; elsewhere as the table of `rows`."""
    if not out.is_terminal:
        _plain_table(columns, rows)
        return
    for one in told:
        out.print(Text(clean(one.head), one.style))
        for line in filter(None, one.body):
            out.print(Padding(Text(clean(line)), (0, 0, 0, 4)))


def _plain_table(columns: Sequence[str], rows: Sequence[tuple[str, ...]]) -> None:
    lines = [tuple(columns), *(tuple(one_line(cell) for cell in row) for row in rows)]
    widths = [min(NARROW, max(len(line[at]) for line in lines)) for at in range(len(columns))]
    for line in lines:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def show(text: str) -> None:
    """A result in words, on stdout."""
    out.print(clean(text), soft_wrap=True)


def say(text: str) -> None:
    """A line for people, on stderr, so that stdout stays for results."""
    err.print(clean(text), soft_wrap=True)


def complain(text: str) -> None:
    """What went wrong."""
    err.print(clean(text), style="red", soft_wrap=True)
