"""history and decisions: the audit trail from Temporal's own history, and the decision log from the store."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.home import DEFAULT_HOME, Home, Place
from cli.output import CliError, Exit, Format, Output, Sheet, command, emit_json, say, sheets
from cli.rollouts import Name
from cli.tree import moment
from models.base import short
from models.log import LogEntry
from models.rollout import RolloutView

if TYPE_CHECKING:
    from audit.trail import Line
    from console.trail import Trail


def register(app: typer.Typer) -> None:
    """Mount the verbs of this module."""
    app.command(epilog="Example: rollouts history gold-tier-rebate -o json")(history)
    app.command(epilog="Example: rollouts decisions gold-tier-rebate")(decisions)


@command
async def history(
    name: Name,
    everything: Annotated[
        bool, typer.Option("--all", help="Also the watch's daily words, and every step of Temporal's own.")
    ] = False,
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> None:
    """The audit trail from Temporal's own history, across continue-as-new, refused attempts included.

    Who asked for what, why, on what evidence, and what came of it; and what the rollout did by itself. A request that
    could not even be read is shown as it was sent. Who somebody is, is claimed: nobody checks it in this release.
    """
    from audit.trail import Kind
    from cli.connect import open_gateway
    from console.trail import read_trail

    trail = await read_trail(await open_gateway(Place(home)), name)
    left_out = () if everything else (Kind.WORD, Kind.OTHER)
    lines = [line for line in trail.lines if line.kind not in left_out]
    if output is Format.JSON:
        data = trail.model_dump(mode="json", exclude={"lines"})
        emit_json("history", {**data, "lines": [line.model_dump(mode="json") for line in lines]})
    else:
        columns = ("time", "programme time", "who", "what", "outcome", "why", "evidence")
        sheets(*columns, rows=[_row(line) for line in lines], told=[_sheet(line) for line in lines])
    _say_what_is_not_there(trail, len(lines))


def _row(line: Line) -> tuple[str, ...]:
    who = line.who or (f"(client {line.identity})" if line.identity else "")
    numbers = ", ".join(f"#{one}" for one in line.entries)
    outcome = " ".join(part for part in (line.outcome, numbers) if part)
    told = f"{outcome}: {line.message}" if line.message else outcome
    programme = moment(line.programme_at) if line.programme_at else ""
    return (f"{line.at:%Y-%m-%d %H:%M:%S}", programme, who, line.what, told, line.why, short(line.evidence))


def _sheet(line: Line) -> Sheet:
    _, programme, who, what, told, why, evidence = _row(line)
    facts = (f"programme time {programme}" if programme else "", f"evidence {evidence}" if evidence else "")
    return Sheet(
        head="  ".join(part for part in (f"{line.at:%Y-%m-%d %H:%M:%S}", who, what) if part),
        body=(told, f"why: {why}" if why else "", ", ".join(filter(None, facts))),
        style="red" if line.outcome == "refused" else "bold",
    )


def _say_what_is_not_there(trail: Trail, shown: int) -> None:
    from audit.trail import Kind

    kinds = Counter(line.kind for line in trail.lines)
    refused = sum(line.outcome == "refused" for line in trail.lines)
    say(f"Requests: {kinds[Kind.REQUEST]}, refused: {refused}. Runs in the chain: {trail.runs}.")
    if shown < len(trail.lines):
        say(
            f"Left out: {kinds[Kind.WORD]} daily words of the watch that nothing has changed, "
            f"{kinds[Kind.OTHER]} steps of Temporal's own; --all shows them."
        )
    if trail.taken_up:
        say(
            f"A worker took up a task at {trail.taken_up:%H:%M:%S} and has not answered yet. What was sent since then, "
            "Temporal keeps; it stands here once the task is answered, by that worker or by another."
        )
    if trail.missing_run:
        say(
            f"The trail does not go back to the beginning: run {trail.missing_run} before it is past retention. "
            f"`rollouts decisions {trail.rollout}` has the whole log."
        )


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
    say(f"{len(entries)} entries; programme time.")


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
