"""Replays the histories of a bundle with this release, and holds what it would have written down against the log."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from audit.bundle import LOG, MANIFEST, history_place, read_manifest
from audit.remade import Remade, remade
from audit.trail import Kind, attributes, lines_of
from audit.verify import Replays
from cli.output import one_line
from models.log import LogEntry
from models.names import ROLLOUT, rollout_workflow_id

if TYPE_CHECKING:
    from temporalio.worker import Replayer

    from cli.audit_writes import Listener


async def replay(files: Mapping[str, bytes], version: str) -> Replays:
    """Replay each history, if the bundle names this release; another one says why not."""
    manifest = read_manifest(files[MANIFEST])
    paths = sorted((place, path) for path in files if (place := history_place(path)) is not None)
    if manifest.code.version != version:
        told = (
            f"the history was not replayed: the bundle names {manifest.code.name} {manifest.code.version}, "
            f"this is {version}; that release can replay it"
        )
        return Replays(version=version, why_not=told)
    if not paths:
        return Replays(version=version, why_not="there is no history to replay")
    from cli.audit_writes import Listener

    listener = Listener()
    replayer = _replayer(listener)
    problems, written = {}, set[int]()
    for (_, run_id), path in paths:
        history = json.loads(files[path])
        problem = await _one(replayer, manifest.rollout, history)
        if problem is not None:
            problems[path] = problem
        lines = lines_of(run_id, history["events"])
        written |= {line.entries[0] for line in lines if line.kind is Kind.ENTRY}
    log = (LogEntry.model_validate_json(json.dumps(json.loads(one)["entry"])) for one in files[LOG].split(b"\n")[:-1])
    found = remade(log, listener.entries, written) if not problems else Remade({}, ())
    return Replays(
        version=version,
        done=len(paths) - len(problems),
        problems=problems,
        otherwise=found.wrong,
        reworded=found.reworded,
    )


def _replayer(listener: Listener) -> Replayer:
    from temporalio.worker import Replayer

    from worker.plugin import rollouts_plugin

    return Replayer(workflows=[], plugins=[rollouts_plugin()], interceptors=[listener])


async def _one(replayer: Replayer, rollout: str, history: dict[str, Any]) -> str | None:
    """Why a history does not replay, None where it does."""
    from temporalio.client import WorkflowHistory

    started = attributes(history["events"][0]).get("workflowType", {}).get("name")
    if started != ROLLOUT:
        return f"it is the history of a {started!r}"
    try:
        read = WorkflowHistory.from_json(rollout_workflow_id(rollout), history)
        result = await replayer.replay_workflow(read, raise_on_replay_failure=False)
    except Exception as problem:  # the SDK reads what may be anything
        return one_line(f"{type(problem).__name__}: {problem}")[:300]
    failure = result.replay_failure
    return one_line(f"{type(failure).__name__}: {failure}")[:300] if failure is not None else None
