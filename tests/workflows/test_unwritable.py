"""What PostgreSQL cannot hold, a character with the code nought, wedges no rollout wherever it stands in a request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, TypeAlias
from uuid import uuid4

import asyncpg
import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import WorkflowFailureError
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment

from models.command import COMMANDS, Verb
from models.names import ROLLOUT, rollout_workflow_id
from models.rollout import Status
from models.work import RecordRequest, RolloutKey
from models.writable import writable
from tests.facts import seed_facts
from tests.plans import make_plan
from tests.worker.process import PATIENCE, patiently
from tests.workflows.live import FACTS_FROM, FACTS_TO, running
from tests.workflows.process import FastLive
from tests.workflows.simulator import Simulator
from workflows.wire import record_of

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
KEY = RolloutKey(rollout_id="a", chain_id="b")


@pytest.fixture
async def live(dev_server: WorkflowEnvironment, pool: Pool) -> AsyncIterator[FastLive]:
    await seed_facts(pool, FACTS_FROM, FACTS_TO)
    async with running(dev_server, pool, make_plan()) as found:
        yield FastLive(**vars(found))


async def _refusals_stored(live: FastLive, pool: Pool, count: int) -> Sequence[str]:
    """The refusals in the store once it has every entry, and so many of them."""

    async def look() -> list[str] | None:
        entries, stored = (await live.view()).entries, await live.stored_log(pool)
        refused = [row["entry"]["refusal"] for row in stored if row["entry"]["outcome"] == "refused"]
        return refused if len(stored) == entries and len(refused) >= count else None

    return await patiently(look, lambda: "not all entries are written")


async def test_the_log_is_written_whatever_characters_a_request_has(live: FastLive, pool: Pool) -> None:
    await live.signal("pause", "sponsor", reason="not\x00so fast")
    await live.signal("acknowledge", "nobody\x00@example.com")
    await live.handle.signal("no\x00such", {})
    await live.handle.signal("pause", RawValue(Payload(metadata={"encoding": b"\x00"}, data=b"{}")))
    await live.handle.signal("stop", {**live.payload("sponsor"), "resolution": {"fin\x00ished": "keep"}})
    refused = await _refusals_stored(live, pool, 5)
    assert refused[:2] == [
        f"{field} holds a character with the code 0, which no text has" for field in ("reason", "actor")
    ]
    assert len(refused) == 5
    assert (await live.view()).status is not Status.PAUSED
    assert (await live.ask(Verb.PAUSE, "sponsor", reason="as it should be")).outcome == "applied"


async def test_a_rollout_that_is_started_with_what_cannot_be_read_ends_and_says_what_that_is(
    dev_server: WorkflowEnvironment, pool: Pool
) -> None:
    """By a client that knows nothing of us. It would be tried again for ever, and nobody hear of it."""
    async with running(dev_server, pool, make_plan()) as live:
        queue = (await live.handle.describe()).task_queue
        plan = make_plan().model_dump(mode="json", by_alias=True)
        state = Simulator(make_plan()).state.model_dump(mode="json", by_alias=True)
        odd = {**plan, "reviews": {**plan["reviews"], "roles": ["ghost"]}}  # each field reads well, one rule is broken
        told: dict[str, list[Any]] = {
            "Unknown payload encoding": [],
            "Unknown payload encoding <unknown>": [{}, {}],
            "Unknown payload encoding binary/odd": [RawValue(Payload(metadata={"encoding": b"binary/odd"}))],
            "Input should be an object": ["a plan"],
            "speed: Input should be greater than 0": [{"plan": plan, "clock_speed": 0.0}],
            "plan.title: String should match": [{"plan": {**plan, "title": "no\x00such"}}],
            "of_tomorrow: Extra inputs are not permitted": [{"plan": plan, "of_tomorrow": 1}],
            "state.clock: Field required": [{"plan": plan, "state": {}}],
            "plan: reviews.roles.0: no owner holds the role ghost": [{"plan": odd}],
            "state.plan: reviews.roles.0: no": [{"plan": plan, "state": {**state, "plan": odd}}],
        }
        for problem, given in told.items():
            handle = await dev_server.client.start_workflow(
                ROLLOUT,
                args=given,
                id=rollout_workflow_id(f"unreadable-{uuid4().hex[:8]}"),
                task_queue=queue,
                start_signal="pause",
                start_signal_args=[{}],
            )
            with pytest.raises(WorkflowFailureError) as error:
                await asyncio.wait_for(handle.result(), PATIENCE)
            assert isinstance(error.value.cause, ApplicationError)
            assert error.value.cause.type == "UnreadableStart"
            assert problem in error.value.cause.message


@pytest.mark.parametrize("text", ["\\ud800", "\\udc00\\ud800", "\\ud83d"])
def test_half_a_character_is_none(text: str) -> None:
    given = f'{{"request_id": "request-0001", "actor": "a@example.com", "reason": "because {text}"}}'
    with pytest.raises(ValueError, match="Invalid JSON"):
        COMMANDS[Verb.PAUSE].model_validate_json(given)


def test_a_run_that_took_such_a_request_before_can_be_written_down_all_the_same() -> None:
    rollout = Simulator(make_plan())
    rollout.to_pilot()
    rollout.receive(Verb.PAUSE, "sponsor", reason="not\x00so fast")
    request = record_of(rollout.state, KEY, "run", rollout.moment)
    assert _texts(request, "\x00") == 0
    assert _texts(request, "not\N{REPLACEMENT CHARACTER}so fast") >= 3
    assert [one.sequence for one in request.entries] == [one.sequence for one in rollout.state.unrecorded]
    assert [one.to for one in request.notices] == [one.to for one in rollout.state.notices]


@pytest.mark.parametrize("reason", ["plain", r"\u0000 in letters", r"\\u0000", "日本語", "\\", "\\\\"])
def test_what_can_be_written_stays_as_it_is(reason: str) -> None:
    rollout = Simulator(make_plan())
    rollout.receive(Verb.PAUSE, "sponsor", reason=f"as{reason}")
    request = record_of(rollout.state, KEY, "run", rollout.moment)
    assert writable(request) is request
    mixed = rollout.state.unrecorded[-1].model_copy(update={"rationale": f"{reason}\x00{reason}"})
    assert writable(mixed).rationale == f"{reason}\N{REPLACEMENT CHARACTER}{reason}"


def _texts(request: RecordRequest, part: str) -> int:
    def count(value: Any) -> int:
        if isinstance(value, str):
            return int(part in value)
        parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return sum(map(count, parts))

    return count(request.model_dump(mode="json"))
