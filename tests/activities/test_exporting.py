"""A run's history is kept once, grows with the run, and is never overwritten by one that does not go with it."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import asyncpg
import pytest
from temporalio import workflow
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import Client, WorkflowHandle, WorkflowHistory
from temporalio.testing import ActivityEnvironment, WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities import exporting
from activities.exporting import ExportActivities, RunGone, Writer, began_as, export_chain, read_run
from models.canonical import canonical
from models.names import ROLLOUT, rollout_workflow_id
from models.work import ExportRequest, RolloutKey
from store import alarms, histories
from store.histories import GZIP, Kept, RunHistory, begins_with
from tests.activities.setting import Pool, Setting
from tests.plans import make_plan
from tests.worker.process import patiently
from tests.workflows.simulator import Simulator
from workflows.closing import exported
from workflows.journal import now_of

RECORDED = Path(__file__).parents[1] / "replay" / "histories"


class Started(NamedTuple):
    """A workflow that nobody works on, and the rollout that it is in the store."""

    client: Client
    handle: WorkflowHandle[Any, Any]
    key: RolloutKey
    run_id: str


@pytest.fixture
async def started(dev_server: WorkflowEnvironment, pool: Pool) -> AsyncIterator[Started]:
    plan = make_plan(id=f"export-{uuid4().hex[:8]}")
    client = dev_server.client
    handle = await client.start_workflow(
        ROLLOUT, {"plan": plan.id}, id=rollout_workflow_id(plan.id), task_queue=f"nobody-{uuid4()}"
    )
    run_id = handle.first_execution_run_id
    assert run_id is not None
    setting = await Setting(pool, plan, run_id).register()
    yield Started(client, handle, setting.key, run_id)
    if (await handle.describe()).close_time is None:
        await handle.terminate("the test is over")


async def _kept(pool: Pool, key: RolloutKey) -> list[tuple[str, int, int, bool]]:
    async with pool.acquire() as conn:
        found = await histories.list_histories(conn, key)
    return [(one.run_id, one.version, one.last_event, one.closed) for one in found]


async def _text(pool: Pool, started: Started, version: int = 1) -> str:
    async with pool.acquire() as conn:
        found = await histories.read_history(conn, started.key, started.run_id, version)
    assert found is not None
    return found.decode()


async def test_what_is_kept_is_the_sdks_json_in_canonical_form_and_a_repetition_changes_nothing(
    started: Started, pool: Pool
) -> None:
    await started.handle.signal("pause", {"reason": "価格の見直し"})
    await started.handle.terminate("over")
    activity = ExportActivities(pool, started.client)
    request = ExportRequest(key=started.key, run_id=started.run_id)
    first = await ActivityEnvironment().run(activity.export_history, request)
    history = await started.handle.fetch_history()
    text = await _text(pool, started)
    assert WorkflowHistory.from_json("any", text) == WorkflowHistory("any", history.events)
    assert text == canonical(history.to_json_dict()).decode()
    assert (first.sha256, first.runs) == (hashlib.sha256(text.encode()).hexdigest(), 1)
    before = await pool.fetch("select * from exported_history")
    assert await ActivityEnvironment().run(activity.export_history, request) == first
    assert await pool.fetch("select * from exported_history") == before


async def test_the_history_of_a_run_under_way_grows_and_is_whole_when_it_is_over(started: Started, pool: Pool) -> None:
    await export_chain(pool, started.client, started.key, started.run_id)
    # The task that a worker is to take up is left out: something else may come to stand there.
    assert await _kept(pool, started.key) == [(started.run_id, 1, 1, False)]
    for _ in range(2):
        await started.handle.signal("pause", {"reason": "x"})
        await export_chain(pool, started.client, started.key, started.run_id)
    assert await _kept(pool, started.key) == [(started.run_id, 1, 4, False)]
    await started.handle.terminate("over")
    await export_chain(pool, started.client, started.key, started.run_id)
    assert await _kept(pool, started.key) == [(started.run_id, 1, 5, True)]
    async with pool.acquire() as conn:
        assert await alarms.standing(conn) == ()


async def test_a_history_with_another_beginning_is_kept_beside_and_told_to_every_owner(
    started: Started, pool: Pool
) -> None:
    """What was exported earlier says that the first signal was another one: one of the two was tampered with."""
    await started.handle.signal("pause", {"reason": "the first"})
    run = await read_run(started.client, started.handle.id, started.run_id)
    other = zlib.decompress(run.text, GZIP).replace(b'"pause"', b'"erase"')
    assert other != zlib.decompress(run.text, GZIP)
    forged = run._replace(text=gzip.compress(other), sha256=hashlib.sha256(other).hexdigest())
    async with pool.acquire() as conn, conn.transaction():
        assert await histories.keep(conn, started.key, forged, 1) is Kept.NEW
    await started.handle.terminate("over")
    for _ in range(2):
        await export_chain(pool, started.client, started.key, started.run_id)
    assert [one[1:] for one in await _kept(pool, started.key)] == [(1, 3, False), (2, 4, True)]
    assert await _text(pool, started) == other.decode()
    async with pool.acquire() as conn:
        [alarm] = await alarms.standing(conn)
    assert (alarm.trouble.value, alarm.key) == ("rewritten", started.key)
    told = await pool.fetch("select contact from notice where kind = 'workflow-alarm'")
    assert len(told) == len({row["contact"] for row in told}) == len({one.contact for one in make_plan().owners}) + 1


async def test_a_shorter_history_that_comes_late_changes_nothing(started: Started, pool: Pool) -> None:
    early = await read_run(started.client, started.handle.id, started.run_id)
    await started.handle.signal("pause", {"reason": "x"})
    await export_chain(pool, started.client, started.key, started.run_id)
    async with pool.acquire() as conn, conn.transaction():
        assert await histories.keep(conn, started.key, early, 1) is Kept.UNCHANGED
    assert [one[1:] for one in await _kept(pool, started.key)] == [(1, 3, False)]


@workflow.defn(name=ROLLOUT)
class _Again:
    """Goes on in a second run, and there waits for ever."""

    @workflow.run
    async def run(self, first: bool = True) -> None:
        if first:
            workflow.continue_as_new(False)
        await workflow.wait_condition(lambda: False)


async def test_a_run_before_that_was_deleted_unexported_is_told_of_and_the_rest_is_kept_in_its_place(
    dev_server: WorkflowEnvironment, pool: Pool
) -> None:
    client, queue = dev_server.client, f"again-{uuid4()}"
    plan = make_plan(id=f"export-{uuid4().hex[:8]}")
    runner = UnsandboxedWorkflowRunner()
    async with Worker(client, task_queue=queue, workflows=[_Again], workflow_runner=runner):
        handle = await client.start_workflow(ROLLOUT, True, id=rollout_workflow_id(plan.id), task_queue=queue)
        chain = str(handle.first_execution_run_id)

        async def gone_on() -> str | None:
            newest = (await client.get_workflow_handle(handle.id).describe()).run_id
            return newest if newest != chain else None

        second = await patiently(gone_on, lambda: "it does not go on in a second run")
    key = (await Setting(pool, plan, chain).register()).key
    first = WorkflowExecution(workflow_id=handle.id, run_id=chain)
    await client.workflow_service.delete_workflow_execution(
        DeleteWorkflowExecutionRequest(namespace=client.namespace, workflow_execution=first)
    )

    async def deleted() -> bool | None:
        try:
            await began_as(client, handle.id, chain)
        except RunGone:
            return True
        return None

    await patiently(deleted, lambda: "the run is not deleted")
    result = await ActivityEnvironment().run(
        ExportActivities(pool, client).export_history, ExportRequest(key=key, run_id=second)
    )
    assert (result.missing_run, result.runs, result.run_id) == (chain, 1, second)
    async with pool.acquire() as conn:
        assert [(one.run_id, one.position) for one in await histories.list_histories(conn, key)] == [(second, 2)]
    now = now_of(state := Simulator(plan).state, datetime(2026, 1, 5, tzinfo=UTC))
    entry = exported(state, "after pilot", result, now).recent[-1]
    assert entry.message.endswith(f"; run {chain} before them was deleted unexported")
    assert entry.detail["missing_run"] == chain
    await client.get_workflow_handle(handle.id).terminate("the test is over")


async def test_a_run_that_is_over_is_neither_changed_nor_deleted_in_the_store(started: Started, pool: Pool) -> None:
    await started.handle.terminate("over")
    await export_chain(pool, started.client, started.key, started.run_id)
    for change in ("update exported_history set sha256 = 'x'", "delete from exported_history"):
        with pytest.raises(asyncpg.RestrictViolationError):
            await pool.execute(change)


def _events(name: str) -> Sequence[HistoryEvent]:
    text = gzip.decompress((RECORDED / f"{name}.json.gz").read_bytes()).decode()
    return WorkflowHistory.from_json(name, text).events


def _written(events: Sequence[HistoryEvent], size: int) -> RunHistory:
    writer = Writer()
    for at in range(0, len(events), size):
        writer.add(events[at : at + size])
    return writer.done("run")


@pytest.mark.parametrize("size", [1, 7, exporting.PAGE])
def test_a_history_written_page_by_page_is_the_one_written_at_once(size: int) -> None:
    events = _events("happy")
    written = _written(events, size)
    whole = canonical(WorkflowHistory("happy", events).to_json_dict())
    assert zlib.decompress(written.text, GZIP) == whole
    assert (written.size, written.sha256) == (len(whole), hashlib.sha256(whole).hexdigest())
    assert (written.last_event, written.closed) == (len(events), True)


@pytest.mark.parametrize("known", [1, 2, 50, 150])
def test_a_history_begins_with_its_beginnings_alone(known: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(histories, "CHUNK", 1000)
    events = _events("happy")
    whole, beginning = _written(events, 200).text, _written(events[:known], 200).text
    assert begins_with(whole, beginning)
    assert begins_with(whole, whole)
    assert not begins_with(_written(_events("stopped"), 200).text, beginning)


def test_a_newer_sdk_that_names_more_fields_tells_the_same_history() -> None:
    def packed(*events: dict[str, Any]) -> bytes:
        return gzip.compress(canonical({"events": list(events)}))

    older = packed({"eventId": "1", "eventType": "A"})
    assert begins_with(packed({"eventId": "1", "eventType": "A", "principal": "x"}, {"eventId": "2"}), older)
    assert not begins_with(packed({"eventId": "1", "eventType": "B", "principal": "x"}, {"eventId": "2"}), older)
    assert not begins_with(packed({"eventId": "1", "principal": "x"}, {"eventId": "2"}), older)
