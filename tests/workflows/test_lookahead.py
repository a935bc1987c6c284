"""A step that only a question has brought about is refused; every step that a workflow task brings is taken."""

from __future__ import annotations

from typing import Any

import pytest
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.worker import WorkflowInstance
from temporalio.workflow import Info

from models.names import ROLLOUT
from worker.lookahead import LookedAhead, SteadyInstance


class _Counting(WorkflowInstance):
    """Stands where the sandbox is, and counts what gets there."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.given: list[int] = []

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        self.taken += [str(job.WhichOneof("variant")) for job in act.jobs]
        self.given += [len(job.initialize_workflow.arguments) for job in act.jobs]
        return WorkflowActivationCompletion(run_id=act.run_id)

    def get_serialization_context(self, command_info: Any) -> Any:
        raise NotImplementedError

    def get_external_store_context(self, command_info: Any) -> Any:
        raise NotImplementedError

    def get_info(self) -> Info:
        raise NotImplementedError


@pytest.fixture
def inner() -> _Counting:
    return _Counting()


@pytest.fixture
def rollout(inner: _Counting) -> SteadyInstance:
    return SteadyInstance(inner)


def _step(*jobs: str, at: int, length: int, replaying: bool = False) -> WorkflowActivation:
    act = WorkflowActivation(run_id="run", is_replaying=replaying, history_length=length)
    act.timestamp.FromSeconds(at)
    for job in jobs:
        getattr(act.jobs.add(), job).SetInParent()
    return act


def test_events_that_a_question_brought_along_are_not_taken(rollout: SteadyInstance, inner: _Counting) -> None:
    """As the SDK hands them out: the task that was replayed, events after it at its time, and then the question."""
    rollout.activate(_step("initialize_workflow", at=10, length=3, replaying=True))
    with pytest.raises(LookedAhead, match="ask again"):
        rollout.activate(_step("signal_workflow", "fire_timer", at=10, length=8))
    assert inner.taken == ["initialize_workflow"]


def test_a_question_is_answered_where_nothing_has_happened_since(rollout: SteadyInstance, inner: _Counting) -> None:
    rollout.activate(_step("initialize_workflow", at=10, length=3, replaying=True))
    rollout.activate(_step("query_workflow", at=10, length=8, replaying=True))
    rollout.activate(_step("query_workflow", at=10, length=9))
    rollout.activate(_step("fire_timer", at=20, length=11))
    assert inner.taken == ["initialize_workflow", "query_workflow", "query_workflow", "fire_timer"]


def test_a_task_of_several_steps_and_a_replay_are_taken(rollout: SteadyInstance, inner: _Counting) -> None:
    rollout.activate(_step("initialize_workflow", at=10, length=3, replaying=True))
    rollout.activate(_step("signal_workflow", at=10, length=5, replaying=True))
    rollout.activate(_step("resolve_activity", at=12, length=9))
    rollout.activate(_step("do_update", at=12, length=9))
    assert inner.taken == ["initialize_workflow", "signal_workflow", "resolve_activity", "do_update"]


@pytest.mark.parametrize(("name", "given", "handed_on"), [(ROLLOUT, 0, 1), (ROLLOUT, 2, 1), ("Another", 0, 0)])
def test_a_rollout_is_always_handed_one_argument_so_that_it_can_say_what_is_wrong_with_it(
    rollout: SteadyInstance, inner: _Counting, name: str, given: int, handed_on: int
) -> None:
    act = _step("initialize_workflow", at=10, length=3)
    act.jobs[0].initialize_workflow.workflow_type = name
    for _ in range(given):
        act.jobs[0].initialize_workflow.arguments.add(data=b"{}")
    rollout.activate(act)
    assert inner.given == [handed_on]
    assert all(not one.data for one in act.jobs[0].initialize_workflow.arguments)
