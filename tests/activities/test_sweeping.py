"""Workflows that were ended, deleted, set back or paused behind a rollout's back are found, told of, and exported."""

from __future__ import annotations

from typing import NamedTuple
from uuid import uuid4

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import (
    PauseWorkflowExecutionRequest,
    ResetWorkflowExecutionRequest,
    UnpauseWorkflowExecutionRequest,
)
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from activities.sweeping import Sweep, Swept
from console.gateway import Gateway
from deploy.embedded.temporal import EmbeddedTemporal
from models.names import ROLLOUT, rollout_workflow_id
from models.rollout import Status
from models.work import RolloutKey
from store import alarms, histories
from store.turns import turn
from tests.activities.setting import Pool, Setting
from tests.facts import seed_facts
from tests.plans import make_plan
from tests.worker.process import patiently
from tests.workflows.live import FACTS_FROM, FACTS_TO, running
from tests.workflows.process import FastLive
from workflows.attributes import SEARCH_ATTRIBUTES


class Stands(NamedTuple):
    """A rollout that the store has open, and its workflow, which nobody works on."""

    client: Client
    key: RolloutKey
    sweep: Sweep

    @property
    def workflow_id(self) -> str:
        return rollout_workflow_id(self.key.rollout_id)


async def _open(client: Client, pool: Pool) -> Stands:
    plan = make_plan(id=f"sweep-{uuid4().hex[:8]}")
    handle = await client.start_workflow(
        ROLLOUT, {"plan": plan.id}, id=rollout_workflow_id(plan.id), task_queue=f"nobody-{uuid4()}"
    )
    assert handle.first_execution_run_id is not None
    setting = await Setting(pool, plan, handle.first_execution_run_id).register()
    return Stands(client, setting.key, Sweep(pool, client))


@pytest.fixture
async def stands(dev_server: WorkflowEnvironment, pool: Pool) -> Stands:
    return await _open(dev_server.client, pool)


async def _alarms(pool: Pool) -> list[tuple[str, str]]:
    async with pool.acquire() as conn:
        return [(one.trouble.value, one.about) for one in await alarms.standing(conn)]


async def _exported(pool: Pool, key: RolloutKey) -> list[tuple[str, bool]]:
    async with pool.acquire() as conn:
        return [(one.run_id, one.closed) for one in await histories.list_histories(conn, key)]


async def test_a_rollout_whose_workflow_runs_raises_no_alarm(stands: Stands, pool: Pool) -> None:
    assert await stands.sweep.look() == Swept(alarms=0)
    assert await _alarms(pool) == []
    await stands.client.get_workflow_handle(stands.workflow_id).terminate("the test is over")


async def test_a_terminated_rollout_is_told_of_once_and_its_history_is_exported(stands: Stands, pool: Pool) -> None:
    await stands.sweep.look()
    await stands.client.get_workflow_handle(stands.workflow_id).terminate("somebody tidied up")
    for _ in range(2):
        await patiently(lambda: _found(stands, pool), lambda: "no alarm is raised")
    assert await _alarms(pool) == [("terminated", stands.key.chain_id)]
    assert await _exported(pool, stands.key) == [(stands.key.chain_id, True)]
    letters = await pool.fetch("select contact, body from notice where kind = 'workflow-alarm'")
    assert len({row["contact"] for row in letters}) == len(letters) > 1
    assert "was terminated at" in letters[0]["body"]


async def _found(stands: Stands, pool: Pool) -> bool | None:
    """Visibility takes a moment to show what has happened."""
    await stands.sweep.look()
    return bool(await _alarms(pool)) or None


async def test_an_alarm_ends_with_its_rollout(stands: Stands, pool: Pool) -> None:
    await stands.client.get_workflow_handle(stands.workflow_id).terminate("over")
    await patiently(lambda: _found(stands, pool), lambda: "no alarm is raised")
    await pool.execute("update rollout set open = false")
    await stands.sweep.look()
    assert await _alarms(pool) == []


async def test_a_rollout_that_temporal_does_not_know_any_more_is_told_of(
    dev_server: WorkflowEnvironment, pool: Pool
) -> None:
    setting = await Setting(pool, make_plan(id=f"sweep-{uuid4().hex[:8]}")).register()
    await Sweep(pool, dev_server.client).look()
    assert await _alarms(pool) == [("deleted", setting.key.chain_id)]


async def test_another_start_under_the_same_name_is_told_of(stands: Stands, pool: Pool) -> None:
    other = await Setting(pool, make_plan(id=stands.key.rollout_id), "an-earlier-chain").register()
    await pool.execute("update rollout set open = (chain_id = 'an-earlier-chain')")
    await stands.sweep.look()
    async with pool.acquire() as conn:
        [alarm] = await alarms.standing(conn)
    assert (alarm.trouble.value, alarm.key, alarm.about) == ("replaced", other.key, stands.key.chain_id)
    await stands.client.get_workflow_handle(stands.workflow_id).terminate("the test is over")


async def test_what_is_over_and_was_never_exported_is_and_other_stores_runs_are_left_alone(
    stands: Stands, pool: Pool
) -> None:
    elsewhere = await stands.client.start_workflow(
        ROLLOUT, id=rollout_workflow_id(f"elsewhere-{uuid4().hex[:8]}"), task_queue="nobody"
    )
    await elsewhere.terminate("over")
    await stands.client.get_workflow_handle(stands.workflow_id).terminate("over")

    async def exported() -> bool | None:
        swept = await stands.sweep.export()
        assert swept is not None
        assert swept.failed == 0
        return bool(swept.exported) or None

    await patiently(exported, lambda: "nothing is exported")
    assert await pool.fetchval("select count(*) from exported_history") == 1
    assert await stands.sweep.export() == Swept()


async def test_two_workers_do_not_sweep_at_once(stands: Stands, pool: Pool) -> None:
    async with pool.acquire() as conn, turn(conn, "look after workflows") as ours:
        assert ours
        assert await stands.sweep.look() is None
    async with pool.acquire() as conn, turn(conn, "export histories") as ours:
        assert ours
        assert await stands.sweep.export() is None
    assert await stands.sweep.look() is not None
    await stands.client.get_workflow_handle(stands.workflow_id).terminate("the test is over")


async def test_a_natively_paused_rollout_is_told_of_until_it_is_unpaused(pool: Pool) -> None:
    options = {"frontend.WorkflowPauseEnabled": True}
    async with EmbeddedTemporal(ui=False, search_attributes=SEARCH_ATTRIBUTES, dynamic_config=options) as server:
        client = await Client.connect(server.address, namespace=server.namespace)
        stands = await _open(client, pool)
        named = {"namespace": client.namespace, "workflow_id": stands.workflow_id, "identity": "op", "request_id": "1"}
        await client.workflow_service.pause_workflow_execution(
            PauseWorkflowExecutionRequest(**named, reason="wait a bit")
        )
        await patiently(lambda: _found(stands, pool), lambda: "no alarm is raised")
        [(trouble, _)] = await _alarms(pool)
        assert trouble == "paused"
        assert "wait a bit" in await pool.fetchval("select detail from workflow_alarm")
        # The SDK does not know the state; asking for the rollout must not fail over it.
        assert [run async for run, _ in Gateway(client).runs(stands.key.rollout_id)] == [stands.key.chain_id]
        await client.workflow_service.unpause_workflow_execution(UnpauseWorkflowExecutionRequest(**named))
        await stands.sweep.look()
        assert await _alarms(pool) == []


async def test_a_reset_is_noticed_and_both_runs_are_exported(dev_server: WorkflowEnvironment, pool: Pool) -> None:
    await seed_facts(pool, FACTS_FROM, FACTS_TO)
    plan = make_plan(stop_conditions=[{"condition": "a regulator objects"}])
    async with running(dev_server, pool, plan) as found:
        live = FastLive(**vars(found))
        await live.confirm_all()
        await live.until_status(Status.AWAITING_APPROVAL)
        chain = live.handle.first_execution_run_id
        assert chain is not None
        key = RolloutKey(rollout_id=live.plan.id, chain_id=chain)
        sweep = Sweep(pool, dev_server.client)
        await sweep.look()
        assert await _alarms(pool) == []
        history = await live.handle.fetch_history()
        first_task = next(
            one.event_id for one in history.events if one.HasField("workflow_task_completed_event_attributes")
        )
        reset = await dev_server.client.workflow_service.reset_workflow_execution(
            ResetWorkflowExecutionRequest(
                namespace=dev_server.client.namespace,
                workflow_execution=WorkflowExecution(workflow_id=live.handle.id, run_id=chain),
                workflow_task_finish_event_id=first_task,
                request_id=str(uuid4()),
                reason="try again",
            )
        )

        async def noticed() -> bool | None:
            await sweep.look()
            return bool(await _alarms(pool)) or None

        await patiently(noticed, lambda: "no alarm is raised")
        assert await _alarms(pool) == [("reset", reset.run_id)]
        assert dict(await _exported(pool, key)).keys() == {chain, reset.run_id}
        assert dict(await _exported(pool, key))[chain] is True
        # A later run that repeats nothing has not been looked into by anybody.
        assert await _settled(pool, key) == [("reset", str(reset.run_id))]
        await pool.execute("update rollout set open = false")
        await sweep.look()
        assert await _alarms(pool) == [("reset", reset.run_id)]
        # Somebody has: what they looked into is not raised again, though the run is still what it is.
        await pool.execute("update rollout set open = true")
        await pool.execute("update workflow_alarm set over_at = now() where trouble = 'reset'")
        await sweep.look()
        assert await _alarms(pool) == []


async def _settled(pool: Pool, key: RolloutKey) -> list[tuple[str, str]]:
    """The alarms that stand when a sweep finds nothing, as it does once the rollout is carried on in a new run."""
    async with pool.acquire() as conn, conn.transaction():
        assert await alarms.settle(conn, key, ()) == ()
    return await _alarms(pool)
