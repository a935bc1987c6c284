"""The same operations as updates, on a whole server: the answer comes at once, and says what came of the request."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, TypeAlias

import asyncpg
import pytest
from temporalio.testing import WorkflowEnvironment

from models.command import Verb
from models.log import Outcome, Receipt
from models.rollout import Status
from tests.facts import seed_facts, slump
from tests.plans import PILOT, make_plan
from tests.workflows.live import FACTS_FROM, FACTS_TO, running
from tests.workflows.process import FastLive

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


PLAN = make_plan(stop_conditions=[{"condition": "a regulator objects"}])


@pytest.fixture
async def live(dev_server: WorkflowEnvironment, pool: Pool) -> AsyncIterator[FastLive]:
    await seed_facts(pool, FACTS_FROM, FACTS_TO)
    async with running(dev_server, pool, PLAN) as found:
        yield FastLive(**vars(found))


@pytest.fixture
async def slumped(dev_server: WorkflowEnvironment, pool: Pool) -> AsyncIterator[FastLive]:
    """The pilot's partners have not kept the SLA for months."""
    await seed_facts(pool, FACTS_FROM, FACTS_TO)
    await slump(pool, PILOT, FACTS_FROM, FACTS_TO)
    async with running(dev_server, pool, PLAN) as found:
        yield FastLive(**vars(found))


async def _ask(live: FastLive, verb: str, actor: str, **fields: Any) -> Receipt:
    payload = live.payload(actor, **fields)
    receipt: Receipt = await live.handle.execute_update(verb, payload, result_type=Receipt)
    assert receipt.request_id == payload["request_id"]
    return receipt


async def _to_pilot(live: FastLive) -> None:
    for owner in live.plan.owners:
        assert (await _ask(live, "confirm_ownership", owner.identity, role=owner.role)).outcome is Outcome.APPLIED
    gate = (await live.until_status(Status.AWAITING_APPROVAL)).gate
    assert gate is not None
    fields = {"gate": gate.key, "choice": "approve", "plan_digest": live.plan.digest, "evidence_digest": gate.digest}
    refused = await _ask(live, "decide", "revops_owner", **fields)
    assert (refused.outcome, "needs sponsor" in refused.message) == (Outcome.REFUSED, True)
    approved = await _ask(live, "decide", "sponsor", **fields)
    assert (approved.outcome, approved.message) == (Outcome.APPLIED, "Sam Sponsor approved prepare_to_pilot (1 of 1)")
    await live.until(lambda view: view.cohorts[0].state == "enrolled")


async def test_every_answer_says_what_came_of_the_request_and_names_its_entry(live: FastLive) -> None:
    await _to_pilot(live)
    receipt = await _ask(live, "pause", "finance_owner", reason="the numbers look odd")
    assert receipt.outcome is Outcome.APPLIED
    entry = next(one for one in await live.log() if one.sequence == receipt.sequence)
    assert (entry.request_id, entry.message) == (receipt.request_id, receipt.message)
    again = await _ask(live, "pause", "sponsor")
    assert (again.outcome, "already paused" in again.message) == (Outcome.REFUSED, True)


async def test_a_resume_is_answered_when_the_fresh_evidence_has_been_read(live: FastLive) -> None:
    await _to_pilot(live)
    await _ask(live, "pause", "finance_owner")
    resumed = await _ask(live, "resume", "finance_owner")
    assert (resumed.outcome, resumed.message) == (Outcome.APPLIED, "Resumed")
    assert (await live.view()).pause is None


async def test_a_resume_that_the_evidence_refuses_is_answered_with_the_evidence(slumped: FastLive) -> None:
    await _to_pilot(slumped)
    as_of = (await slumped.view()).programme_now.isoformat()
    breach = {"metric": "lead_follow_up_sla", "cohort": "pilot", "as_of": as_of}
    assert (await _ask(slumped, "report_breach", "sponsor", **breach)).outcome is Outcome.APPLIED
    await slumped.until_status(Status.PAUSED)
    refused = await _ask(slumped, "resume", "revops_owner")
    assert refused.outcome is Outcome.REFUSED
    assert "fresh evidence still stands in the way: Lead follow-up SLA of pilot" in refused.message


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("approve_everything", [{}], "no such operation"),
        ("decide", [], "0 arguments were sent"),
        ("decide", [{}, {}], "2 arguments were sent"),
        ("pause", ["please"], "Input should be an object"),
        ("pause", [{"request_id": "r-0000001", "actor": "sam.sponsor@example.com"}], "reason: Field required"),
    ],
)
async def test_an_update_that_cannot_be_read_is_answered_and_recorded(
    live: FastLive, name: str, arguments: list[Any], told: str
) -> None:
    receipt: Receipt = await live.handle.execute_update(name, args=arguments, result_type=Receipt)
    assert receipt.outcome is Outcome.REFUSED
    assert told in receipt.message
    assert any(one.sequence == receipt.sequence and one.verb == name for one in await live.log())


async def test_the_same_request_as_signal_and_as_update_counts_once(live: FastLive) -> None:
    """What a sender does who got no answer in time."""
    payload = live.payload("sponsor", reason="noted")
    await live.handle.signal(Verb.ACKNOWLEDGE, payload)
    receipt: Receipt = await live.handle.execute_update(Verb.ACKNOWLEDGE, payload, result_type=Receipt)
    assert (receipt.outcome, "duplicate" in receipt.message) == (Outcome.REFUSED, True)
    notes = [one for one in await live.log() if one.verb == "acknowledge" and one.outcome is Outcome.APPLIED]
    assert len(notes) == 1
    assert notes[0].at <= datetime.now(UTC)
