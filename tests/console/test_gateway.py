"""Questions to a rollout: asked again while its worker has still to take what has happened."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from console.errors import GatewayError
from console.gateway import ANSWER, Gateway
from models.names import ROLLOUT, rollout_workflow_id
from models.rollout import AllowedAction

asked: list[str] = []


@workflow.defn(name=ROLLOUT, sandboxed=False)
class Hesitant:
    """Answers as a worker does that has first to take what has happened, as often as its name says."""

    @workflow.run
    async def run(self, times: int) -> None:
        self.times = times
        await workflow.wait_condition(lambda: False)

    @workflow.query(name="allowed_actions")
    def allowed_actions(self, identity: str | None) -> list[AllowedAction]:
        asked.append(workflow.info().workflow_id)
        if asked.count(workflow.info().workflow_id) <= self.times:
            raise RuntimeError("the rollout has news that no worker has taken yet; ask again")
        return []


async def _ask(client: Client, times: int, patience: timedelta) -> object:
    queue, name = f"gateway-{uuid4()}", uuid4().hex
    async with Worker(client, task_queue=queue, workflows=[Hesitant], workflow_runner=UnsandboxedWorkflowRunner()):
        handle = await client.start_workflow(ROLLOUT, times, id=rollout_workflow_id(name), task_queue=queue)
        try:
            return await Gateway(client, answer=patience).allowed_actions(name, None)
        finally:
            await handle.terminate("the test is over")


async def test_a_question_that_came_too_early_is_asked_again(dev_server: WorkflowEnvironment) -> None:
    assert await _ask(dev_server.client, 2, timedelta(seconds=30)) == ()


async def test_a_rollout_that_never_answers_is_said_to(dev_server: WorkflowEnvironment) -> None:
    with pytest.raises(GatewayError, match=r"cannot be asked: .*ask again"):
        await _ask(dev_server.client, 1000, ANSWER)
