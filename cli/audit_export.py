"""Gathers what a bundle is made of: from the store, and from Temporal while it still knows the rollout."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from audit.bundle import DECISION_KEYS, LETTERS, LOG, LOG_KEYS, LOG_TEXT, LOOKS, PLAN, with_manifest
from audit.checking_letters import letters_file
from audit.checkpoint import Because, origin_of, read_checkpoint
from audit.errors import NotSound
from audit.evidence import evidence_file, evidence_path, named
from audit.kept import FOLDER
from audit.leaves import leaf_bytes
from audit.looks import ListedLook, looks_file
from audit.notes import read_note
from audit.text import log_text
from audit.trail import Kind, decision_keys, lines_of
from cli.output import CliError, Exit
from models.canonical import canonical
from models.evidence import Verdict
from models.letter import OutboxLetter, place_of
from models.log import LogEntry
from models.metric import MetricName
from models.names import DEPLOYMENT
from models.plan import RolloutPlan
from models.work import RolloutKey
from store.checkpoints import StoredCheckpoint, covered, listed
from store.exhibit import KeptHistory, LogRow, evidence_of, histories_of, letters_of, log_rows, looks_of, newest_chain
from store.kept import documents_named
from store.pool import Connection

if TYPE_CHECKING:
    from console.gateway import Gateway

PROGRAM = "partner-rollouts"

ATTEMPTS = 5
"""Times that log, history and checkpoint are read until they tell of the same moment."""

WITHIN = 10.0
"""Seconds to wait for a checkpoint; a worker that has the key of the log needs about one."""

READS, BETWEEN = 40, 0.25
"""Reads of what is on its way, and seconds between two of them."""


class Gathered(NamedTuple):
    """The files of a bundle, and what has to be said of them: entries that no checkpoint covers, whether one was
    wished for, and why Temporal's history is not all there (None: it is)."""

    files: dict[str, bytes]
    entries: int
    covered: int
    wished: bool
    no_history: str | None


class _Read(NamedTuple):
    rows: tuple[LogRow, ...]
    histories: list[tuple[str, dict[str, Any]]]
    checkpoints: tuple[StoredCheckpoint, ...]


def release() -> str:
    """The version of this program."""
    return version(PROGRAM)


async def gather(conn: Connection, gateway: Gateway | None, name: str, deployment: str | None = None) -> Gathered:
    """The bundle of a rollout's newest chain.

    Args:
        gateway: Temporal; None where it cannot be reached, and only kept histories are taken.

    Raises:
        CliError: nobody knows the rollout, or its checkpoints are of another deployment.
    """
    found = await newest_chain(conn, name)
    if found is None:
        raise CliError(f"The store knows no rollout {name}; `rollouts list` shows all rollouts.", Exit.BAD_INPUT)
    key, plan = found
    read, wished = await _read(conn, gateway, key), False
    for _ in range(ATTEMPTS):
        if read.rows and _covered(read) == len(read.rows):
            break
        wished = True
        if not await covered(conn, key, Because.EXPORT.value, WITHIN):
            break
        read = await _read(conn, gateway, key)
    named_deployment = deployment or os.environ.get("ROLLOUTS_DEPLOYMENT") or DEPLOYMENT
    _must_be_of(named_deployment, key, read.checkpoints)
    files = await _files(conn, key, plan, read)
    about = {"name": PROGRAM, "version": release()}
    whole = with_manifest(
        files,
        rollout=key.rollout_id,
        chain=key.chain_id,
        deployment=named_deployment,
        made_at=datetime.now(UTC).replace(microsecond=0),
        code=about,
    )
    missing = None if read.histories else "neither Temporal nor the store has a history of it"
    return Gathered(whole, len(read.rows), _covered(read), wished, missing)


def _covered(read: _Read) -> int:
    return max((one.size for one in read.checkpoints), default=0)


async def _read(conn: Connection, gateway: Gateway | None, key: RolloutKey) -> _Read:
    """Histories first, then the log, at least as far as these tell of it; no further, so that each bears out the
    other."""
    histories = _joined(await histories_of(conn, key), await _live(gateway, key) if gateway else [])
    last = max((number for run_id, one in histories for number in _written(run_id, one)), default=0)
    rows = await log_rows(conn, key)
    for _ in range(READS):
        if len(rows) >= last:
            break
        await asyncio.sleep(BETWEEN)
        rows = await log_rows(conn, key)
    checkpoints = await listed(conn, key)
    if last and len(rows) > last:
        rows = rows[:last]
        checkpoints = tuple(one for one in checkpoints if one.size <= last)
    return _Read(rows, histories, checkpoints)


def _written(run_id: str, history: dict[str, Any]) -> list[int]:
    """Sequences of the entries that a history tells of."""
    lines = lines_of(run_id, history["events"])
    return [line.entries[0] for line in lines if line.kind is Kind.ENTRY]


async def _live(gateway: Gateway, key: RolloutKey) -> list[tuple[str, dict[str, Any]]]:
    """The runs of this chain that Temporal still has, the first one first; none where it has none any more."""
    from console.errors import GatewayError
    from console.trail import as_json

    found = []
    try:
        async for run_id, events in gateway.runs(key.rollout_id):
            if events[0].workflow_execution_started_event_attributes.first_execution_run_id == key.chain_id:
                found.append((run_id, as_json(key.rollout_id, events)))
    except GatewayError:
        pass
    return [(run_id, dict(one)) for run_id, one in reversed(found)]


def _joined(kept: tuple[KeptHistory, ...], live: list[tuple[str, dict[str, Any]]]) -> list[tuple[str, dict[str, Any]]]:
    """Each run once, as far as it is known: what Temporal has is at least as long as what was kept before."""
    known = dict(live)
    ours: list[tuple[str, dict[str, Any]]] = []
    for one in kept:
        newest = known.pop(one.run_id, None)
        older = json.loads(one.text)
        longer = newest is not None and len(newest["events"]) >= len(older["events"])
        ours.append((one.run_id, newest if longer and newest is not None else older))
    return [*ours, *((run_id, one) for run_id, one in live if run_id in known)]


def _must_be_of(deployment: str, key: RolloutKey, checkpoints: tuple[StoredCheckpoint, ...]) -> None:
    for one in checkpoints[-1:]:
        try:
            origin = read_checkpoint(read_note(one.note.encode()).text).origin
        except NotSound:
            return  # verifying says what is wrong with it
        if origin != origin_of(deployment, key.rollout_id, key.chain_id):
            raise CliError(
                f"The checkpoints are of the log {origin!r}, not of one of {deployment!r}; set ROLLOUTS_DEPLOYMENT as "
                "the workers have it.",
                Exit.BAD_INPUT,
            )


async def _files(conn: Connection, key: RolloutKey, plan: RolloutPlan, read: _Read) -> dict[str, bytes]:
    entries = tuple(map(entry_of, read.rows))
    leaves = [leaf_bytes(key.rollout_id, key.chain_id, row.run_id, row.sequence, row.entry) for row in read.rows]
    files = {
        PLAN: canonical(plan.model_dump(mode="json")),
        LOG: b"".join(one + b"\n" for one in leaves),
        LOG_TEXT: log_text(key.rollout_id, entries).encode(),
        LOG_KEYS: "".join(f"{one}\n" for one in dict.fromkeys(one.vkey for one in read.checkpoints)).encode(),
    }
    files[LETTERS] = letters_file(await _letters(conn, key, len(read.rows)))
    if entries:
        files[LOOKS] = await _looks(conn, key, entries[-1].programme_at)
    must, may = named(entries, plan.digest)
    for one in await evidence_of(conn, key, must | may):
        files[evidence_path(one.digest)] = evidence_file(one.kind, one.body)
    for path, content in (await documents_named(conn, key, entries)).items():
        files[FOLDER + path] = content
    for checkpoint in read.checkpoints:
        files[f"checkpoints/{checkpoint.number:06}.txt"] = checkpoint.note.encode()
    for number, (run_id, history) in enumerate(read.histories, 1):
        files[f"history/{number}-{run_id}.json"] = canonical(history)
    keys = decision_keys(event for _, history in read.histories for event in history["events"])
    if keys:
        files[DECISION_KEYS] = canonical({"keys": [one.model_dump() for one in keys]})
    return files


def entry_of(row: LogRow) -> LogEntry:
    """The entry of a row.

    Raises:
        CliError: this release cannot read it.
    """
    try:
        return LogEntry.model_validate_json(json.dumps(row.entry))
    except ValidationError as problem:
        first = problem.errors(include_url=False, include_input=False)[0]
        told = f"{'.'.join(map(str, first['loc']))}: {first['msg'].lower()}"
        raise CliError(f"Entry {row.sequence} of the log in the store cannot be read ({told}).") from problem


async def _letters(conn: Connection, key: RolloutKey, entries: int) -> tuple[OutboxLetter, ...]:
    """The letters about so many entries of the log, and those that are written beside the workflow."""
    return tuple(one for one in await letters_of(conn, key) if goes_in(one, key, entries))


def goes_in(letter: OutboxLetter, key: RolloutKey, entries: int) -> bool:
    """Whether a letter goes into the bundle: one that says it is of another rollout does, for verifying to tell."""
    try:
        place = place_of(letter.notice, key.rollout_id, key.chain_id)
    except ValueError:
        return True
    return place is None or place[0] <= entries


async def _looks(conn: Connection, key: RolloutKey, until: datetime) -> bytes:
    found = await looks_of(conn, key, until)
    return looks_file(
        ListedLook(
            cohort=one.cohort,
            metric=MetricName(one.metric),
            as_of=one.as_of,
            verdict=Verdict(one.verdict),
            beyond=one.beyond,
            snapshot=one.snapshot_digest,
        )
        for one in found
    )
