"""An owner's approval until partners are enrolled, against a bare Temporal signal until an empty activity has run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any, NamedTuple

from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

from bench.figures import Bar, Comparison, Findings, Profile, p95, plain
from bench.ground import Ground
from bench.raw import RawGate, step
from bench.rollouts import Gated, gated, world
from console.gateway import Gateway
from models.command import Verb
from models.log import Outcome
from models.names import TASK_QUEUE
from store.pool import create_pool
from worker.serving import serving

AGAINST = "a bare signal and an empty activity, same server and process"
ALLOWANCE = 15.0
"""Milliseconds by which an approval may be slower than the bare signal."""


class Ran(NamedTuple):
    """An activity that ran after an approval: milliseconds from its sending until it began and was done."""

    name: str
    begun: float
    done: float


class Passage(NamedTuple):
    """One approval: milliseconds until its sender was told, and what ran because of it."""

    answered: float
    ran: tuple[Ran, ...]

    @property
    def goal(self) -> Ran:
        """The step that was waited for."""
        return self.ran[-1]


async def run(ground: Ground) -> Findings:
    """Pairs of one of ours and one bare, in turn; the moments are those of the server's histories."""
    pairs = 2 if ground.quick else 40
    pool = await create_pool(await world(ground), max_size=8)
    async with pool, ground.temporal() as (server, client):
        bare = await Client.connect(server.address)
        async with (
            serving(client, pool, TASK_QUEUE),
            Worker(bare, task_queue="bare", workflows=[RawGate], activities=[step]),
        ):
            count = pairs + 1
            ground.tell(f"taking {count} rollouts to their first gate")
            rollouts = await gated(Gateway(client), pool, "approval", count)
            gates = [await bare.start_workflow(RawGate.run, id=f"bare-{n}", task_queue="bare") for n in range(count)]
            ground.tell("approving one at a time, in turn")
            passages = [
                (await _approve(Gateway(client), rollout), await _signal(gate))
                for rollout, gate in zip(rollouts, gates, strict=True)
            ]
    # The first pair has warmed both up.
    return _findings(passages[1:])


async def _approve(gateway: Gateway, rollout: Gated) -> Passage:
    """Send an approval as the service does, and wait until the pilot is enrolled."""
    command = rollout.approval()
    sent = time.time()
    receipt = await gateway.deliver(rollout.plan.id, Verb.DECIDE, command)
    answered = time.time()
    if receipt.outcome is not Outcome.APPLIED:
        raise RuntimeError(f"the approval of {rollout.plan.id} was not applied: {receipt.message}")
    return await _passage(gateway.handle(rollout.plan.id), "enrol_partners", sent, answered)


async def _signal(gate: WorkflowHandle[Any, Any]) -> Passage:
    sent = time.time()
    await gate.signal(RawGate.approve)
    return await _passage(gate, "step", sent, time.time())


async def _passage(handle: WorkflowHandle[Any, Any], goal: str, sent: float, answered: float) -> Passage:
    """Look until the goal is done, in pauses that leave the servers alone."""
    while True:
        await asyncio.sleep(0.15)
        ran = _ran((await handle.fetch_history()).events, sent)
        if ran and ran[-1].name == goal:
            return Passage(answered=(answered - sent) * 1000, ran=ran)


def _ran(events: Sequence[HistoryEvent], sent: float) -> tuple[Ran, ...]:
    """What was done since, up to the first enrolment or step, by the server's clock, which is this machine's."""
    names: dict[int, str] = {}
    begun: dict[int, float] = {}
    found = []
    for event in events:
        moment = (event.event_time.ToNanoseconds() / 1e9 - sent) * 1000
        if event.HasField("activity_task_scheduled_event_attributes") and moment > 0:
            names[event.event_id] = event.activity_task_scheduled_event_attributes.activity_type.name
        elif event.HasField("activity_task_started_event_attributes"):
            begun[event.activity_task_started_event_attributes.scheduled_event_id] = moment
        elif event.HasField("activity_task_completed_event_attributes"):
            number = event.activity_task_completed_event_attributes.scheduled_event_id
            if number in names:
                found.append(Ran(names[number], begun[number], moment))
                if names[number] in ("enrol_partners", "step"):
                    break
    return tuple(found)


def _findings(passages: list[tuple[Passage, Passage]]) -> Findings:
    ours, bare = [mine for mine, _ in passages], [other for _, other in passages]
    begun, bare_begun = [one.goal.begun for one in ours], [one.goal.begun for one in bare]
    done, bare_done = [one.goal.done for one in ours], [one.goal.done for one in bare]

    def compare(
        what: str, of: Callable[[list[float]], float], mine: list[float], other: list[float], limit: float | None = None
    ) -> Comparison:
        bar = Bar(limit=limit, unit="ms") if limit else None
        return Comparison(what=what, unit="ms", ours=(of(mine),), against=AGAINST, theirs=(of(other),), bar=bar)

    return Findings(
        comparisons=(
            compare("until the next step begins, p50", median, begun, bare_begun, median(bare_begun) + ALLOWANCE),
            compare("until the next step begins, p95", p95, begun, bare_begun, 2 * p95(bare_begun)),
            compare("until it is done, p50", median, done, bare_done),
            compare("until it is done, p95", p95, done, bare_done),
        ),
        profiles=(_profile(ours),),
    )


def _profile(ours: list[Passage]) -> Profile:
    """The median of each step on the way; all rollouts take the same ones."""
    rows = [("the owner has the answer", "", plain(median(one.answered for one in ours)))]
    for steps in zip(*(one.ran for one in ours), strict=False):
        begun, done = median(one.begun for one in steps), median(one.done for one in steps)
        rows.append((steps[0].name, plain(begun), plain(done)))
    return Profile(title="an approval's way, ms after it was sent", columns=("", "begun", "done"), rows=tuple(rows))
