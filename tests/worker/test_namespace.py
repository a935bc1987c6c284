"""The worker makes sure of its namespace, as often as it starts, and leaves alone what is as it should be."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle

from models.names import WATCH, WATCH_ID, watch_workflow_id
from models.work import WatchInput
from tests.worker.process import patiently
from worker.namespace import Watch, ensure_watch, keep_watch, register_search_attributes
from worker.settings import SettingsError
from workflows.attributes import PHASE, SEARCH_ATTRIBUTES

QUEUE = f"nobody-{uuid4().hex[:8]}"
FIVE, ONE = Watch(timedelta(minutes=5)), Watch(timedelta(minutes=1))


async def run_of(client: Client, shard: int = 0) -> tuple[str, WatchInput]:
    """The present run of a shard of the watch, and what it was given."""
    handle: WorkflowHandle[object, object] = client.get_workflow_handle(watch_workflow_id(shard))
    async for event in handle.fetch_history_events(page_size=1):
        payloads = event.workflow_execution_started_event_attributes.input.payloads
        (given,) = await client.data_converter.decode(payloads, [WatchInput])
        return (await handle.describe()).run_id, given
    raise AssertionError("it has no history")


async def test_the_watch_is_started_once_and_replaced_only_where_its_pace_is_another(client: Client) -> None:
    await ensure_watch(client, QUEUE, FIVE)
    first, given = await run_of(client)
    assert given == FIVE.inputs()[0]
    await ensure_watch(client, QUEUE, FIVE)
    assert await run_of(client) == (first, given)
    await ensure_watch(client, QUEUE, ONE)
    second, given = await run_of(client)
    assert second != first
    assert given == ONE.inputs()[0]


async def test_a_watch_that_was_terminated_is_started_again_and_goes_on_counting(client: Client) -> None:
    (given,) = FIVE.inputs(ticks=41)
    handle = await client.start_workflow(WATCH, given, id=WATCH_ID, task_queue=QUEUE)
    await handle.terminate("by mistake")
    await ensure_watch(client, QUEUE, FIVE)
    run, found = await run_of(client)
    assert run != handle.first_execution_run_id
    assert found == given


async def test_shards_are_started_side_by_side_and_those_too_many_are_ended(client: Client) -> None:
    await ensure_watch(client, QUEUE, Watch(timedelta(minutes=5), shards=3))
    assert [(await run_of(client, shard))[1] for shard in range(3)] == list(
        Watch(timedelta(minutes=5), shards=3).inputs()
    )
    await ensure_watch(client, QUEUE, FIVE)
    assert (await run_of(client))[1] == FIVE.inputs()[0]
    for shard in (1, 2):
        described = await client.get_workflow_handle(watch_workflow_id(shard)).describe()
        assert described.status is WorkflowExecutionStatus.TERMINATED
    await ensure_watch(client, QUEUE, FIVE)


async def test_a_watch_that_is_ended_while_a_worker_runs_is_started_again(client: Client) -> None:
    await ensure_watch(client, QUEUE, FIVE)
    first, _ = await run_of(client)
    await client.get_workflow_handle(WATCH_ID).terminate("by mistake")
    stop = asyncio.Event()
    keeping = asyncio.create_task(keep_watch(client, QUEUE, Watch(timedelta(milliseconds=20)), stop))

    async def again() -> str | None:
        run, _ = await run_of(client)
        return run if run != first else None

    second = await patiently(again, lambda: "the watch did not come back")
    assert not keeping.done()
    assert (await run_of(client))[0] == second
    stop.set()
    await keeping


async def test_a_watch_of_another_release_whose_input_cannot_be_read_is_left_alone(client: Client) -> None:
    handle = await client.start_workflow(WATCH, {"pace": "brisk"}, id=WATCH_ID, task_queue=QUEUE)
    await ensure_watch(client, QUEUE, ONE)
    assert (await client.get_workflow_handle(WATCH_ID).describe()).run_id == handle.first_execution_run_id


async def test_what_is_registered_already_stays_and_the_rest_is_added(client: Client) -> None:
    one = {PHASE.name: IndexedValueType.ValueType(PHASE.indexed_value_type)}
    add = AddSearchAttributesRequest(namespace=client.namespace, search_attributes=one)
    await client.operator_service.add_search_attributes(add)
    for _ in range(2):
        await register_search_attributes(client)
    request = ListSearchAttributesRequest(namespace=client.namespace)
    found = (await client.operator_service.list_search_attributes(request)).custom_attributes
    assert {key.name for key in SEARCH_ATTRIBUTES} <= found.keys()


async def test_an_attribute_of_another_type_is_not_passed_over(client: Client) -> None:
    wrong = {PHASE.name: IndexedValueType.INDEXED_VALUE_TYPE_INT}
    add = AddSearchAttributesRequest(namespace=client.namespace, search_attributes=wrong)
    await client.operator_service.add_search_attributes(add)
    with pytest.raises(SettingsError, match=f"{PHASE.name} is Int and must be Keyword"):
        await register_search_attributes(client)
