"""`python -m bench.unsandboxed`: our worker without the workflow sandbox, only to know what the sandbox costs.

The worker has no setting for that, and must not have one.
"""

from __future__ import annotations

import runpy

from temporalio.plugin import SimplePlugin
from temporalio.worker import UnsandboxedWorkflowRunner, WorkflowRunner

import worker.plugin


def unsandboxed_plugin() -> SimplePlugin:
    """The product's plugin in all but the runner."""
    plugin = worker.plugin.rollouts_plugin()
    plugin.workflow_runner = UnsandboxedWorkflowRunner()
    return plugin


def _unsandboxed(_: WorkflowRunner | None) -> WorkflowRunner:
    return UnsandboxedWorkflowRunner()


if __name__ == "__main__":
    # Where the plugin looks its runner up, whoever makes one.
    worker.plugin._sandboxed = _unsandboxed
    runpy.run_module("worker", run_name="__main__")
