"""Keeps a question from moving a rollout: a step that only a question has brought about is refused."""

from __future__ import annotations

import dataclasses
from typing import Any

from temporalio.api.common.v1 import Payloads
from temporalio.api.failure.v1 import Failure
from temporalio.bridge.proto.workflow_activation import InitializeWorkflow, WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.converter import SerializationContext, StorageDriverStoreContext
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner
from temporalio.workflow import Info

from models.names import ROLLOUT

QUIET = frozenset({"query_workflow", "remove_from_cache"})
"""Jobs that move nothing."""


_NOWHERE = StorageDriverStoreContext(target=None)


class LookedAhead(Exception):
    """A worker was about to take events whose workflow task has not begun."""


class SteadyRunner(SandboxedWorkflowRunner):
    """The sandbox, without steps into what has not begun."""

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        return SteadyInstance(super().create_instance(by_itself(det)))


def by_itself(details: WorkflowInstanceDetails) -> WorkflowInstanceDetails:
    """The same, without parts of the message that began the workflow: each would keep all of it in memory, plan and
    all, for as long as the workflow is there."""
    result, failure = Payloads(), details.last_failure
    result.CopyFrom(details.last_completion_result)
    if failure is not None:
        alone = Failure()
        alone.CopyFrom(failure)
        failure = alone
    return dataclasses.replace(details, last_completion_result=result, last_failure=failure)


def _with_one_argument(start: InitializeWorkflow) -> None:
    """A rollout is started with one. With any other number of them the SDK cannot even make the workflow, and its task
    would fail for ever: it is handed one that holds nothing, so that it ends and says that it cannot be read."""
    if start.workflow_type == ROLLOUT and len(start.arguments) != 1:
        del start.arguments[:]
        start.arguments.add()


class SteadyInstance(WorkflowInstance):
    """Asked about a workflow that it does not have in memory, a worker reads the history to its end. Where the end is
    a scheduled workflow task with a signal after it, as happens when the worker before was killed, temporalio 1.35
    takes these events as though the task had begun: at the time of the task before, and it keeps the commands for the
    next one. Every later replay sees the events at their true time, decides otherwise, and the rollout is stuck.

    Such a step has new events but no new time. It is refused and the question with it, so that the SDK drops the
    workflow from its memory and reads it anew when the task does begin. Whoever asked asks again.
    """

    def __init__(self, inner: WorkflowInstance) -> None:
        self._inner = inner
        self._time: tuple[int, int] | None = None
        self._length = 0

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        for job in act.jobs:
            if job.HasField("initialize_workflow"):
                _with_one_argument(job.initialize_workflow)
        if any(job.WhichOneof("variant") not in QUIET for job in act.jobs):
            time = (act.timestamp.seconds, act.timestamp.nanos)
            if not act.is_replaying and time == self._time and act.history_length > self._length:
                raise LookedAhead("the rollout has news that no worker has taken yet; ask again")
            self._time, self._length = time, act.history_length
        return self._inner.activate(act)

    def get_serialization_context(self, command_info: Any) -> SerializationContext | None:
        """The SDK asks several times for each payload, and each time to ask is a step into the sandbox. Our converter
        writes and reads the same whoever it is for."""
        return None

    def get_external_store_context(self, command_info: Any) -> StorageDriverStoreContext:
        """As above: nothing is stored elsewhere."""
        return _NOWHERE

    def get_info(self) -> Info:
        return self._inner.get_info()

    def get_thread_id(self) -> int | None:
        return self._inner.get_thread_id()
