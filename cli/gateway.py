"""The one module of the terminal that talks to Temporal: start a rollout, ask it, tell it."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from temporalio.client import Client, WorkflowHandle, WorkflowQueryFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from cli.home import Place
from cli.output import CliError, Exit
from models.command import COMMANDS, Command, Verb
from models.log import LogEntry, Outcome, Receipt
from models.names import ROLLOUT, TASK_QUEUE, rollout_workflow_id
from models.plan import RolloutPlan
from models.rollout import AllowedAction, RolloutView
from models.work import RolloutInput

ANSWER = timedelta(seconds=8)
"""How long to wait for a worker's answer."""

NEVER_LOST = frozenset({Verb.PAUSE, Verb.STOP})
"""Verbs sent as a signal first: they must reach the rollout also while no worker runs."""


class Gateway:
    """A connection to Temporal."""

    def __init__(self, client: Client) -> None:
        self.client = client

    @classmethod
    async def open(cls, place: Place) -> Gateway:
        """Connect.

        Raises:
            CliError: Temporal cannot be reached.
        """
        from worker.main import connect

        place.use()
        try:
            return cls(await asyncio.wait_for(connect(), 10))
        except (RuntimeError, OSError, TimeoutError) as problem:
            raise CliError(
                f"Temporal cannot be reached ({problem}). Are the servers up? Try `rollouts doctor`.", Exit.UNAVAILABLE
            ) from problem

    def handle(self, name: str) -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(rollout_workflow_id(name))

    async def start(self, plan: RolloutPlan, start: datetime | None, speed: float) -> bool:
        """Start a rollout; False if this very plan runs already.

        Raises:
            CliError: another version of the plan runs, or ran.
        """
        try:
            await self.client.start_workflow(
                ROLLOUT,
                RolloutInput(plan=plan, clock_start=start, clock_speed=speed),
                id=rollout_workflow_id(plan.id),
                task_queue=TASK_QUEUE,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                static_summary=plan.title,
                static_details=plan.decision,
            )
        except WorkflowAlreadyStartedError:
            standing = await self.status(plan.id)
            if standing.plan_digest == plan.digest:
                return False
            raise CliError(
                f"Another version of {plan.id} runs or ran ({standing.plan_digest}); a changed plan needs a new id.",
                Exit.REFUSED,
            ) from None
        return True

    async def status(self, name: str) -> RolloutView:
        """Where a rollout stands."""
        view: RolloutView = await self._query(name, "status", RolloutView)
        return view

    async def decisions(self, name: str) -> tuple[LogEntry, ...]:
        """The newest entries of its log."""
        entries: tuple[LogEntry, ...] = await self._query(name, "decisions", tuple[LogEntry, ...])
        return entries

    async def allowed_actions(self, name: str, identity: str | None) -> tuple[AllowedAction, ...]:
        """What may be done now, and why not."""
        actions: tuple[AllowedAction, ...] = await self._query(
            name, "allowed_actions", tuple[AllowedAction, ...], identity
        )
        return actions

    async def _query(self, name: str, query: str, result: Any, *args: Any) -> Any:
        try:
            return await self.handle(name).query(query, *args, result_type=result, rpc_timeout=ANSWER)
        except RPCError as problem:
            raise _told(name, problem) from problem
        except WorkflowQueryFailedError as problem:
            raise CliError(f"Rollout {name} cannot be asked: {problem}") from problem

    async def send(self, name: str, verb: Verb, actor: str, reason: str, **fields: Any) -> Receipt:
        """Send a request and return what came of it.

        Raises:
            CliError: the request is malformed, the rollout is over or unknown.
        """
        request = {"request_id": str(uuid4()), "actor": actor, "reason": reason, **fields}
        command = _checked(verb, request)
        handle = self.handle(name)
        try:
            if verb in NEVER_LOST:
                await handle.signal(verb.value, command)
                return await self._outcome(name, command)
            receipt: Receipt = await handle.execute_update(
                verb.value, command, result_type=Receipt, rpc_timeout=ANSWER * 2
            )
            return receipt
        except WorkflowUpdateRPCTimeoutOrCancelledError:
            # The update may or may not have been taken; the signal repeats it under the same id.
            await handle.signal(verb.value, command)
            return _unknown(command)
        except RPCError as problem:
            raise _told(name, problem) from problem

    async def _outcome(self, name: str, command: Command) -> Receipt:
        """Look for the entry of a request that went as a signal."""
        loop = asyncio.get_running_loop()
        until = loop.time() + ANSWER.total_seconds()
        while loop.time() < until:
            try:
                entries = await self.decisions(name)
            except CliError:
                break
            for entry in entries:
                if entry.request_id == command.request_id:
                    outcome = entry.outcome or Outcome.APPLIED
                    return Receipt(
                        request_id=entry.request_id, outcome=outcome, message=entry.message, sequence=entry.sequence
                    )
            await asyncio.sleep(0.2)
        return _unknown(command)


def _checked(verb: Verb, request: dict[str, Any]) -> Command:
    from pydantic import ValidationError

    try:
        return COMMANDS[verb].model_validate(request)
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg'].lower()}" for one in error.errors())
        raise CliError(f"The request does not hold: {told}.", Exit.BAD_INPUT) from error


def _unknown(command: Command) -> Receipt:
    return Receipt(
        request_id=command.request_id,
        outcome=Outcome.PENDING,
        message="sent and kept by the server; no worker has answered yet, so what came of it is not known",
        sequence=0,
    )


def _told(name: str, problem: RPCError) -> CliError:
    if problem.status is RPCStatusCode.NOT_FOUND:
        return CliError(
            f"No rollout {name} runs: it was never started, or it is over; `rollouts decisions {name}` shows its log.",
            Exit.BAD_INPUT,
        )
    if problem.status in (RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED):
        return CliError(f"No worker answers for {name}; try `rollouts doctor`.", Exit.UNAVAILABLE)
    return CliError(f"Temporal refused: {problem.message}", Exit.UNAVAILABLE)
