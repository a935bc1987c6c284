"""Which step comes first: looking need not wait for the log, it changes nothing; what moves does wait for it."""

from __future__ import annotations

import pytest
from pydantic_core import to_json

from models.command import COMMANDS, WATCH_ACTOR, Command, Verb
from models.plan import Fate, StopResolution
from models.rollout import RolloutState
from tests.plans import make_plan
from tests.workflows.simulator import Simulator
from workflows.journal import Now
from workflows.requests import receive
from workflows.step import Step, StepKind
from workflows.steps import advance, next_step


@pytest.fixture
def rollout() -> Simulator:
    return Simulator(make_plan())


def due(state: RolloutState, now: Now, *, together: bool = True) -> Step:
    return next_step(advance(state, now), now, together=together)


def reported(rollout: Simulator, state: RolloutState) -> RolloutState:
    """The watch sees something, and the rollout has not acted on it yet."""
    rollout.requests += 1
    data = {"request_id": f"request-{rollout.requests:04d}", "actor": WATCH_ACTOR, "reason": "it changed"}
    fields = {"as_of": rollout.now, "changed": True, "evidence_digest": "sha256:0"}
    command = _command(Verb.REPORT_EVIDENCE, {**data, **fields})
    return receive(state, Verb.REPORT_EVIDENCE, command, rollout.moment)[0]


def _command(verb: Verb, data: dict[str, object]) -> Command:
    return COMMANDS[verb].model_validate_json(to_json(data))


def test_what_the_watch_reports_is_looked_at_before_it_is_written_down(rollout: Simulator) -> None:
    rollout.to_pilot()
    state = reported(rollout, rollout.state)
    assert state.unrecorded
    assert due(state, rollout.moment).kind is StepKind.ASSESS
    assert due(state, rollout.moment, together=False).kind is StepKind.RECORD


def test_a_flood_of_reports_does_not_keep_the_log_from_being_written(rollout: Simulator) -> None:
    """Whatever is reported while a look is under way waits until that look stands in the log."""
    rollout.to_pilot()
    rollout.state = reported(rollout, rollout.state)
    rollout._assess(due(rollout.state, rollout.moment))
    state = reported(rollout, rollout.state)
    assert state.assess_because
    assert due(state, rollout.moment).kind is StepKind.RECORD


def test_an_enrolment_takes_along_what_must_be_in_the_log_before_it(rollout: Simulator) -> None:
    rollout.confirm_all()
    gate = rollout.state.gate
    assert gate is not None
    command = _command(
        Verb.DECIDE,
        {
            "request_id": "request-sponsor",
            "actor": rollout.plan.holders("sponsor")[0].identity,
            "reason": "looks good",
            "gate": gate.key,
            "choice": "approve",
            "plan_digest": rollout.state.plan_digest,
            "evidence_digest": gate.digest,
        },
    )
    state = advance(receive(rollout.state, Verb.DECIDE, command, rollout.moment)[0], rollout.moment)
    assert [one.message.split(":")[0] for one in state.unrecorded][-1] == "Entered pilot"
    assert next_step(state, rollout.moment) == Step(kind=StepKind.ENROL, about="pilot")
    assert next_step(state, rollout.moment, together=False).kind is StepKind.RECORD


def test_an_enrolment_that_failed_leaves_the_record_to_be_written_by_itself(rollout: Simulator) -> None:
    rollout.confirm_all()
    rollout.broken = {StepKind.ENROL}
    rollout.decide("sponsor")
    assert rollout.effects == []
    assert rollout.state.unrecorded == ()
    held, exported = [one.message for one in rollout.recorded][-2:]
    assert held.startswith("Holding (store unavailable): enrol failed")
    assert exported.startswith("History exported (after prepare_to_pilot)")  # what keeps goes on meanwhile


def test_nobody_is_enrolled_by_a_rollout_that_stops(rollout: Simulator) -> None:
    rollout.to_pilot()
    resolution = StopResolution(finished=Fate.KEEP, current=Fate.WITHDRAW, pending=Fate.KEEP)
    state = reported(rollout, rollout.state)
    rollout.state = state
    rollout.ask(Verb.STOP, "sponsor", resolution=resolution)
    assert rollout.effects == ["enrol pilot", "withdraw pilot"]
