"""The one plugin that client, worker and replayer share, so that they agree on converter, sandbox and interceptors."""

from __future__ import annotations

import dataclasses
from importlib.metadata import version

from temporalio.plugin import SimplePlugin
from temporalio.worker import WorkerConfig, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxRestrictions
from temporalio.workflow import SandboxImportNotificationPolicy

from models.names import EFFECTS
from worker.converter import SHARED_CONVERTER
from worker.interceptors import ContextInterceptor, HeartbeatInterceptor, OwnInterceptor, RefusalInterceptor
from worker.lookahead import SteadyRunner
from workflows.rollout import PartnerRollout
from workflows.watch import PartnerWatch

WORKFLOWS = (PartnerRollout, PartnerWatch)

VERIFYING = ("cryptography", "joserfc")
"""Packages that workflow code calls, whole: what they import when it comes to it as well."""

OURS = ("workflows", "models")
"""The rooms that workflow code stands in: one copy for all workflows. Another one of the workflow's own module for each
would be a quarter of what a rollout holds in memory and of what its start costs, and nothing in it ever changes. What
the sandbox would refuse in the copy, `tests/workflows/test_out_of_reach.py` looks for in all code of both rooms."""


class RolloutsPlugin(SimplePlugin):
    """With the release as the name of the build, so that a history says which one took each step. The SDK's own name is
    a digest of all modules: longer, and no help to a reader."""

    def configure_worker(self, config: WorkerConfig) -> WorkerConfig:
        if not config.get("build_id") and not config.get("deployment_config"):
            config["build_id"] = version("partner-rollouts")
        config = super().configure_worker(config)
        if config["task_queue"].endswith(EFFECTS):
            config["workflows"] = []  # nobody starts a workflow beside what enrols partners
        return config


def rollouts_plugin() -> SimplePlugin:
    """Converter, sandbox, interceptors and workflows, for `Client.connect(plugins=...)` and `Replayer(plugins=...)`.

    A worker takes it over from its client.
    """
    return RolloutsPlugin(
        "partner-rollouts",
        data_converter=SHARED_CONVERTER,
        interceptors=[RefusalInterceptor(), ContextInterceptor(), HeartbeatInterceptor(), OwnInterceptor()],
        workflows=list(WORKFLOWS),
        workflow_runner=_sandboxed,
    )


def _sandboxed(_: WorkflowRunner | None) -> WorkflowRunner:
    """A module imported into a workflow without being passed through fails at worker start, not months later.

    What verifies signatures imports its errors when it first says no. Refused that, it would end the whole process.
    """
    strict = SandboxRestrictions.default.with_passthrough_modules(*VERIFYING, *OURS).with_import_notification_policy(
        SandboxImportNotificationPolicy.RAISE_ON_UNINTENTIONAL_PASSTHROUGH
    )
    return dataclasses.replace(SteadyRunner(), restrictions=strict)
