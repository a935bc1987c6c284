"""history and decisions: the timeline from Temporal's history and the store, and the decision log by itself."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.home import DEFAULT_HOME, Home, Place
from cli.output import CliError, Exit, Format, Output, Sheet, clean, command, complain, emit_json, say, sheets
from cli.rollouts import Name
from cli.tree import moment
from models.base import many, short
from models.log import LogEntry
from models.rollout import RolloutView

if TYPE_CHECKING:
    from audit.timeline import Row
    from console.trail import Timeline

MOMENTS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M"]
"""How a moment may be written."""


def register(app: typer.Typer) -> None:
    """Mount the verbs of this module."""
    app.command(epilog="Example: rollouts history gold-tier-rebate -o json")(history)
    app.command(epilog="Example: rollouts decisions gold-tier-rebate")(decisions)


class Shape(StrEnum):
    """How the timeline is written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MD = "md"


Since = Annotated[
    datetime | None,
    typer.Option("--since", formats=MOMENTS, help="From this real moment on (UTC)."),
]
Until = Annotated[
    datetime | None,
    typer.Option("--until", formats=MOMENTS, help="Before this real moment (UTC)."),
]


@command
async def history(
    name: Name,
    kind: Annotated[
        str | None,
        typer.Option("--kind", help="Only this kind: request, run, letter, word, other, or that of an entry."),
    ] = None,
    verb: Annotated[str | None, typer.Option("--verb", help="Only this verb: decide, pause, resume, ...")] = None,
    who: Annotated[str | None, typer.Option("--who", help="Only by people whose identity has this in it.")] = None,
    since: Since = None,
    until: Until = None,
    phase: Annotated[str | None, typer.Option("--phase", help="Only in this phase, or `scale wave 2`.")] = None,
    refused: Annotated[bool, typer.Option("--refused", help="Only what was refused.")] = False,
    words: Annotated[str | None, typer.Option("--words", help="Only where these words stand.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also the watch's daily words, and every step of Temporal's own.")
    ] = False,
    home: Home = Path(DEFAULT_HOME),
    output: Annotated[Shape, typer.Option("-o", "--output", help="For people, for scripts, or as a file.")] = (
        Shape.TABLE
    ),
) -> int:
    """One timeline from both sources: Temporal's history, across continue-as-new, and the log in the store.

    Who asked for what, why, on what evidence, and what came of it, refused attempts included; and what the rollout did
    by itself. Each row says which source tells of it: what is past retention stands in the log alone. Where the two
    disagree, the row says how, and the exit code is 1. A request that could not even be read is shown as it was sent.
    """
    from audit.timeline import Wanted

    wanted = Wanted(kind, verb, who, _utc(since), _utc(until), phase, refused, words)
    found = await _timeline(Place(home), name)
    left_out = () if everything or kind in _LEFT_OUT else _LEFT_OUT
    rows = [row for row in found.rows if row.kind.value not in left_out and wanted.takes(row)]
    _print(found, rows, output)
    _say_what_is_not_there(found, len(rows), left_out=left_out, filtered=wanted.any)
    for row in found.disagreements:
        complain(f"{row.at:%Y-%m-%d %H:%M:%S} {row.what}: the two sources disagree: {row.disagrees}")
    return Exit.ERROR if found.disagreements else Exit.OK


_LEFT_OUT = ("word", "other")
"""Kinds that are not shown unless they are asked for."""


def _utc(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


async def _timeline(place: Place, name: str) -> Timeline:
    """Both sources; without the store the history alone, which is said."""
    from cli.connect import open_gateway
    from cli.database import connection
    from console.trail import read_timeline

    gateway = await open_gateway(place)
    try:
        async with connection(place) as opened:
            return await read_timeline(gateway, opened, name)
    except CliError as problem:
        say(f"The log cannot be read, so this is the history alone: {problem}")
        return await read_timeline(gateway, None, name)


def _print(found: Timeline, rows: list[Row], output: Shape) -> None:
    from audit.timeline import COLUMNS, as_markdown, cells
    from console.pages.csvtext import write_rows

    match output:
        case Shape.JSON:
            data = found.model_dump(mode="json", exclude={"rows"})
            emit_json("history", {**data, "lines": [row.model_dump(mode="json") for row in rows]})
        case Shape.CSV:
            typer.echo(write_rows([COLUMNS, *map(cells, rows)]), nl=False)
        case Shape.MD:
            typer.echo(clean(as_markdown(found.rollout, rows)), nl=False)
        case _:
            columns = ("time", "programme time", "who", "what", "outcome", "why", "evidence", "source")
            sheets(*columns, rows=[_row(row) for row in rows], told=[_sheet(row) for row in rows])


def _row(row: Row) -> tuple[str, ...]:
    who = row.who or (f"(client {row.identity})" if row.identity else "")
    numbers = ", ".join(f"#{one}" for one in row.entries)
    outcome = " ".join(part for part in (row.outcome, numbers) if part)
    told = f"{outcome}: {row.message}" if row.message else outcome
    told += f" Letters: {row.letters}" if row.letters else ""
    told += f" DISAGREEMENT: {row.disagrees}" if row.disagrees else ""
    programme = moment(row.programme_at) if row.programme_at else ""
    when = f"{row.at:%Y-%m-%d %H:%M:%S}"
    return (when, programme, who, row.what, told, row.why, short(row.evidence), row.source.value)


def _sheet(row: Row) -> Sheet:
    when, programme, who, what, told, why, evidence, source = _row(row)
    facts = (
        f"programme time {programme}" if programme else "",
        f"evidence {evidence}" if evidence else "",
        f"told by {source}",
    )
    return Sheet(
        head="  ".join(part for part in (when, who, what) if part),
        body=(told, f"why: {why}" if why else "", ", ".join(filter(None, facts))),
        style="bold red" if row.disagrees else "red" if row.refused else "bold",
    )


def _say_what_is_not_there(found: Timeline, shown: int, *, left_out: tuple[str, ...], filtered: bool) -> None:
    kinds = Counter(row.kind.value for row in found.rows)
    refused = sum(row.refused for row in found.rows)
    say(f"Requests: {kinds['request']}, refused: {refused}. Runs in the chain: {found.runs}.")
    if filtered:
        say(f"{shown} of {many(len(found.rows), 'row')} {'fulfils' if shown == 1 else 'fulfil'} the filters.")
    if left_out and kinds["word"] + kinds["other"]:
        say(
            f"Left out: {many(kinds['word'], 'daily word')} of the watch that nothing has changed, "
            f"{many(kinds['other'], 'step')} of Temporal's own; --all shows them."
        )
    if found.taken_up:
        say(
            f"A worker took up a task at {found.taken_up:%H:%M:%S} and has not answered yet. What was sent since then, "
            "Temporal keeps; it stands here once the task is answered, by that worker or by another."
        )
    if found.missing_run:
        say(
            f"Temporal's history does not go back to the beginning: run {found.missing_run} before it is past "
            "retention. What the log alone tells of that time says so."
        )
    if not found.runs:
        say("Temporal has no history of it any more: this is the log alone.")


@command
async def decisions(name: Name, home: Home = Path(DEFAULT_HOME), output: Output = Format.TABLE) -> None:
    """The decision log from the store: it outlives Temporal's history."""
    entries = await _entries(Place(home), name)
    if not entries:
        raise CliError(f"The log has no entry of {name}; `rollouts list` shows all rollouts.", Exit.BAD_INPUT)
    if output is Format.JSON:
        emit_json("decisions", [entry.model_dump(mode="json") for entry in entries])
        return
    print_log(entries)
    say(f"{many(len(entries), 'entry', 'entries')}; programme time.")


async def _entries(place: Place, name: str) -> tuple[LogEntry, ...]:
    from cli.database import connection
    from store.log import read_log

    async with connection(place) as opened:
        return await read_log(opened, name)


async def whole_log(place: Place, view: RolloutView) -> tuple[LogEntry, ...]:
    """The log of a rollout with everything the view tells of: its newest entries may still be on their way."""
    entries = await _entries(place, view.rollout_id)
    for _ in range(40):
        if len(entries) >= view.entries:
            break
        await asyncio.sleep(0.25)
        entries = await _entries(place, view.rollout_id)
    return entries


def print_log(entries: tuple[LogEntry, ...]) -> None:
    """The log, entry by entry."""
    rows = [
        (
            str(entry.sequence),
            moment(entry.programme_at),
            entry.phase,
            entry.kind.value,
            entry.message,
            f"{entry.actor or entry.signed_by.name} (signed)" if entry.signed_by else entry.actor or "",
            entry.rationale or "",
            short(entry.evidence_digest or ""),
        )
        for entry in entries
    ]
    columns = ("#", "programme time", "phase", "kind", "what", "who", "rationale", "evidence")
    sheets(*columns, rows=rows, told=[_log_sheet(row) for row in rows])


def _log_sheet(row: tuple[str, ...]) -> Sheet:
    number, at, phase, kind, what, who, rationale, evidence = row
    return Sheet(
        head="  ".join(part for part in (f"#{number}", at, phase, kind, who) if part),
        body=(what, f"why: {rationale}" if rationale else "", f"evidence {evidence}" if evidence else ""),
        style="red" if kind == "refusal" else "bold",
    )
