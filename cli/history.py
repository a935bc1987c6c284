"""history and decisions: who asked, what came of it, why and on what evidence, from Temporal's history and our log."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.home import DEFAULT_HOME, Home, Place
from cli.output import CliError, Exit, Format, Output, command, emit_json, say, table
from cli.rollouts import Name
from models.base import Frozen, Instant, short
from models.log import LogEntry


def register(app: typer.Typer) -> None:
    """Mount the verbs of this module."""
    app.command(epilog="Example: rollouts history gold-tier-rebate -o json")(history)
    app.command(epilog="Example: rollouts decisions gold-tier-rebate")(decisions)


class Line(Frozen):
    """One thing that stands in the history: a request, what came of it, an effect, a reading."""

    at: Instant
    run_id: str
    event_id: int
    what: str
    who: str = ""
    outcome: str = ""
    why: str = ""
    evidence: str = ""
    identity: str = ""


@command
async def history(
    name: Name,
    raw: Annotated[bool, typer.Option("--raw", help="Every event, undecoded.")] = False,
    home: Home = Path(DEFAULT_HOME),
    output: Output = Format.TABLE,
) -> None:
    """The audit trail from Temporal's own history, across continue-as-new, refused attempts included.

    `identity` in it is what a client called itself; the server does not check it.
    """
    from cli.gateway import Gateway

    gateway = await Gateway.open(Place(home))
    lines = [line async for line in read_history(gateway, name, raw=raw)]
    if output is Format.JSON:
        emit_json("history", [line.model_dump(mode="json") for line in lines])
        return
    table(
        "time",
        "what",
        "who",
        "outcome",
        "why",
        "evidence",
        rows=[
            (f"{line.at:%m-%d %H:%M:%S}", line.what, line.who, line.outcome, line.why, short(line.evidence))
            for line in lines
        ],
    )


async def read_history(gateway: Any, name: str, *, raw: bool = False) -> AsyncIterator[Line]:
    """Lines of every run of a rollout's chain, the oldest run first.

    Raises:
        CliError: no such rollout, or its history is gone.
    """
    from models.names import rollout_workflow_id

    workflow_id = rollout_workflow_id(name)
    runs = [one async for one in gateway.client.list_workflows(f"WorkflowId = '{workflow_id}'")]
    if not runs:
        raise CliError(
            f"Temporal has no history of {name}: never started, or past retention. `rollouts decisions {name}` reads "
            "the log in the store.",
            Exit.BAD_INPUT,
        )
    for run in sorted(runs, key=lambda one: one.start_time):
        handle = gateway.client.get_workflow_handle(workflow_id, run_id=run.run_id)
        found = await handle.fetch_history()
        for event in found.events:
            for line in await _lines(gateway.client.data_converter, run.run_id, event, raw=raw):
                yield line


async def _lines(converter: Any, run_id: str, event: Any, *, raw: bool) -> list[Line]:
    from temporalio.api.enums.v1 import EventType

    kind = EventType.Name(event.event_type).removeprefix("EVENT_TYPE_")
    common = {"at": event.event_time.ToDatetime(tzinfo=_utc()), "run_id": run_id, "event_id": event.event_id}
    if raw:
        return [Line(**common, what=kind)]
    match kind:
        case "WORKFLOW_EXECUTION_SIGNALED":
            signal = event.workflow_execution_signaled_event_attributes
            body = await _decoded(converter, signal.input)
            return [Line(**common, what=f"signal {signal.signal_name}", identity=signal.identity, **_asked(body))]
        case "WORKFLOW_EXECUTION_UPDATE_ACCEPTED":
            request = event.workflow_execution_update_accepted_event_attributes.accepted_request
            body = await _decoded(converter, request.input.args)
            return [Line(**common, what=f"update {request.input.name}", identity=request.meta.identity, **_asked(body))]
        case "WORKFLOW_EXECUTION_UPDATE_COMPLETED":
            outcome = event.workflow_execution_update_completed_event_attributes.outcome
            body = await _decoded(converter, outcome.success)
            return [Line(**common, what="  answered", outcome=body.get("outcome", ""), why=body.get("message", ""))]
        case "ACTIVITY_TASK_SCHEDULED":
            activity = event.activity_task_scheduled_event_attributes
            if activity.activity_type.name != "record_decisions":
                return []
            body = await _decoded(converter, activity.input)
            return [_entry(common, one) for one in body.get("entries", [])]
        case "WORKFLOW_EXECUTION_STARTED" | "WORKFLOW_EXECUTION_CONTINUED_AS_NEW" | "WORKFLOW_EXECUTION_COMPLETED":
            return [Line(**common, what=kind.removeprefix("WORKFLOW_EXECUTION_").replace("_", " ").lower())]
        case "WORKFLOW_EXECUTION_TERMINATED" | "WORKFLOW_EXECUTION_FAILED" | "WORKFLOW_TASK_FAILED":
            return [Line(**common, what=kind.replace("_", " ").lower(), outcome="outside the plan")]
        case _:
            return []


async def _decoded(converter: Any, payloads: Any) -> dict[str, Any]:
    """The first argument as plain data; what cannot be read is said, not hidden."""
    found = list(payloads.payloads)
    if len(found) != 1:
        return {"reason": f"{len(found)} arguments"}
    try:
        body = (await converter.decode(found))[0]
    except Exception as problem:
        return {"reason": f"cannot be read: {problem}"[:200]}
    return body if isinstance(body, dict) else {"reason": repr(body)[:200]}


def _asked(body: dict[str, Any]) -> dict[str, Any]:
    what = " ".join(str(body[key]) for key in ("choice", "gate", "metric", "role") if body.get(key))
    reason = str(body.get("reason", ""))
    return {
        "who": str(body.get("actor", "")),
        "why": f"{what}: {reason}" if what else reason,
        "evidence": str(body.get("evidence_digest") or ""),
    }


def _entry(common: dict[str, Any], body: dict[str, Any]) -> Line:
    return Line(
        **common,
        what=f"  entry {body.get('sequence')} {body.get('kind')}",
        who=str(body.get("actor") or ""),
        outcome=str(body.get("outcome") or ""),
        why=str(body.get("message", "")),
        evidence=str(body.get("evidence_digest") or ""),
    )


def _utc() -> Any:
    from datetime import UTC

    return UTC


@command
async def decisions(name: Name, home: Home = Path(DEFAULT_HOME), output: Output = Format.TABLE) -> None:
    """The decision log from the store: it outlives Temporal's history."""
    entries = await read_decisions(Place(home).dsn, name)
    if not entries:
        raise CliError(f"The log has no entry of {name}.", Exit.BAD_INPUT)
    if output is Format.JSON:
        emit_json("decisions", [entry.model_dump(mode="json") for entry in entries])
        return
    print_log(entries)
    say(f"{len(entries)} entries; programme time.")


async def read_decisions(dsn: str, name: str) -> tuple[LogEntry, ...]:
    """The whole log of a rollout.

    Raises:
        CliError: PostgreSQL cannot be reached.
    """
    import asyncpg

    from store.log import read_log
    from store.pool import prepare_connection

    try:
        connection = await asyncpg.connect(dsn, timeout=5)
    except (OSError, asyncpg.PostgresError) as problem:
        raise CliError(f"PostgreSQL cannot be reached: {problem}", Exit.UNAVAILABLE) from problem
    try:
        await prepare_connection(connection)
        return await read_log(connection, name)
    finally:
        await connection.close()


def print_log(entries: tuple[LogEntry, ...]) -> None:
    """The log as a table."""
    table(
        "#",
        "programme time",
        "phase",
        "kind",
        "what",
        "who",
        "rationale",
        "evidence",
        rows=[
            (
                str(entry.sequence),
                _moment(entry.programme_at),
                entry.phase,
                entry.kind.value,
                entry.message,
                entry.actor or "",
                entry.rationale or "",
                short(entry.evidence_digest or ""),
            )
            for entry in entries
        ],
    )


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"
