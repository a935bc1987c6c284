"""A workflow that nobody runs, whose history keeps what the watch tells it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from temporalio.client import Client
from temporalio.converter import default
from temporalio.testing import WorkflowEnvironment

from models.command import COMMANDS, Command, DailyWord, Verb
from models.names import rollout_workflow_id
from tests.activities.setting import Setting


class Mailbox:
    """A workflow that nobody runs: the server keeps what the watch signals to it."""

    def __init__(self, client: Client, workflow_id: str) -> None:
        self._handle = client.get_workflow_handle(workflow_id)

    async def words(self) -> list[Command]:
        """What was signalled, at length."""
        return [_at_length(verb, said) for verb, said in await self._signals()]

    async def said(self) -> list[dict[str, Any]]:
        """The same as it was written."""
        return [said for _, said in await self._signals()]

    async def _signals(self) -> list[tuple[Verb, dict[str, Any]]]:
        found: list[tuple[Verb, dict[str, Any]]] = []
        async for event in self._handle.fetch_history_events():
            if event.HasField("workflow_execution_signaled_event_attributes"):
                signal = event.workflow_execution_signaled_event_attributes
                (payload,) = default().payload_converter.from_payloads(signal.input.payloads, [dict])
                found.append((Verb(signal.signal_name), payload))
        return found

    async def take_new(self, before: list[Command]) -> list[Command]:
        return (await self.words())[len(before) :]


@asynccontextmanager
async def workflow_of(env: WorkflowEnvironment, setting: Setting) -> AsyncIterator[Mailbox]:
    workflow_id = rollout_workflow_id(setting.plan.id)
    handle = await env.client.start_workflow("PartnerRollout", id=workflow_id, task_queue=f"nobody-{uuid4()}")
    try:
        yield Mailbox(env.client, workflow_id)
    finally:
        await handle.terminate("the test is over")


def _at_length(verb: Verb, said: dict[str, Any]) -> Command:
    if DailyWord.has(said.keys()):
        return DailyWord.model_validate(said, strict=False).at_length()
    return COMMANDS[verb].model_validate(said, strict=False)
