"""A rollout whose history is carried on in new runs all the time: what people said counts once, and none of it is
lost."""

from __future__ import annotations

from collections import Counter

import asyncpg
import pytest
from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.client import WorkflowHistory, WorkflowUpdateStage

from deploy.embedded.temporal import EmbeddedTemporal
from models.canonical import canonical
from models.command import Verb
from models.log import EntryKind, LogEntry, Outcome, Receipt
from models.work import RolloutKey
from store.histories import list_histories, read_history
from store.log import read_log
from store.pool import create_pool
from tests.worker.process import patiently
from tests.workflows.chains import SHORT, approval, flood, two_must_agree
from tests.workflows.process import LONG, FastLive, replay_runs, site

ASKED_ONCE_MORE = {
    WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND,
    WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND,
}
"""When a signal comes while a run is being carried on, and when a hundred come during one task, the server asks the
worker once more: that is how none is lost."""

KEEP_ALL = {"finished": "keep", "current": "keep", "pending": "keep"}

RUNS = 4
"""So often is the rollout flooded and carried on: hundreds of signals."""


async def _carried_on(live: FastLive, run_id: str) -> None:
    """The rollout goes on in a newer run than this one. Who floods on meanwhile may keep it from that."""

    async def newer() -> bool | None:
        return await live.run_id() != run_id or None

    await patiently(newer, lambda: "the rollout is not carried on")


async def _whole_log(live: FastLive, dsn: str, *sent: str) -> tuple[LogEntry, ...]:
    """The log in the store, once it knows of all these requests and of everything the rollout knows."""
    async with await create_pool(dsn) as pool, pool.acquire() as conn:

        async def complete() -> tuple[LogEntry, ...] | None:
            log = await read_log(conn, live.plan.id)
            answered = {entry.request_id for entry in log}
            return log if answered >= set(sent) and len(log) == (await live.view()).entries else None

        return await patiently(complete, lambda: "the log is not complete")


@pytest.mark.timeout(300)
async def test_hundreds_of_signals_over_many_runs_are_each_recorded_once_and_an_approval_counts_once(
    short_runs: EmbeddedTemporal, own_database: str
) -> None:
    async with site(short_runs, own_database, within=LONG) as here:
        live = await here.open(two_must_agree())
        await live.confirm_all()
        first = await approval(live, "sponsor")
        await live.handle.signal(Verb.DECIDE, first)
        sent: list[str] = []
        for _ in range(RUNS):
            run_id = await live.run_id()
            sent += await flood(live, SHORT)
            await live.handle.signal(Verb.DECIDE, first)
            await _carried_on(live, run_id)
        again: Receipt = await live.handle.execute_update(Verb.DECIDE, first, result_type=Receipt)
        assert (again.outcome, "duplicate" in again.message) == (Outcome.REFUSED, True)
        gate = (await live.view()).gate
        assert gate is not None
        assert [one.request_id for one in gate.approvals] == [first["request_id"]]
        await live.decide("finance_owner")
        await live.until_served(days=0)  # enrolled: from here on a resume needs fresh evidence
        sent += await _answered_in_between(live, own_database)
        log = await _whole_log(live, own_database, *sent)
        decided = [entry.outcome for entry in log if entry.request_id == first["request_id"]]
        assert decided == [Outcome.APPLIED, *[Outcome.REFUSED] * (RUNS + 1)]
        await _assert_none_lost_none_twice(live, log, sent)
        await live.ask(Verb.STOP, "sponsor", resolution=KEEP_ALL)
        await live.ended()
        await _assert_every_run_is_exported(live, own_database)


async def _answered_in_between(live: FastLive, dsn: str) -> list[str]:
    """Who waits for an answer that needs fresh evidence gets it, although the history grows too long meanwhile."""
    await live.ask(Verb.PAUSE, "finance_owner")
    conn = await asyncpg.connect(dsn)
    try:
        async with conn.transaction():
            # The rollout writes down that somebody asks, and has to wait for us: until then it does not carry on.
            await conn.execute("lock table decision_log in share mode")
            waiting = await live.handle.start_update(
                Verb.RESUME,
                live.payload("finance_owner"),
                wait_for_stage=WorkflowUpdateStage.ACCEPTED,
                result_type=Receipt,
            )
            sent = await flood(live, SHORT)
    finally:
        await conn.close()
    receipt: Receipt = await waiting.result()
    assert (receipt.outcome, receipt.message) == (Outcome.APPLIED, "Resumed")
    return sent


async def _assert_every_run_is_exported(live: FastLive, dsn: str) -> None:
    runs = await live.runs()
    key = RolloutKey(rollout_id=live.plan.id, chain_id=live.handle.first_execution_run_id or "")
    async with await create_pool(dsn) as pool, pool.acquire() as conn:
        kept = await list_histories(conn, key)
        first = await read_history(conn, key, kept[0].run_id)
    # Where the last step was carried on in a run of its own, that one is left to the sweep.
    assert [one.position for one in kept] in (list(range(1, len(runs) + 1)), list(range(1, len(runs))))
    assert [one.last_event for one in kept[:-1]] == [len(events) for events in runs[: len(kept) - 1]]
    assert all(one.closed for one in kept[:-1])
    assert first == canonical(WorkflowHistory(live.handle.id, runs[0]).to_json_dict())


async def _assert_none_lost_none_twice(live: FastLive, log: tuple[LogEntry, ...], sent: list[str]) -> None:
    assert [entry.sequence for entry in log] == list(range(1, len(log) + 1))
    noted = Counter(entry.request_id for entry in log if entry.verb == Verb.ACKNOWLEDGE)
    assert {noted[one] for one in sent} == {1}
    assert sum(entry.kind is EntryKind.ENROLMENT for entry in log) == 1
    runs = await live.runs()
    causes = {
        event.workflow_task_failed_event_attributes.cause
        for events in runs
        for event in events
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
    }
    assert causes <= ASKED_ONCE_MORE
    assert await replay_runs(live.client, live.handle.id) == len(runs)
