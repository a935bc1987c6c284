"""Which step comes first: looking need not wait for the log, it changes nothing; what moves does wait for it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic_core import to_json

from models.command import COMMANDS, WATCH_ACTOR, Choice, Command, Verb
from models.log import EntryKind
from models.plan import Fate, StopResolution
from models.rollout import RolloutState
from tests.plans import make_plan
from tests.workflows.simulator import Simulator
from workflows.journal import Now
from workflows.requests import receive
from workflows.step import Step, StepKind, failed
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
    fields: dict[str, Any] = {"as_of": rollout.now, "changed": True, "evidence_digest": "sha256:0"}
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


def passed_a_gate(rollout: Simulator) -> RolloutState:
    """Just after the pilot was enrolled, when nothing of it stands in the log yet."""
    rollout.confirm_all()
    gate = rollout.state.gate
    assert gate is not None
    rollout.receive(
        Verb.DECIDE,
        "sponsor",
        gate=gate.key,
        choice=Choice.APPROVE,
        plan_digest=rollout.state.plan_digest,
        evidence_digest=gate.digest,
    )
    rollout.state = advance(rollout.state, rollout.moment)
    rollout._enrol(next_step(rollout.state, rollout.moment))
    return rollout.state


def test_the_export_of_a_gate_is_recorded_with_its_passing(rollout: Simulator) -> None:
    state = passed_a_gate(rollout)
    assert [one.kind for one in state.unrecorded] == [EntryKind.ENROLMENT]
    step = due(state, rollout.moment)
    assert step.kind is StepKind.EXPORT
    assert next_step(advance(state, rollout.moment), rollout.moment, export_first=False).kind is StepKind.RECORD
    rollout._export(step)
    assert due(rollout.state, rollout.moment).kind is StepKind.RECORD
    assert [one.kind for one in rollout.state.unrecorded] == [EntryKind.ENROLMENT, EntryKind.EXPORT]


def test_an_export_that_failed_keeps_the_passing_of_a_gate_from_the_log_no_longer(rollout: Simulator) -> None:
    state = passed_a_gate(rollout)
    state = failed(state, due(state, rollout.moment), "it is down", rollout.moment)
    assert due(state, rollout.moment).kind is StepKind.RECORD


@pytest.mark.parametrize("asked", [Verb.PAUSE, Verb.STOP], ids=str)
def test_what_people_must_hear_of_does_not_wait_for_an_export(rollout: Simulator, asked: Verb) -> None:
    passed_a_gate(rollout)
    said: dict[str, Any] = {"resolution": rollout.plan.on_automatic_stop} if asked is Verb.STOP else {}
    rollout.receive(asked, "sponsor", **said)
    assert rollout.state.export_due
    assert due(rollout.state, rollout.moment).kind is not StepKind.EXPORT


def test_what_the_watch_reports_goes_before_an_export_and_the_look_does_not_make_it_wait_for_ever(
    rollout: Simulator,
) -> None:
    rollout.state = reported(rollout, passed_a_gate(rollout))
    step = due(rollout.state, rollout.moment)
    assert step.kind is StepKind.ASSESS
    rollout._assess(step)
    rollout.state = reported(rollout, rollout.state)
    assert due(rollout.state, rollout.moment).kind is StepKind.RECORD


def test_a_log_that_could_not_be_written_goes_before_an_export(rollout: Simulator) -> None:
    state = passed_a_gate(rollout)
    state = failed(state, Step(kind=StepKind.RECORD), "it is down", rollout.moment)
    rollout.now += timedelta(seconds=5)
    assert due(state, rollout.moment).kind is StepKind.RECORD
