"""`rollouts`: every command, mounted; modules are imported when their command runs, so that help is fast."""

from __future__ import annotations

import contextlib
import os
import sys

import typer

from cli import (
    audit,
    data,
    database,
    decide,
    demo,
    doctor,
    evidence,
    explain,
    history,
    keys,
    login,
    metrics,
    notices,
    plan,
    record,
    rollouts,
    serve,
    servers,
    sessions,
)
from cli.backtest import command as backtest
from cli.output import MEANING, Exit, complain, one_line

app = typer.Typer(
    name="rollouts",
    help="Staged rollouts of partner-programme changes: pilot, validate, scale in waves.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    epilog="\n".join(["Exit codes", *(f"{code.value:>3}  {meaning}" for code, meaning in MEANING.items())]),
)

for module in (
    servers,
    serve,
    doctor,
    rollouts,
    explain,
    evidence,
    decide,
    login,
    history,
    record,
    backtest,
    notices,
    demo,
):
    module.register(app)
app.add_typer(plan.app, name="plan")
app.add_typer(data.app, name="data")
app.add_typer(metrics.app, name="metrics")
app.add_typer(audit.app, name="audit")
app.add_typer(keys.app, name="keys")
app.add_typer(sessions.app, name="sessions")
app.add_typer(database.app, name="db")
app.add_typer(servers.worker_app, name="worker")


def main() -> None:
    """Run a command and end the process at once: the SDK's threads may abort an interpreter that winds down."""
    code = run()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(BrokenPipeError, ValueError):
            stream.flush()
    os._exit(code)


def run(words: list[str] | None = None) -> int:
    """Run a command, by default that of the command line; its exit code."""
    code: object = 0
    try:
        code = app(words, prog_name="rollouts", standalone_mode=False)
    except typer.TyperException as refused:
        code = _complain(refused)
    except typer.Abort:
        code = Exit.INTERRUPTED
    except SystemExit as end:
        code = end.code
    return code if isinstance(code, int) else int(code is not None)


def _complain(refused: typer.TyperException) -> int:
    """What is wrong with the command line, in one sentence; nothing where the help was printed instead."""
    told = one_line(refused.format_message()).replace("Value error, ", "").rstrip(".")
    context = getattr(refused, "ctx", None)
    if told:
        command = context.command_path if context else "rollouts"
        complain(f"{told}. (`{command} --help` shows how.)")
    return refused.exit_code
