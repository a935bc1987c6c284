"""Hears what a replayed workflow would write down: the entries of its log, as it sends them to be recorded."""

from __future__ import annotations

import json
from typing import Any

from temporalio import workflow
from temporalio.worker import (
    Interceptor,
    StartActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

from models.log import LogEntry

_HEARD = "audit_writes_heard"
_WRITES = ("record_decisions", "enrol_partners")


class Listener(Interceptor):
    """Keeps the entries of all histories that are replayed with it, by their sequence."""

    def __init__(self) -> None:
        self.entries: dict[int, LogEntry] = {}

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        """What goes around each workflow; it reaches out of its sandbox by one function."""
        input.unsafe_extern_functions[_HEARD] = self._hear
        return _Inbound

    def _hear(self, sent: Any) -> None:
        # An enrolment may take along what has to stand in the log before.
        request = sent if hasattr(sent, "entries") else getattr(sent, "record", None)
        for one in request.entries if request is not None else ():
            # The workflow's classes are those of its sandbox.
            entry = LogEntry.model_validate_json(json.dumps(one.model_dump(mode="json")))
            self.entries.setdefault(entry.sequence, entry)


class _Inbound(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_Outbound(outbound))


class _Outbound(WorkflowOutboundInterceptor):
    def start_activity(self, input: StartActivityInput) -> workflow.ActivityHandle[Any]:
        if input.activity in _WRITES and input.args:
            workflow.extern_functions()[_HEARD](input.args[0])
        return super().start_activity(input)
