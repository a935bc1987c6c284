"""Our worker without the workflow sandbox, only to know what the sandbox costs.

The worker has no setting for that, and must not have one.
"""

from __future__ import annotations

from temporalio.plugin import SimplePlugin
from temporalio.worker import UnsandboxedWorkflowRunner, WorkflowRunner

import worker.plugin


def unsandboxed_plugin() -> SimplePlugin:
    """The product's plugin in all but the runner."""
    plugin = worker.plugin.rollouts_plugin()
    plugin.workflow_runner = UnsandboxedWorkflowRunner()
    return plugin


def unsandboxed(_: WorkflowRunner | None) -> WorkflowRunner:
    """In place of what the product's plugin looks its runner up by."""
    return UnsandboxedWorkflowRunner()
