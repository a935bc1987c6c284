"""A rollout on real servers: PartnerRollout, PartnerWatch and all activities, with the test playing the owners."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
from temporalio.client import Client, WorkflowHandle, WorkflowQueryFailedError
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment

from activities import Trust
from cli.backtest.server import Stranded, stranded
from models.command import COMMANDS, WATCH_ACTOR, Verb
from models.log import LogEntry, Outcome, Receipt
from models.names import ROLLOUT, WATCH, WATCH_ID, rollout_workflow_id
from models.plan import Decisions, RolloutPlan
from models.rollout import RolloutView, Status
from models.work import RolloutInput, RolloutResult, WatchInput
from tests.signing import Pen, Signed, write_keys
from tests.worker.process import patiently
from worker.plugin import rollouts_plugin
from worker.serving import serving

FACTS_FROM = datetime(2025, 9, 1, tzinfo=UTC).date()
START = datetime(2026, 1, 5, tzinfo=UTC)
FACTS_TO = datetime(2026, 8, 1, tzinfo=UTC).date()
DAY = timedelta(days=1)
ASIDE = timedelta(minutes=7)
"""What a test's days differ by from those of a rollout, whose timers fire after whole ones: a request in those
milliseconds may strand it (`cli/backtest/server.py`)."""


@dataclass
class LiveService:
    """The service that people sign in to, and the file of keys that the workers were given."""

    signs: Signed
    file: Path

    def rotate(self) -> None:
        """From now on a new key signs; the old one stays in the file."""
        old = self.signs.pen
        self.signs.pen = Pen(f"{old.kid}-next")
        write_keys(self.file, self.signs.pen, old)


@dataclass
class Live:
    """One running rollout and the hands on it."""

    client: Client
    env: WorkflowEnvironment
    plan: RolloutPlan
    handle: WorkflowHandle[Any, RolloutResult]
    service: LiveService | None = None

    async def view(self) -> RolloutView:
        found: RolloutView = await self.handle.query("status", result_type=RolloutView)
        return found

    async def log(self) -> tuple[LogEntry, ...]:
        found: tuple[LogEntry, ...] = await self.handle.query("decisions", result_type=tuple[LogEntry, ...])
        return found

    async def ask(self, verb: Verb | str, actor: str, reason: str = "because", **fields: Any) -> Receipt:
        """A request as a signal, and what its entry in the log says came of it.

        Not as an update: the time-skipping server loses its way when one meets another task of the same workflow.
        """
        payload = await self.signed(verb, self.payload(actor, reason, **fields))
        await self.handle.signal(str(verb), payload)
        return await self.answer(payload)

    async def answer(self, payload: dict[str, Any]) -> Receipt:
        """What came of a request, by its entry in the log.

        It is not asked for at once: the time-skipping server may lose a run that is asked something just as it is
        carried on in a new one.
        """

        async def look() -> Receipt | None:
            await asyncio.sleep(0.05)
            for entry in reversed(await self._log_to_the_end()):
                if entry.request_id == payload["request_id"] and entry.outcome in (Outcome.APPLIED, Outcome.REFUSED):
                    return Receipt(
                        request_id=entry.request_id,
                        outcome=entry.outcome,
                        message=entry.message,
                        sequence=entry.sequence,
                    )
            return None

        return await patiently(look, lambda: f"nothing came of {payload}")

    async def signed(self, verb: Verb | str, payload: dict[str, Any], **claims: Any) -> dict[str, Any]:
        """The payload with its person's signature, where decisions are signed; a `token` in it stays."""
        if self.service is None or "token" in payload or payload["actor"] == WATCH_ACTOR:
            return payload
        now = await self.env.get_current_time()
        command = COMMANDS[Verb(verb)].model_validate_json(json.dumps(payload, default=str))
        return {**payload, "token": self.service.signs.request(Verb(verb), command, now, **claims)}

    async def _log_to_the_end(self) -> tuple[LogEntry, ...]:
        """The log; empty while there is no worker's answer, as it happens when a rollout just ended, or when a worker
        that has just started is asked to ask again."""
        try:
            return await self.log()
        except (RPCError, WorkflowQueryFailedError):
            return ()

    async def signal(self, verb: Verb | str, actor: str, reason: str = "because", **fields: Any) -> None:
        await self.handle.signal(str(verb), await self.signed(verb, self.payload(actor, reason, **fields)))

    def payload(self, actor: str, reason: str = "because", **fields: Any) -> dict[str, Any]:
        if "@" not in actor:
            actor = next((one.identity for one in self.plan.holders(actor)), actor)
        return {"request_id": str(uuid4()), "actor": actor, "reason": reason, **fields}

    async def confirm_all(self) -> None:
        for owner in self.plan.owners:
            await self.ask(Verb.CONFIRM_OWNERSHIP, owner.identity, role=owner.role)

    async def decide(self, *roles: str, choice: str = "approve", **fields: Any) -> Receipt:
        """Each role decides at the open gate, on the evidence it shows then."""
        receipt = None
        for role in roles:
            gate = (await self.until_status(Status.AWAITING_APPROVAL)).gate
            assert gate is not None
            data = {
                "gate": gate.key,
                "choice": choice,
                "plan_digest": self.plan.digest,
                "evidence_digest": gate.digest,
            }
            receipt = await self.ask(Verb.DECIDE, role, **(data | fields))
        assert receipt is not None
        return receipt

    async def days(self, count: float) -> None:
        """Let programme time pass (the clock runs at speed 1 on the time-skipping server).

        Raises:
            Stranded: the server has lost the rollout or the watch.
        """
        try:
            await self.env.sleep(DAY * count + ASIDE)
        except RPCError as problem:
            if await stranded(*await self._last_runs(), self.client.get_workflow_handle(WATCH_ID)):
                raise Stranded(problem.message) from problem
            raise

    async def _last_runs(self) -> list[WorkflowHandle[Any, Any]]:
        """The rollout's run and the one that it was carried on from: the server may also lose that, as it ends."""
        newest = self.client.get_workflow_handle(self.handle.id)
        began = (await newest.fetch_history()).events[0].workflow_execution_started_event_attributes
        before = began.continued_execution_run_id
        return [newest, *([self.client.get_workflow_handle(newest.id, run_id=before)] if before else [])]

    async def until_status(self, *wanted: Status, within_days: int = 40) -> RolloutView:
        """Skip a day at a time until the rollout has one of these statuses."""
        view = await self.view()
        for _ in range(within_days):
            if view.status in wanted:
                return view
            await self.days(1)
            view = await self.view()
        raise AssertionError(f"still {view.status}: {view.sentence}")

    async def until_phase(self, phase: str, wave: int | None = None, within_days: int = 60) -> RolloutView:
        view = await self.view()
        for _ in range(within_days):
            if (view.phase.value, view.wave) == (phase, wave):
                return view
            await self.days(1)
            view = await self.view()
        raise AssertionError(f"still in {view.phase} {view.wave}: {view.sentence}")

    async def stored_log(self, pool: asyncpg.Pool) -> Sequence[asyncpg.Record]:
        return await pool.fetch(
            "select sequence, entry from decision_log where rollout_id = $1 order by sequence", self.plan.id
        )


@asynccontextmanager
async def running(
    env: WorkflowEnvironment,
    pool: asyncpg.Pool,
    plan: RolloutPlan,
    *,
    start: datetime = START,
    speed: float = 1.0,
    slowest: timedelta = DAY,
    claims: dict[str, Any] | None = None,
    **options: Any,
) -> AsyncIterator[Live]:
    """A worker, the watch and a rollout of `plan`, started at programme time `start`; everything ends with it.

    The plan gets an id of its own, so that rollouts on the same server are not taken for one another. Where it says
    that decisions are signed, they are, with a key of its own; `claims` is what the start's token says otherwise.
    """
    plan = plan.model_copy(update={"id": f"{plan.id}-{uuid4().hex[:8]}"})
    queue = f"test-{uuid4()}"
    config: dict[str, Any] = {**env.client.config(), "plugins": [rollouts_plugin()]}
    client = Client(**config)
    begun: list[str] = []
    folder = Path(tempfile.mkdtemp(prefix="partner-rollouts-keys-"))
    service, trust = None, Trust()
    if plan.decisions is Decisions.SIGNED:
        signs = Signed(plan)
        service = LiveService(signs, write_keys(folder / "keys.json", signs.pen))
        trust = Trust(service.file, decisions=Decisions.SIGNED)
    try:
        async with serving(client, pool, queue, trust=trust, **options):
            # In skipped time a watch that looks every few minutes would look thousands of times: once a day will do.
            watch = await client.start_workflow(
                WATCH,
                WatchInput(slowest=slowest),
                id=WATCH_ID,
                task_queue=queue,
                id_conflict_policy=WorkflowIDConflictPolicy.TERMINATE_EXISTING,
            )
            begun.append(watch.id)
            now = await env.get_current_time()
            token = service.signs.start(now, **(claims or {})) if service else None
            rollout = await client.start_workflow(
                ROLLOUT,
                RolloutInput(
                    plan=plan,
                    clock_start=start,
                    clock_speed=speed,
                    start_token=token,
                ),
                id=rollout_workflow_id(plan.id),
                task_queue=queue,
                result_type=RolloutResult,
            )
            begun.append(rollout.id)
            if service is not None and rollout.first_execution_run_id is not None:
                service.signs.chain = rollout.first_execution_run_id
            yield Live(client=client, env=env, plan=plan, handle=rollout, service=service)
    finally:
        shutil.rmtree(folder)
        # Not while the worker runs: the SDK's core at times never ends when it hears, just as it is shut down, that an
        # activity it works on has lost its workflow.
        for workflow_id in begun:
            await _terminate(client, workflow_id)


async def _terminate(client: Client, workflow_id: str) -> None:
    try:
        await client.get_workflow_handle(workflow_id).terminate("the test is over")
    except RPCError:
        return
