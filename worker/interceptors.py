"""What stands between the server and our handlers: a request that cannot even be handled becomes an entry."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from typing import Any

import structlog
from temporalio import activity, workflow
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue
from temporalio.exceptions import FailureError
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    ExecuteWorkflowInput,
    HandleSignalInput,
    HandleUpdateInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

from models.names import rollout_of
from models.work import ITS_OWN, Asked, RolloutKey

ARITY = "a wrong number of arguments was sent, one is expected"


class RefusalInterceptor(Interceptor):
    """Keeps a signal from failing or wedging a rollout, whatever it carries."""

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        return _Refusing


class _Refusing(WorkflowInboundInterceptor):
    """Writes down what a handler could not take, for example a wrong number of arguments.

    Only `Exception` is caught: cancellation and the SDK's own control flow are `BaseException`.
    """

    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
        """Let go of what the workflow was given as it came, once the workflow has read it.

        The SDK holds on to it for as long as the workflow is in memory, and so to the whole message it came in.
        """
        input.args = [RawValue(Payload()) if isinstance(one, RawValue) else one for one in input.args]
        input.headers = {name: _copied(payload) for name, payload in input.headers.items()}
        return await super().execute_workflow(input)

    async def handle_signal(self, input: HandleSignalInput) -> None:
        try:
            await super().handle_signal(input)
        except Exception as problem:
            _note(input.signal, problem)

    async def handle_update_handler(self, input: HandleUpdateInput) -> Any:
        try:
            return await super().handle_update_handler(input)
        except FailureError:
            raise
        except Exception as problem:
            return _note(input.update, problem)


def _note(name: str, problem: Exception) -> Any:
    note = getattr(workflow.instance(), "note_malformed", None)
    if note is None:
        raise problem
    told = _told(problem)
    if told is not ARITY:  # the sender's mistakes are found before; this one is ours, and whoever runs us should know
        workflow.logger.error("a request could not be handled", extra={"request": name[:100]}, exc_info=problem)
    return note(name, told)


def _told(problem: Exception) -> str:
    """What was wrong, in the sender's words rather than in ours."""
    text = str(problem)
    if isinstance(problem, TypeError) and "positional argument" in text:
        return ARITY
    return f"{type(problem).__name__}: {text}"


def _copied(payload: Payload) -> Payload:
    """The same, by itself: a part of a message keeps all of it in memory."""
    copy = Payload()
    copy.CopyFrom(payload)
    return copy


class ContextInterceptor(Interceptor):
    """Gives every log line of an activity its workflow, run and attempt."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Context(next)


class _Context(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        info = activity.info()
        with structlog.contextvars.bound_contextvars(
            workflow_id=info.workflow_id,
            run_id=info.workflow_run_id,
            activity=info.activity_type,
            attempt=info.attempt,
        ):
            return await super().execute_activity(input)


class OwnInterceptor(Interceptor):
    """Says of which rollout a request is that does not say it itself: that of the workflow which asks, in this run."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Own(next)


class _Own(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        input.args = [_known(one) for one in input.args]
        return await super().execute_activity(input)


def _known(request: Any) -> Any:
    info = activity.info()
    if not isinstance(request, Asked) or request.key != ITS_OWN or info.workflow_id is None:
        return request
    rollout_id, chain_id = rollout_of(info.workflow_id), info.workflow_run_id
    if rollout_id is None or chain_id is None:
        return request
    return request.of(RolloutKey(rollout_id=rollout_id, chain_id=chain_id))


BEAT = timedelta(seconds=1)
"""Pause between two signs of life of an activity; one that is done sooner gives none."""


SHORT = timedelta(minutes=2)
"""What may take longer gives signs of life of its own."""


class HeartbeatInterceptor(Interceptor):
    """Lets the server know that a short activity is still worked on, where it asks to: the activities of a worker that
    was killed are given to another one as soon as the signs stop, not only when their time is up. What stays for long
    gives its own signs, because it might live and be stuck."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Beating(next)


class _Beating(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        info = activity.info()
        if not info.heartbeat_timeout or not info.start_to_close_timeout or info.start_to_close_timeout > SHORT:
            return await super().execute_activity(input)
        beating = asyncio.create_task(_beat())
        try:
            return await super().execute_activity(input)
        finally:
            beating.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await beating


async def _beat() -> None:
    while True:
        await asyncio.sleep(BEAT.total_seconds())
        activity.heartbeat()
