"""The sweep: exports the histories of runs that are over, and finds open rollouts whose workflow does not go on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple

import asyncpg
import structlog
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import WorkflowExecutionStatus as Status
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest, ListWorkflowExecutionsRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.alarming import raise_alarm, was_reset
from activities.errors import borrowed
from activities.exporting import ANSWER, RunGone, began_as, export_chain
from models.names import ROLLOUT, rollout_workflow_id
from models.trouble import Trouble
from models.work import RolloutKey
from store import alarms, histories
from store.alarms import Found
from store.turns import turn

log = structlog.get_logger(__name__)

PAGE = 500
"""Runs listed together."""

SETTLED = (Status.WORKFLOW_EXECUTION_STATUS_RUNNING, Status.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW)
PREFIX = rollout_workflow_id("")

TOGETHER = 4
"""Rollouts asked for side by side."""


class Swept(NamedTuple):
    """What a sweep did: runs that are over and were exported now, those that could not be, and alarms that stand."""

    exported: int = 0
    failed: int = 0
    alarms: int = 0


class Sweep:
    """Looks at Temporal from outside: workflows that were terminated, deleted or set back cannot tell of it."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], client: Client) -> None:
        self._pool = pool
        self._client = client
        self._sound: dict[RolloutKey, str] = {}

    async def look(self) -> Swept | None:
        """Raise an alarm for every open rollout without a workflow that goes on; None where another worker looks.

        Raises:
            ApplicationError: the store does not answer.
            RPCError: Temporal does not.
        """
        async with borrowed(self._pool) as mine, turn(mine, "look after workflows") as ours:
            return await self._look() if ours else None

    async def _look(self) -> Swept:
        async with borrowed(self._pool) as conn:
            await alarms.end_with_rollouts(conn)
            opened = await alarms.open_rollouts(conn)
        running = {one.execution.workflow_id: one.execution.run_id async for one in self._list("Running")}
        self._sound = {one.key: self._sound[one.key] for one in opened if one.key in self._sound}
        doubtful = [one.key for one in opened if one.alarmed or not self._is_sound(one.key, running)]
        for at in range(0, len(doubtful), TOGETHER):
            await asyncio.gather(*map(self._examine, doubtful[at : at + TOGETHER]))
        async with borrowed(self._pool) as conn:
            return Swept(alarms=len(await alarms.standing(conn)))

    def _is_sound(self, key: RolloutKey, running: dict[str, str]) -> bool:
        """It runs, and nothing was wrong with that very run when it was last asked for."""
        run_id = running.get(rollout_workflow_id(key.rollout_id))
        return run_id is not None and self._sound.get(key) == run_id

    async def _examine(self, key: RolloutKey) -> None:
        """Ask for one rollout, and believe only what is so though the store still has it open."""
        found, runs = await self._troubles(key)
        async with borrowed(self._pool) as conn, conn.transaction():
            if key not in (one.key for one in await alarms.open_rollouts(conn, [key.rollout_id])):
                return
            new = [await raise_alarm(conn, key, one) for one in found]
            over = await alarms.settle(conn, key, found)
        for trouble in over:
            log.info("workflow_alarm_over", rollout=key.rollout_id, chain=key.chain_id, trouble=trouble.value)
        if not found:
            self._sound[key] = runs[0]
            return
        self._sound.pop(key, None)
        for run_id in runs if any(new) else ():
            await self._export(key, run_id)

    async def _troubles(self, key: RolloutKey) -> tuple[tuple[Found, ...], tuple[str, ...]]:
        """What is wrong with a rollout's workflow; and its runs: the newest, and the one it was reset from."""
        workflow_id = rollout_workflow_id(key.rollout_id)
        request = DescribeWorkflowExecutionRequest(
            namespace=self._client.namespace, execution=WorkflowExecution(workflow_id=workflow_id)
        )
        try:
            told = await self._client.workflow_service.describe_workflow_execution(request, timeout=ANSWER)
        except RPCError as problem:
            if problem.status is not RPCStatusCode.NOT_FOUND:
                raise
            return (Found(Trouble.DELETED, key.chain_id, f"Temporal has no workflow {workflow_id}"),), ()
        info = told.workflow_execution_info
        run_id = info.execution.run_id
        if info.first_run_id and info.first_run_id != key.chain_id:
            text = f"the workflow {workflow_id} was started again: its chain is {info.first_run_id}"
            return (Found(Trouble.REPLACED, info.first_run_id, text),), ()
        found = []
        if info.status == Status.WORKFLOW_EXECUTION_STATUS_PAUSED:
            paused = told.workflow_extended_info.pause_info
            text = f"somebody ({paused.identity}) paused run {run_id} in Temporal itself: {paused.reason}"
            found.append(Found(Trouble.PAUSED, run_id, text[:500]))
        elif info.status == Status.WORKFLOW_EXECUTION_STATUS_TERMINATED:
            text = f"run {run_id} was terminated at {info.close_time.ToDatetime():%Y-%m-%d %H:%M:%S} UTC"
            found.append(Found(Trouble.TERMINATED, run_id, text))
        elif info.status not in SETTLED:
            ended = Status.Name(info.status).removeprefix("WORKFLOW_EXECUTION_STATUS_").lower()
            text = f"run {run_id} is {ended}, and the store has the rollout open"
            found.append(Found(Trouble.ENDED, run_id, text))
        began = await began_as(self._client, workflow_id, run_id)
        if began.reset_from:
            found.append(was_reset(run_id, began.reset_from))
        return tuple(found), tuple(one for one in (run_id, began.reset_from) if one)

    async def export(self) -> Swept | None:
        """Export every run that is over and not kept to its end; None where another worker does.

        Raises: like `look`.
        """
        async with borrowed(self._pool) as mine, turn(mine, "export histories") as ours:
            return await self._export_all() if ours else None

    async def _export_all(self) -> Swept:
        exported = failed = 0
        listed = [one.execution async for one in self._list("Running", "Paused", but=True)]
        for part in (listed[at : at + PAGE] for at in range(0, len(listed), PAGE)):
            async with borrowed(self._pool) as conn:
                whole = await histories.kept_whole(conn, [one.run_id for one in part])
            for one in part:
                if one.run_id in whole or not one.workflow_id.startswith(PREFIX):
                    continue
                done = await self._export_run(one.workflow_id, one.run_id)
                exported, failed = exported + bool(done), failed + (done is False)
        return Swept(exported=exported, failed=failed)

    async def _export_run(self, workflow_id: str, run_id: str) -> bool | None:
        """Whether it went well; None for a run that is not this store's, or gone by now."""
        try:
            began = await began_as(self._client, workflow_id, run_id)
        except RunGone:
            return None
        key = RolloutKey(rollout_id=workflow_id.removeprefix(PREFIX), chain_id=began.chain_id)
        async with borrowed(self._pool) as conn:
            known = await histories.is_registered(conn, key)
        return await self._export(key, run_id) if known else None

    async def _export(self, key: RolloutKey, run_id: str) -> bool | None:
        """One that cannot be exported does not keep the others."""
        try:
            await export_chain(self._pool, self._client, key, run_id)
        except RunGone:
            return None
        except Exception as problem:
            log.error("history_not_exported", rollout=key.rollout_id, run=run_id, problem=str(problem)[:300])
            return False
        return True

    async def _list(self, *states: str, but: bool = False) -> AsyncIterator[WorkflowExecutionInfo]:
        """Runs of rollouts in these states, or in all but these. Not by the SDK's list: it knows no paused one."""
        sign, join = ("!=", "and") if but else ("=", "or")
        wanted = f" {join} ".join(f"ExecutionStatus {sign} '{state}'" for state in states)
        request = ListWorkflowExecutionsRequest(
            namespace=self._client.namespace, page_size=PAGE, query=f"WorkflowType = '{ROLLOUT}' and ({wanted})"
        )
        while True:
            page = await self._client.workflow_service.list_workflow_executions(request, timeout=ANSWER)
            for one in page.executions:
                yield one
            if not page.next_page_token:
                return
            request.next_page_token = page.next_page_token
