"""The one plugin that client, worker and replayer share, so that they agree on converter, sandbox and interceptors."""

from __future__ import annotations

import dataclasses

from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.plugin import SimplePlugin
from temporalio.worker import WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxRestrictions
from temporalio.workflow import SandboxImportNotificationPolicy

from worker.interceptors import ContextInterceptor, RefusalInterceptor
from worker.lookahead import SteadyRunner
from workflows.rollout import PartnerRollout
from workflows.watch import PartnerWatch

WORKFLOWS = (PartnerRollout, PartnerWatch)


def rollouts_plugin() -> SimplePlugin:
    """Converter, sandbox, interceptors and workflows, for `Client.connect(plugins=...)` and `Replayer(plugins=...)`.

    A worker takes it over from its client.
    """
    return SimplePlugin(
        "partner-rollouts",
        data_converter=pydantic_data_converter,
        interceptors=[RefusalInterceptor(), ContextInterceptor()],
        workflows=list(WORKFLOWS),
        workflow_runner=_sandboxed,
    )


def _sandboxed(_: WorkflowRunner | None) -> WorkflowRunner:
    """A module imported into a workflow without being passed through fails at worker start, not months later."""
    strict = SandboxRestrictions.default.with_import_notification_policy(
        SandboxImportNotificationPolicy.RAISE_ON_UNINTENTIONAL_PASSTHROUGH
    )
    return dataclasses.replace(SteadyRunner(), restrictions=strict)
