"""Client, worker and replayer get converter, sandbox, interceptors and workflows from one plugin; the sandbox shares
what is safe to share, and refuses what nobody thought about."""

from __future__ import annotations

import sys
from importlib.metadata import version
from uuid import uuid4

import pytest
from temporalio.client import Client
from temporalio.converter import WithSerializationContext, WorkflowSerializationContext
from temporalio.worker import Replayer, Worker
from temporalio.worker.workflow_sandbox import RestrictedWorkflowAccessError, SandboxedWorkflowRunner
from temporalio.worker.workflow_sandbox._importer import Importer
from temporalio.worker.workflow_sandbox._restrictions import RestrictionContext, UnintentionalPassthroughError
from temporalio.workflow import SandboxImportNotificationPolicy

import workflows.rollout
from tests.worker.stray import Stray
from worker.converter import SHARED_CONVERTER
from worker.interceptors import ContextInterceptor, HeartbeatInterceptor, OwnInterceptor, RefusalInterceptor
from worker.plugin import WORKFLOWS, rollouts_plugin

INTERCEPTORS = [RefusalInterceptor, ContextInterceptor, HeartbeatInterceptor, OwnInterceptor]


def _strict(runner: object) -> SandboxedWorkflowRunner:
    assert isinstance(runner, SandboxedWorkflowRunner)
    policy = SandboxImportNotificationPolicy.RAISE_ON_UNINTENTIONAL_PASSTHROUGH
    assert policy in runner.restrictions.import_notification_policy
    return runner


async def test_a_worker_takes_everything_over_from_its_client(client: Client) -> None:
    assert client.data_converter is SHARED_CONVERTER
    config = Worker(client, task_queue=f"queue-{uuid4().hex[:8]}").config(active_config=True)
    assert set(config["workflows"]) == set(WORKFLOWS)
    assert [type(one) for one in config["interceptors"]] == INTERCEPTORS
    assert config["build_id"] == version("partner-rollouts")
    _strict(config["workflow_runner"])


def test_what_is_written_does_not_depend_on_whom_it_is_for() -> None:
    """So the SDK, which asks for each payload, is told nothing of that (`worker/lookahead.py`)."""
    assert SHARED_CONVERTER.payload_codec is None
    assert SHARED_CONVERTER.external_storage is None
    parts = (SHARED_CONVERTER.payload_converter, SHARED_CONVERTER.failure_converter)
    for_somebody = WorkflowSerializationContext(namespace="n", workflow_id="w")
    assert all(one.with_context(for_somebody) is one for one in parts if isinstance(one, WithSerializationContext))


async def test_a_replayer_has_the_same_from_the_plugin() -> None:
    config = Replayer(workflows=[], plugins=[rollouts_plugin()]).config(active_config=True)
    assert config["data_converter"] is SHARED_CONVERTER
    assert set(config["workflows"]) == set(WORKFLOWS)
    assert [type(one) for one in config["interceptors"]] == INTERCEPTORS
    _strict(config["workflow_runner"])


async def test_a_stray_import_fails_before_the_worker_takes_any_work(client: Client) -> None:
    with pytest.raises(RuntimeError, match="Failed validating workflow Stray") as error:
        Worker(client, task_queue=f"queue-{uuid4().hex[:8]}", workflows=[Stray])
    assert "judgement" in str(error.value.__cause__)


async def test_the_sandbox_has_no_second_copy_of_our_code_nor_of_pydantic(client: Client) -> None:
    """A second copy of the models costs each start 68 ms and each cached rollout a MiB; one of the workflow's own
    module 3 ms and 56 KiB."""
    for workflow in WORKFLOWS:
        module = workflow.__module__
        importer = _importer(client, module)
        with importer.applied():
            __import__(module)
        foreign = {name for name in importer.new_modules if name.split(".")[0] not in sys.stdlib_module_names}
        shared = {name for name in foreign if importer.new_modules[name] is sys.modules.get(name)}
        assert foreign - shared == {"__main__"}
        assert module in shared


async def test_the_sandbox_stands_around_code_that_is_shared(client: Client) -> None:
    importer = _importer(client, workflows.rollout.__name__)
    importer.restriction_context.is_runtime = True
    what_code_can_call = vars(workflows.rollout)["__builtins__"]
    with importer.applied():
        with pytest.raises(RestrictedWorkflowAccessError):
            what_code_can_call["open"]("facts.csv")
        with pytest.raises(UnintentionalPassthroughError):
            what_code_can_call["__import__"]("judgement.counting")


def _importer(client: Client, module: str) -> Importer:
    """What the sandbox of a workflow in this module imports by."""
    config = Worker(client, task_queue=f"queue-{uuid4().hex[:8]}").config(active_config=True)
    return Importer(_strict(config["workflow_runner"]).restrictions, RestrictionContext(), module)
