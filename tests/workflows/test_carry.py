"""The carry is a contract between versions: what an earlier release wrote is read by this one, and goes on."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from models.command import Verb
from models.plan import RolloutPlan
from models.rollout import PauseCause, Phase, RolloutState
from models.work import RolloutInput
from tests.workflows.simulator import Simulator
from workflows.journal import now_of
from workflows.steps import StepKind, advance, next_step

CARRIES = sorted((Path(__file__).parent / "carries").glob("*.json"))


def _read(path: Path) -> RolloutState:
    given = RolloutInput.model_validate_json(path.read_text(encoding="utf-8"))
    assert given.state is not None
    return given.state


@pytest.mark.parametrize("path", CARRIES, ids=lambda path: path.stem)
def test_what_an_earlier_release_carried_is_read_and_its_plan_is_the_same(path: Path) -> None:
    state = _read(path)
    assert state.plan.digest == state.plan_digest


def test_a_rollout_paused_under_the_first_release_is_resumed_under_this_one() -> None:
    state = _read(CARRIES[0])
    assert (state.phase, state.pause and state.pause.cause) == (Phase.PILOT, PauseCause.GUARDRAIL)
    moment = now_of(state, state.recent[-1].at)
    assert next_step(advance(state, moment), moment).kind is StepKind.WAIT
    rollout = Simulator(state.plan)
    rollout.state, rollout.now, rollout.requests = state, state.recent[-1].at, 1000
    rollout.ask(Verb.RESUME, "revops_owner")
    assert rollout.state.pause is None
    rollout.wait(timedelta(days=2))
    assert rollout.state.phase is Phase.PILOT


def test_a_plan_is_the_same_plan_in_every_release() -> None:
    """Decisions name the digest of the plan: were it another after an upgrade, none would fit any more."""
    raw: dict[str, Any] = json.loads(CARRIES[0].read_text(encoding="utf-8"))
    plan = RolloutPlan.model_validate_json(json.dumps(raw["plan"]))
    assert plan.digest == raw["state"]["plan_digest"]


def test_a_carry_with_what_this_release_does_not_know_is_refused() -> None:
    """Going back to an older release must not lose what a newer one has written down."""
    raw: dict[str, Any] = json.loads(CARRIES[0].read_text(encoding="utf-8"))
    raw["state"]["a_field_of_the_future"] = 1
    with pytest.raises(ValidationError, match="a_field_of_the_future"):
        RolloutInput.model_validate_json(json.dumps(raw))
