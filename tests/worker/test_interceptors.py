"""Only what cannot be handled at all becomes an entry; what a workflow says on purpose goes through as it is."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.exceptions import ActivityError, ApplicationError, TimeoutError, TimeoutType
from temporalio.worker import Worker

from tests.worker.others import Notebook, Patience, PatienceInput, WithoutNotes, take_time
from tests.worker.process import patiently


async def test_a_request_that_cannot_be_handled_is_noted_and_the_workflow_goes_on(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """What is our own mistake stands in the worker's log as well, with its traceback; the sender's does not."""
    queue = f"queue-{uuid4().hex[:8]}"
    async with Worker(client, task_queue=queue, workflows=[Notebook]):
        handle = await client.start_workflow(Notebook.run, id=f"notes-{uuid4().hex[:8]}", task_queue=queue)
        one_argument = "a wrong number of arguments was sent, one is expected"
        for arguments in ([], [1, 2], [0], [50]):
            await handle.signal("take", args=arguments)
        answers: list[Any] = [await handle.execute_update("ask", args=one) for one in ([], [1, 2], [0], [50])]
        assert answers == [
            f"refused: {one_argument}",
            f"refused: {one_argument}",
            "refused: ZeroDivisionError: integer division or modulo by zero",
            "asked 2",
        ]
        with pytest.raises(WorkflowUpdateFailedError) as error:
            await handle.execute_update("ask", -1)
        assert isinstance(error.value.cause, ApplicationError)
        assert error.value.cause.type == "OnPurpose"
        await handle.signal("end")
        assert await handle.result() == [
            f"take: {one_argument}",
            f"take: {one_argument}",
            "take: ZeroDivisionError: integer division or modulo by zero",
            "took 2",
            f"ask: {one_argument}",
            f"ask: {one_argument}",
            "ask: ZeroDivisionError: integer division or modulo by zero",
        ]
    logged = [one for one in caplog.records if one.levelname == "ERROR" and "could not be handled" in one.message]
    assert [getattr(one, "request", None) for one in logged] == ["take", "ask"]
    assert all(one.exc_info and one.exc_info[0] is ZeroDivisionError for one in logged)


async def test_a_workflow_without_a_place_for_notes_fails_its_task_as_ever(client: Client) -> None:
    queue = f"queue-{uuid4().hex[:8]}"
    async with Worker(client, task_queue=queue, workflows=[WithoutNotes]):
        handle = await client.start_workflow(WithoutNotes.run, id=f"plain-{uuid4().hex[:8]}", task_queue=queue)
        await handle.signal("take", 0)

        async def failing() -> bool | None:
            async for event in handle.fetch_history_events():
                if event.HasField("workflow_task_failed_event_attributes"):
                    return True
            return None

        await patiently(failing)
    await handle.terminate("the test is over")


async def _wait(client: Client, seconds: float, **options: Any) -> None:
    """An activity that does nothing but take its time."""
    queue = f"queue-{uuid4().hex[:8]}"
    async with Worker(client, task_queue=queue, workflows=[Patience], activities=[take_time]):
        given = PatienceInput(seconds=seconds, **options)
        await client.execute_workflow(Patience.run, given, id=f"patience-{uuid4().hex[:8]}", task_queue=queue)


async def test_an_activity_that_takes_longer_than_its_signs_may_stay_away_is_not_taken_for_dead(client: Client) -> None:
    # The SDK sends a sign on after four fifths of the time at most: the rest is what a slow machine has.
    await _wait(client, 9.0, heartbeat=8.0, start_to_close=60.0)


async def test_an_activity_that_stays_for_long_gives_its_own_signs_or_none(client: Client) -> None:
    with pytest.raises(WorkflowFailureError) as error:
        await _wait(client, 60.0, heartbeat=1.0, start_to_close=3600.0)
    assert isinstance(error.value.cause, ActivityError)
    assert isinstance(error.value.cause.cause, TimeoutError)
    assert error.value.cause.cause.type is TimeoutType.HEARTBEAT
