"""Replays the histories of all open rollouts with this release, before it is put to work: `python -m worker.replay`."""

from __future__ import annotations

import asyncio
import os
import sys

from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.worker import Replayer

from models.names import ROLLOUT, WATCH
from worker.main import MISCONFIGURED, UNAVAILABLE
from worker.plugin import rollouts_plugin
from worker.servers import NamespaceMissing, connect
from worker.settings import SettingsError

OPEN = f"WorkflowType IN ('{ROLLOUT}', '{WATCH}') AND ExecutionStatus = 'Running'"

BROKEN = 1
"""Exit code when a history does not replay, or when there was none to try."""


async def replay_open(client: Client) -> int:
    """Replay each open history and say how it went; the exit code."""
    replayer = Replayer(workflows=[], plugins=[rollouts_plugin()])
    replayed, broken = 0, 0
    async for workflow in client.list_workflows(OPEN):
        history = await client.get_workflow_handle(workflow.id, run_id=workflow.run_id).fetch_history()
        result = await replayer.replay_workflow(history, raise_on_replay_failure=False)
        if result.replay_failure is not None:
            broken += 1
            print(f"{workflow.id}: does not replay: {result.replay_failure}")
        replayed += 1
    where = f"namespace {client.namespace}"
    if not replayed:
        print(f"{where} has no open rollout and no watch: nothing was tried")
        return BROKEN
    print(f"{where}: {replayed - broken} of {replayed} open histories replay")
    return BROKEN if broken else 0


async def main() -> int:
    """Connect as a worker would, and replay; the exit code."""
    try:
        return await replay_open(await connect())
    except (SettingsError, NamespaceMissing) as problem:
        print(problem, file=sys.stderr)
        return MISCONFIGURED
    except (RuntimeError, RPCError) as problem:
        print(f"Temporal cannot be used: {problem}", file=sys.stderr)
        return UNAVAILABLE


if __name__ == "__main__":
    code = asyncio.run(main())
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    # At once: the SDK's threads may abort an interpreter that winds down.
    os._exit(code)
