"""`rollouts`: every command, mounted; modules are imported when their command runs, so that help is fast."""

from __future__ import annotations

import contextlib
import os
import sys

import typer

from cli import data, decide, demo, history, plan, rollouts, servers

app = typer.Typer(
    name="rollouts",
    help="Staged rollouts of partner-programme changes: pilot, validate, scale in waves.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    epilog="Exit codes: 0 ok, 1 error, 2 bad input, 3 waits for a person, 4 paused, 5 stopped, 6 refused, "
    "69 a server cannot be reached.",
)

for module in (servers, rollouts, decide, history, demo):
    module.register(app)
app.add_typer(plan.app, name="plan")
app.add_typer(data.app, name="data")
app.add_typer(servers.database, name="db")
app.add_typer(servers.worker_app, name="worker")


def main() -> None:
    """Run a command and end the process at once: the SDK's threads may abort an interpreter that winds down."""
    code: object = 0
    try:
        app()
    except SystemExit as end:
        code = end.code
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(BrokenPipeError, ValueError):
            stream.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))
