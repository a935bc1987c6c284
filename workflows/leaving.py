"""The steps that keep what a rollout leaves behind. None of them keeps it from what protects: where that is due, they
are left alone and done again."""

from __future__ import annotations

from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from models.kept import KeepRequest, KeepResult
    from models.names import rollout_workflow_id
    from models.work import ITS_OWN, Asked, ExportRequest, ExportResult, ReviewRequest, ReviewResult, RolloutKey
    from workflows.closing import exported, record_kept, reviewed
    from workflows.journal import Now
    from workflows.operations import Operations
    from workflows.patience import EXPORTING
    from workflows.step import Step, done
    from workflows.steps import protects


class Leaving(Operations):
    """The class that inherits it says which rollout it is, and what time."""

    def _key(self) -> RolloutKey:
        raise NotImplementedError

    def _now(self) -> Now:
        raise NotImplementedError

    def _sent(self, request: Asked) -> Asked:
        """A request as it stands in the history: that of a rollout's first run is the rollout's own, and does not say
        so. A later run says it: by Temporal's word it would be of another chain."""
        info, state = workflow.info(), self._state
        own = info.run_id == state.chain_id and info.workflow_id == rollout_workflow_id(state.plan.id)
        return request.of(ITS_OWN) if self._fewer and own else request

    async def _export(self, step: Step) -> None:
        run_id = workflow.info().run_id
        first = run_id == self._state.chain_id
        request = ExportRequest(key=self._key(), run_id=None if first and self._once else run_id)
        result = await self._aside("export_history", request, ExportResult, f"export the history {step.about}")
        if result is not None:
            now = self._now()
            self._state = exported(done(self._state, step, now), step.about, result, now)

    async def _review(self, step: Step) -> None:
        request = ReviewRequest(key=self._key(), entries=self._state.sequence)
        result = await self._aside("review_rollout", request, ReviewResult, "review what it came to")
        if result is not None:
            now = self._now()
            self._state = reviewed(done(self._state, step, now), result, now)

    async def _keep(self, step: Step) -> None:
        request = KeepRequest(key=self._key(), entries=self._state.sequence)
        result = await self._aside("keep_record", request, KeepResult, "keep its decision record")
        if result is not None:
            now = self._now()
            self._state = record_kept(done(self._state, step, now), result, now)

    async def _aside(self, name: str, request: Asked, result: Any, summary: str) -> Any:
        """What an activity comes to, None where something became due that protects. The activity may go on then: it is
        idempotent."""
        task = workflow.start_activity(name, self._sent(request), result_type=result, summary=summary, **EXPORTING)
        await workflow.wait_condition(lambda: task.done() or protects(self._state, self._now()))
        if task.done():
            return await task
        task.add_done_callback(lambda left: left.cancelled() or left.exception())
        return None
