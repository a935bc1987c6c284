"""What an earlier release handed from one run to the next is still read, nothing of it is lost, and the rollout goes
on from there. The files stand as they were written, but for the log's newest entries and request ids: there are fewer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import pydantic_data_converter

from models.work import RolloutInput
from workflows.journal import now_of
from workflows.steps import StepKind, advance, next_step

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


def test_there_are_carries_of_rollouts_in_every_situation() -> None:
    assert {"version_1_at_a_gate", "version_1_in_the_pilot", "version_1_in_trouble", "version_1_stopped"} <= set(
        CARRIES
    )
