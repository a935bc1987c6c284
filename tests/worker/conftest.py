"""What a worker needs: a namespace of this folder's own, a database, and addresses to listen at."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import structlog
from google.protobuf.duration_pb2 import Duration
from temporalio import activity, workflow
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

from deploy.embedded.account import temporary_directory
from deploy.embedded.processes import free_port
from deploy.embedded.temporal import EmbeddedTemporal
from tests.worker.process import patiently
from worker.plugin import rollouts_plugin


@pytest.fixture
def folder() -> Iterator[Path]:
    path = temporary_directory("partner-rollouts-worker-")
    yield path
    shutil.rmtree(path)


@pytest.fixture
async def namespace(temporal_server: EmbeddedTemporal) -> str:
    """A new namespace: there is one watch in each, and nothing is registered in it."""
    name = f"worker-{uuid4().hex[:8]}"
    client = await Client.connect(temporal_server.address)
    retention = Duration()
    retention.FromTimedelta(timedelta(days=1))
    request = RegisterNamespaceRequest(namespace=name, workflow_execution_retention_period=retention)
    await client.workflow_service.register_namespace(request)

    async def known() -> bool | None:
        try:
            await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=name))
        except RPCError:
            return None
        return True

    await patiently(known)
    return name


@pytest.fixture
async def client(temporal_server: EmbeddedTemporal, namespace: str) -> Client:
    return await Client.connect(temporal_server.address, namespace=namespace, plugins=[rollouts_plugin()])


@pytest.fixture
def settings(temporal_server: EmbeddedTemporal, namespace: str, database: str) -> dict[str, str]:
    """The environment of a worker that lacks nothing."""
    return {
        "TEMPORAL_ADDRESS": temporal_server.address,
        "TEMPORAL_NAMESPACE": namespace,
        "ROLLOUTS_DATABASE_DSN": database,
        "ROLLOUTS_DECISIONS": "unsigned",
        "ROLLOUTS_TASK_QUEUE": f"queue-{uuid4().hex[:8]}",
        "ROLLOUTS_HEALTH_BIND": f"127.0.0.1:{free_port()}",
        "ROLLOUTS_METRICS_BIND": f"127.0.0.1:{free_port()}",
    }


@pytest.fixture
def own_environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No settings but those that the test sets."""
    for name in list(os.environ):
        if name.startswith(("ROLLOUTS_", "TEMPORAL_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", os.devnull)
    return monkeypatch


@pytest.fixture
def own_logging() -> Iterator[None]:
    """Whatever a worker in this process does to logging ends with the test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    hooks = (sys.excepthook, threading.excepthook, sys.unraisablehook)
    on_message = (workflow.logger.workflow_info_on_message, activity.logger.activity_info_on_message)
    yield
    root.handlers = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
    workflow.logger.workflow_info_on_message, activity.logger.activity_info_on_message = on_message
    structlog.reset_defaults()
