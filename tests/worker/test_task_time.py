"""A worker has eight seconds for a step, in every run: what it held when it was killed waits no longer."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from temporalio import workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from console.gateway import Gateway
from models.names import watch_workflow_id
from tests.plans import make_plan
from worker.namespace import Watch, ensure_watch
from workflows.patience import LISTENING_HERE, TASK


@workflow.defn(sandboxed=False)
class Again:
    """Continues as new so many times."""

    @workflow.run
    async def run(self, times: int) -> timedelta | None:
        if times:
            workflow.continue_as_new(times - 1)
        return workflow.info().task_timeout


async def _given(handle: WorkflowHandle[object, object]) -> timedelta:
    async for event in handle.fetch_history_events(page_size=1):
        return event.workflow_execution_started_event_attributes.workflow_task_timeout.ToTimedelta()
    raise AssertionError("no history")


async def test_a_rollout_and_the_watch_are_started_with_it(client: Client) -> None:
    plan = make_plan(id=f"task-time-{uuid4().hex[:8]}")
    gateway = Gateway(client, least_retention=timedelta(0))
    assert await gateway.start(plan, None, 1.0)
    assert await _given(gateway.handle(plan.id)) == TASK
    await ensure_watch(client, f"nobody-{uuid4().hex[:8]}", Watch(timedelta(minutes=5)))
    assert await _given(client.get_workflow_handle(watch_workflow_id(0))) == TASK


async def test_every_further_run_has_it_as_well(client: Client) -> None:
    queue = f"again-{uuid4().hex[:8]}"
    async with Worker(client, task_queue=queue, workflows=[Again], workflow_runner=UnsandboxedWorkflowRunner()):
        found = await client.execute_workflow(Again.run, 2, id=queue, task_queue=queue, task_timeout=TASK)
    assert found == TASK


def test_a_word_is_judged_before_the_sdk_would_ask_for_more_time() -> None:
    """It asks when four fifths are over, by events that nobody needs."""
    assert LISTENING_HERE["schedule_to_close_timeout"] < 0.8 * TASK
