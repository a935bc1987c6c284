"""What Temporal's own Web UI and CLI show of a rollout: title, details, attributes to search by, summaries of steps."""

from __future__ import annotations

from typing import TypeAlias

import asyncpg
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import WorkflowExecution
from temporalio.testing import WorkflowEnvironment

from console.gateway import Gateway
from models.command import Verb
from models.rollout import Status
from tests.facts import seed_facts
from tests.plans import make_plan
from tests.worker.process import patiently
from tests.workflows.live import FACTS_FROM, FACTS_TO, Live, running
from tests.workflows.process import FastLive
from workflows.attributes import PHASE, PLAN, STATUS, WAVE

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


async def test_the_web_ui_reads_like_the_rollout(dev_server: WorkflowEnvironment, pool: Pool) -> None:
    await seed_facts(pool, FACTS_FROM, FACTS_TO)
    async with running(dev_server, pool, make_plan()) as found:
        live = FastLive(**vars(found))
        await live.confirm_all()
        await live.until_status(Status.AWAITING_APPROVAL)
        await _details_are_current(live)
        await _attributes_find_it(live)
        await _steps_have_summaries(live)


async def test_the_web_ui_names_a_rollout_by_its_plan(dev_server: WorkflowEnvironment) -> None:
    plan = make_plan(id="named-in-the-web-ui")
    gateway = Gateway(dev_server.client)
    assert await gateway.start(plan, None, 1.0)
    told = await gateway.handle(plan.id).describe()
    await gateway.handle(plan.id).terminate()
    assert (await told.static_summary(), await told.static_details()) == (plan.title, plan.decision)


async def _details_are_current(live: Live) -> None:
    found: WorkflowMetadata = await live.handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    assert "awaiting approval" in found.current_details
    assert "Waiting for sam.sponsor@example.com: decide prepare_to_pilot" in found.current_details
    assert {verb.value for verb in Verb} <= {one.name for one in found.definition.signal_definitions}
    assert {"status", "decisions", "allowed_actions"} <= {one.name for one in found.definition.query_definitions}
    assert all(one.description for one in found.definition.signal_definitions if one.name)


async def _attributes_find_it(live: Live) -> None:
    """The list is up to date a moment later."""
    wanted = f"{PLAN.name} = '{live.plan.id}' and {PHASE.name} = 'prepare' and {STATUS.name} = 'awaiting approval'"

    async def look() -> list[WorkflowExecution] | None:
        return [one async for one in live.client.list_workflows(wanted)] or None

    found = await patiently(look, lambda: f"nothing is listed for {wanted}")
    assert [one.id for one in found] == [live.handle.id]
    assert found[0].typed_search_attributes.get(WAVE) == 0


async def _steps_have_summaries(live: Live) -> None:
    """The timer, which is the only one and has no title, starts once everything else is done."""

    async def look() -> dict[str, str] | None:
        found = await _summaries(live)
        return found if "timer" in found else None

    told = await patiently(look, lambda: "no timer")
    assert told.pop("timer") == ""
    assert told["resolve_cohorts"] == "resolve and freeze the cohorts"
    assert told["fetch_metrics"] == "measure the baselines"
    assert all(told.values())


async def _summaries(live: Live) -> dict[str, str]:
    converter = live.client.data_converter.payload_converter
    told: dict[str, str] = {}
    for event in (await live.handle.fetch_history()).events:
        activity = event.activity_task_scheduled_event_attributes.activity_type.name
        name = "timer" if event.HasField("timer_started_event_attributes") else activity
        said = event.user_metadata.summary
        if name:
            told[name] = converter.from_payload(said, str) if said.data else ""
    return told
