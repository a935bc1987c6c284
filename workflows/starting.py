"""How a rollout begins: its state from what it was started with, or an end that says what was wrong with it."""

from __future__ import annotations

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from models.clock import clock_at
    from models.rollout import RolloutState
    from models.work import RolloutInput
    from models.writable import written
    from workflows.journal import Now
    from workflows.kept import Kept
    from workflows.operations import told
    from workflows.phases import initial_state


class NotBegun(Kept):
    """In place of the state of a rollout that was started with what cannot be read: whoever asks for it ends the
    rollout with the reason. Nobody is enrolled yet, and whoever started it hears of it."""

    def __init__(self, why: str) -> None:
        self._why = why

    @property
    def state(self) -> RolloutState:
        """There is none.

        Raises:
            ApplicationError: always; it says what cannot be read.
        """
        raise ApplicationError(f"this cannot be started: {self._why}", type="UnreadableStart", non_retryable=True)

    @state.setter
    def state(self, state: RolloutState) -> None:
        raise AssertionError("nothing has begun")

    def pack(self) -> None:
        """There is nothing to pack."""


def begun(payload: RawValue) -> Kept:
    """The state that a run begins with: what the run before carried on, or that of a plan that was started just now.

    One that begins just now and cannot be read has not begun. A run that goes on and cannot be read by this release
    fails its task, until a release takes it that can.
    """
    try:
        return Kept(_first_state(payload))
    except Exception as problem:
        if workflow.unsafe.is_replaying() or workflow.info().continued_run_id is not None:
            raise
        why = written(told(problem))[:500]
        workflow.logger.error("a rollout was started with what cannot be read: %s", why)
        return NotBegun(why)


def _first_state(payload: RawValue) -> RolloutState:
    # Raw, because the SDK holds on to what it is given: a plan that has been read takes seven times its room.
    given: RolloutInput = workflow.payload_converter().from_payload(payload.payload, RolloutInput)
    if given.state is not None:
        return given.state
    real = workflow.now()
    clock = clock_at(real, start=given.clock_start, speed=given.clock_speed)
    info = workflow.info()
    return initial_state(
        given.plan,
        info.first_execution_run_id,
        clock,
        Now(real=real, programme=clock.programme(real)),
        decisions=given.decisions,
        start_token=given.start_token,
        started_at=info.start_time,
        short_retention=given.short_retention,
    )
