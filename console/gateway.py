"""The one way from people to Temporal: start a rollout, ask it, tell it, read its history."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    DescribeTaskQueueRequest,
    DescribeWorkflowExecutionRequest,
)
from temporalio.client import (
    Client,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
    WorkflowUpdateStage,
)
from temporalio.common import QueryRejectCondition, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from console.errors import GatewayError, Kind
from console.keeping import kept_too_short, too_short
from console.requests import pending, receipt_of, told_of
from models.base import short
from models.command import Command, Verb
from models.log import LogEntry, Receipt
from models.names import ROLLOUT, TASK_QUEUE, rollout_workflow_id, watch_workflow_id
from models.plan import Decisions, RolloutPlan
from models.rollout import AllowedAction, RolloutView
from models.work import RolloutInput, WatchView
from worker.plugin import rollouts_plugin
from worker.settings import RETENTION_DAYS
from workflows.patience import TASK

T = TypeVar("T")

ANSWER = timedelta(seconds=8)
"""How long to wait for a worker to take a request or a question."""

EXAMINED = timedelta(seconds=70)
"""How long to wait for what comes of a request that was taken; a resume reads fresh evidence first."""

ASK_AGAIN = 0.3
"""Seconds after which a question that a worker could not answer yet is asked again."""

CONNECT_SECONDS = 10

MOST_CHAINS = 1000
"""Rollouts whose plan a process remembers."""

POLLED_WITHIN = timedelta(minutes=2)
"""A worker without work asks anew every minute."""

NEVER_LOST = frozenset({Verb.PAUSE, Verb.STOP})
"""Verbs sent as a signal first: they must reach the rollout also while no worker runs."""


class _Late(RPCError):
    """Nobody has answered within the time we give."""

    def __init__(self) -> None:
        super().__init__("no answer in time", RPCStatusCode.DEADLINE_EXCEEDED, b"")


class Chain(NamedTuple):
    """A rollout as signatures name it: its plan, and the first run of its chain."""

    plan: RolloutPlan
    first_run: str


class Gateway:
    """A connection to Temporal."""

    def __init__(
        self,
        client: Client,
        *,
        answer: timedelta = ANSWER,
        least_retention: timedelta = timedelta(days=RETENTION_DAYS),
    ) -> None:
        self.client = client
        self._least_retention = least_retention
        self._answer = answer
        self._chains: dict[str, Chain] = {}
        self._connected = False

    @classmethod
    async def open(
        cls, target_host: str, *, least_retention: timedelta = timedelta(days=RETENTION_DAYS), **config: Any
    ) -> Gateway:
        """Connect, with `lazy` at the first question; further arguments are those of `Client.connect`.

        Args:
            least_retention: with closed histories kept for less, no rollout is started; zero: it does not matter.

        Raises:
            GatewayError: Temporal cannot be reached there.
        """
        try:
            connecting = Client.connect(target_host, **config, plugins=[rollouts_plugin()])
            client = await asyncio.wait_for(connecting, CONNECT_SECONDS)
            return cls(client, least_retention=least_retention)
        except (RuntimeError, OSError, TimeoutError) as problem:
            raise GatewayError(
                f"Temporal cannot be reached at {target_host} ({_why(problem)}); try `rollouts doctor`.",
                Kind.UNAVAILABLE,
            ) from problem

    async def _connect(self) -> None:
        """A lazy client connects at its first call, and tells of a server that is away in a way of its own."""
        if self._connected:
            return
        try:
            await self._in_time(self.client.service_client.check_health(timeout=self._answer))
        except (RuntimeError, RPCError) as problem:
            where = self.client.service_client.config.target_host
            raise GatewayError(
                f"Temporal cannot be reached at {where} ({_why(problem)}); try `rollouts doctor`.", Kind.UNAVAILABLE
            ) from problem
        self._connected = True

    def handle(self, name: str, run_id: str | None = None) -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(rollout_workflow_id(name), run_id=run_id)

    async def start(
        self,
        plan: RolloutPlan,
        start: datetime | None,
        speed: float,
        *,
        decisions: Decisions | None = None,
        token: str | None = None,
        short_retention: bool = False,
    ) -> bool:
        """Start a rollout; False if this very plan runs, or ran, already.

        Args:
            decisions: what holds where the plan does not say; as a rule unsigned.
            token: what proves who starts it, which a rollout with signed decisions needs.
            short_retention: also where closed histories are kept for less than they should be; its log says so.

        Raises:
            GatewayError: another version of the plan runs or ran, or this one on another clock; or closed histories
                are not kept long enough.
        """
        await self._connect()
        kept = await too_short(self._retained, plan.id, self.client.namespace, self._least_retention)
        if kept is not None and not short_retention:
            raise kept_too_short(self.client.namespace, kept, self._least_retention)
        try:
            await self.client.start_workflow(
                ROLLOUT,
                RolloutInput(
                    plan=plan,
                    clock_start=start,
                    clock_speed=speed,
                    decisions=plan.decisions or decisions or Decisions.UNSIGNED,
                    start_token=token,
                    short_retention=kept,
                ),
                id=rollout_workflow_id(plan.id),
                task_queue=TASK_QUEUE,
                task_timeout=TASK,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                static_summary=plan.title,
                static_details=plan.decision,
            )
        except WorkflowAlreadyStartedError:
            known = await self.started_with(plan.id)
            if known.plan.digest != plan.digest:
                raise GatewayError(
                    f"Another version of {plan.id} runs or ran: it is plan {short(known.plan.digest)}, this one is "
                    f"{short(plan.digest)}. A rollout's plan never changes; give the changed plan a new id.",
                    Kind.REFUSED,
                ) from None
            if not _same_clock(known, start, speed):
                raise GatewayError(
                    f"{plan.id} runs or ran already, by another programme clock; to run the plan by this one too, "
                    "give it a new id.",
                    Kind.REFUSED,
                ) from None
            return False
        except RPCError as problem:
            raise told_of(plan.id, problem) from problem
        return True

    async def chain(self, name: str) -> Chain:
        """What a signature for the newest chain of a rollout must name.

        Raises:
            GatewayError: Temporal has no history of it, or does not answer.
        """
        await self._connect()
        try:
            first = (await self._in_time(self._newest(name))).first_run_id
        except RPCError as problem:
            raise told_of(name, problem) from problem
        known = self._chains.get(name)
        if known is None or known.first_run != first:
            if len(self._chains) >= MOST_CHAINS:
                self._chains.clear()
            # A chain's plan never changes.
            known = self._chains[name] = Chain((await self.started_with(name)).plan, first)
        return known

    async def started_with(self, name: str) -> RolloutInput:
        """What the newest run of a rollout was started with, from its history: needs no worker.

        Raises:
            GatewayError: Temporal has no history of it.
        """
        try:
            async for event in self.handle(name).fetch_history_events(page_size=1):
                payloads = event.workflow_execution_started_event_attributes.input.payloads
                decoded = await self.client.data_converter.decode(list(payloads), [RolloutInput])
                given: RolloutInput = decoded[0]
                return given
        except RPCError as problem:
            raise told_of(name, problem) from problem
        raise GatewayError(f"The history of {name} is empty.")

    async def knows(self, name: str) -> bool:
        """Whether Temporal has a rollout of that name, running or over.

        Raises:
            GatewayError: it does not answer.
        """
        try:
            await self.chain(name)
        except GatewayError as problem:
            if problem.kind is Kind.UNKNOWN:
                return False
            raise
        return True

    async def are_signed(self, name: str) -> bool:
        """Whether its decisions must be signed, from its history."""
        given = await self.started_with(name)
        return (given.state.decisions if given.state else given.decisions) is Decisions.SIGNED

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
        """Ask, and ask again where a worker has first to take what has happened (see `worker/lookahead.py`)."""
        await self._connect()
        loop = asyncio.get_running_loop()
        until = loop.time() + self._answer.total_seconds()
        while True:
            try:
                asked = self.handle(name).query(query, *args, result_type=result, rpc_timeout=self._answer)
                return await self._in_time(asked)
            except RPCError as problem:
                raise told_of(name, problem) from problem
            except (WorkflowQueryFailedError, WorkflowQueryRejectedError) as problem:
                if loop.time() > until:
                    raise GatewayError(f"Rollout {name} cannot be asked: {problem}") from problem
            await asyncio.sleep(ASK_AGAIN)

    async def deliver(self, name: str, verb: Verb, command: Command) -> Receipt:
        """Send a request and return what came of it; pending where that is not known yet.

        Raises:
            GatewayError: the rollout is over or unknown, or nobody answers.
        """
        try:
            if verb in NEVER_LOST:
                return await self._signalled(name, verb, command)
            return await self._updated(name, verb, command)
        except RPCError as problem:
            if problem.status is RPCStatusCode.NOT_FOUND and await self._exists(name):
                told = f"Rollout {name} is over; nothing changes it any more. Its log: `rollouts decisions {name}`."
                raise GatewayError(told, Kind.REFUSED) from problem
            raise told_of(name, problem) from problem

    async def _updated(self, name: str, verb: Verb, command: Command) -> Receipt:
        handle = self.handle(name)
        try:
            update = await self._in_time(
                handle.start_update(
                    verb.value,
                    command,
                    wait_for_stage=WorkflowUpdateStage.ACCEPTED,
                    result_type=Receipt,
                    rpc_timeout=self._answer,
                )
            )
        except (WorkflowUpdateRPCTimeoutOrCancelledError, _Late):
            # No worker has taken it, and a server does not keep an update that nobody took: a signal is kept. Should
            # a worker come up and take both, the second is a duplicate, for they have one request id.
            return await self._signalled(name, verb, command)
        try:
            receipt: Receipt = await update.result(rpc_timeout=EXAMINED)
        except WorkflowUpdateRPCTimeoutOrCancelledError:
            return pending(command, "taken; what comes of it is not known yet")
        return receipt

    async def _signalled(self, name: str, verb: Verb, command: Command) -> Receipt:
        """Send as a signal, then look for the entry that says what came of it."""
        await self.handle(name).signal(verb.value, command, rpc_timeout=self._answer)
        loop = asyncio.get_running_loop()
        until = loop.time() + self._answer.total_seconds()
        while loop.time() < until:
            with contextlib.suppress(GatewayError):
                for entry in reversed(await self.decisions(name)):
                    if entry.request_id == command.request_id and "duplicate" not in (entry.refusal or ""):
                        return receipt_of(entry)
            await asyncio.sleep(0.2)
        return pending(command, "recorded and kept by the server; no worker answers, so the outcome is not known yet")

    async def _exists(self, name: str) -> bool:
        try:
            await self._newest(name)
        except RPCError:
            return False
        return True

    async def _newest(self, name: str) -> WorkflowExecutionInfo:
        """The newest run of a rollout. The SDK's own description knows no run that is paused in Temporal itself."""
        request = DescribeWorkflowExecutionRequest(
            namespace=self.client.namespace, execution=WorkflowExecution(workflow_id=rollout_workflow_id(name))
        )
        told = await self.client.workflow_service.describe_workflow_execution(request, timeout=self._answer)
        return told.workflow_execution_info

    async def runs(self, name: str) -> AsyncIterator[tuple[str, tuple[HistoryEvent, ...]]]:
        """The runs of a rollout's chain with their events, the newest run first.

        It ends early where an older run is past retention: the first event of the last run then still names it.

        Raises:
            GatewayError: Temporal has no history of it.
        """
        try:
            newest = (await self._newest(name)).execution.run_id
        except RPCError as problem:
            raise told_of(name, problem) from problem
        run_id = newest
        while run_id:
            try:
                events = tuple((await self.handle(name, run_id).fetch_history()).events)
            except RPCError as problem:
                if problem.status is RPCStatusCode.NOT_FOUND and run_id != newest:
                    return
                raise told_of(name, problem) from problem
            yield run_id, events
            run_id = events[0].workflow_execution_started_event_attributes.continued_execution_run_id

    async def pollers(self) -> tuple[str, ...]:
        """Who asks for work, each as `pid@host`. One that died is remembered by the server for a while, and left out
        only when it has not asked for two minutes."""
        request = DescribeTaskQueueRequest(
            namespace=self.client.namespace,
            task_queue=TaskQueue(name=TASK_QUEUE),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
        found = (await self.client.workflow_service.describe_task_queue(request)).pollers
        now = datetime.now(UTC)
        return tuple(one.identity for one in found if now - one.last_access_time.ToDatetime(tzinfo=UTC) < POLLED_WITHIN)

    async def retention(self) -> timedelta:
        """How long closed histories are kept."""
        request = DescribeNamespaceRequest(namespace=self.client.namespace)
        found = await self.client.workflow_service.describe_namespace(request)
        return found.config.workflow_execution_retention_ttl.ToTimedelta()

    async def _retained(self) -> timedelta:
        return await self._in_time(self.retention())

    async def watch(self, shard: int = 0) -> WatchView:
        """What a shard of the watch did last.

        Raises:
            RPCError: it never ran, or no worker answers for it.
            GatewayError: it has ended; a worker would tell of it all the same how it stood before.
        """
        handle = self.client.get_workflow_handle(watch_workflow_id(shard))
        reject, within = QueryRejectCondition.NOT_OPEN, self._answer
        asked = handle.query("status", result_type=WatchView, reject_condition=reject, rpc_timeout=within)
        try:
            view: WatchView = await self._in_time(asked)
        except WorkflowQueryRejectedError as problem:
            how = problem.status.name.lower() if problem.status is not None else "it has ended"
            raise GatewayError(f"{watch_workflow_id(shard)} does not run: {how}") from problem
        return view

    async def _in_time(self, call: Awaitable[T]) -> T:
        """A call that the SDK would repeat beyond the time it is given."""
        try:
            return await asyncio.wait_for(call, self._answer.total_seconds())
        except TimeoutError as problem:
            raise _Late from problem


def _same_clock(known: RolloutInput, start: datetime | None, speed: float) -> bool:
    """Whether a rollout was started with this clock. A later run of a chain knows it from the state it carries."""
    if known.state is None:
        return (known.clock_start, known.clock_speed) == (start, speed)
    clock = known.state.clock
    return (clock.programme_start, clock.speed) == (start or clock.real_start, speed)


def _why(problem: BaseException) -> str:
    """The end of a chain of causes on one bounded line, without the names of a library's internals."""
    told = " ".join(str(problem).split())
    if "refused" in told.casefold():
        return "connection refused"
    return told[:200].rstrip(".") or "no answer"
