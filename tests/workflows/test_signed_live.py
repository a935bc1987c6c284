"""Signed decisions on a whole Temporal server, against those who reach it without being asked to sign in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from temporalio import workflow
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client, WorkflowFailureError
from temporalio.common import RawValue, RetryPolicy
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.runtime import MetricBuffer, Runtime, TelemetryConfig
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.meters import EFFECTS_REFUSED
from activities.trust import Trust
from deploy.embedded.binaries import temporal_path
from deploy.embedded.temporal import EmbeddedTemporal
from models.command import Choice, Decide, Verb
from models.log import EntryKind, Outcome, Receipt
from models.names import ROLLOUT, effects_queue
from models.plan import Decisions
from models.proof import Proofs
from models.rollout import Status, members_digest
from models.work import EnrolRequest, EnrolResult
from store import enrolments
from tests.activities.setting import START, Setting
from tests.facts import seed_facts
from tests.plans import make_plan, plan_data, signed_data, signed_plan
from tests.signing import Pen, Signed, write_keys
from tests.worker.process import patiently
from tests.workflows.live import FACTS_FROM, FACTS_TO, Live, running
from tests.workflows.scenarios import soon
from worker.plugin import rollouts_plugin
from worker.serving import serving

Pool = asyncpg.Pool


@pytest.fixture
async def facts(pool: Pool[Any]) -> Pool[Any]:
    await seed_facts(pool, FACTS_FROM, FACTS_TO)
    return pool


@pytest.fixture
async def gated(dev_server: WorkflowEnvironment, facts: Pool[Any]) -> AsyncIterator[Live]:
    """A signed rollout at its first gate, in real time."""
    async with running(dev_server, facts, signed_plan()) as live:
        await live.confirm_all()
        await soon(live, at_gate, "no gate opened")
        yield live


async def at_gate(live: Live) -> bool:
    return (await live.view()).status is Status.AWAITING_APPROVAL


async def approving(live: Live, actor: str = "sponsor") -> dict[str, Any]:
    gate = (await live.view()).gate
    assert gate is not None
    return live.payload(
        actor, gate=gate.key, choice="approve", plan_digest=live.plan.digest, evidence_digest=gate.digest
    )


async def cli(server: EmbeddedTemporal, *arguments: str) -> None:
    """Temporal's own program, as anybody has it."""
    where = ("--address", server.address, "--namespace", server.namespace)
    process = await asyncio.create_subprocess_exec(
        str(temporal_path()), *arguments, *where, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    told, _ = await process.communicate()
    assert process.returncode == 0, told.decode()


async def test_a_raw_signal_by_the_command_line_with_anybodys_name_is_refused_and_the_rollout_lives_on(
    gated: Live, temporal_server: EmbeddedTemporal, facts: Pool[Any]
) -> None:
    forged = await approving(gated)
    await cli(
        temporal_server,
        *("workflow", "signal", "--workflow-id", gated.handle.id, "--name", "decide", "--input", json.dumps(forged)),
    )
    receipt = await gated.answer(forged)
    assert receipt.outcome is Outcome.REFUSED
    assert "no signature proves that this is sam.sponsor@example.com" in receipt.message
    entry = next(one for one in await gated.log() if one.request_id == forged["request_id"])
    assert (entry.kind, entry.signed_by) == (EntryKind.REFUSAL, None)
    assert (await gated.view()).status is Status.AWAITING_APPROVAL
    signed = await gated.signed(Verb.DECIDE, await approving(gated))
    await cli(
        temporal_server,
        *("workflow", "signal", "--workflow-id", gated.handle.id, "--name", "decide", "--input", json.dumps(signed)),
    )
    assert (await gated.answer(signed)).outcome is Outcome.APPLIED

    async def enrolled(live: Live) -> bool:
        return (await live.view()).cohorts[0].state == "enrolled"

    await soon(gated, enrolled, "nobody was enrolled")
    assert await facts.fetchval("select count(*) from enrolment where withdrawn_at is null") == 12


async def test_a_signed_approval_sent_twice_counts_once_and_one_for_evidence_that_changed_not_at_all(
    gated: Live,
) -> None:
    stale = {**await approving(gated), "evidence_digest": "sha256:" + "0" * 64}
    sent = await gated.signed(Verb.DECIDE, stale)
    for _ in range(2):
        await gated.handle.signal("decide", sent)
    await gated.answer(sent)
    told = [one.message for one in await gated.log() if one.request_id == sent["request_id"]]
    assert any("stale: the evidence has changed" in one for one in told)
    good = await gated.signed(Verb.DECIDE, await approving(gated))
    for _ in range(2):
        await gated.handle.signal("decide", good)

    async def answered_twice(live: Live) -> bool:
        return len([one for one in await live.log() if one.request_id == good["request_id"]]) == 2

    await soon(gated, answered_twice, "the repetition left no entry")
    outcomes = [one.outcome for one in await gated.log() if one.request_id == good["request_id"]]
    assert outcomes == [Outcome.APPLIED, Outcome.REFUSED]


@pytest.mark.timeout(180)
async def test_a_signed_approval_sent_again_to_a_later_run_is_known_as_a_repetition(
    short_runs: EmbeddedTemporal, facts: Pool[Any]
) -> None:
    client = await Client.connect(
        short_runs.address, namespace=short_runs.namespace, data_converter=pydantic_data_converter
    )
    rules = {**plan_data()["approvals"], "prepare_to_pilot": {"roles": ["sponsor", "finance_owner"], "quorum": 2}}
    rules["prepare_to_pilot"]["due"] = "30d"
    env = WorkflowEnvironment.from_client(client)
    async with running(env, facts, signed_plan(approvals=rules)) as live:
        await live.confirm_all()
        await soon(live, at_gate, "no gate opened")
        first = await live.signed(Verb.DECIDE, await approving(live))
        await live.handle.signal("decide", first)
        assert (await live.answer(first)).outcome is Outcome.APPLIED
        began = (await live.handle.describe()).run_id
        while (await live.handle.describe()).run_id == began:
            # What nobody has signed is refused, and makes the history grow all the same.
            for _ in range(10):
                await live.handle.signal("acknowledge", live.payload("finance_owner", reason="noted"))
        # The same signature, and the same under another request's id: neither is a second voice, nor a new approval.
        receipt = await live.handle.execute_update("decide", first, result_type=Receipt)
        assert (receipt.outcome, "duplicate: request" in receipt.message) == (Outcome.REFUSED, True), receipt
        other = first | {"request_id": str(uuid4())}
        receipt = await live.handle.execute_update("decide", other, result_type=Receipt)
        assert receipt.outcome is Outcome.REFUSED
        gate = (await live.view()).gate
        assert gate is not None
        assert [one.request_id for one in gate.approvals] == [first["request_id"]]
        assert (await live.view()).status is Status.AWAITING_APPROVAL


async def test_an_update_with_a_key_that_came_later_is_answered_after_the_keys_were_looked_up(gated: Live) -> None:
    service = gated.service
    assert service is not None
    service.rotate()
    signed = await gated.signed(Verb.PAUSE, gated.payload("finance_owner", reason="wait for the auditors"))
    receipt = await gated.handle.execute_update("pause", signed)
    assert receipt["outcome"] in ("applied", "pending")

    async def paused(live: Live) -> bool:
        return (await live.view()).pause is not None

    await soon(gated, paused, "the pause was lost")


async def test_nobody_starts_a_rollout_with_owners_of_their_own(
    dev_server: WorkflowEnvironment, facts: Pool[Any]
) -> None:
    """The start was signed, but for another plan: it ends before anything is touched, and its log says why."""
    async with running(dev_server, facts, signed_plan(), claims={"plan": "sha256:x", "request": "sha256:x"}) as live:
        result = await live.handle.result()
        assert (result.status, result.enrolled) == (Status.STOPPED, ())
        stored = [row["entry"]["message"] for row in await live.stored_log(facts)]
    assert any("Not started: the signature does not hold" in one for one in stored)
    assert await facts.fetchval("select count(*) from rollout_cohort") == 0
    assert await facts.fetchval("select count(*) from notice") == 0


# Somebody else works on the rollouts' queue.


@workflow.defn(name=ROLLOUT, sandboxed=False)
class Rogue:
    """Says that everybody approved, and asks for the effect."""

    @workflow.run
    async def run(self, payload: RawValue) -> EnrolResult:
        request = workflow.payload_converter().from_payload(payload.payload, EnrolRequest)
        found: EnrolResult = await workflow.execute_activity(
            "withdraw_partners" if request.fate.value == "withdraw" else "enrol_partners",
            request,
            result_type=EnrolResult,
            task_queue=effects_queue(workflow.info().task_queue),
            start_to_close_timeout=START - START.replace(day=1),
            retry_policy=RetryPolicy(maximum_attempts=3),
        )
        return found


def with_plugin(env: WorkflowEnvironment) -> Client:
    config: dict[str, Any] = {**env.client.config(), "plugins": [rollouts_plugin()]}
    return Client(**config)


async def rogue_enrols(
    env: WorkflowEnvironment,
    pool: Pool[Any],
    trust: Trust,
    plan: Any,
    proofs: Proofs | None,
    ours: Client | None = None,
) -> str:
    """What comes of an enrolment that a rogue worker asks for, of a rollout it has registered itself."""
    queue = f"rogue-{uuid4().hex[:8]}"
    plain, ours = env.client, ours or with_plugin(env)
    setting = await Setting(pool, plan).register()
    async with pool.acquire() as conn:
        cohorts = await enrolments.resolve(conn, plan.cohort_specs(), START)
        digest = members_digest(await enrolments.freeze_cohorts(conn, setting.key, cohorts, START))
    request = setting.enrolling("pilot", cohorts_digest=digest, proofs=proofs)
    async with (
        Worker(plain, task_queue=queue, workflows=[Rogue], workflow_runner=UnsandboxedWorkflowRunner()),
        serving(ours, pool, queue, serves="effects", trust=trust),
    ):
        handle = await plain.start_workflow(ROLLOUT, request, id=f"rogue/{uuid4()}", task_queue=queue)
        try:
            await handle.result()
        except WorkflowFailureError as failure:
            return told(failure)
    return "enrolled"


def told(failure: WorkflowFailureError) -> str:
    assert isinstance(failure.cause, ActivityError)
    assert isinstance(failure.cause.cause, ApplicationError)
    assert failure.cause.cause.non_retryable
    return f"{failure.cause.cause.type}: {failure.cause.cause.message}"


PLAN = signed_plan()


def vote(service: Signed) -> Decide:
    data = {
        "request_id": "approval-0001",
        "actor": service.plan.owners[0].identity,
        "reason": "because",
        "gate": "prepare_to_pilot",
        "choice": Choice.APPROVE,
        "plan_digest": service.plan.digest,
        "evidence_digest": "sha256:e",
    }
    command = Decide.model_validate(data)
    return command.model_copy(update={"token": service.request(Verb.DECIDE, command, START)})


def forged_plan() -> Any:
    data = signed_data()
    for number, owner in enumerate(data["owners"]):
        owner["subject"] = f"forger-{number}"
    return type(PLAN).model_validate_json(json.dumps(data))


@pytest.mark.parametrize("attack", ["nothing", "own key", "forged owners", "unsigned", "as it should be"])
async def test_whoever_works_on_the_rollouts_queue_enrols_nobody_without_the_owners(
    dev_server: WorkflowEnvironment, facts: Pool[Any], tmp_path: Path, attack: str
) -> None:
    honest = Signed(PLAN, "chain-1")
    trust = Trust(write_keys(tmp_path / "keys.json", honest.pen), decisions=Decisions.SIGNED)
    own = Signed(PLAN, "chain-1", Pen())
    forged = Signed(forged_plan(), "chain-1", honest.pen)
    plan, proofs, said = {
        "nothing": (PLAN, Proofs(start=honest.start(START)), "prepare_to_pilot needs 1 of sponsor"),
        "own key": (PLAN, Proofs(start=own.start(START), decisions=(vote(own),)), "the start is not proven"),
        "forged owners": (
            forged.plan,
            Proofs(start=honest.start(START), decisions=(vote(forged),)),
            "the start is not proven: the token was signed for another version of the plan",
        ),
        "unsigned": (make_plan(), None, "decisions of this rollout are unsigned, and here they must be signed"),
        "as it should be": (PLAN, Proofs(start=honest.start(START), decisions=(vote(honest),)), "enrolled"),
    }[attack]
    found = await rogue_enrols(dev_server, facts, trust, plan, proofs)
    assert said in found
    expected = 12 if attack == "as it should be" else 0
    assert found.startswith("NotProven") is not bool(expected)
    assert await facts.fetchval("select count(*) from enrolment") == expected


async def test_an_effect_that_nobody_signed_for_is_counted_by_the_worker_that_refuses_it(
    dev_server: WorkflowEnvironment, temporal_server: EmbeddedTemporal, facts: Pool[Any], tmp_path: Path
) -> None:
    honest = Signed(PLAN, "chain-1")
    trust = Trust(write_keys(tmp_path / "keys.json", honest.pen), decisions=Decisions.SIGNED)
    buffer = MetricBuffer(10_000)
    ours = await Client.connect(
        temporal_server.address,
        namespace=temporal_server.namespace,
        runtime=Runtime(telemetry=TelemetryConfig(metrics=buffer)),
        plugins=[rollouts_plugin()],
    )
    start = honest.start(START)
    found = {}
    for proofs in (Proofs(start=start), Proofs(start=start, decisions=(vote(honest),))):
        told = await rogue_enrols(dev_server, facts, trust, PLAN, proofs, ours)
        refused = [one for one in buffer.retrieve_updates() if one.metric.name == EFFECTS_REFUSED]
        found[told] = [(one.value, one.attributes["activity"]) for one in refused]
    assert [*found.values()] == [[(1, "enrol_partners")], []]
    assert [told.partition(":")[0] for told in found] == ["NotProven", "enrolled"]


async def test_no_workflow_runs_beside_the_effects(dev_server: WorkflowEnvironment, pool: Pool[Any]) -> None:
    queue = f"queue-{uuid4().hex[:8]}"
    client = with_plugin(dev_server)

    async def pollers(kind: TaskQueueType.ValueType) -> int:
        request = DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=effects_queue(queue)),
            task_queue_type=kind,
        )
        return len((await client.workflow_service.describe_task_queue(request)).pollers)

    async with serving(client, pool, queue, serves="effects"):

        async def somebody() -> int | None:
            return await pollers(TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY) or None

        await patiently(somebody)
        assert await pollers(TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW) == 0
