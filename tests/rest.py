"""Waiting until nothing is under way: before that a rollout's log, letters and partners may still change."""

from __future__ import annotations

from typing import Any

from temporalio.client import WorkflowHandle

from tests.worker.process import patiently


async def at_rest(handle: WorkflowHandle[Any, Any]) -> None:
    """Until nothing of a rollout is under way: its letters are written, its partners enrolled, and the log has
    whatever it told of them. The watch may report to it afterwards."""

    async def look() -> bool | None:
        told = (await handle.describe()).raw_description
        return None if told.pending_activities or told.HasField("pending_workflow_task") else True

    await patiently(look, lambda: f"{handle.id} never rests")
