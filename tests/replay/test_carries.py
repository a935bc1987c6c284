"""What an earlier release handed from one run to the next is still read, nothing of it is lost, and the rollout goes
on from there. The files stand as they were written, but for the log's newest entries and request ids: there are fewer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import pydantic_data_converter

from models.command import Verb
from models.rollout import PauseCause, Phase
from models.work import RolloutInput
from tests.workflows.simulator import Simulator
from workflows.journal import now_of
from workflows.step import StepKind
from workflows.steps import advance, next_step

FOLDER = Path(__file__).parent / "carries"
CARRIES = sorted(path.stem for path in FOLDER.glob("*.json"))


def _read(text: bytes) -> RolloutInput:
    """As a worker reads it."""
    payload = Payload(metadata={"encoding": b"json/plain"}, data=text)
    found: RolloutInput = pydantic_data_converter.payload_converter.from_payload(payload, RolloutInput)
    return found


def _lost(written: Any, read: Any, path: str = "") -> Iterator[str]:
    """Where what was written is not what was read; that more is read is what a new field does."""
    if isinstance(written, dict) and isinstance(read, dict):
        for key, value in written.items():
            yield from _lost(value, read.get(key, "nothing"), f"{path}.{key}")
    elif isinstance(written, list) and isinstance(read, list) and len(written) == len(read):
        for index, (one, other) in enumerate(zip(written, read, strict=True)):
            yield from _lost(one, other, f"{path}[{index}]")
    elif written != read:
        yield f"{path}: {written!r} was written, {read!r} is read"


@pytest.mark.parametrize("name", CARRIES)
def test_a_carry_of_an_earlier_release_is_read_and_nothing_of_it_is_lost(name: str) -> None:
    text = (FOLDER / f"{name}.json").read_bytes()
    again = pydantic_data_converter.payload_converter.to_payload(_read(text))
    assert again is not None
    assert list(_lost(json.loads(text), json.loads(again.data))) == []


@pytest.mark.parametrize("name", CARRIES)
def test_a_rollout_goes_on_from_a_carry_of_an_earlier_release(name: str) -> None:
    state = _read((FOLDER / f"{name}.json").read_bytes()).state
    assert state is not None
    now = now_of(state, datetime(2026, 12, 1, tzinfo=UTC))
    assert next_step(advance(state, now), now).kind is not StepKind.FINISH


def test_a_rollout_paused_under_the_first_release_is_resumed_under_this_one() -> None:
    """Written before the state knew of an evidence floor."""
    state = _read((FOLDER / "version_1_paused_early.json").read_bytes()).state
    assert state is not None
    assert (state.phase, state.pause and state.pause.cause) == (Phase.PILOT, PauseCause.GUARDRAIL)
    rollout = Simulator(state.plan)
    rollout.state, rollout.now, rollout.requests = state, state.recent[-1].at, 1000
    rollout.ask(Verb.RESUME, "revops_owner")
    assert rollout.state.pause is None
    rollout.wait(timedelta(days=2))
    assert rollout.state.phase is Phase.PILOT


@pytest.mark.parametrize("name", CARRIES)
def test_a_plan_is_the_same_plan_in_every_release(name: str) -> None:
    """Decisions name the digest of the plan: were it another after an upgrade, none would fit any more."""
    given = _read((FOLDER / f"{name}.json").read_bytes())
    assert given.state is not None
    assert given.plan.digest == given.state.plan.digest == given.state.plan_digest


def test_a_carry_with_what_this_release_does_not_know_is_refused() -> None:
    """Going back to an older release must not lose what a newer one has written down."""
    raw: dict[str, Any] = json.loads((FOLDER / "version_1_paused_early.json").read_bytes())
    raw["state"]["a_field_of_the_future"] = 1
    with pytest.raises(ValidationError, match="a_field_of_the_future"):
        RolloutInput.model_validate_json(json.dumps(raw))


def test_there_are_carries_of_rollouts_in_every_situation() -> None:
    assert {"version_1_at_a_gate", "version_1_in_the_pilot", "version_1_in_trouble", "version_1_stopped"} <= set(
        CARRIES
    )
